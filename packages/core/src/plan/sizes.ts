/** Sizes that a model leaves open, and the shapes of inputs. */
import { SottoError } from "../errors.js";
import type { ModelInput } from "./description.js";
import type { Plan, Sizes } from "./plan.js";

/** An input's shape with the sizes filled in. @throws SottoError bad-input naming the size that is missing. */
export function inputShape(input: ModelInput, sizes: Sizes): number[] {
  return input.shape.map((d) => {
    const size = typeof d === "number" ? d : sizes[d];
    if (size === undefined)
      throw new SottoError("bad-input", `input ${input.name}: no size given for "${d}"`);
    if (!Number.isInteger(size) || size < 1) {
      throw new SottoError(
        "bad-input",
        `input ${input.name}: size ${size} for "${d}"; expected a positive integer`,
      );
    }
    return size;
  });
}

/**
 * How many numbers a client shares at least for a run of these sizes; no program is needed to tell.
 * @throws SottoError bad-input for sizes that do not fit the inputs' shapes.
 */
export function leastNumbers(plan: Pick<Plan, "inputs">, sizes: Sizes): number {
  const shared = plan.inputs.filter((input) => input.kind !== "length" && !input.mask);
  return shared.reduce((sum, input) => sum + inputShape(input, sizes).reduce((n, d) => n * d, 1), 0);
}

/** Rows of a batch that have lengths of their own. */
const MAX_ROWS = 2 ** 14;

/** The name under which a length of a batch's row is kept among a run's sizes. */
function lengthName(input: string, row: number): string {
  return `${input}[${row}]`;
}

/** The lengths of an input of kind `length` [B]; undefined, where the sizes say nothing, is all the steps there are. */
export function lengthsOf(input: ModelInput, sizes: Sizes): (number | undefined)[] {
  const [batch = 1] = inputShape(input, sizes);
  // sizes come from clients: no list is made before it is known to be short
  if (batch > MAX_ROWS)
    throw new SottoError(
      "bad-input",
      `input ${input.name}: ${batch} lengths; a run takes at most ${MAX_ROWS}`,
    );
  return Array.from({ length: batch }, (_, b) => sizes[lengthName(input.name, b)]);
}

/** What is known of an input for the sizes of a run: its shape, and its values where they are public or masked. */
export interface Given {
  shape: readonly number[];
  data?: ArrayLike<number>;
}

/**
 * The open sizes of a run: those that the shapes of actual inputs imply, and the lengths of sequences.
 * @throws SottoError bad-input naming input, shape, expectation.
 */
export function sizesOf(plan: Pick<Plan, "inputs">, given: Record<string, Given>): Sizes {
  const sizes: Sizes = {};
  for (const input of plan.inputs) {
    if (input.mask) continue;
    const about = given[input.name];
    const declared = `[${input.shape.join(", ")}]`;
    if (!about) throw new SottoError("bad-input", `input ${input.name} of shape ${declared} is missing`);
    const { shape } = about;
    const wrong = () =>
      new SottoError(
        "bad-input",
        `input ${input.name} has shape [${shape.join(", ")}], expected ${declared}`,
      );
    if (shape.length !== input.shape.length) throw wrong();
    input.shape.forEach((d, i) => {
      const size = shape[i]!;
      if (typeof d === "number" ? d !== size : (sizes[d] ?? size) !== size) throw wrong();
      if (typeof d === "string") sizes[d] = size;
    });
    if (input.kind === "length") {
      Array.from(about.data ?? []).forEach((length, b) => {
        if (!Number.isInteger(length) || length < 0)
          throw new SottoError(
            "bad-input",
            `input ${input.name}: element ${b} is ${length}; expected a whole number of steps`,
          );
        sizes[lengthName(input.name, b)] = length;
      });
    }
  }
  for (const input of plan.inputs) {
    if (!input.mask) continue;
    const masked = given[input.mask.input];
    if (!masked?.data) throw new SottoError("bad-input", `input ${input.mask.input} is missing`);
    for (const d of input.shape) if (typeof d === "string") sizes[d] ??= masked.shape[0]!;
    spansOf(input.mask.input, masked.shape, masked.data, input.mask.value).forEach(([start, end], b) => {
      sizes[lengthName(input.name, b)] = input.mask!.edge === "start" ? start : end;
    });
  }
  const own = plan.inputs.filter((i) => !i.mask);
  for (const name of Object.keys(given)) {
    if (!own.some((i) => i.name === name)) {
      const names = own.map((i) => i.name).join(", ");
      throw new SottoError("bad-input", `the model has no input ${name}; its inputs: ${names}`);
    }
  }
  return sizes;
}

/** The steps of each row [B, T, ...] that are not padding. @throws SottoError bad-input if there is padding among them. */
function spansOf(
  name: string,
  shape: readonly number[],
  data: ArrayLike<number>,
  padding: number,
): [start: number, end: number][] {
  const [batch = 0, steps = 0, ...rest] = shape;
  const width = rest.reduce((n, d) => n * d, 1);
  return Array.from({ length: batch }, (_, b) => {
    const isPadding = (t: number) => {
      for (let i = 0; i < width; i++) if (data[(b * steps + t) * width + i] !== padding) return false;
      return true;
    };
    const real = Array.from({ length: steps }, (_, t) => t).filter((t) => !isPadding(t));
    const [start, end] = [real[0] ?? 0, (real.at(-1) ?? -1) + 1];
    if (end - start !== real.length) {
      throw new SottoError(
        "bad-input",
        `input ${name}: sequence ${b} has padding (${padding}) between its steps; it is supported before and after them`,
      );
    }
    return [start, end];
  });
}
