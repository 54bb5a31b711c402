/** A plan that came from somebody else: is it one? What it means is for core's instantiate() to judge. */
import { PLAN_VERSION, type Plan, PROFILES, SottoError } from "@sotto/core";
import { z } from "zod";
import { issuesText } from "./issues.js";

const dimension = z.union([z.number().int().min(0), z.string()]);
const shape = z.array(
  z
    .number()
    .int()
    .min(0)
    .max(2 ** 31),
);
const scale = z.number().int().min(0).max(63);
const finite = z.number();
/** An integer bound of a value. */
const bound = z
  .number()
  .int()
  .min(0)
  .max(2 ** 53);
const named = z.looseObject({ name: z.string() });

const MAX_WORDS = 2 ** 31;

const count = z.number().int().min(1).max(MAX_WORDS);
const positive = z.number().positive();
const activation = z.looseObject({
  name: z.string(),
  alpha: finite.optional(),
  beta: finite.optional(),
});

/** What the walk computes with, by kind of layer; whether it makes sense together is for the walk to say. */
const FIELDS: Record<string, z.ZodType | undefined> = {
  gru: z.looseObject({
    hidden: count,
    gate: activation.optional(),
    candidate: activation.optional(),
    clip: positive.optional(),
    stateBound: positive.optional(),
  }),
  dense: z.looseObject({ features: count }),
  embedding: z.looseObject({ table: z.string(), most: positive.optional() }),
  activation: z.looseObject({ activation }),
  affine: z.looseObject({ shapes: z.object({ scale: shape.optional(), offset: shape.optional() }) }),
  reduce: z.looseObject({ fn: z.enum(["sum", "mean", "max"]), axes: z.array(z.number().int()) }),
  conv1d: z.looseObject({
    stride: count,
    dilation: count,
    groups: count,
    pads: z.tuple([count.or(z.literal(0)), count.or(z.literal(0))]),
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
  .superRefine((value, context) => {
    for (const issue of FIELDS[value.op]?.safeParse(value).error?.issues ?? [])
      context.addIssue({ code: "custom", path: [...issue.path], message: issue.message });
  });

const plan = z.object({
  version: z.number(),
  name: z.string(),
  inputs: z.array(
    z.object({
      name: z.string(),
      shape: z.array(dimension),
      kind: z.enum(["real", "token", "length"]),
      mask: z.object({ input: z.string(), value: finite, edge: z.enum(["start", "end"]) }).optional(),
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
        rows: z.number().int().min(1),
        cols: z.number().int().min(1),
        scale,
        bound: finite,
      })
      .refine((t) => t.rows * t.cols <= MAX_WORDS, "too many words"),
  ),
  publicTensors: z.array(z.object({ name: z.string(), shape, sha256: z.string().regex(/^[0-9a-f]{64}$/) })),
  folds: z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/)),
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
