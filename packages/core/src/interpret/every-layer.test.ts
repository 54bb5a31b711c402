import { beforeAll, describe, expect, it } from "vitest";
import { SottoError } from "../errors.js";
import { isUnit } from "../nets/gru.js";
import { compile } from "../plan/compile.js";
import { instantiate } from "../plan/instantiate.js";
import { sizesOf } from "../plan/sizes.js";
import { Ring } from "../ring/ring.js";
import { applyPending } from "../share/pending.js";
import { prepareInputs } from "../share/share.js";
import { type AnyModel, anyModel } from "../testing/layers.js";
import { seededBytes } from "../testing/seeded.js";
import { deployTogether, inferTogether } from "../testing/together.js";
import { Witness } from "../testing/witness.js";
import { integers, runClear, runExact } from "./plain.js";

let ring: Ring;
beforeAll(async () => {
  ring = await Ring.create();
});

const MODELS = process.env.SOTTO_LONG ? 2000 : 40;

/** Runs a model in every interpretation. @returns what the witness says and the largest differences. */
function runAll(seed: string, { model, options, inputs }: AnyModel) {
  const compiled = compile(model, options);
  const before = ring.bytesInUse;
  const network = instantiate(compiled.plan, sizesOf(compiled.plan, inputs));
  const values = prepareInputs(network, inputs, compiled.publicTensors);
  const deployment = deployTogether(ring, compiled, seededBytes(`deploy ${seed}`));
  const owner = new Map(
    compiled.plan.tensors.map((t) => [
      t.name,
      Array.from(integers(compiled.tensors[t.name]!, t.scale), (v) => BigInt(v)),
    ]),
  );
  let witness: Witness | undefined;
  const { outputs } = inferTogether(ring, network, deployment, values, seededBytes(`run ${seed}`), (p) => {
    witness = new Witness(ring, network.program, owner, p);
  });
  deployment.setup.free();
  for (const m of deployment.models) m.free();
  const clear = runClear(network.program, compiled.tensors, values);
  const exact = runExact(network.program, compiled.plan, compiled.tensors, values);
  const off = { exact: 0, clear: 0 };
  for (const about of network.outputs) {
    const got = outputs[about.name]!.data;
    const [c, e] = [clear, exact].map((v) => applyPending(about, v[about.name]!)) as [
      Float64Array,
      Float64Array,
    ];
    got.forEach((v, i) => {
      off.exact = Math.max(off.exact, Math.abs(v - e[i]!));
      off.clear = Math.max(off.clear, Math.abs(v - c[i]!));
    });
  }
  return { verdict: witness!.verdict(), off, leaked: ring.bytesInUse - before };
}

/** A gate beyond [0, 1] multiplies the state's error at each step, and a threshold makes any error a whole one. */
function isChaotic({ model }: AnyModel): boolean {
  return model.layers.some(
    (l) =>
      (l.op === "gru" && l.gate !== undefined && !isUnit(l.gate)) ||
      JSON.stringify(l).includes("thresholdedRelu"),
  );
}

describe("models with every kind of layer", () => {
  it(`give what float gives, within 0.002, in ${MODELS} models with ordinary weights`, () => {
    for (let k = 0; k < MODELS; k++) {
      const { verdict, off, leaked } = runAll(`ordinary ${k}`, anyModel(`ordinary ${k}`, "ordinary"));
      expect(verdict, `model ${k}`).toEqual([]);
      expect(leaked).toBe(0);
      expect(off.clear, `model ${k}`).toBeLessThan(0.002);
    }
  });

  it(`have no value that is none its operation may give, in ${MODELS} models with any function`, () => {
    let runs = 0;
    for (let k = 0; k < MODELS; k++) {
      const any = anyModel(`any ${k}`, "any");
      let result: ReturnType<typeof runAll>;
      try {
        result = runAll(`any ${k}`, any);
      } catch (error) {
        expect(error, `model ${k}: ${(error as Error).stack}`).toBeInstanceOf(SottoError);
        expect((error as SottoError).code, `model ${k}: ${(error as Error).message}`).toBe("does-not-fit");
        continue;
      }
      expect(result.verdict, `model ${k}`).toEqual([]);
      // rounding and the choice of nodes may add up in such models; a wrap-around would be far off
      if (!isChaotic(any)) expect(result.off.exact, `model ${k}`).toBeLessThan(0.3);
      runs++;
    }
    expect(runs).toBeGreaterThan(MODELS / 2);
  });
});
