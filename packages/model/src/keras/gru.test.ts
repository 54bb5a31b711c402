/** GRU layers with any options, from any file, against TensorFlow.js (with reset_after added to it). */
import type { Constant, ModelDescription } from "@sotto/core";
import { describe, expect, it } from "vitest";
import {
  difference,
  FORMATS,
  functional,
  gru,
  importAs,
  input,
  layer,
  randomTensor,
  sequential,
} from "../testing/keras-compare.js";
import { uniform } from "../testing/random.js";
import { type KerasTopology, makeTfjs } from "../testing/tfjs.js";

const MODELS = process.env.SOTTO_LONG ? 1500 : 36;
const [BATCH, STEPS, SIZE] = [3, 5, 2];

interface Case {
  topology: KerasTopology;
  feeds: Constant[];
  /** First and last step of each sequence that is not padding. */
  spans?: [number, number][];
  bidirectional: boolean;
  backwards: boolean;
  text: string;
}

function draw(seed: number): Case {
  const random = uniform(seed + 1000);
  const choose = <T>(...options: T[]): T => options[Math.floor(((random() + 1) / 2) * options.length)]!;
  const bidirectional = choose(true, false);
  const options = {
    reset_after: choose(true, false),
    use_bias: choose(true, true, false),
    go_backwards: choose(true, false),
    return_sequences: choose(true, false),
    return_state: choose(true, false),
    activation: choose(
      "tanh",
      "tanh",
      "softsign",
      "sigmoid",
      "hard_sigmoid",
      "relu",
      "elu",
      "linear",
      "softplus",
    ),
    recurrent_activation: choose("sigmoid", "sigmoid", "hard_sigmoid", "tanh", "softsign"),
  };
  const units = choose(1, 2, 3, 5);
  const masked = choose("no", "no", "zero", "value", "tokens");
  const merge = choose("concat", "sum", "mul", "ave", null);
  const states = bidirectional ? 2 : 1;
  const initial = choose(true, false, false);
  const text = JSON.stringify({ ...options, units, bidirectional, merge, masked, initial });

  const feeds: Constant[] = [];
  let spans: Case["spans"];
  if (masked !== "no") {
    spans = Array.from({ length: BATCH }, () => [choose(0, 0, 1, 2), choose(2, 3, STEPS - 1)]);
  }
  const padding = (i: number, width: number) => {
    if (!spans) return false;
    const [b, t] = [Math.floor(i / (STEPS * width)), Math.floor(i / width) % STEPS];
    return t < spans[b]![0] || t > spans[b]![1];
  };
  const names = ["x"];
  const layers = [];
  let top = "x";
  if (masked === "tokens") {
    layers.push(input("x", null));
    layers.push(layer("Embedding", "embed", { input_dim: 6, output_dim: SIZE, mask_zero: true }, ["x"]));
    top = "embed";
    const data = Array.from({ length: BATCH * STEPS }, (_, i) => (padding(i, 1) ? 0 : choose(1, 2, 3, 4, 5)));
    feeds.push({ shape: [BATCH, STEPS], data });
  } else {
    layers.push(input("x", null, SIZE));
    const x = randomTensor(seed, BATCH, STEPS, SIZE);
    const value = masked === "value" ? -1.5 : 0;
    feeds.push({ shape: x.shape, data: Array.from(x.data, (v, i) => (padding(i, SIZE) ? value : v)) });
    if (masked !== "no") {
      layers.push(layer("Masking", "mask", { mask_value: value }, ["x"]));
      top = "mask";
    }
  }
  const inputs = [top];
  if (initial)
    for (let i = 0; i < states; i++) {
      layers.push(input(`h${i}`, units));
      names.push(`h${i}`);
      inputs.push(`h${i}`);
      feeds.push(randomTensor(seed + i + 1, BATCH, units));
    }
  layers.push(
    bidirectional
      ? layer("Bidirectional", "net", { layer: gru("inner", units, options), merge_mode: merge }, inputs)
      : gru("net", units, options, inputs),
  );
  const count = (bidirectional && merge === null ? 2 : 1) + (options.return_state ? states : 0);
  const outputs = Array.from({ length: count }, (_, i): [string, number] => ["net", i]);
  return {
    topology: functional(layers, names, outputs),
    feeds,
    spans,
    bidirectional,
    backwards: options.go_backwards,
    text,
  };
}

/**
 * Where TensorFlow.js carries states over padding, Keras's Bidirectional has zeros; and so have other layers before
 * the first step (with TensorFlow; src/backend/tensorflow/rnn.py), even if there is an initial state.
 */
function asKeras({ spans, bidirectional, backwards }: Case, outputs: Constant[]): Constant[] {
  if (!spans) return outputs;
  return outputs.map(({ shape, data }) => {
    if (shape.length !== 3) return { shape, data };
    const units = shape[2]!;
    const kept = Array.from(data, (v, i) => {
      const [b, t] = [Math.floor(i / (STEPS * units)), Math.floor(i / units) % STEPS];
      const [first, last] = spans[b]!;
      const step = backwards ? STEPS - 1 - t : t;
      const [before, after] = [step < first, step > last];
      return (bidirectional ? before || after : backwards ? after : before) ? 0 : v;
    });
    return { shape, data: kept };
  });
}

describe("GRU layers", () => {
  it(`are those of the reference, in ${MODELS} random models`, async () => {
    for (let seed = 0; seed < MODELS; seed++) {
      const drawn = draw(seed);
      const { topology, feeds, text } = drawn;
      const model = await makeTfjs(topology, seed + 1);
      const expected = asKeras(drawn, model.predict(...feeds));
      const formats = FORMATS.filter(
        // Keras 3 has another hard_sigmoid; TensorFlow.js loses initial states when it saves such a model.
        (format) => !(/3$/.test(format) && text.includes("hard")) && !(format === "tfjs" && feeds.length > 1),
      );
      const format = formats[seed % formats.length]!;
      const found = difference(await importAs(model, format), feeds, expected, { stateBound: 60 });
      expect(found, `model ${seed} as ${format}: ${text}`).toBeLessThan(1e-5);
    }
  });

  it("know Keras 3's hard_sigmoid", async () => {
    const options = { recurrent_activation: "hard_sigmoid" };
    const model = await makeTfjs(sequential(input("x", null, 2), gru("net", 3, options)));
    const gate = (d: ModelDescription) => d.layers.flatMap((l) => (l.op === "gru" ? [l.gate] : []))[0];
    const gates = await Promise.all(
      (["h5", "keras2.13", "h5 of Keras 3", "keras3"] as const).map(async (format) =>
        gate(await importAs(model, format)),
      ),
    );
    expect(gates.map((g) => g?.alpha)).toEqual([0.2, 0.2, 1 / 6, 1 / 6]);
  });
});
