/** Sizes that a model leaves open (batch, time), where no input tells them. */
import { type Compiled, instantiate, type ModelInput, rounds, type Sizes, SottoError } from "@sotto/core";
import { UsageError } from "./errors.js";
import { list } from "./options.js";

/** Time steps to assume for a model that takes sequences of any length. */
export const DEFAULT_STEPS = 50;

export interface OpenSize {
  name: string;
  value: number;
  /** Rounds grow with it. */
  time: boolean;
  /** Said by the user; otherwise a default. */
  given: boolean;
}

/** The names of a model's open sizes, in the order of first appearance. */
export function openNames(inputs: readonly ModelInput[]): string[] {
  return [...new Set(inputs.flatMap((i) => i.shape).filter((d) => typeof d === "string"))];
}

/** @throws UsageError naming the sizes that are open. */
export function refuseUnknown(inputs: readonly ModelInput[], given: Sizes): void {
  const names = openNames(inputs);
  for (const name of Object.keys(given)) {
    if (names.includes(name)) continue;
    const open = names.length > 0 ? `open sizes: ${names.join(", ")}` : "it leaves no size open";
    throw new UsageError(
      `--size ${name}: the model has no open size of that name; ${open} (${list(inputs)})`,
    );
  }
}

/** Numbers of steps to try; a convolution may need several, and make few of many. */
const TRIED = [1, 2, 16];

/**
 * Values for all open sizes: the given ones, else DEFAULT_STEPS for time and the least that works for the rest. Which
 * one is time is found by trying, since its name may be anything: with more steps there are more rounds.
 */
export function chooseSizes(compiled: Compiled, given: Sizes): OpenSize[] {
  const { plan } = compiled;
  const names = openNames(plan.inputs);
  refuseUnknown(plan.inputs, given);
  const ones: Sizes = Object.fromEntries(names.map((name) => [name, given[name] ?? 1]));
  return names.map((name) => {
    const tried = TRIED.map((n) => roundsAt(compiled, { ...ones, [name]: n }));
    const known = tried.filter((r) => r !== undefined);
    const time = Math.max(...known) > Math.min(...known);
    const least = TRIED[tried.findIndex((r) => r !== undefined)] ?? 1;
    return { name, value: given[name] ?? (time ? DEFAULT_STEPS : least), time, given: name in given };
  });
}

/** undefined where the model does not take these sizes. */
function roundsAt({ plan }: Compiled, sizes: Sizes): number | undefined {
  try {
    return rounds(instantiate(plan, sizes).program);
  } catch (error) {
    if (error instanceof SottoError) return undefined;
    throw error;
  }
}

export function sizesFrom(open: readonly OpenSize[]): Sizes {
  return Object.fromEntries(open.map(({ name, value }) => [name, value]));
}

/** Sizes that inputs say, for the report. */
export function givenSizes(compiled: Compiled, sizes: Sizes): OpenSize[] {
  const time = chooseSizes(compiled, {});
  return time.map((s) => ({ ...s, value: sizes[s.name]!, given: true }));
}
