/** Samples of the user's own, for `sotto inspect --error` and `--calibrate`: arrays of inputs, one sample or many. */
import {
  type Compiled,
  instantiate,
  type ModelInput,
  type Network,
  type NumberTensor,
  prepareInputs,
  SottoError,
  type Values,
} from "@sotto/core";
import { openSizes, readArrays } from "../inputs.js";

export interface Samples {
  count: number;
  /** The inputs of a sample, by name. */
  at(sample: number): Record<string, NumberTensor>;
}

/**
 * Reads `[NAME=]data.npy`, one for each input. An array has the shape of its input, or an axis more in front: that many
 * samples. An input without that axis is the same in every sample.
 * @throws UsageError, SottoError not-found, bad-input.
 */
export async function readSamples(
  option: string,
  specs: readonly string[],
  inputs: readonly ModelInput[],
): Promise<Samples> {
  const arrays = await readArrays(specs, inputs, option);
  let count: number | undefined;
  for (const { name, shape } of inputs) {
    const array = arrays[name];
    if (!array) continue; // found by the client
    const extra = array.shape.length - shape.length;
    const declared = shape.join(", ");
    if (extra !== 0 && extra !== 1) {
      throw new SottoError(
        "bad-input",
        `${option}: input ${name} has shape [${array.shape.join(", ")}], expected [${declared}], ` +
          `or one axis more in front, of samples: [samples, ${declared}]`,
      );
    }
    if (extra === 0) continue;
    const samples = array.shape[0]!;
    if (samples === 0) throw new SottoError("bad-input", `${option}: input ${name} has no samples`);
    if (count !== undefined && count !== samples)
      throw new SottoError(
        "bad-input",
        `${option}: ${samples} samples of input ${name}, ${count} of those before`,
      );
    count = samples;
  }
  const at = (sample: number) =>
    Object.fromEntries(
      inputs.flatMap(({ name, shape: { length: rank } }) => {
        const array = arrays[name];
        return array ? [[name, array.shape.length === rank ? array : slice(array, sample)]] : [];
      }),
    );
  return { count: count ?? 1, at };
}

function slice({ shape, data }: NumberTensor, sample: number): NumberTensor {
  const size = data.length / shape[0]!;
  const part = Array.from({ length: size }, (_, i) => data[sample * size + i]!);
  return { shape: shape.slice(1), data: part };
}

export interface Prepared {
  sample: number;
  network: Network;
  inputs: Record<string, NumberTensor>;
  /** What the network takes, values outside the declared ranges as they are. */
  values: Values;
}

/** Every sample with the network for its sizes. Samples of the same sizes that follow each other share one. */
export function* prepared(compiled: Compiled, samples: Samples): Generator<Prepared> {
  let network: Network | undefined;
  let known = "";
  for (let sample = 0; sample < samples.count; sample++) {
    const inputs = samples.at(sample);
    try {
      const sizes = openSizes(compiled.plan.inputs, inputs);
      const key = JSON.stringify(sizes);
      if (!network || key !== known) network = instantiate(compiled.plan, sizes);
      known = key;
      const values = prepareInputs(network, inputs, compiled.publicTensors, { outside: "keep" });
      yield { sample, network, inputs, values };
    } catch (error) {
      if (!(error instanceof SottoError) || samples.count === 1) throw error;
      throw new SottoError(error.code, `sample ${sample}: ${error.message}`, { cause: error });
    }
  }
}

/** How many of an input's elements are outside its declared range. */
export function outsideOf(range: number | number[], data: ArrayLike<number>): number {
  let outside = 0;
  for (let i = 0; i < data.length; i++) {
    const most = typeof range === "number" ? range : range[i % range.length]!;
    if (Math.abs(data[i]!) > most) outside++;
  }
  return outside;
}
