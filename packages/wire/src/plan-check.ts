/** A plan that came from somebody else: is it one? What it means is for core's instantiate() to judge. */
import { PLAN_VERSION, type Plan, PROFILES, SottoError } from "@sotto/core";
import * as z from "zod/mini";
import { issuesText } from "./issues.js";

const natural = z.int().check(z.minimum(0));
const hash = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const dimension = z.union([natural, z.string()]);
const shape = z.array(natural.check(z.maximum(2 ** 31)));
const scale = natural.check(z.maximum(63));
const finite = z.number();
/** An integer bound of a value. */
const bound = natural.check(z.maximum(2 ** 53));
const named = z.looseObject({ name: z.string() });

const MAX_WORDS = 2 ** 31;

const count = z.int().check(z.minimum(1), z.maximum(MAX_WORDS));
const pad = natural.check(z.maximum(MAX_WORDS));
const positive = z.number().check(z.positive());
const activation = z.looseObject({
  name: z.string(),
  alpha: z.optional(finite),
  beta: z.optional(finite),
});

/** What the walk computes with, by kind of layer; whether it makes sense together is for the walk to say. */
const FIELDS: Record<string, z.ZodMiniType | undefined> = {
  gru: z.looseObject({
    hidden: count,
    gate: z.optional(activation),
    candidate: z.optional(activation),
    clip: z.optional(positive),
    stateBound: z.optional(positive),
  }),
  dense: z.looseObject({ features: count }),
  embedding: z.looseObject({ table: z.string(), most: z.optional(positive) }),
  activation: z.looseObject({ activation }),
  affine: z.looseObject({ shapes: z.object({ scale: z.optional(shape), offset: z.optional(shape) }) }),
  reduce: z.looseObject({ fn: z.enum(["sum", "mean", "max"]), axes: z.array(z.int()) }),
  conv1d: z.looseObject({
    stride: count,
    dilation: count,
    groups: count,
    pads: z.tuple([pad, pad]),
    shape: z.tuple([count, count, count]),
  }),
};

const layer = z
  .looseObject({
    op: z.string(),
    name: z.string(),
    inputs: z.array(z.string()),
    outputs: z.array(z.string()),
  })
  .check(({ value, issues }) => {
    for (const { path, message } of FIELDS[value.op]?.safeParse(value).error?.issues ?? [])
      issues.push({ code: "custom", path: [...path], message, input: value });
  });

const plan = z.object({
  version: z.number(),
  name: z.string(),
  inputs: z.array(
    z.object({
      name: z.string(),
      shape: z.array(dimension),
      kind: z.enum(["real", "token", "length"]),
      mask: z.optional(z.object({ input: z.string(), value: finite, edge: z.enum(["start", "end"]) })),
    }),
  ),
  outputs: z.array(named),
  layers: z.array(layer),
  constants: z.record(z.string(), z.object({ shape, data: z.array(finite) })),
  profile: z.enum(PROFILES),
  precision: z.object({ operand: scale, weight: scale, gate: scale, activation: scale }),
  ranges: z.record(z.string(), z.union([finite, z.array(finite)])),
  tensors: z.array(
    z
      .object({
        name: z.string(),
        kind: z.enum(["matrix", "vector"]),
        rows: z.int().check(z.minimum(1)),
        cols: z.int().check(z.minimum(1)),
        scale,
        bound: finite,
      })
      .check(z.refine((t) => t.rows * t.cols <= MAX_WORDS, "too many words")),
  ),
  publicTensors: z.array(z.object({ name: z.string(), shape, sha256: hash })),
  folds: z.record(z.string(), hash),
  gruBounds: z.record(
    z.string(),
    z.object({ scale, x: bound, h: bound, z: bound, r: bound, v: bound, n: bound }),
  ),
});

/** Of values within values: a plan has fewer, and what walks over it, as its hash does, goes down by calling itself. */
const MAX_DEPTH = 32;

/** @throws SottoError plan-mismatch for another version of plans; bad-model naming the fields that are wrong. */
export function checkPlan(value: unknown): Plan {
  if (isDeep(value)) throw new SottoError("bad-model", `not a plan: nested more than ${MAX_DEPTH} deep`);
  const version = z.object({ version: z.unknown() }).safeParse(value).data?.version;
  if (version !== PLAN_VERSION) {
    throw new SottoError(
      "plan-mismatch",
      `a plan of version ${PLAN_VERSION} expected, got version ${JSON.stringify(version)?.slice(0, 40)}; ` +
        "compile the model with the servers' version of sotto",
    );
  }
  const parsed = plan.safeParse(value);
  if (!parsed.success) {
    throw new SottoError("bad-model", `not a plan: ${issuesText(parsed.error, "plan")}`);
  }
  // the value itself, not zod's copy: the hash covers every field
  return value as Plan;
}

function isDeep(value: unknown, left = MAX_DEPTH): boolean {
  if (typeof value !== "object" || value === null) return false;
  return left === 0 || Object.values(value).some((inner) => isDeep(inner, left - 1));
}
