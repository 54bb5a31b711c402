/**
 * What the client and the model owner do: split into two additive shares, put two shares together.
 * docs/protocol.md, "Sharing". Each share by itself is uniform.
 */
import { SottoError } from "../errors.js";
import type { Values } from "../interpret/plain.js";
import type { TensorShares } from "../interpret/setup.js";
import type { Tensor } from "../plan/description.js";
import type { Network, NetworkInput } from "../plan/instantiate.js";
import type { Plan } from "../plan/plan.js";
import type { InputNode } from "../program/nodes.js";
import { type RandomBytes, systemRandom } from "../random/system.js";
import { decode, encode } from "../ring/fixed.js";
import { pack, packedBytes, unpack } from "../ring/packed.js";
import type { Ring, Vector } from "../ring/ring.js";
import { applyPending } from "./pending.js";

/** One share for each server. */
export type Shares = [Uint8Array, Uint8Array];

/** NumberTensor with a shape, row-major. */
export interface NumberTensor {
  shape: number[];
  data: ArrayLike<number>;
}

export interface InputOptions {
  /**
   * Values outside the declared range: an error (default), or brought to the range's end. "keep" leaves them, for an
   * interpretation over reals: nothing is proven of what they give in a private run.
   */
  outside?: "refuse" | "clip" | "keep";
  random?: RandomBytes;
}

/**
 * Checks the client's inputs and turns them into what the program takes: reals within the declared range,
 * tokens looked up in their public table. @throws SottoError bad-input naming input, position and expectation.
 */
export function prepareInputs(
  network: Network,
  inputs: Record<string, NumberTensor>,
  tables: Record<string, Tensor>,
  options: InputOptions = {},
): Values {
  const values: Values = {};
  for (const about of network.inputs) {
    const given = inputs[about.name];
    if (!given) throw new SottoError("bad-input", `input ${about.name} is missing`);
    const expected = about.shape.reduce((n, d) => n * d, 1);
    if (given.shape.join() !== about.shape.join()) {
      throw new SottoError(
        "bad-input",
        `input ${about.name} has shape [${given.shape}], expected [${about.shape}]`,
      );
    }
    if (given.data.length !== expected) {
      throw new SottoError(
        "bad-input",
        `input ${about.name}: shape [${given.shape}] is of ${expected} numbers, and data has ${given.data.length}`,
      );
    }
    const { data } = given;
    if (about.vocabulary !== undefined) values[about.name] = oneHot(about, data, about.vocabulary);
    else if (about.kind === "token") values[about.name] = lookUp(about, data, tables);
    else values[about.name] = ranged(about, data, options.outside);
  }
  return values;
}

/** Shares of prepared inputs: every input packed at its modulus, in the program's order. */
export function shareInputs(ring: Ring, network: Network, values: Values, random = systemRandom): Shares {
  const nodes = network.program.inputs as InputNode[];
  const size = nodes.reduce((sum, n) => sum + packedBytes(n.length, n.modulus), 0);
  const shares: Shares = [new Uint8Array(size), new Uint8Array(size)];
  let at = 0;
  for (const node of nodes) {
    const x = encode(ring, values[node.name]!, node.scale);
    const share = uniform(ring, node.length, random);
    ring.kernels.sub(x.ptr, x.ptr, share.ptr, node.length);
    pack(ring, share, node.modulus, shares[0], at);
    at = pack(ring, x, node.modulus, shares[1], at);
    x.free();
    share.free();
  }
  return shares;
}

/** The outputs from both servers' shares, with what is left to the client applied. */
export function reconstruct(
  ring: Ring,
  network: Network,
  shares: Shares,
): Record<string, NumberTensor & { data: Float64Array }> {
  const expected = network.program.outputs.reduce((sum, n) => sum + packedBytes(n.length, n.modulus), 0);
  shares.forEach((s, i) => {
    if (s.length !== expected) {
      throw new SottoError(
        "protocol",
        `server ${i} sent an output share of ${s.length} bytes, expected ${expected}`,
      );
    }
  });
  const results: Record<string, NumberTensor & { data: Float64Array }> = {};
  let at = 0;
  network.program.outputs.forEach((node, i) => {
    const about = network.outputs[i]!;
    const a = unpack(ring, shares[0], at, node.length, node.modulus);
    const b = unpack(ring, shares[1], at, node.length, node.modulus);
    at += packedBytes(node.length, node.modulus);
    ring.kernels.add(a.ptr, a.ptr, b.ptr, node.length);
    const data = decode(ring, a, node.modulus, node.scale);
    a.free();
    b.free();
    results[about.name] = { shape: about.shape, data: applyPending(about, data) };
  });
  return results;
}

/** Shares of the model owner's tensors: 64-bit words in the plan's order. */
export function shareTensors(ring: Ring, plan: Plan, tensors: Values, random = systemRandom): Shares {
  const size = tensorShareBytes(plan);
  const shares: Shares = [new Uint8Array(size), new Uint8Array(size)];
  let at = 0;
  for (const t of plan.tensors) {
    const W = encode(ring, tensors[t.name]!, t.scale);
    const share = uniform(ring, W.length, random);
    ring.kernels.sub(W.ptr, W.ptr, share.ptr, W.length);
    shares[0].set(ring.bytes(share), at);
    shares[1].set(ring.bytes(W), at);
    at += W.length * 8;
    W.free();
    share.free();
  }
  return shares;
}

/** Bytes of each share of a model. */
export function tensorShareBytes(plan: Plan): number {
  return plan.tensors.reduce((sum, t) => sum + t.rows * t.cols * 8, 0);
}

/** A server reads its share of the model. @throws SottoError bad-input when the length does not fit the plan. */
export function loadTensorShares(ring: Ring, plan: Plan, bytes: Uint8Array): TensorShares {
  const expected = tensorShareBytes(plan);
  if (bytes.length !== expected) {
    throw new SottoError("bad-input", `a model share of ${expected} bytes expected, got ${bytes.length}`);
  }
  const shares = new Map<string, Vector>();
  let at = 0;
  for (const t of plan.tensors) {
    const v = ring.alloc(t.rows * t.cols);
    ring.bytes(v).set(bytes.subarray(at, at + v.length * 8));
    at += v.length * 8;
    shares.set(t.name, v);
  }
  return shares;
}

function uniform(ring: Ring, n: number, random: RandomBytes): Vector {
  const bytes = random(n * 8);
  const v = ring.alloc(n);
  ring.bytes(v).set(bytes);
  return v;
}

function refused({ name, shape }: NetworkInput, element: number, why: string): SottoError {
  const place = shape.length > 1 ? `${element} ([${indexOf(shape, element)}])` : element;
  return new SottoError("bad-input", `input ${name}: element ${place} ${why}`, {
    at: { input: name, element },
  });
}

/** The index along each axis. */
function indexOf(shape: readonly number[], element: number): number[] {
  let rest = element;
  const fromLast = [...shape].reverse().map((size) => {
    const i = rest % size;
    rest = (rest - i) / size;
    return i;
  });
  return fromLast.reverse();
}

function ranged(
  about: NetworkInput,
  data: ArrayLike<number>,
  outside: InputOptions["outside"] = "refuse",
): Float64Array {
  const { range } = about;
  return Float64Array.from(data, (v, i) => {
    // the position may be said, the value not: it is the client's secret, and errors end up in logs
    if (!Number.isFinite(v)) throw refused(about, i, "is NaN or infinite");
    const most = typeof range === "number" ? range : range[i % range.length]!;
    const shared = typeof range === "number" ? v : v / most;
    if (Math.abs(v) <= most || outside === "keep") return shared;
    if (outside === "clip") return typeof range === "number" ? Math.sign(v) * most : Math.sign(v);
    throw refused(
      about,
      i,
      `is outside the declared range |x| <= ${most}; ` +
        "declare a larger --input-range, or normalise or clip the input",
    );
  });
}

function tokens(about: NetworkInput, data: ArrayLike<number>, vocabulary: number): number[] {
  return Array.from(data, (token, i) => {
    // a negative one is a mistake in padding more often than ONNX's count from the end
    if (Number.isInteger(token) && token >= 0 && token < vocabulary) return token;
    throw refused(about, i, `is not a token; expected 0 to ${vocabulary - 1}`);
  });
}

/** One of `vocabulary` numbers a token is 1. */
function oneHot(about: NetworkInput, data: ArrayLike<number>, vocabulary: number): Float64Array {
  const out = new Float64Array(data.length * vocabulary);
  tokens(about, data, vocabulary).forEach((token, i) => {
    out[i * vocabulary + token] = 1;
  });
  return out;
}

function lookUp(about: NetworkInput, data: ArrayLike<number>, tables: Record<string, Tensor>): Float64Array {
  const table = tables[about.table!];
  if (!table) throw new SottoError("internal", `the public table ${about.table} is missing`);
  const [V, E] = table.shape as [number, number];
  const out = new Float64Array(data.length * E);
  tokens(about, data, V).forEach((token, i) => {
    out.set(table.data.subarray(token * E, (token + 1) * E), i * E);
  });
  return out;
}
