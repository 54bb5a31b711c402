import { type ModelDescription, SottoError } from "@sotto/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { functional, gru, input, layer, sequential } from "../testing/keras-compare.js";
import { writeKeras, writeTfjs } from "../testing/keras-files.js";
import { makeTfjs } from "../testing/tfjs.js";
import { importKeras } from "./import.js";
import { importTfjs } from "./tfjs.js";

const RUNS = process.env.SOTTO_LONG ? 20_000 : 120;

const text = await makeTfjs(
  sequential(
    layer("Embedding", "words", {
      input_dim: 6,
      output_dim: 3,
      batch_input_shape: [null, null],
      mask_zero: true,
    }),
    layer("Bidirectional", "both", { layer: gru("gru", 2), merge_mode: "concat" }),
    layer("BatchNormalization", "norm"),
    layer("Dense", "head", { units: 1, activation: "sigmoid" }),
  ),
);
const graph = await makeTfjs(
  functional(
    [
      input("x", 6, 3),
      input("h", 2),
      layer("Conv1D", "conv", { filters: 3, kernel_size: [3], padding: "same" }, ["x"]),
      gru("gru", 2, { return_sequences: true, return_state: true }, ["conv", "h"]),
      layer("TimeDistributed", "steps", { layer: layer("Dense", "inner", { units: 2 }) }, ["gru"]),
      layer("Concatenate", "concat", { axis: -1 }, ["gru", "steps"]),
      layer("GlobalAveragePooling1D", "mean", {}, ["concat"]),
      layer("Reshape", "reshape", { target_shape: [2, -1] }, ["mean"]),
    ],
    ["x", "h"],
    ["reshape", ["gru", 1]],
  ),
);
const files = [
  await writeKeras(text, "h5"),
  await writeKeras(graph, "h5"),
  await writeKeras(text, "keras3"),
  await writeKeras(graph, "keras3"),
  await writeKeras(text, "keras2.12"),
];
const tfjs = await writeTfjs(text);
const json = new TextDecoder().decode(tfjs.get("model.json"));

/** Every name that a layer reads must be there, and every tensor as large as it says. */
function expectWhole(model: ModelDescription): void {
  const known = new Set([...model.inputs.map((i) => i.name), ...Object.keys(model.constants)]);
  for (const item of model.layers) {
    expect(item.inputs.filter((name) => name && !known.has(name))).toEqual([]);
    for (const name of item.outputs) if (name) known.add(name);
    for (const key of ["W", "U", "bW", "bU", "A", "b", "table", "scale", "offset"]) {
      const name = (item as unknown as Record<string, unknown>)[key];
      if (typeof name === "string") expect(Object.keys(model.tensors)).toContain(name);
    }
  }
  for (const { name } of model.outputs) expect(known).toContain(name);
  for (const { shape, data } of [...Object.values(model.tensors), ...Object.values(model.constants)])
    expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
  for (const { data } of Object.values(model.tensors)) expect(data.every(Number.isFinite)).toBe(true);
}

/** A whole description, or an error that is ours. */
function expectOrderly(read: () => ModelDescription): void {
  try {
    expectWhole(read());
  } catch (error) {
    if (!(error instanceof SottoError)) throw error;
    expect(["bad-model", "unsupported"]).toContain(error.code);
    expect(error.message.length).toBeLessThan(5000);
  }
}

const file = fc.constantFrom(...files);
const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
  minLength: 1,
  maxLength: 6,
});

function changed(bytes: Uint8Array, list: [number, number][]): Uint8Array {
  const damaged = bytes.slice();
  for (const [at, value] of list) damaged[at % bytes.length] = value;
  return damaged;
}

const ODD = [
  null,
  -1,
  0,
  1,
  2,
  2 ** 30,
  1e300,
  0.5,
  "",
  "x",
  "linear",
  "__proto__",
  true,
  false,
  [],
  {},
  [[]],
  [null],
  [1, 2],
];

/** The JSON value with some of its parts replaced or left out. */
function tampered(value: unknown, edits: [number, number][]): unknown {
  const copy = structuredClone(value);
  for (const [at, odd] of edits) {
    const places: [Record<string, unknown>, string][] = [];
    const collect = (node: unknown): void => {
      if (typeof node !== "object" || node === null) return;
      for (const key of Object.keys(node)) {
        places.push([node as Record<string, unknown>, key]);
        collect((node as Record<string, unknown>)[key]);
      }
    };
    collect(copy);
    if (places.length === 0) break;
    const [node, key] = places[at % places.length]!;
    if (odd % (ODD.length + 1) === ODD.length) delete node[key];
    else node[key] = structuredClone(ODD[odd % (ODD.length + 1)]);
  }
  return copy;
}

describe("damaged Keras files", () => {
  it("are whole to begin with", () => {
    for (const bytes of files) expectWhole(importKeras(bytes));
    expectWhole(importTfjs(tfjs.get("model.json")!, tfjs));
  });

  it("are refused when truncated", () => {
    fc.assert(
      fc.property(file, fc.nat(), (bytes, at) =>
        expectOrderly(() => importKeras(bytes.subarray(0, at % bytes.length))),
      ),
      { numRuns: RUNS },
    );
  });

  it("are read or refused when bytes are changed", () => {
    fc.assert(
      fc.property(file, changes, (bytes, list) => expectOrderly(() => importKeras(changed(bytes, list)))),
      { numRuns: 2 * RUNS },
    );
  });

  it("are read or refused when a part is missing or doubled", () => {
    fc.assert(
      fc.property(file, fc.nat(), fc.nat(), fc.boolean(), (bytes, a, b, doubled) => {
        const [from, to] = [a % bytes.length, b % bytes.length].sort((p, q) => p - q) as [number, number];
        const head = bytes.subarray(0, doubled ? to : from);
        const rest = bytes.subarray(doubled ? from : to);
        expectOrderly(() => importKeras(new Uint8Array([...head, ...rest])));
      }),
      { numRuns: RUNS },
    );
  });

  it("are read or refused when their configuration is tampered with", async () => {
    const edits = fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 4 });
    const topologies = await Promise.all(
      [text, graph].map(async (model) => {
        const saved = await writeTfjs(model);
        return [JSON.parse(new TextDecoder().decode(saved.get("model.json"))), saved, model] as const;
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...topologies), edits, ([parsed, saved], list) => {
        const bytes = new TextEncoder().encode(JSON.stringify(tampered(parsed, list)));
        expectOrderly(() => importTfjs(bytes, saved));
      }),
      { numRuns: 2 * RUNS },
    );
    for (let i = 0; i < RUNS / 10; i++) {
      const list = fc.sample(edits, { numRuns: 1, seed: i })[0]!;
      const topology = tampered(graph.topology, list) as typeof graph.topology;
      const bytes = await writeKeras({ ...graph, topology }, "keras3").catch(() => undefined);
      if (bytes) expectOrderly(() => importKeras(bytes));
    }
  });

  it("are refused when TensorFlow.js files don't fit", () => {
    fc.assert(
      fc.property(fc.constantFrom(...tfjs.keys()), fc.nat(), fc.option(changes), (name, cut, list) => {
        const bytes = tfjs.get(name)!;
        const damaged = list ? changed(bytes, list) : bytes.subarray(0, cut % bytes.length);
        const all = new Map([...tfjs, [name, damaged]]);
        expectOrderly(() => importTfjs(all.get("model.json")!, all));
      }),
      { numRuns: RUNS },
    );
    expect(json).toContain("modelTopology");
    expect(() => importTfjs(tfjs.get("model.json")!, new Map())).toThrow(/is missing/);
  });

  it("are refused when they are something else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expectOrderly(() => importKeras(bytes));
        expectOrderly(() => importTfjs(bytes, new Map()));
      }),
      { numRuns: RUNS },
    );
  });
});
