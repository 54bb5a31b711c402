/** Option values: parsing and checking. Errors here are usage errors (exit code 2). */
import { DEFAULT_RANGE, type ModelInput } from "@sotto/core";
import { InvalidArgumentError, Option } from "commander";
import { UsageError } from "./errors.js";
import { note } from "./terminal.js";

/** A number above zero. */
export function positive(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value > 0 && Number.isFinite(value))) {
    throw new InvalidArgumentError("Expected a number above 0.");
  }
  return value;
}

/** A whole number above zero. */
export function count(text: string): number {
  const value = positive(text);
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError("Expected a whole number above 0.");
  return value;
}

/** The first of several TCP ports. */
export function basePort(text: string): number {
  const value = count(text);
  if (value < 1024 || value > 65000) throw new InvalidArgumentError("Expected a port from 1024 to 65000.");
  return value;
}

/** For options that may be given several times. */
export function collect(text: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), text];
}

/** `name=N`, several times: sizes that the model leaves open. */
export function size(text: string, previous: Record<string, number> | undefined): Record<string, number> {
  const at = text.lastIndexOf("=");
  const value = Number(text.slice(at + 1));
  if (at < 1 || !Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError("Expected NAME=N with a whole number N above 0, e.g. time=50.");
  }
  return { ...previous, [text.slice(0, at)]: value };
}

/** `[NAME=]R`, several times: declared ranges; "" holds the one for all inputs. */
export type Ranges = Record<string, number>;

export function range(text: string, previous: Ranges | undefined): Ranges {
  const at = text.lastIndexOf("=");
  const name = at < 0 ? "" : text.slice(0, at);
  if (previous && Object.hasOwn(previous, name)) {
    throw new InvalidArgumentError(`Declared twice for ${name === "" ? "all inputs" : `input ${name}`}.`);
  }
  return { ...previous, [name]: positive(text.slice(at + 1)) };
}

export function rangeOption(): Option {
  const text = `declare |x| <= R, for all inputs or for one (repeatable; default: ${DEFAULT_RANGE})`;
  return new Option("--input-range <[name=]R>", text).argParser(range);
}

/** For commands that read a model. */
export function configOption(): Option {
  const text =
    "how PyTorch weights are wired: JSON, or what print(model) writes in Python (default: MODEL's name with .json or .txt)";
  return new Option("--config <file>", text);
}

/** What the plan compiler takes: a range by input, where one was declared. */
export function rangesOf(inputs: readonly ModelInput[], ranges: Ranges = {}): Record<string, number> {
  for (const name of Object.keys(ranges)) {
    const input = inputs.find((i) => i.name === name);
    if (name !== "" && !input)
      throw new UsageError(`--input-range: the model has no input ${name}; ${list(inputs)}`);
    if (input?.kind === "token") {
      throw new UsageError(`--input-range: input ${name} holds tokens, whose range is that of the embedding`);
    }
  }
  const all = ranges[""];
  if (all !== undefined && !inputs.some((i) => i.kind === "real")) {
    note("sotto: warning: --input-range has no effect: the model's inputs hold tokens only");
  }
  const result: Record<string, number> = {};
  for (const { name, kind } of inputs) {
    const declared = ranges[name] ?? all;
    if (kind === "real" && declared !== undefined) result[name] = declared;
  }
  return result;
}

/** "its inputs: x, h0". */
export function list(inputs: readonly ModelInput[]): string {
  return `its inputs: ${inputs.map((i) => i.name).join(", ")}`;
}

/** A plan's hash, as `sotto deploy` prints it. */
export function planHashOption(text: string): string {
  if (!/^[0-9a-f]{64}$/.test(text)) throw new InvalidArgumentError("Expected 64 hexadecimal digits.");
  return text;
}

/** A name under which servers keep a model. */
export function modelName(text: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(text)) {
    throw new InvalidArgumentError("Expected up to 100 letters, digits, dots, dashes or underscores.");
  }
  return text;
}
