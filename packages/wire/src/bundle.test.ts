import { type Compiled, compile, Ring, SottoError, shareTensors } from "@sotto/core";
import { randomGru } from "@sotto/core/testing";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type Bundle, decodeBundle, decodeTables, encodeBundle, encodeTables } from "./bundle.js";

const deployment = "1".repeat(32);
const compiled: Compiled = compile(randomGru({ seed: 1, hidden: 4, inputSize: 3, steps: 2 }));

describe("a bundle", () => {
  let bundle: Bundle;
  beforeAll(async () => {
    const [share] = shareTensors(await Ring.create(), compiled.plan, compiled.tensors);
    bundle = { party: 0, deployment, plan: compiled.plan, tables: new Uint8Array(0), share };
  });

  it("comes back as it was", () => {
    expect(decodeBundle(encodeBundle(bundle))).toEqual(bundle);
  });

  it("is refused where its share is another model's", () => {
    const wrong = encodeBundle({ ...bundle, share: bundle.share.subarray(8) });
    expect(() => decodeBundle(wrong)).toThrow(/take a share of \d+ bytes, the bundle holds \d+/);
  });

  it("is refused where its plan is of another version", () => {
    const plan = { ...bundle.plan, version: 99 as Bundle["plan"]["version"] };
    expect(() => decodeBundle(encodeBundle({ ...bundle, plan }))).toThrow(
      /version \d expected, got version 99/,
    );
  });

  it("is refused where its plan is none", () => {
    const plan = { ...bundle.plan, tensors: [{ name: "W" }] } as unknown as Bundle["plan"];
    expect(() => decodeBundle(encodeBundle({ ...bundle, plan }))).toThrow(/not a plan: tensors\.0\.kind/);
  });

  it("is refused with a SottoError wherever it is cut or changed", () => {
    const whole = encodeBundle(bundle);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), (length) => {
        expect(() => decodeBundle(whole.subarray(0, length))).toThrow(SottoError);
      }),
    );
    fc.assert(
      fc.property(fc.nat(2000), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const changed = whole.slice();
        changed[at % changed.length] = value;
        try {
          decodeBundle(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(SottoError);
        }
      }),
    );
  });
});

describe("public tables", () => {
  const data = Float32Array.from([1, -2, 0.5, 3]);
  const table = { shape: [2, 2], data };
  const model = {
    name: "tokens",
    inputs: [{ name: "t", shape: [2, 1], kind: "token" as const }],
    outputs: [{ name: "h" }],
    layers: [
      { op: "embedding" as const, name: "e", inputs: ["t"], outputs: ["x"], table: "E" },
      {
        ...randomGru({ seed: 2, hidden: 2, inputSize: 2, steps: 2 }).layers[0]!,
        inputs: ["x"],
        outputs: ["", "h"],
      },
    ],
    tensors: { ...randomGru({ seed: 2, hidden: 2, inputSize: 2, steps: 2 }).tensors, E: table },
    constants: {},
  };
  const { plan, publicTensors } = compile(model as Parameters<typeof compile>[0]);

  it("come back as they were", () => {
    expect(decodeTables(plan, encodeTables(plan, publicTensors))).toEqual({ E: table });
  });

  it("are refused when they are not those of the plan", () => {
    const bytes = encodeTables(plan, publicTensors);
    bytes[0]! ^= 1;
    expect(() => decodeTables(plan, bytes)).toThrow(/public table E has hash \w+, the plan states \w+/);
    expect(() => decodeTables(plan, bytes.subarray(4))).toThrow(/public tables of 16 bytes expected, got 12/);
  });
});
