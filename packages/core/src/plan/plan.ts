/**
 * The plan: everything about a private run that is public, and that all parties must agree on.
 * It holds the network's architecture, scales and bounds, and no weight. The bounds come from the weights
 * and are published rounded up to three significant bits (docs/protocol.md, "What the plan reveals").
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";
import type { Constant, Layer, ModelInput, ModelOutput } from "./description.js";

export const PLAN_VERSION = 5;

/**
 * What a plan is made for: "lan", the least work and bytes; "wan", fewer rounds for more work, where a round trip between the
 * servers takes long. docs/protocol.md, "Look-up in one round".
 */
export type Profile = "lan" | "wan";

export const PROFILES: readonly Profile[] = ["lan", "wan"];

/** Bits of fraction. docs/protocol.md, "GRU step", names the defaults; the compiler steps down where bounds need it. */
export interface Precision {
  /** Inputs, states and other operands of matrix products. */
  operand: number;
  /** Weights. */
  weight: number;
  /** The update gate as it multiplies. */
  gate: number;
  /** Activation outputs. A state has scale gate + activation. */
  activation: number;
}

/** A secret tensor of the model owner, as the servers hold shares of it. */
export interface TensorPlan {
  name: string;
  /** A vector is one row. */
  kind: "matrix" | "vector";
  rows: number;
  cols: number;
  scale: number;
  /** matrix: at least the largest sum over a row of |integers|; vector: at least the largest |integer|. */
  bound: number;
}

/** A table that the client looks things up in itself. */
export interface PublicTensor {
  name: string;
  shape: number[];
  /** Hex SHA-256 of its float32 values, little-endian. */
  sha256: string;
}

/** Proven bounds of a GRU's pre-activations, as integers at scale weight + operand. */
export interface GruBounds {
  /** Bits of fraction of the layer's input as an operand. */
  scale: number;
  /** The layer's input at its own scale as an operand (plan/operand.ts): what the others assume of it. */
  x: number;
  /** The state, at the operand scale: 1, or the range of the initial state that the client gives, and slack. */
  h: number;
  z: number;
  r: number;
  /** U_n h + b_Un (reset after), or U_n (r h) + b_n alone (reset before). */
  v: number;
  /** The whole input of tanh. */
  n: number;
}

export interface Plan {
  version: typeof PLAN_VERSION;
  name: string;
  inputs: ModelInput[];
  outputs: ModelOutput[];
  layers: Layer[];
  constants: Record<string, Constant>;
  precision: Precision;
  profile: Profile;
  /**
   * |x| <= range, by input; for a token input the range of its table. A list has one range for each feature (the last
   * axis): the client divides by it, and shares numbers of at most 1.
   */
  ranges: Record<string, number | number[]>;
  tensors: TensorPlan[];
  publicTensors: PublicTensor[];
  /** By layer name. */
  gruBounds: Record<string, GruBounds>;
  /** Which affine layers are in the weights of a linear map, as a hash; maps without any are left out. */
  folds: Record<string, string>;
}

/** Sizes that were open in the model and are fixed for a run, by name. */
export type Sizes = Record<string, number>;

/** Hex SHA-256 of the plan. Object keys are sorted, so that equal plans have equal hashes. */
export function planHash(plan: Plan): string {
  return hashJson(plan);
}

/** Hex SHA-256 of a plan together with a run's sizes: what every frame of a session is bound to. */
export function runHash(plan: Plan, sizes: Sizes): string {
  return hashJson({ plan: planHash(plan), sizes });
}

/** Hex SHA-256 of a value as JSON, keys sorted. */
export function hashJson(value: unknown): string {
  return bytesToHex(sha256(utf8ToBytes(JSON.stringify(value, sorted))));
}

function sorted(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
