import { type ModelDescription, SottoError } from "@sotto/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tensorsOf } from "../parts.js";
import { fixture, makeGruModel, randomModel, writeRandomModel } from "../testing/index.js";
import { importOnnx } from "./import.js";

const RUNS = process.env.SOTTO_LONG ? 20_000 : 200;
const files = [
  "deep",
  "text",
  "unfolded",
  "explicit-zeros-two-layers",
  "stateful",
  "three-layers-bidirectional",
  "packed-bidirectional",
  "conv",
  "learned",
  "several",
  "cell-gates",
  "cell-projected",
  "cell-learned",
  "cell-scripted-11",
  "cell-scripted-list",
].map(fixture);
for (const seed of [3, 4, 5, 6]) files.push(writeRandomModel(randomModel(seed, "any")));
files.push(makeGruModel({ hidden: 4, inputSize: 3, resetAfter: false, head: { outputs: 2 } }));
const file = fc.constantFrom(...files);

/** Every name that a layer reads must be there, and every tensor as large as it says. */
function expectWhole(model: ModelDescription): void {
  const known = new Set([...model.inputs.map((i) => i.name), ...Object.keys(model.constants)]);
  const tensors = new Set(Object.keys(model.tensors));
  for (const layer of model.layers) {
    expect(layer.inputs.filter((name) => name && !known.has(name))).toEqual([]);
    for (const name of layer.outputs) if (name) known.add(name);
    for (const name of tensorsOf(layer)) expect(tensors).toContain(name);
  }
  for (const { name } of model.outputs) expect(known).toContain(name);
  for (const { shape, data } of [...Object.values(model.tensors), ...Object.values(model.constants)]) {
    expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
    expect(data.every((v) => Number.isFinite(v))).toBe(true);
  }
}

/** A whole description, or an error that is ours. */
function expectOrderly(bytes: Uint8Array): void {
  try {
    expectWhole(importOnnx(bytes));
  } catch (error) {
    if (!(error instanceof SottoError)) throw error;
    expect(["bad-model", "unsupported"]).toContain(error.code);
    expect(error.message.length).toBeLessThan(5000);
  }
}

describe("damaged files", () => {
  it("are refused when truncated", () => {
    fc.assert(
      fc.property(file, fc.nat(), (bytes, at) => expectOrderly(bytes.subarray(0, at % bytes.length))),
      { numRuns: RUNS },
    );
  });

  it("are read or refused when bytes are changed", () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(file, changes, (bytes, list) => {
        const damaged = bytes.slice();
        for (const [at, value] of list) damaged[at % bytes.length] = value;
        expectOrderly(damaged);
      }),
      { numRuns: RUNS },
    );
  });

  it("are read or refused when a part is missing or doubled", () => {
    fc.assert(
      fc.property(file, fc.nat(), fc.nat(), fc.boolean(), (bytes, a, b, doubled) => {
        const [from, to] = [a % bytes.length, b % bytes.length].sort((p, q) => p - q) as [number, number];
        const rest = doubled ? bytes.subarray(from) : bytes.subarray(to);
        const head = doubled ? bytes.subarray(0, to) : bytes.subarray(0, from);
        expectOrderly(new Uint8Array([...head, ...rest]));
      }),
      { numRuns: RUNS },
    );
  });

  it("are refused when they are something else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => expectOrderly(bytes)),
      { numRuns: RUNS },
    );
    for (const text of ["", "hello", "PK\x03\x04", "{}"])
      expect(() => importOnnx(new TextEncoder().encode(text))).toThrow(SottoError);
  });
});
