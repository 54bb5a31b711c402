import { describe, expect, it } from "vitest";
import {
  interpret,
  type ModelSpec,
  randomFeeds,
  randomModel,
  runOnnx,
  writeRandomModel,
} from "../testing/index.js";
import { importOnnx } from "./import.js";

const COUNT = process.env.SOTTO_LONG ? 2000 : 120;

const STATE_BOUND = 50;

async function worstError(spec: ModelSpec): Promise<number> {
  const model = importOnnx(writeRandomModel(spec));
  const feeds = randomFeeds(spec);
  const expected = await runOnnx(writeRandomModel(spec, true), feeds);
  const given = Object.fromEntries(
    Object.entries(feeds).map(([n, f]) => [n, { shape: f.shape, data: Array.from(f.data) }]),
  );
  let largest = 1;
  const found = interpret(model, given, (layer, results) => {
    for (const v of layer.op === "gru" ? results[0]!.data : []) largest = Math.max(largest, Math.abs(v));
  });
  // Single precision says little of states that grow so.
  if (!(largest < STATE_BOUND)) return 0;
  let worst = 0;
  // Names differ where the two files differ in transposes; the order does not.
  const [theirs, ours] = [Object.values(expected), Object.values(found)];
  expect(ours.map((o) => o.shape)).toEqual(theirs.map((o) => o.shape));
  theirs.forEach(({ data }, k) => {
    data.forEach((v, i) => {
      worst = Math.max(worst, Math.abs(v - ours[k]!.data[i]!) / largest);
    });
  });
  return worst;
}

describe("random models mean what ONNX Runtime computes", () => {
  it.each(["usual", "bounded", "any"] as const)(
    "%s activations",
    { timeout: 300_000 },
    async (activations) => {
      const failures: string[] = [];
      for (let i = 0; i < COUNT; i++) {
        const spec = randomModel(1000 * i, activations, i % 4 === 3 ? 3 : 1);
        try {
          const error = await worstError(spec);
          if (!(error < 1e-5)) failures.push(`${error} ${JSON.stringify(spec)}`);
        } catch (error) {
          failures.push(`${error} ${JSON.stringify(spec)}`);
        }
      }
      expect(failures).toEqual([]);
    },
  );
});
