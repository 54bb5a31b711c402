import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { loadModel } from "./load.js";
import { pytorchFile, pytorchFixture } from "./testing/index.js";

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
    ["model.h5", "\x89HDF\r\n\x1a\n", /unsupported.*Keras.*Supported are ONNX.*tf2onnx/],
    ["model.keras", "PK\x03\x04", /unsupported.*Keras archive/],
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
    ["model.bin", "hello", /bad-model.*model\.bin.*Supported are ONNX/],
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

  it("says which file is missing", async () => {
    await expect(loadModel(join(folder, "none.onnx"))).rejects.toMatchObject({ code: "not-found" });
    await expect(loadModel(folder)).rejects.toMatchObject({ code: "not-found" });
  });
});
