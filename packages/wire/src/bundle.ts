/**
 * What the model owner gives to one server: the plan, the public tables, and that server's share.
 *
 *   u32 length | JSON {party, deployment, plan}
 *   u32 length | public tables: float32, one after the other in the plan's order
 *   u32 length | the share: 64-bit words, in the order of plan.tensors
 *
 * All little-endian. `deployment` is fresh for each deployment and the same in both bundles: shares of two
 * deployments do not belong together, even of the same plan.
 */
import { type Plan, SottoError, type Tensor, tableHash, tensorShareBytes } from "@sotto/core";
import * as z from "zod/mini";
import { issuesText } from "./issues.js";
import { readJson } from "./json.js";
import { id } from "./messages.js";
import { checkPlan } from "./plan-check.js";

export interface Bundle {
  party: 0 | 1;
  deployment: string;
  plan: Plan;
  tables: Uint8Array;
  share: Uint8Array;
}

const about = z.object({ party: z.literal([0, 1]), deployment: id, plan: z.unknown() });

const encoder = new TextEncoder();

export function encodeBundle({ party, deployment, plan, tables, share }: Bundle): Uint8Array {
  const parts = [encoder.encode(JSON.stringify({ party, deployment, plan })), tables, share];
  const bytes = new Uint8Array(parts.reduce((sum, p) => sum + 4 + p.length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part.length, true);
    bytes.set(part, at + 4);
    at += 4 + part.length;
  }
  return bytes;
}

/**
 * Reads a bundle and checks it: the plan's version and form, the tables' hashes, the share's length.
 * The parts are views of `bytes`.
 * @throws SottoError bad-model, plan-mismatch; never quoting the content.
 */
export function decodeBundle(bytes: Uint8Array): Bundle {
  const [json, tables, share] = split(bytes);
  let value: unknown;
  try {
    value = readJson(json);
  } catch {
    throw new SottoError("bad-model", "the bundle's description is not UTF-8 JSON");
  }
  const parsed = about.safeParse(value);
  if (!parsed.success) {
    throw new SottoError("bad-model", `not a bundle: ${issuesText(parsed.error, "description")}`);
  }
  const plan = checkPlan(parsed.data.plan);
  decodeTables(plan, tables);
  const expected = tensorShareBytes(plan);
  if (share.length !== expected) {
    throw new SottoError(
      "bad-model",
      `the plan's tensors take a share of ${expected} bytes, the bundle holds ${share.length}: a share of another model`,
    );
  }
  return { party: parsed.data.party, deployment: parsed.data.deployment, plan, tables, share };
}

/** The plan's public tables as bytes, in the plan's order. */
export function encodeTables(plan: Plan, tables: Record<string, Tensor>): Uint8Array {
  const list = plan.publicTensors.map((about) => {
    const table = tables[about.name];
    if (!table) throw new SottoError("bad-model", `the public table ${about.name} is missing`);
    return table.data;
  });
  const bytes = new Uint8Array(list.reduce((sum, data) => sum + data.length * 4, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const data of list) {
    for (const v of data) {
      view.setFloat32(at, v, true);
      at += 4;
    }
  }
  return bytes;
}

/** @throws SottoError bad-model when a table is not the one whose hash the plan states. */
export function decodeTables(plan: Plan, bytes: Uint8Array): Record<string, Tensor> {
  const words = plan.publicTensors.map(({ shape }) => shape.reduce((n, d) => n * d, 1));
  const expected = words.reduce((sum, n) => sum + n * 4, 0);
  if (bytes.length !== expected) {
    throw new SottoError("bad-model", `public tables of ${expected} bytes expected, got ${bytes.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const tables: Record<string, Tensor> = {};
  let at = 0;
  plan.publicTensors.forEach((about, i) => {
    const data = new Float32Array(words[i]!);
    for (let j = 0; j < data.length; j++, at += 4) data[j] = view.getFloat32(at, true);
    const hash = tableHash(data);
    if (hash !== about.sha256) {
      throw new SottoError(
        "bad-model",
        `public table ${about.name} has hash ${hash}, the plan states ${about.sha256}`,
      );
    }
    tables[about.name] = { shape: about.shape, data };
  });
  return tables;
}

function split(bytes: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  const next = (what: string): Uint8Array => {
    const length = at + 4 <= bytes.length ? view.getUint32(at, true) : 0;
    if (at + 4 + length > bytes.length) {
      throw new SottoError(
        "bad-model",
        `the bundle ends within its ${what}: ${bytes.length} bytes, at least ${at + 4 + length} expected`,
      );
    }
    const part = bytes.subarray(at + 4, at + 4 + length);
    at += 4 + length;
    return part;
  };
  const parts: [Uint8Array, Uint8Array, Uint8Array] = [next("description"), next("tables"), next("share")];
  if (at !== bytes.length) {
    throw new SottoError("bad-model", `the bundle has ${bytes.length - at} bytes beyond its ${at}`);
  }
  return parts;
}
