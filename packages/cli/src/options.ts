/** Option values: parsing and checking. Errors here are usage errors (exit code 2). */
import type { ModelInput } from "@sotto/core";
import { InvalidArgumentError } from "commander";

const MOST_WORKERS = 64;

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
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError("Expected a whole number above 0.");
  return value;
}

/** Workers of a party on one machine. */
export function workerCount(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isInteger(value) || value < 1 || value > MOST_WORKERS)
    throw new InvalidArgumentError(`Expected a whole number from 1 to ${MOST_WORKERS}.`);
  return value;
}

/** The first of several TCP ports. */
export function basePort(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1024 || value > 65000)
    throw new InvalidArgumentError("Expected a port from 1024 to 65000.");
  return value;
}

/** An empty one is a variable of a shell that has no value, and would mean the current directory. */
export function directory(text: string): string {
  if (text === "") throw new InvalidArgumentError("Expected a directory's name; . is the current one.");
  return text;
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
