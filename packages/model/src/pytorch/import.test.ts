import { describe, expect, it } from "vitest";
import { pytorchFile, pytorchFixture, writeSafetensors } from "../testing/index.js";
import { importPytorch } from "./import.js";

const read = (name: string, config?: string | object, notes: string[] = []) =>
  importPytorch(pytorchFile(name), {
    config: typeof config === "object" ? JSON.stringify(config) : config,
    onNote: (text) => notes.push(text),
  });
const layers = (...list: unknown[]) => ({ layers: list });
const gru = { gru: "gru", batch_first: true };
const refused = (name: string, config: string | object | undefined, message: RegExp, code = "bad-config") => {
  expect(() => read(name, config)).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  );
};

describe("says what it assumed", () => {
  const noted = (name: string, config?: string | object) => {
    const notes: string[] = [];
    read(name, config, notes);
    return notes.join("\n");
  };

  it("of a printed model", () => {
    expect(noted("deep", pytorchFixture("deep").print)).toMatch(
      /printed order: x -> linear "before" -> tanh -> gru "gru" -> take last_state -> linear "head\.1" -> .* -> y\. .*--config/,
    );
  });

  it("of names and shapes", () => {
    expect(noted("text")).toMatch(
      /no configuration.*tokens -> embedding "embedding" -> gru "gru" -> take last_state/,
    );
  });

  it("of a configuration without take", () => {
    expect(noted("cell", layers({ gru_cell: "cell" }, { linear: "fc" }))).toMatch(
      /no "take".*gru_cell "cell" -> take last_state/,
    );
    expect(noted("cell", layers({ gru_cell: "cell" }, { take: "last_state" }, { linear: "fc" }))).toBe("");
  });
});

describe("without a configuration", () => {
  it("shows what was found, and a configuration that can be used at once where it is right", () => {
    refused(
      "deep",
      undefined,
      /1 GRUs, 3 linear layers.*gru\.weight_ih_l0 \[12, 6\].*print\(model\).*--config/s,
    );
    for (const name of ["deep", "stack", "norm", "conv", "flat"]) {
      let message = "";
      try {
        read(name);
      } catch (error) {
        message = (error as Error).message;
      }
      const suggested = message.slice(message.indexOf("\n"));
      expect(() => JSON.parse(suggested)).not.toThrow();
      if (name === "deep") {
        expect(JSON.parse(suggested).layers).toEqual([
          { linear: "before" },
          gru,
          { take: "last_state" },
          { linear: "head.1" },
          { relu: {} },
          { linear: "head.3" },
        ]);
        expect(read("deep", suggested).outputs).toEqual([{ name: "y" }]);
      }
    }
    refused("trained-state", undefined, /1 other tensors \("h0"\)/);
  });
});

describe("a configuration that does not fit", () => {
  it.each<[string, string, string | object, RegExp]>([
    ["is not JSON", "text", "{", /not JSON: a key is missing/],
    ["is not JSON, nor printed", "text", "hello", /neither JSON nor what print\(model\) writes.*line 1/],
    ["is empty", "text", " ", /empty/],
    ["has duplicate keys", "text", '{"layers": [], "layers": []}', /occurs twice/],
    ["has an unknown key", "text", { layer: [] }, /"layer" is not known; known are inputs, lengths, layers/],
    ["has no layers", "text", { layers: [] }, /should be a list of modules/],
    [
      "has an unknown module",
      "text",
      layers({ lstm: "rnn" }),
      /layer 0 \("lstm"\).*known are embedding, gru/,
    ],
    ["has two modules in one", "text", layers({ gru: "a", linear: "b" }), /should name one module/],
    [
      "has an unknown option",
      "text",
      layers({ ...gru, batchfirst: true }),
      /"batchfirst".*known are .*batch_first/,
    ],
    [
      "has an option of another type",
      "text",
      layers({ gru: "gru", batch_first: 1 }),
      /batch_first.*true or false/,
    ],
    ["has an unknown take", "text", layers(gru, { take: "last" }), /take.*one of all, last_state/],
    ["names no weights", "text", layers({ linear: {} }), /name.*"fc"/],
    ["names weights that are not there", "deep", layers({ linear: "fc" }), /"fc\.weight"/],
    [
      "leaves weights out",
      "text",
      layers({ embedding: "embedding" }, gru),
      /nothing reads the weights "fc\.weight", "fc\.bias"; .*ignore/,
    ],
    [
      "claims other layers",
      "text",
      layers({ embedding: "embedding" }, { ...gru, num_layers: 3 }),
      /num_layers 3.* of 2/,
    ],
    [
      "claims one direction",
      "text",
      layers({ embedding: "embedding" }, { ...gru, bidirectional: false }),
      /bidirectional false/,
    ],
    ["claims no bias", "text", layers({ embedding: "embedding" }, { ...gru, bias: false }), /bias false/],
    [
      "has modules in another order",
      "deep",
      layers(gru, { linear: "before" }),
      /linear "before" expects 3 numbers, but gets \[batch, 4\]/,
    ],
    [
      "has a GRU after a taken state",
      "stack",
      layers({ gru: "first" }, { take: "last_state" }, { gru: "second" }),
      /reads a sequence.*"take": "all"/,
    ],
    [
      "flattens a GRU's result",
      "flat",
      layers(gru, "flatten", { linear: "fc" }),
      /flatten follows gru "gru" without saying/,
    ],
    [
      "pools a GRU's result",
      "flat",
      layers(gru, { max_pool1d: 2 }),
      /max_pool1d follows gru "gru" without saying/,
    ],
    [
      "pools fewer steps than a window has",
      "conv",
      { inputs: { x: ["batch", 3, 5] }, ...layers({ max_pool1d: 9 }) },
      /max_pool1d expects 9 steps or more/,
    ],
    [
      "takes time where there is none",
      "text",
      layers({ embedding: "embedding" }, gru, { take: "mean" }, { take: "max" }),
      /no axis of time/,
    ],
    [
      "takes a state that is not there",
      "text",
      layers({ embedding: "embedding" }, gru, { take: "h[7]" }),
      /has 4 last states/,
    ],
    [
      "has a shape of another rank",
      "cell",
      { inputs: { x: ["batch"] }, ...layers({ gru_cell: "cell" }) },
      /\[batch\] should have 3 axes/,
    ],
    ["has two inputs", "cell", { inputs: { x: null, z: null }, ...layers("relu") }, /one input/],
    [
      "names input and output alike",
      "cell",
      { output: "x", ...layers({ gru_cell: "cell" }) },
      /two of .* named "x"/,
    ],
    [
      "computes nothing",
      "cell",
      { inputs: { x: ["batch", 3] }, ignore: ["cell", "fc"], ...layers("dropout") },
      /computes anything/,
    ],
  ])("%s", (_, name, config, message) => refused(name, config, message));

  it.each<[string, string, string | object, RegExp]>([
    [
      "computes with a softmax",
      "text",
      layers({ embedding: "embedding" }, gru, "softmax", { linear: "fc" }),
      /after softmax/,
    ],
    [
      "looks up in the middle",
      "text",
      layers({ linear: "fc" }, { embedding: "embedding" }),
      /only as the first module/,
    ],
    ["flattens an open size", "flat", layers(gru, { take: "all" }, "flatten", { linear: "fc" }), /inputs/],
    [
      "pads what it pools",
      "conv",
      layers({ max_pool1d: { kernel_size: 3, padding: 1 } }),
      /padding is not 0/,
    ],
    [
      "pools windows in parts",
      "conv",
      layers({ avg_pool1d: { kernel_size: 3, ceil_mode: true } }),
      /whole windows/,
    ],
    ["prints an LSTM", "text", "Net(\n  (a): LSTM(3, 4)\n)", /a \(LSTM\).*export/],
    ["prints a module of the user's own", "text", "Net(\n  (a): Attention()\n)", /a \(Attention\)/],
  ])("%s", (_, name, config, message) => refused(name, config, message, "unsupported"));

  it.each<[string, string, RegExp]>([
    ["of another size", "Net(\n  (embedding): Embedding(12, 5)\n)", /shape \[12, 5\].*has \[11, 5\]/],
    ["with an unknown argument", "Net(\n  (fc): Linear(3, 4, banana=1)\n)", /"banana"/],
    ["that does not end", "Net(\n  (fc): Linear(3, 4)\n", /closing bracket|line 2/],
    ["with a line that is not understood", "GRU(3, 4)\ntake: everything", /"take: everything".*possible/],
    ["that is nested too deeply", "A(\n(a): ".repeat(1000), /too large/],
    ["without modules", "Sequential()", /no modules/],
  ])("a printed model %s", (_, config, message) => refused("text", config, message));
});

describe("printed models", () => {
  it("repeat equal modules of a list as newer versions do; a loss is no part of inference", () => {
    const print = (list: string) =>
      `Net(\n  (gru): GRU(3, 4, batch_first=True)\n  ${list}\n  (loss): CrossEntropyLoss()\n)`;
    const message = (list: string) => {
      try {
        read("head-last-state", print(list));
      } catch (error) {
        return (error as Error).message;
      }
      return "";
    };
    expect(
      message("(fc): ModuleList(\n    (0-1): 2 x Linear(in_features=4, out_features=4, bias=True)\n  )"),
    ).toMatch(/linear "fc\.0" needs "fc\.0\.weight"/);
    expect(message("(fc): Linear(in_features=4, out_features=2, bias=True)")).toBe("");
  });
});

it("an LSTM's and a plain RNN's weights are told from a GRU's", () => {
  for (const [gates, message] of [
    [4, /an LSTM of 2 units; supported are GRUs/],
    [1, /a plain RNN of 2 units/],
  ] as const) {
    const tensor = (shape: [number, number]) => ({ shape, data: new Float32Array(shape[0] * shape[1]) });
    const tensors = { "a.weight_ih_l0": tensor([2 * gates, 3]), "a.weight_hh_l0": tensor([2 * gates, 2]) };
    const bytes = writeSafetensors(tensors);
    expect(() => importPytorch(bytes)).toThrow(message);
    const config = JSON.stringify({ layers: [{ gru: "a" }] });
    expect(() => importPytorch(bytes, { config })).toThrow(/a GRU's is \[3 H, H\]/);
  }
});

it("names that DataParallel and torch.compile put before all others are left out", () => {
  const tensor = (shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });
  const bytes = writeSafetensors({
    "_orig_mod.rnn.weight_ih_l0": tensor([6, 3]),
    "_orig_mod.rnn.weight_hh_l0": tensor([6, 2]),
  });
  expect(
    importPytorch(bytes, { config: JSON.stringify({ layers: [{ gru: "rnn" }] }) }).layers[0],
  ).toMatchObject({
    op: "gru",
    name: "rnn.l0",
    hidden: 2,
  });
});
