/** Files in and out: inputs.ts and outputs.ts. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ModelInput } from "@sotto/core";
import { readNpy, writeNpy } from "@sotto/model/npy";
import { afterAll, describe, expect, it } from "vitest";
import { allInputs, assign, readInputs } from "./inputs.js";
import { fileNames, largestDifference, MAX_JSON_NUMBERS, outputsJson, writeOutputs } from "./outputs.js";

const dir = mkdtempSync(join(tmpdir(), "sotto-test-"));
afterAll(() => rmSync(dir, { recursive: true }));

const x: ModelInput = { name: "x", shape: ["time", "batch", 3], kind: "real" };
const h: ModelInput = { name: "h", shape: [1, "batch", 2], kind: "real" };

function file(name: string, shape: number[], type: "float32" | "float64" | "int64" = "float32"): string {
  const path = join(dir, name);
  const size = shape.reduce((a, b) => a * b, 1);
  writeFileSync(
    path,
    writeNpy(
      shape,
      Array.from({ length: size }, (_, i) => i),
      type,
    ),
  );
  return path;
}

describe("--input", () => {
  it("needs no name for a model with one input", () => {
    expect([...assign(["a.npy"], [x])]).toEqual([["x", "a.npy"]]);
    expect([...assign(["x=a.npy"], [x])]).toEqual([["x", "a.npy"]]);
    expect([...assign(["dir/k=v/a.npy"], [x])]).toEqual([["x", "dir/k=v/a.npy"]]);
    expect([...assign(["h=b=c.npy", "x=a.npy"], [x, h])]).toEqual([
      ["h", "b=c.npy"],
      ["x", "a.npy"],
    ]);
  });

  it("takes several files, each with or without its own --input", () => {
    expect(allInputs(["a.npy", "h=b.npy"], ["c=d.NPY"])).toEqual(["a.npy", "h=b.npy", "c=d.NPY"]);
    expect(() => allInputs(["a.npy"], ["model.onnx"])).toThrow("unexpected argument model.onnx");
  });

  it("finds the longest name", () => {
    const odd: ModelInput = { name: "x=y", shape: [1], kind: "real" };
    expect(assign(["x=y=a.npy", "x=b.npy"], [x, odd]).get("x=y")).toBe("a.npy");
  });

  it.each([
    [["a.npy"], [x, h], "say which input it is for"],
    [["y=a.npy"], [x], "no input of that name; its inputs: x"],
    [["x=a.npy", "x=b.npy"], [x], "two files for input x"],
    [["x=a.npy"], [x, h], "no --input for h [1, batch, 2]"],
  ])("%j is refused", (specs, inputs, message) => {
    expect(() => assign(specs, inputs)).toThrow(message);
  });

  it("reads arrays of any number type, and fills in the open sizes", async () => {
    for (const type of ["float32", "float64", "int64"] as const) {
      const inputs = await readInputs(
        [`x=${file("x.npy", [4, 1, 3], type)}`, `h=${file("h.npy", [1, 1, 2])}`],
        [x, h],
      );
      expect(inputs.sizes).toEqual({ time: 4, batch: 1 });
      expect(Array.from(inputs.values.x!.data)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    }
  });

  it("says which shape was expected, and when an axis is missing", async () => {
    await expect(readInputs([file("flat.npy", [4, 3])], [x])).rejects.toThrow(
      /input x has shape \[4, 3\], expected \[time, batch, 3\]; an axis is missing/,
    );
    await expect(readInputs([file("wide.npy", [4, 1, 5])], [x])).rejects.toThrow(
      /^input x has shape \[4, 1, 5\], expected \[time, batch, 3\]$/,
    );
    const specs = [`x=${file("x.npy", [4, 2, 3])}`, `h=${file("h.npy", [1, 3, 2])}`];
    await expect(readInputs(specs, [x, h])).rejects.toThrow("input h has shape [1, 3, 2]");
  });

  it("says which file it is", async () => {
    await expect(readInputs([join(dir, "none.npy")], [x])).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining("none.npy"),
    });
    writeFileSync(join(dir, "bad.npy"), "hello");
    await expect(readInputs([join(dir, "bad.npy")], [x])).rejects.toThrow(/bad\.npy: NPY file/);
  });
});

describe("outputs", () => {
  const outputs = {
    "/gru/Y:0": { shape: [2, 1], data: Float64Array.of(0.5, -0.25) },
    y: { shape: [], data: Float64Array.of(1) },
  };

  it("go to files with plain names", async () => {
    const files = await writeOutputs(join(dir, "out", "deep"), outputs);
    expect(Object.values(files).map((f) => f.slice(dir.length))).toEqual([
      "/out/deep/gru_Y_0.npy",
      "/out/deep/y.npy",
    ]);
    const back = readNpy(readFileSync(files["/gru/Y:0"]!));
    expect(back).toMatchObject({ shape: [2, 1], dtype: "float32" });
    expect([...back.data]).toEqual([0.5, -0.25]);
  });

  it("have distinct names that stay in the directory", () => {
    const names = ["a/b", "a:b", "A_B", "../../etc", "..", "", "é"];
    const files = Object.values(fileNames("d", names));
    expect(files).toEqual([
      "d/a_b.npy",
      "d/a_b-2.npy",
      "d/A_B-3.npy",
      "d/etc.npy",
      "d/output.npy",
      "d/output-2.npy",
      "d/output-3.npy",
    ]);
  });

  it("cannot be written where there is a file", async () => {
    writeFileSync(join(dir, "taken"), "");
    await expect(writeOutputs(join(dir, "taken"), outputs)).rejects.toThrow(
      /output directory .*taken can't be written/,
    );
  });

  it("are part of the JSON, unless they are large", () => {
    expect(outputsJson(outputs, { "/gru/Y:0": "f", y: "g" })).toEqual({
      "/gru/Y:0": { shape: [2, 1], data: [0.5, -0.25], file: "f" },
      y: { shape: [], data: [1], file: "g" },
    });
    const large = { y: { shape: [MAX_JSON_NUMBERS + 1], data: new Float64Array(MAX_JSON_NUMBERS + 1) } };
    expect(outputsJson(large)).toEqual({ y: { shape: [MAX_JSON_NUMBERS + 1] } });
  });

  it("differ by the largest difference of all", () => {
    const y = (...data: number[]) => ({ y: { shape: [data.length], data } });
    expect(largestDifference(y(1, 2, 3), y(1, 2.5, 2.75))).toBe(0.5);
    expect(largestDifference(y(-Infinity), y(-Infinity))).toBe(0);
    expect(largestDifference(y(0), y(-Infinity))).toBe(Infinity);
  });
});
