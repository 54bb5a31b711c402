import { type Constant, SottoError } from "@sotto/core";
import { describe, expect, it } from "vitest";
import {
  interpret,
  interpretations,
  type ModelSpec,
  type OnnxResult,
  randomFeeds,
  randomModel,
  runOnnx,
  writeRandomModel,
} from "../testing/index.js";
import { importOnnx } from "./import.js";

const COUNT = process.env.SOTTO_LONG ? 1000 : 40;

/** Of a GRU whose functions do not bound its state; models of which more is seen are left out. */
const STATE_BOUND = 10;

/** One of so many models with unbounded functions is compiled: their tables take long. */
const COMPILED = 4;

interface Errors {
  /** Of the description's meaning, relative to the largest state. */
  meaning: number;
  /** Of core's clear interpretation, the same way. */
  clear: number;
  /** Of what the servers compute. */
  exact: number;
}

/** @returns undefined for a network whose states grow too much. */
async function errorsOf(spec: ModelSpec, compiled: boolean): Promise<Errors | undefined> {
  const model = importOnnx(writeRandomModel(spec));
  const feeds = Object.entries(randomFeeds(spec));
  const given = Object.fromEntries(feeds.map(([n, f]) => [n, { shape: f.shape, data: Array.from(f.data) }]));
  const expected = await runOnnx(writeRandomModel(spec, true), Object.fromEntries(feeds));
  let largest = 1;
  const found = interpret(model, given, (layer, results) => {
    for (const v of layer.op === "gru" ? results[0]!.data : []) largest = Math.max(largest, Math.abs(v));
  });
  if (!(largest < STATE_BOUND)) return undefined;
  const meaning = worst(expected, found) / largest;
  if (!compiled) return { meaning, clear: 0, exact: 0 };
  const { clear, exact } = interpretations(model, given, { range: 1, stateBound: STATE_BOUND });
  return { meaning, clear: worst(expected, clear()) / largest, exact: worst(expected, exact()) };
}

/** Names differ where the two files differ in transposes; the order does not. */
function worst(expected: Record<string, OnnxResult>, found: Record<string, Constant>): number {
  const [theirs, ours] = [Object.values(expected), Object.values(found)];
  expect(ours.map((o) => o.shape)).toEqual(theirs.map((o) => o.shape));
  return Math.max(...theirs.flatMap(({ data }, k) => data.map((v, i) => Math.abs(v - ours[k]!.data[i]!))));
}

describe("random models mean what ONNX Runtime computes", () => {
  it.each([
    { activations: "usual", scale: 1, tolerance: 0.002 },
    { activations: "usual", scale: 3, tolerance: 0.01 },
    { activations: "bounded", scale: 1, tolerance: 0.002 },
    { activations: "any", scale: 1, tolerance: Number.POSITIVE_INFINITY },
  ] as const)(
    "$activations activations, weights $scale times the usual",
    async ({ activations, scale, tolerance }) => {
      const failures: string[] = [];
      const exact: number[] = [];
      let misfits = 0;
      for (let i = 0; i < COUNT; i++) {
        const spec = randomModel(1000 * i + scale, activations, scale);
        try {
          const errors = await errorsOf(spec, activations !== "any" || i % COMPILED === 0);
          if (!errors) continue;
          if (errors.exact > 0) exact.push(errors.exact);
          if (!(errors.meaning < 1e-5 && errors.clear < 1e-5 && errors.exact <= tolerance))
            failures.push(`${JSON.stringify(errors)} ${JSON.stringify(spec)}`);
        } catch (error) {
          // Whether it fits depends on the bounds of all its functions.
          if (activations === "any" && error instanceof SottoError && error.code === "does-not-fit") {
            misfits++;
            continue;
          }
          failures.push(`${error} ${JSON.stringify(spec)}`);
        }
      }
      exact.sort((a, b) => a - b);
      if (process.env.SOTTO_REPORT)
        console.log(activations, scale, exact.length, exact[exact.length >> 1], exact.at(-1), misfits);
      expect(failures).toEqual([]);
    },
  );
});
