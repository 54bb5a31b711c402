/** The client's inputs: which file is for which input of the model, and what is in it. */
import { type ModelInput, type NumberTensor, type Sizes, SottoError, sizesOf } from "@sotto/core";
import { readRegularFile } from "@sotto/model";
import { readNpy } from "@sotto/model/npy";
import { UsageError } from "./errors.js";
import { list } from "./options.js";

/** Inputs by name, and the sizes that the model had left open. */
export interface Inputs {
  values: Record<string, NumberTensor>;
  sizes: Sizes;
}

/**
 * Reads the files of `--input [NAME=]x.npy ...`.
 * @throws UsageError when files and inputs cannot be matched; SottoError not-found, bad-input.
 */
export async function readInputs(specs: readonly string[], inputs: readonly ModelInput[]): Promise<Inputs> {
  const values = await readArrays(specs, inputs);
  return { values, sizes: openSizes(inputs, values) };
}

/** Reads the files of an option such as `--input [NAME=]x.npy ...`, whatever their shapes. */
export async function readArrays(
  specs: readonly string[],
  inputs: readonly ModelInput[],
  option = "--input",
): Promise<Record<string, NumberTensor>> {
  const values: Record<string, NumberTensor> = {};
  for (const [name, path] of assign(specs, inputs, option)) values[name] = await readArray(path);
  return values;
}

/** Which file goes with which input. NAME= may be left out if the user gives one input only. */
export function assign(
  specs: readonly string[],
  all: readonly ModelInput[],
  option = "--input",
): Map<string, string> {
  const files = new Map<string, string>();
  const inputs = all.filter((i) => !i.mask);
  for (const spec of specs) {
    // names of values may contain "=" themselves: the longest that fits is meant
    const named = all
      .filter((i) => spec.startsWith(`${i.name}=`))
      .sort((a, b) => b.name.length - a.name.length)[0];
    const input = named ?? (inputs.length === 1 && !looksNamed(spec) ? inputs[0] : undefined);
    if (!input) {
      throw new UsageError(
        looksNamed(spec)
          ? `${option} ${spec}: the model has no input of that name; ${list(inputs)}`
          : `${option} ${spec}: say which input it is for, NAME=${spec}; ${list(inputs)}`,
      );
    }
    if (input.mask) {
      throw new UsageError(
        `${option} ${spec}: ${input.name} is not given: the client finds it in ${input.mask.input}`,
      );
    }
    if (files.has(input.name)) throw new UsageError(`${option}: two files for input ${input.name}`);
    files.set(input.name, named ? spec.slice(named.name.length + 1) : spec);
  }
  const missing = inputs.filter((i) => !files.has(i.name)).map((i) => `${i.name} [${i.shape.join(", ")}]`);
  if (missing.length > 0) throw new UsageError(`no ${option} for ${missing.join(", ")}`);
  return files;
}

/** Options as commander gives them: without `input` if there was no --input. */
export type Given<T extends { input: string[] }> = Omit<T, "input"> & Partial<Pick<T, "input">>;

/**
 * All inputs of a command line: `--input a.npy --input b.npy` and `--input a.npy b.npy` mean the same.
 * @param rest arguments that are left.
 */
export function allInputs(given: readonly string[] | undefined, rest: readonly string[]): string[] {
  // not commander's requiredOption, which would hide that --inptu is unknown
  if (!given) {
    const [first] = rest;
    throw new UsageError(
      first === undefined
        ? "no --input; give the model's inputs as --input [NAME=]x.npy"
        : `unexpected argument ${first}; an input is given as --input ${first}`,
    );
  }
  const other = rest.find((argument) => !/\.npy$/i.test(argument));
  if (other !== undefined) throw new UsageError(`unexpected argument ${other}; inputs are files named *.npy`);
  return [...given, ...rest];
}

/** "seq=x.npy" is meant to name an input; "data/a=1/x.npy" is a path. */
function looksNamed(spec: string): boolean {
  return /^[^/\\=]+=/.test(spec);
}

async function readArray(path: string): Promise<NumberTensor> {
  let bytes: Uint8Array;
  try {
    bytes = await readRegularFile(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SottoError("not-found", `the input ${path} can't be read: ${reason}`, { cause });
  }
  try {
    const { shape, data } = readNpy(bytes);
    return { shape, data };
  } catch (cause) {
    if (!(cause instanceof SottoError)) throw cause;
    throw new SottoError(cause.code, `${path}: ${cause.message}`, { cause });
  }
}

/** sizesOf, with what is most often the matter. */
export function openSizes(inputs: readonly ModelInput[], values: Record<string, NumberTensor>): Sizes {
  try {
    return sizesOf({ inputs: [...inputs] }, values);
  } catch (error) {
    const short = inputs.find((i) => values[i.name]?.shape.length === i.shape.length - 1);
    if (!(error instanceof SottoError) || !short) throw error;
    throw new SottoError(
      error.code,
      `${error.message}; an axis is missing: for one sequence, give the batch axis the size 1 (numpy.expand_dims)`,
    );
  }
}
