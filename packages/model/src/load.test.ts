import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { loadModel } from "./load.js";
import { pytorchFile, pytorchFixture } from "./testing/index.js";
import { gru, input, layer, sequential } from "./testing/keras-compare.js";
import { writeKeras, writeTfjs } from "./testing/keras-files.js";
import { makeTfjs } from "./testing/tfjs.js";

const folder = mkdtempSync(join(tmpdir(), "sotto-model-"));
afterAll(() => rmSync(folder, { recursive: true }));

function path(name: string, content: string): string {
  const file = join(folder, name);
  writeFileSync(file, Buffer.from(content, "latin1"));
  return file;
}

describe("loadModel", () => {
  it("reads ONNX and names the model after the file", async () => {
    const model = await loadModel(fileURLToPath(new URL("../fixtures/last.onnx", import.meta.url)));
    expect(model.name).toBe("last");
    expect(model.layers.length).toBeGreaterThan(0);
  });

  it.each([
    ["model.h5", "\x89HDF\r\n\x1a\n", /bad-model.*Keras.*damaged/],
    ["model.keras", "PK\x03\x04", /bad-model.*ZIP archive is damaged/],
    ["model.pt", "PK\x03\x04", /unsupported.*PyTorch.*weights_only=True.*torch\.onnx\.export/],
    ["model.pth", "\x80\x02", /unsupported.*a pickle.*is not run here.*save_file/],
    [
      "model.safetensors",
      "\x08\0\0\0\0\0\0\0{}",
      /bad-model: .*model\.safetensors: safetensors: .*truncated/,
    ],
    [
      "none.safetensors",
      "\x02\0\0\0\0\0\0\0{}",
      /bad-config: .*none\.safetensors: configuration: .*no weights/,
    ],
    ["model.tflite", "\x1c\0\0\0TFL3", /unsupported.*TensorFlow Lite/],
    ["x.npy", "\x93NUMPY\x01\x00", /unsupported.*NumPy/],
    ["model.bin", "hello", /bad-model.*model\.bin.*Supported are ONNX.*Keras/],
    ["model.onnx", "hello", /bad-model.*model\.onnx.*can't be parsed/],
    ["empty.onnx", "", /bad-model.*empty/],
  ])("says what to do with %s", async (name, content, message) => {
    const failed = loadModel(path(name, content)).catch((e) =>
      Promise.reject(new Error(`${e.code}: ${e.message}`)),
    );
    await expect(failed).rejects.toThrow(message);
  });

  it("reads PyTorch weights by their content, wired by a file beside them or one that is given", async () => {
    const notes: string[] = [];
    const options = { onNote: (text: string) => notes.push(text) };
    const file = join(folder, "net.weights");
    const { print } = pytorchFixture("deep");
    writeFileSync(file, pytorchFile("deep"));
    await expect(loadModel(file)).rejects.toThrow(/net\.weights: configuration: it is missing/);
    // as Windows' shell writes what a program prints
    writeFileSync(
      join(folder, "net.txt"),
      Buffer.from(`\uFEFF${print.replaceAll("\n", "\r\n")}\r\n`, "utf16le"),
    );
    expect(await loadModel(file, options)).toMatchObject({ name: "net", outputs: [{ name: "y" }] });
    expect(notes).toEqual([expect.stringContaining("printed order")]);
    const layers = [{ linear: "before" }, { gru: "gru", batch_first: true }, { take: "mean" }];
    const json = (rest: object) => JSON.stringify({ layers, output: "mean", ...rest });
    writeFileSync(join(folder, "net.json"), json({ ignore: ["head"] }));
    expect((await loadModel(file, options)).outputs).toEqual([{ name: "mean" }]);
    const config = path("other.json", json({}));
    await expect(loadModel(file, { config })).rejects.toThrow(
      /other\.json: configuration: nothing reads .*head/,
    );
    await expect(loadModel(file, { config: join(folder, "no.json") })).rejects.toMatchObject({
      code: "not-found",
    });
    expect(notes).toHaveLength(1);
  });

  it("refuses a configuration for a model that takes none", async () => {
    const file = fileURLToPath(new URL("../fixtures/last.onnx", import.meta.url));
    await expect(loadModel(file, { config: file })).rejects.toMatchObject({ code: "bad-config" });
  });

  const layers = [input("x", null, 2), gru("net", 3), layer("Dense", "head", { units: 1 })];

  it("reads Keras files by their content", async () => {
    const keras = await makeTfjs(sequential(...layers));
    for (const format of ["h5", "keras3"] as const) {
      const file = join(folder, `${format}.bin`);
      writeFileSync(file, await writeKeras(keras, format));
      const model = await loadModel(file);
      expect(model.name).toBe(format);
      expect(model.layers.some((l) => l.op === "gru")).toBe(true);
    }
  });

  it("reads TensorFlow.js models with the files beside them, and no others", async () => {
    const inner = join(folder, "tfjs");
    mkdirSync(inner);
    const files = await writeTfjs(await makeTfjs(sequential(...layers)));
    for (const [name, bytes] of files) writeFileSync(join(inner, name), bytes);
    const json = join(inner, "model.json");
    expect((await loadModel(json)).name).toBe("model");
    expect((await loadModel(inner)).name).toBe("tfjs");

    const text = new TextDecoder().decode(files.get("model.json"));
    const shard = "group1-shard1of2.bin";
    writeFileSync(join(folder, "outside.bin"), files.get(shard)!);
    symlinkSync(join(folder, "outside.bin"), join(inner, "link.bin"));
    const named = (name: string) => {
      writeFileSync(json, text.replace(shard, name));
      return loadModel(json);
    };
    for (const name of [
      "../outside.bin",
      join(folder, "outside.bin"),
      "link.bin",
      "a\\\\..\\\\b",
      "http://x/y",
      ".",
      "",
    ])
      await expect(named(name), name).rejects.toThrow(/outside of its folder/);
    await expect(named("group1-shard2of2.bin")).rejects.toThrow(/twice/);
    await expect(named("missing.bin")).rejects.toMatchObject({ code: "not-found" });
  });

  it("says which file is missing", async () => {
    await expect(loadModel(join(folder, "none.onnx"))).rejects.toMatchObject({ code: "not-found" });
    await expect(loadModel(folder)).rejects.toMatchObject({ code: "not-found" });
  });
});
