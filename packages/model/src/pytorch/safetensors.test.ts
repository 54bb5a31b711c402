import { SottoError } from "@sotto/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { pytorchFile, pytorchFixture } from "../testing/index.js";
import { importPytorch } from "./import.js";
import { isSafetensors, readSafetensors } from "./safetensors.js";
import { Weights } from "./weights.js";

/** A file with this header and so many bytes of data. */
function file(header: object | string, data: number | Uint8Array = 0, claimed?: number): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const content = typeof data === "number" ? new Uint8Array(data) : data;
  const bytes = new Uint8Array(8 + text.length + content.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(claimed ?? text.length), true);
  bytes.set(text, 8);
  bytes.set(content, 8 + text.length);
  return bytes;
}

const tensor = (begin: number, end: number, shape: unknown = [(end - begin) / 4], dtype = "F32") => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

describe("a file", () => {
  it("has tensors by name, in any order, and texts about itself", () => {
    const header = {
      __metadata__: { format: "pt" },
      b: tensor(4, 12, [1, 2]),
      a: tensor(0, 4, []),
      e: tensor(12, 12, [0, 3]),
    };
    const data = new Uint8Array(new Float32Array([1, 2, 3]).buffer);
    const tensors = readSafetensors(file(header, data));
    expect([...tensors.keys()]).toEqual(["b", "a", "e"]);
    const weights = new Weights(tensors);
    expect(weights.read("a")).toEqual({ shape: [], data: Float32Array.of(1) });
    expect(weights.read("b")).toEqual({ shape: [1, 2], data: Float32Array.of(2, 3) });
    expect(weights.unused()).toEqual(["e"]);
  });

  it("may be padded after its header, and start anywhere in memory", () => {
    const whole = file(`${JSON.stringify({ a: tensor(0, 4) })}   `, 4);
    const shifted = new Uint8Array(whole.length + 3);
    shifted.set(whole, 3);
    expect(new Weights(readSafetensors(shifted.subarray(3))).read("a").data).toEqual(Float32Array.of(0));
  });

  it("reads every type as single precision", () => {
    const types: [string, number[], number[]][] = [
      ["F64", [0, 0, 0, 0, 0, 0, 0xf8, 0xbf], [-1.5]],
      ["F16", [0x00, 0xbe], [-1.5]],
      ["BF16", [0xc0, 0xbf], [-1.5]],
      ["I64", [0xfe, 255, 255, 255, 255, 255, 255, 255], [-2]],
      ["I32", [0xfe, 255, 255, 255], [-2]],
      ["I16", [0xfe, 255], [-2]],
      ["I8", [0xfe], [-2]],
      ["U8", [0xfe], [254]],
    ];
    for (const [dtype, bytes, values] of types) {
      const read = readSafetensors(file({ a: tensor(0, bytes.length, [1], dtype) }, Uint8Array.from(bytes)));
      expect([...new Weights(read).read("a").data]).toEqual(values);
    }
  });

  it("is told from others by its start", () => {
    expect(isSafetensors(pytorchFile("text"))).toBe(true);
    for (const bytes of [
      new Uint8Array(3),
      new TextEncoder().encode("{} and some more text"),
      pytorchFile("exported.onnx"),
    ])
      expect(isSafetensors(bytes)).toBe(false);
  });
});

describe("refused are", () => {
  it.each<[string, Uint8Array, RegExp]>([
    ["no header", new Uint8Array(7), /7 bytes/],
    ["a header beyond the file", file({}, 0, 1000), /claims 1000 bytes.*truncated/],
    ["a header beyond the format's limit", file({}, 0, 100_000_001), /allows 100000000/],
    ["a length beyond what numbers hold", file({}, 0, Number.MAX_SAFE_INTEGER), /claims/],
    ["space before the header", file(" {}"), /does not start with \{/],
    ["what is not JSON", file("{,}"), /header is not JSON/],
    ["what is not UTF-8", file({}, 0).fill(0xff, 9), /header is not JSON/],
    [
      "duplicate names",
      file(`{"a":${JSON.stringify(tensor(0, 4))},"a":${JSON.stringify(tensor(0, 4))}}`, 4),
      /"a\\?" occurs twice/,
    ],
    ["duplicate keys in other writing", file('{"__metadata__":{"a":"1","\\u0061":"2"}}'), /occurs twice/],
    ["deep nesting", file(`{"a":${"[".repeat(100_000)}`), /nested too deeply/],
    ["text after the header", file("{} x"), /after its end/],
    ["metadata that is no text", file({ __metadata__: { a: 1 } }), /__metadata__/],
    ["an entry that is no object", file({ a: 1 }), /"a" is not a JSON object/],
    ["an unknown key", file({ a: { ...tensor(0, 4), more: 1 } }, 4), /unknown key "more"/],
    ["an unknown type", file({ a: tensor(0, 4, [1], "F4") }, 4), /"F4"/],
    ["a negative size", file({ a: tensor(0, 4, [-1]) }, 4), /whole numbers/],
    ["a size with a fraction", file({ a: tensor(0, 4, [0.5]) }, 4), /whole numbers/],
    [
      "three offsets",
      file({ a: { dtype: "F32", shape: [1], data_offsets: [0, 4, 4] } }, 4),
      /two data_offsets/,
    ],
    ["another size than the shape's", file({ a: tensor(0, 4, [2]) }, 4), /takes 8 bytes/],
    ["sizes beyond what numbers hold", file({ a: tensor(0, 4, [2 ** 50, 2 ** 50]) }, 4), /offsets/],
    ["offsets in reverse", file({ a: tensor(4, 0, [1]) }, 4), /offsets/],
    ["offsets beyond the data", file({ a: tensor(0, 8, [2]) }, 4), /truncated/],
    ["overlaps", file({ a: tensor(0, 8), b: tensor(4, 12) }, 12), /"a" and "b" overlap/],
    ["gaps", file({ a: tensor(0, 4), b: tensor(8, 12) }, 12), /4 to 8 .* no tensor/],
    ["a rest", file({ a: tensor(0, 4) }, 5), /last 1 bytes/],
  ])("%s", (_, bytes, message) => {
    expect(() => readSafetensors(bytes)).toThrow(SottoError);
    expect(() => readSafetensors(bytes)).toThrow(message);
  });

  it("numbers that are none", () => {
    const read = readSafetensors(file({ a: tensor(0, 4) }, Uint8Array.of(0, 0, 0xc0, 0x7f)));
    expect(() => new Weights(read).read("a")).toThrow(/"a".*not numbers/);
  });
});

const RUNS = process.env.SOTTO_LONG ? 20_000 : 200;
const files = ["text", "deep", "conv", "half", "norm"].map((name) => ({
  bytes: pytorchFile(name),
  config: pytorchFixture(name).print,
}));

/** A whole description, or an error that is ours. */
function expectOrderly(bytes: Uint8Array, config?: string): void {
  try {
    const model = importPytorch(bytes, { config });
    const known = new Set([...model.inputs.map((i) => i.name), ...Object.keys(model.constants)]);
    for (const layer of model.layers) {
      expect(layer.inputs.filter((name) => !known.has(name))).toEqual([]);
      for (const name of layer.outputs) if (name) known.add(name);
    }
    for (const { name } of model.outputs) expect(known).toContain(name);
    for (const { shape, data } of Object.values(model.tensors)) {
      expect(data.length).toBe(shape.reduce((a, b) => a * b, 1));
      expect(data.every((v) => Number.isFinite(v))).toBe(true);
    }
  } catch (error) {
    if (!(error instanceof SottoError)) throw error;
    expect(["bad-model", "bad-config", "unsupported"]).toContain(error.code);
    expect(error.message.length).toBeLessThan(5000);
  }
}

describe("damaged", () => {
  const one = fc.constantFrom(...files);
  const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
    minLength: 1,
    maxLength: 6,
  });

  it("files are refused when truncated", () => {
    fc.assert(
      fc.property(one, fc.nat(), ({ bytes, config }, at) => {
        const cut = bytes.subarray(0, at % bytes.length);
        expect(() => importPytorch(cut, { config })).toThrow(SottoError);
      }),
      { numRuns: RUNS },
    );
  });

  it("files are read or refused when bytes are changed", () => {
    fc.assert(
      fc.property(one, changes, fc.boolean(), fc.boolean(), ({ bytes, config }, list, head, guess) => {
        const damaged = bytes.slice();
        // the header is where a change matters
        const length = head ? 8 + new DataView(bytes.buffer).getUint32(0, true) : bytes.length;
        for (const [at, value] of list) damaged[at % length] = value;
        expectOrderly(damaged, guess ? undefined : config);
      }),
      { numRuns: RUNS },
    );
  });

  it("configurations are read or refused", () => {
    const json = JSON.stringify({
      inputs: { x: ["batch", "time", 3] },
      layers: [
        { linear: "before" },
        "tanh",
        { gru: "gru", batch_first: true },
        { take: "last_state" },
        { linear: "head.1" },
      ],
      ignore: ["head.3"],
    });
    const texts = fc.constantFrom(...files, { bytes: pytorchFile("deep"), config: json });
    const character = fc.constantFrom(
      ...'()[]{}",:=.0159-lx \n\\eE',
      "true",
      "2147483647",
      "9".repeat(30),
      "None",
    );
    const edits = fc.array(fc.tuple(fc.nat(), character, fc.nat({ max: 3 })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(texts, edits, ({ bytes, config }, list) => {
        let text = config;
        for (const [at, insert, remove] of list) {
          const place = at % (text.length + 1);
          text = text.slice(0, place) + insert + text.slice(place + remove);
        }
        expectOrderly(bytes, text);
      }),
      { numRuns: RUNS },
    );
  });
});
