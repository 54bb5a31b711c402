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

/** The open sizes that the shapes of actual inputs imply. @throws SottoError bad-input naming input, shape, expectation. */
export function sizesOf(plan: Pick<Plan, "inputs">, shapes: Record<string, readonly number[]>): Sizes {
  const sizes: Sizes = {};
  for (const input of plan.inputs) {
    const given = shapes[input.name];
    const declared = `[${input.shape.join(", ")}]`;
    if (!given) throw new SottoError("bad-input", `input ${input.name} of shape ${declared} is missing`);
    const wrong = () =>
      new SottoError(
        "bad-input",
        `input ${input.name} has shape [${given.join(", ")}], expected ${declared}`,
      );
    if (given.length !== input.shape.length) throw wrong();
    input.shape.forEach((d, i) => {
      const size = given[i]!;
      if (typeof d === "number" ? d !== size : (sizes[d] ?? size) !== size) throw wrong();
      if (typeof d === "string") sizes[d] = size;
    });
  }
  for (const name of Object.keys(shapes)) {
    if (!plan.inputs.some((i) => i.name === name)) {
      const names = plan.inputs.map((i) => i.name).join(", ");
      throw new SottoError("bad-input", `the model has no input ${name}; its inputs: ${names}`);
    }
  }
  return sizes;
}
