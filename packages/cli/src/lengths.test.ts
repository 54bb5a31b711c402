/** Sequences of different lengths, and secret embedding tables: the command with real parties, against what PyTorch computed. */
import { pytorchFile, pytorchFixture, writeOnnx } from "@sotto/model/testing";
import { afterAll, describe, expect, it } from "vitest";
import { largestDifference } from "./outputs.js";
import { executeHere } from "./testing/in-process.js";
import { Workshop } from "./testing/sotto.js";

const shop = new Workshop();
afterAll(() => shop.close());

const { inputs, outputs } = pytorchFixture("lengths-state");
const model = shop.file("model.safetensors", pytorchFile("lengths-state"));
const config = (lengths: unknown) => {
  const layers = [
    { embedding: "embedding" },
    { gru: "gru", batch_first: true },
    { take: "last_state" },
    { linear: "fc" },
  ];
  return JSON.stringify({ lengths, layers });
};
const given = shop.file("given.json", config("n"));
const found = shop.file("found.json", config({ padding: 0 }));
const { shape, data } = inputs.tokens!;
const tokens = shop.array("tokens", shape, (i) => data[i]!);
const lengths = shop.array("lengths", [3], (i) => [3, 1, 5][i]!);
const longer = shop.array("longer", [3], (i) => [3, 1, 6][i]!);
const half = shop.array("half", [3], (i) => [3, 1.5, 5][i]!);
const holes = shop.array("holes", [1, 5], (i) => [1, 0, 1, 0, 0][i]!);

describe("sotto run", () => {
  it("takes the lengths of sequences, which are public", async () => {
    const args = ["--config", given, "--input", `tokens=${tokens}`, "--input", `n=${lengths}`];
    const done = await executeHere("run", model, ...args, "--check", "--json");
    expect(done).toMatchObject({ code: 0, stderr: "" });
    const json = JSON.parse(done.stdout);
    expect(json.maxAbsError).toBeLessThan(0.002);
    expect(largestDifference(json.outputs, outputs)).toBeLessThan(0.002);
    const plan = JSON.parse((await executeHere("inspect", model, ...args, "--json")).stdout);
    expect(json).toMatchObject({ plan: plan.plan, rounds: plan.rounds, onlineBytes: plan.onlineBytes });
  });

  it("finds them in the padding, and keeps the embedding secret", async () => {
    const args = ["--config", found, "--private-embeddings"];
    const done = await executeHere("run", model, ...args, "--input", tokens, "--check", "--json");
    expect(done).toMatchObject({ code: 0, stderr: "" });
    const json = JSON.parse(done.stdout);
    expect(json.maxAbsError).toBeLessThan(0.002);
    expect(largestDifference(json.outputs, outputs)).toBeLessThan(0.002);
    const plan = JSON.parse(
      (await executeHere("inspect", model, ...args, "--input", tokens, "--json")).stdout,
    );
    expect(json).toMatchObject({ plan: plan.plan, rounds: plan.rounds, onlineBytes: plan.onlineBytes });
    expect(plan.layers[0].table.vocabulary).toBe(11);
  });

  it.each([
    ["no lengths", [given, "--input", tokens], /say which input|no --input for n \[batch\]/, 2],
    [
      "lengths that are found",
      [found, "--input", tokens, "--input", `n=${lengths}`],
      /no input of that name/,
      2,
    ],
    [
      "too long",
      [given, "--input", `tokens=${tokens}`, "--input", `n=${longer}`],
      /sequence 2 has steps 0 to 6/,
      1,
    ],
    [
      "no whole number",
      [given, "--input", `tokens=${tokens}`, "--input", `n=${half}`],
      /n: element 1 is 1\.5/,
      1,
    ],
    ["padding within", [found, "--input", holes], /sequence 0 has padding \(0\) between its steps/, 1],
  ])("%s", async (_, args, message, code) => {
    const done = await executeHere("run", model, "--config", ...args);
    expect(done.stderr).toMatch(message);
    expect(done).toMatchObject({ code, stdout: "" });
  });
});

describe("sotto inspect", () => {
  it("says what is public, and what the client finds", async () => {
    const { stdout } = await executeHere("inspect", model, "--config", given);
    expect(stdout).toMatch(
      /PUBLIC \(the servers see them\)\n {2}n {2}\[batch\] {2}how many steps each sequence has/,
    );
    expect(stdout).toMatch(/table \[11, 5\] is PUBLIC; the client looks up/);
    const other = (await executeHere("inspect", model, "--config", found)).stdout;
    expect(other).toMatch(
      /lengths {2}\[batch\] {2}found by the client: .* end before the padding \(0\) in tokens/,
    );
  });
});

describe("a model that looks up tokens", () => {
  const V = 40;
  const values = (n: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(3 * i));
  const path = shop.file(
    "text.onnx",
    writeOnnx({
      inputs: [{ name: "tokens", shape: ["time", "batch"], type: "int64" }],
      outputs: [{ name: "y_h", shape: [1, "batch", 2] }],
      nodes: [
        { op: "Gather", name: "table", inputs: ["E", "tokens"], outputs: ["x"] },
        {
          op: "GRU",
          name: "gru",
          inputs: ["x", "W", "R"],
          outputs: ["", "y_h"],
          attributes: { hidden_size: 2, linear_before_reset: 1 },
        },
      ],
      initialisers: {
        E: { shape: [V, 3], data: values(V * 3) },
        W: { shape: [1, 6, 3], data: values(18) },
        R: { shape: [1, 6, 2], data: values(12) },
      },
    }),
  );
  const input = shop.array("words", [4, 2], (i) => (7 * i) % V);

  it("is kept secret by --private-embeddings, at the cost that inspect says", async () => {
    const report = async (...args: string[]) =>
      JSON.parse((await executeHere("inspect", path, "--input", input, ...args, "--json")).stdout);
    const [open, secret] = [await report(), await report("--private-embeddings")];
    const { uploadBytes, openedBytes, vocabulary } = secret.layers[0].table;
    expect(vocabulary).toBe(V);
    // 8 tokens; the rows of the public table need not be sent
    expect(secret.inputBytes).toBe(8 * uploadBytes);
    expect(secret.layers[0].onlineBytes).toBe(8 * openedBytes);
    expect(secret.rounds).toBe(open.rounds + 1);
    const { stdout } = await executeHere("inspect", path, "--private-embeddings");
    expect(stdout).toContain(
      `table [40, 3] is secret; by token, the client sends ${uploadBytes} B to each server`,
    );
    expect(stdout).toContain("the client shares a vector of 40 numbers for each");
    expect(stdout).not.toMatch(/PUBLIC|looked up by the client/);
  });
});
