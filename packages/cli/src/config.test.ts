/** `--config`: PyTorch weights, wired by a file that is given or lies beside them. */
import { pytorchFile, pytorchFixture } from "@sotto/model/testing";
import { afterAll, describe, expect, it } from "vitest";
import { largestDifference } from "./outputs.js";
import { executeHere } from "./testing/in-process.js";
import { Workshop } from "./testing/sotto.js";

const shop = new Workshop();
afterAll(() => shop.close());

const { print, inputs, outputs } = pytorchFixture("stack");
const model = shop.file("stack.safetensors", pytorchFile("stack"));
const printed = shop.file("printed.txt", print);
const layers = [
  { gru: "first", batch_first: true },
  { gru: "second", batch_first: true },
  { take: "last_state" },
  { linear: "fc" },
];
const json = shop.file("wiring.json", JSON.stringify({ output: "logits", layers }));
const x = shop.array("x", inputs.x!.shape, (i) => inputs.x!.data[i]!);

describe("--config", () => {
  it("sotto run: a printed model gives PyTorch's result, and says what was assumed", async () => {
    const done = await executeHere("run", model, "--config", printed, "--input", x, "--json");
    expect(done.stderr).toMatch(
      /^sotto: note: a printed model .*: x -> gru "first" -> gru "second" -> take last_state -> linear "fc" -> y\. .*\n$/,
    );
    expect(done.code).toBe(0);
    const found = JSON.parse(done.stdout).outputs;
    expect(found.y.shape).toEqual(outputs.y!.shape);
    const expected = { y: { shape: outputs.y!.shape, data: Float64Array.from(outputs.y!.data) } };
    expect(largestDifference(found, expected)).toBeLessThan(0.002);
  });

  it("sotto inspect: JSON leaves nothing to assume", async () => {
    const done = await executeHere("inspect", model, "--config", json, "--json");
    expect(done).toMatchObject({ code: 0, stderr: "" });
    const { layers, outputs } = JSON.parse(done.stdout);
    expect(layers.map((l: { op: string }) => l.op)).toEqual(["gru", "gru", "dense"]);
    expect(outputs[0].name).toBe("logits");
  });

  it("without one, a configuration to edit is shown", async () => {
    const done = await executeHere("inspect", model);
    expect(done).toMatchObject({ code: 1, stdout: "" });
    expect(done.stderr).toMatch(/stack\.safetensors: .*2 GRUs, 1 linear layers.*--config.*\{"layers": \[\n/s);
  });

  it("is read by deploy, and refused for ONNX", async () => {
    const onnx = shop.model("gru", { hidden: 4, inputSize: 3, resetAfter: true });
    const to = ["--name", "demo", "--cluster", shop.path("none.yaml")];
    const missing = await executeHere("deploy", model, "--config", shop.path("none.json"), ...to);
    expect(missing.stderr).toMatch(/the configuration .*none\.json can't be read/);
    const refused = await executeHere("deploy", onnx, "--config", json, ...to);
    expect(refused.stderr).toMatch(/gru\.onnx takes no configuration/);
  });
});
