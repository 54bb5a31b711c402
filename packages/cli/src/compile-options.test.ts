import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GruLayer, ModelDescription, ModelInput } from "@sotto/core";
import { writeNpy } from "@sotto/model/npy";
import { Command } from "commander";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import {
  addModelOptions,
  compileOptions,
  inputRange,
  type ModelOptions,
  rangesOf,
  stateBound,
} from "./compile-options.js";

const dir = mkdtempSync(join(tmpdir(), "sotto-test-"));
afterAll(() => rmSync(dir, { recursive: true }));
const file = (name: string, shape: number[], data: number[]): string => {
  writeFileSync(join(dir, name), writeNpy(shape, data, "float32"));
  return join(dir, name);
};

const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
afterEach(() => said.mockClear());
afterAll(() => said.mockRestore());

const inputs: ModelInput[] = [
  { name: "x", shape: ["time", 3], kind: "real" },
  { name: "h0", shape: [2], kind: "real" },
  { name: "t", shape: [3], kind: "token" },
  { name: "n", shape: ["batch"], kind: "length" },
];
const gru = (name: string, candidate?: GruLayer["candidate"]): GruLayer => ({
  op: "gru",
  name,
  inputs: [],
  outputs: [],
  hidden: 1,
  resetAfter: true,
  W: "W",
  U: "U",
  ...(candidate ? { candidate } : {}),
});
const model = (...layers: ModelDescription["layers"]): ModelDescription => ({
  name: "m",
  inputs: [inputs[0]!],
  outputs: [],
  layers,
  tensors: {},
  constants: {},
});

describe("declared ranges", () => {
  it("hold for all real inputs, or for one", () => {
    expect(rangesOf(inputs)).toEqual({});
    expect(rangesOf(inputs, { "": 4 })).toEqual({ x: 4, h0: 4 });
    expect(rangesOf(inputs, { "": 4, h0: 1 })).toEqual({ x: 4, h0: 1 });
    expect(rangesOf(inputs, { h0: 1 })).toEqual({ h0: 1 });
    expect(rangesOf(inputs, { h0: [1, 2] })).toEqual({ h0: [1, 2] });
  });

  it("are numbers, lists or files; a name may contain =", () => {
    expect(inputRange("4", undefined)).toEqual({ "": 4 });
    expect(inputRange("a=b=2", inputRange("4,0.5,120", undefined))).toEqual({ "": [4, 0.5, 120], "a=b": 2 });
    expect(inputRange("x=@data=1/r.npy", undefined)).toEqual({ x: { file: "data=1/r.npy" } });
    expect(inputRange("@r.npy", undefined)).toEqual({ "": { file: "r.npy" } });
    for (const text of ["4,", "4,,5", "x=1,-2", "x=", "1;2"]) {
      expect(() => inputRange(text, undefined)).toThrow("above 0");
    }
    expect(() => inputRange("x=@", undefined)).toThrow("a file of ranges");
  });

  it("are declared once, and the default is said", () => {
    expect(() => inputRange("x=5", inputRange("x=4", undefined))).toThrow("Declared twice for input x.");
    expect(() => inputRange("5", inputRange("4,2", undefined))).toThrow("Declared twice for all inputs.");
    expect(addModelOptions(new Command()).helpInformation()).toContain("default: 8");
  });

  it("have no effect on tokens, which is said", () => {
    rangesOf(inputs, { "": 4 });
    expect(said).not.toHaveBeenCalled();
    expect(rangesOf([inputs[2]!], { "": 4 })).toEqual({});
    expect(said).toHaveBeenCalledWith(expect.stringContaining("--input-range has no effect"));
  });

  it("name an input that there is, and that has a range", () => {
    expect(() => rangesOf(inputs, { y: 1 })).toThrow("no input y; its inputs: x, h0, t");
    expect(() => rangesOf(inputs, { t: 1 })).toThrow("tokens");
    expect(() => rangesOf(inputs, { n: 1 })).toThrow("input n holds lengths, which are public");
  });

  it("are as many as there are features", () => {
    expect(() => rangesOf(inputs, { x: [1, 2] })).toThrow(
      "2 ranges for input x of shape [time, 3]; expected one, or one for each of the 3 features",
    );
    expect(() => rangesOf(inputs, { "": [1, 2, 3] })).toThrow("3 ranges for input h0 of shape [2]");
  });

  it("are read from a file of one axis", async () => {
    const of = (path: string) => compileOptions(model(), { inputRange: { x: { file: path } } });
    expect((await of(file("r.npy", [3], [4, 0.5, 120]))).range).toEqual({ x: [4, 0.5, 120] });
    await expect(of(join(dir, "none.npy"))).rejects.toThrow(/--input-range: .*none\.npy can't be read/);
    await expect(of(file("two.npy", [1, 3], [1, 2, 3]))).rejects.toThrow("shape [1, 3], expected one axis");
    await expect(of(file("bad.npy", [3], [1, 0, 3]))).rejects.toThrow(
      "element 1 is 0; expected numbers above 0",
    );
    writeFileSync(join(dir, "text.npy"), "4,5,6");
    await expect(of(join(dir, "text.npy"))).rejects.toThrow(/--input-range: .*text\.npy: NPY/);
  });
});

describe("bounds of states", () => {
  const relu = { name: "relu" } as const;
  const of = async (layers: GruLayer[], options: ModelOptions) =>
    (await compileOptions(model(...layers), options)).stateBound;

  it("hold for the layers that need one, or for one of them", async () => {
    expect(stateBound("a=2", stateBound("4", undefined))).toEqual({ "": 4, a: 2 });
    expect(() => stateBound("5", stateBound("4", undefined))).toThrow("Declared twice for all layers.");
    expect(() => stateBound("a=0", undefined)).toThrow("above 0");
    const layers = [gru("a", relu), gru("b", relu), gru("c")];
    expect(await of(layers, { stateBound: { "": 4, a: 2 } })).toEqual({ a: 2, b: 4 });
    expect(await of(layers, {})).toBeUndefined();
    expect(said).not.toHaveBeenCalled();
  });

  it("name a GRU that there is", async () => {
    await expect(of([gru("a")], { stateBound: { b: 1 } })).rejects.toThrow("no GRU b; its GRUs: a");
    await expect(of([], { stateBound: { b: 1 } })).rejects.toThrow("its GRUs: none");
  });

  it.each([[{ "": 4 }], [{ a: 4 }]])("have no effect on tanh, which is said: %j", async (bounds) => {
    expect(await of([gru("a")], { stateBound: bounds })).toEqual({});
    expect(said).toHaveBeenCalledWith(expect.stringMatching(/--state-bound.* has no effect/));
  });
});

it("secret embeddings without an embedding have no effect, which is said", async () => {
  expect((await compileOptions(model(), { privateEmbeddings: true })).privateEmbeddings).toBe(true);
  expect(said).toHaveBeenCalledWith(expect.stringContaining("--private-embeddings has no effect"));
});
