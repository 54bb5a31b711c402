/** Linear operations on shares: each server works on its own, nothing is opened. */

import type { Party } from "../interpret/party.js";
import type { AddNode, ConcatNode, GatherNode, SliceNode, TimesNode, TotalNode } from "../program/nodes.js";
import { local, type Operation } from "./operation.js";

export const add: Operation<AddNode> = {
  ...local,
  clear: (node, run) => {
    const b = run.value(node.b);
    return run.value(node.a).map((v, i) => v + b[i]!);
  },
  exact: (node, run) => {
    const b = run.value(node.b);
    return run.value(node.a).map((v, i) => v * 2 ** node.shiftA + b[i]! * 2 ** node.shiftB);
  },
  evaluate(node, party) {
    const { kernels } = party.ring;
    const out = party.ring.alloc(node.length);
    let [fine, coarse, shift] = [party.share(node.a), party.share(node.b), node.shiftB];
    if (node.shiftA > 0) [fine, coarse, shift] = [coarse, fine, node.shiftA];
    if (shift > 0) {
      kernels.shiftLeft(out.ptr, coarse.ptr, shift, node.length);
      kernels.add(out.ptr, out.ptr, fine.ptr, node.length);
    } else kernels.add(out.ptr, fine.ptr, coarse.ptr, node.length);
    party.shares[node.id] = out;
  },
};

export const times: Operation<TimesNode> = {
  ...local,
  clear: (node, run) => run.value(node.x).map((v) => v * node.real),
  exact: (node, run) => run.value(node.x).map((v) => v * node.factor),
  evaluate(node, party) {
    const out = party.ring.alloc(node.length);
    party.ring.kernels.mulConstant(out.ptr, party.share(node.x).ptr, node.factor, node.length);
    party.shares[node.id] = out;
  },
};

export const total: Operation<TotalNode> = {
  ...local,
  clear: (node, run) => summed(run.value(node.x), node.length),
  exact: (node, run) => summed(run.value(node.x), node.length),
  evaluate(node, party) {
    const { ring } = party;
    const x = party.share(node.x);
    const out = ring.zeros(node.length);
    for (let at = 0; at < x.length; at += node.length) {
      ring.kernels.add(out.ptr, out.ptr, x.ptr + at * 8, node.length);
    }
    party.shares[node.id] = out;
  },
};

export const slice: Operation<SliceNode> = {
  ...local,
  clear: (node, run) => run.value(node.x).slice(node.start, node.start + node.length),
  exact: (node, run) => run.value(node.x).slice(node.start, node.start + node.length),
  evaluate(node, party) {
    party.shares[node.id] = copyParts(party, [[node.x, node.start, node.length]], node.length);
  },
};

export const concat: Operation<ConcatNode> = {
  ...local,
  clear: (node, run) => joined(node.xs.map(run.value.bind(run)), node.length),
  exact: (node, run) => joined(node.xs.map(run.value.bind(run)), node.length),
  evaluate(node, party) {
    const parts = node.xs.map((x): [number, number, number] => [x, 0, party.share(x).length]);
    party.shares[node.id] = copyParts(party, parts, node.length);
  },
};

/** The index is public: it comes from the model's layout, never from data. */
export const gather: Operation<GatherNode> = {
  ...local,
  clear: (node, run) => Float64Array.from(node.index, (i) => run.value(node.x)[i]!),
  exact: (node, run) => Float64Array.from(node.index, (i) => run.value(node.x)[i]!),
  evaluate(node, party) {
    const { ring } = party;
    const index = ring.alloc(Math.ceil(node.length / 2));
    const out = ring.alloc(node.length);
    ring
      .bytes(index, node.length * 4)
      .set(new Uint8Array(node.index.buffer, node.index.byteOffset, node.length * 4));
    ring.kernels.gather(out.ptr, party.share(node.x).ptr, index.ptr, node.length);
    index.free();
    party.shares[node.id] = out;
  },
};

function summed(x: Float64Array, length: number): Float64Array {
  const out = new Float64Array(length);
  x.forEach((v, i) => {
    out[i % length]! += v;
  });
  return out;
}

function joined(parts: Float64Array[], length: number): Float64Array {
  const out = new Float64Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function copyParts(party: Party, parts: [id: number, start: number, length: number][], length: number) {
  const out = party.ring.alloc(length);
  let at = 0;
  for (const [id, start, n] of parts) {
    party.ring.copy(out, at, party.share(id), start, n);
    at += n;
  }
  return out;
}
