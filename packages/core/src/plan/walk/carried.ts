/** The states of recurrent layers between the chunks of a stream. docs/protocol.md, "Streams". */
import { SottoError } from "../../errors.js";
import type { Builder } from "../../program/builder.js";
import type { SharedNode } from "../../program/nodes.js";

/**
 * start: the first chunk, from the model's initial state. continue: from the state that the chunk before left.
 * renew: like continue, the state made fresh and brought within its bound again.
 */
export type ChunkKind = "start" | "continue" | "renew";

/** What the first chunk says of a layer's state. */
export interface StateStart {
  /** |initial state| at most. */
  start: number;
  /** Steps for which the state's bound is proven; any number where each step clips it. */
  most: number;
}

export interface HeldState extends StateStart {
  name: string;
  renew: boolean;
}

/** The name under which a layer's state is carried. */
export function stateName(layer: string): string {
  return `state of layer ${layer}`;
}

export class CarriedStates {
  readonly kind: ChunkKind;
  readonly starts: Map<string, StateStart>;
  private readonly initialInputs: ReadonlySet<string>;

  /** @param starts what the first chunk said; filled by it. @param initialInputs inputs that only it takes. */
  constructor(kind: ChunkKind, starts: Map<string, StateStart>, initialInputs: ReadonlySet<string>) {
    this.kind = kind;
    this.starts = starts;
    this.initialInputs = initialInputs;
  }

  /** The state that the chunk before left; undefined in the first one. */
  of(layer: string): HeldState | undefined {
    const start = this.starts.get(layer);
    if (this.kind === "start" || !start) return undefined;
    return { ...start, name: stateName(layer), renew: this.kind === "renew" && start.most < Infinity };
  }

  begins(layer: string, start: StateStart): void {
    if (this.kind === "start") this.starts.set(layer, start);
  }

  /** Whether the input was for the first chunk alone. */
  isOver(input: string): boolean {
    return this.kind !== "start" && this.initialInputs.has(input);
  }
}

/** What a renewed state is multiplied with, 1 - 2^-k, has so many bits at most: the product stays within 53. */
const MAX_RENEWAL_BITS = 14;

/**
 * The state as the first step of a chunk takes it: |integer| <= largest, which leaves half a place at the operand's scale
 * for the steps since it was renewed. Renewing takes a round: the state is made fresh at fewer bits, and multiplied
 * with 1 - 2^-k such that what is taken away is more than that half place, and what making it fresh adds.
 * @param at.reach the state's own bound, in real units.
 */
export function heldState(
  builder: Builder,
  held: HeldState,
  at: { length: number; scale: number; reach: number; largest: number },
): SharedNode {
  const state = builder.carried(held.name, at.length, at.scale, at.largest);
  if (!held.renew) return state;
  const slack = (at.largest + 1) / 2 ** at.scale - at.reach + 2 ** -(at.scale - MAX_RENEWAL_BITS);
  const bits = Math.max(1, Math.min(MAX_RENEWAL_BITS, Math.floor(Math.log2((at.reach + slack) / slack))));
  const fresh = builder.lift(state, at.scale - bits);
  const renewed = builder.times(fresh, 2 ** bits - 1, bits, 1);
  if (Math.max(-renewed.lo, renewed.hi) > Math.ceil(at.reach * 2 ** at.scale))
    throw new SottoError("internal", `${held.name}: renewed, it may still exceed its bound`);
  return renewed;
}
