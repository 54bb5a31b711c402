/**
 * The dealer's interpretation: walks the program over masks alone and produces, stage by stage, the
 * correction words for server 1, and for both servers those of point vectors. It holds no share of any weight, input or output. One Dealer deals once.
 */
import { SottoError } from "../errors.js";
import { operation } from "../ops/index.js";
import type { Draw } from "../ops/operation.js";
import type { LookupNode, NodeId, OpenNode, Selection } from "../program/nodes.js";
import type { Program } from "../program/program.js";
import { stageNodes } from "../program/schedule.js";
import type { Source } from "../random/stream.js";
import type { Matrix } from "../ring/matrix.js";
import { Packer } from "../ring/packed.js";
import type { Ring, Vector } from "../ring/ring.js";
import { stageCorrectionBytes } from "./cost.js";
import { type MaterialSources, type OwnSources, server0Sources, server1Sources } from "./material.js";
import { dealPoints, type PointShape, pointDraws } from "./points.js";
import type { DealerSetup } from "./setup.js";

export class Dealer {
  readonly ring: Ring;
  readonly program: Program;
  /** Masks of opened values, reduced to their modulus. */
  readonly masks: (Vector | undefined)[] = [];
  /** sigma of selections; replaced by the six dealer values on first use. */
  readonly sigmas: (Vector | undefined)[] = [];
  private readonly values: (Vector | undefined)[] = [];
  private readonly setup: DealerSetup;
  private readonly server0: MaterialSources;
  private readonly server1: OwnSources;
  /** Corrections for server 1, and those of them that server 0 gets as well. */
  private out: Packer | undefined;
  private common: Packer | undefined;
  private nextStage = 0;

  constructor(
    ring: Ring,
    program: Program,
    setup: DealerSetup,
    server0: MaterialSources,
    server1: OwnSources,
  ) {
    this.ring = ring;
    this.program = program;
    this.setup = setup;
    this.server0 = server0;
    this.server1 = server1;
  }

  static fromSeeds(
    ring: Ring,
    program: Program,
    setup: DealerSetup,
    seeds: readonly [Uint8Array, Uint8Array],
  ): Dealer {
    return new Dealer(ring, program, setup, server0Sources(ring, seeds[0]), server1Sources(ring, seeds[1]));
  }

  get done(): boolean {
    return this.nextStage === this.program.stages.length;
  }

  /** Bytes of the next stage's corrections for either server. @throws SottoError material when all have been dealt. */
  get nextBytes(): readonly [number, number] {
    const { program, nextStage } = this;
    if (this.done) throw new SottoError("material", "all stages have been dealt; a dealer deals once");
    return [stageCorrectionBytes(program, nextStage, 0), stageCorrectionBytes(program, nextStage, 1)];
  }

  /** The corrections of the next stage for either server. */
  deal(): [Uint8Array, Uint8Array] {
    const [a, b] = this.nextBytes;
    const corrections: [Uint8Array, Uint8Array] = [new Uint8Array(a), new Uint8Array(b)];
    this.dealInto(corrections);
    return corrections;
  }

  /** The same, at places of `nextBytes` bytes. @throws SottoError internal for others, before anything is drawn. */
  dealInto(places: readonly [Uint8Array, Uint8Array]): void {
    const bytes = this.nextBytes;
    const lengths = (of: readonly { length: number }[]) => of.map(({ length }) => length).join(" and ");
    if (lengths(places) !== bytes.join(" and "))
      throw new SottoError("internal", `places of ${lengths(places)} bytes; expected ${bytes.join(" and ")}`);
    const index = this.nextStage++;
    const packers = [new Packer(this.ring, bytes[0]), new Packer(this.ring, bytes[1])] as const;
    [this.common, this.out] = packers;
    try {
      for (const node of stageNodes(this.program.stages[index]!)) {
        operation(node).deal(node, this);
        for (const id of this.program.lastUse[node.id] ?? []) this.drop(id);
      }
      if (lengths(packers) !== bytes.join(" and ")) {
        const declared = `${bytes.join(" and ")} bytes declared for server 0 and 1`;
        throw new SottoError("internal", `stage ${index}: ${declared}, ${lengths(packers)} dealt`);
      }
      packers.forEach((packer, server) => {
        packer.copyTo(places[server]!);
      });
    } finally {
      for (const packer of packers) packer.free();
      this.common = undefined;
      this.out = undefined;
    }
  }

  /** A fresh mask for an opening: the sum of both servers' streams, mod the opening's modulus. */
  mask(node: OpenNode): void {
    const m = this.server0.mask.words(node.length);
    const other = this.server1.mask.words(node.length);
    this.ring.kernels.add(m.ptr, m.ptr, other.ptr, node.length);
    this.ring.kernels.reduce(m.ptr, m.ptr, node.modulus, node.length);
    other.free();
    this.masks[node.id] = m;
  }

  /** Emits server 1's share of D, whose parts are these draws: D less server 0's stream. */
  share(D: Vector, draws: readonly Draw[]): void {
    const s0 = this.server0.share.words(D.length);
    this.ring.kernels.sub(s0.ptr, D.ptr, s0.ptr, D.length);
    let from = 0;
    for (const { n, bits } of draws) {
      if (bits > 0) this.out!.put(s0, bits, from, n);
      from += n;
    }
    s0.free();
  }

  /** Server 0's selection bits. */
  selectionBits(words: number): Vector {
    return this.server0.selection.words(words);
  }

  /** Emits server 1's selection bits and frees them. */
  selectionCorrection(e1: Vector): void {
    this.out!.put(e1, 64);
    e1.free();
  }

  /** Emits, for both servers, what makes them share the payload at the place of the mask of `node.x`. */
  points(node: LookupNode, shape: PointShape, payload: Vector): void {
    const roots = [this.server0.roots, this.server1.roots] as const;
    const mask = this.masks[node.x]!;
    const { tree, leaf } = dealPoints(this.ring, roots, shape, mask, node.table.stepBits, payload);
    const [treeDraw, ...leaves] = pointDraws(shape);
    for (const out of [this.common!, this.out!]) {
      out.put(tree, treeDraw!.bits);
      leaves.forEach(({ n, bits }, k) => {
        if (bits > 0) out.put(leaf, bits, k * n, n);
      });
    }
    tree.free();
    leaf.free();
  }

  openNode(id: NodeId): OpenNode {
    const node = this.program.nodes[id];
    if (node?.op !== "open") throw new SottoError("internal", `node ${id} is not an opening`);
    return node;
  }

  weightMask(tensor: string): Matrix {
    return this.setup.mask(tensor);
  }

  /** m >> shift, as integers; the caller frees it. */
  shiftedMask(node: OpenNode, shift: number): Vector {
    const out = this.ring.alloc(node.length);
    this.ring.kernels.shiftRight(out.ptr, this.masks[node.id]!.ptr, node.modulus, shift, 0, node.length);
    return out;
  }

  /** m >> shift and its highest bit; the caller frees both. */
  lifted(node: OpenNode, shift: number): { m: Vector; b: Vector } {
    const b = this.ring.alloc(node.length);
    const mask = this.masks[node.id]!;
    this.ring.kernels.shiftRight(b.ptr, mask.ptr, node.modulus, node.modulus - 1, 0, node.length);
    return { m: this.shiftedMask(node, shift), b };
  }

  /** The six dealer values of a selection, six planes; they stay the dealer's. */
  selected(selection: Selection): Vector {
    const { select, x, u } = selection;
    const made = this.values[select];
    if (made) return made;
    const node = this.program.nodes[select];
    if (node?.op !== "select") throw new SottoError("internal", `node ${select} is not a selection`);
    const n = node.length / 3;
    const D = this.ring.alloc(6 * n);
    const [sigma, m, mu] = [this.sigmas[select]!, this.masks[x]!, this.masks[u]!];
    this.ring.kernels.selectedValues(D.ptr, sigma.ptr, m.ptr, mu.ptr, n, node.table.stepBits);
    this.values[select] = D;
    return D;
  }

  /** Frees everything, wipes the streams. Safe to call at any moment, more than once. */
  close(): void {
    this.nextStage = this.program.stages.length;
    for (const list of [this.masks, this.sigmas, this.values])
      list.forEach((_, id) => {
        this.drop(id);
      });
    for (const source of [
      ...(Object.values(this.server0) as Source[]),
      ...(Object.values(this.server1) as Source[]),
    ])
      source.close();
  }

  private drop(id: NodeId): void {
    for (const list of [this.masks, this.sigmas, this.values]) {
      list[id]?.free();
      list[id] = undefined;
    }
  }
}
