import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { loadModel } from "./load.js";

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
    ["model.h5", "\x89HDF\r\n\x1a\n", /unsupported.*Keras.*Supported is ONNX.*tf2onnx/],
    ["model.keras", "PK\x03\x04", /unsupported.*Keras archive/],
    ["model.pt", "PK\x03\x04", /unsupported.*PyTorch.*torch\.onnx\.export/],
    ["model.safetensors", "\x08\0\0\0\0\0\0\0{}", /unsupported.*no network/],
    ["model.tflite", "\x1c\0\0\0TFL3", /unsupported.*TensorFlow Lite/],
    ["x.npy", "\x93NUMPY\x01\x00", /unsupported.*NumPy/],
    ["model.bin", "hello", /bad-model.*model\.bin.*Supported is ONNX/],
    ["model.onnx", "hello", /bad-model.*model\.onnx.*can't be parsed/],
    ["empty.onnx", "", /bad-model.*empty/],
  ])("says what to do with %s", async (name, content, message) => {
    const failed = loadModel(path(name, content)).catch((e) =>
      Promise.reject(new Error(`${e.code}: ${e.message}`)),
    );
    await expect(failed).rejects.toThrow(message);
  });

  it("says which file is missing", async () => {
    await expect(loadModel(join(folder, "none.onnx"))).rejects.toMatchObject({ code: "not-found" });
    await expect(loadModel(folder)).rejects.toMatchObject({ code: "not-found" });
  });
});
