/**
 * What a dealer deals for. Of each set-up it keeps the two seeds, and of those used lately the masks R that follow from
 * them ("Linear layer" of docs/protocol.md): they are a function of the seeds alone, so the masks that are expanded again are
 * the same ones, and a set-up is not made anew for that.
 */
import { DealerSetup, type Plan, planHash, type Ring } from "@sotto/core";
import { checkPlan } from "@sotto/wire";
import { Leased } from "../lease.js";
import type { Pair } from "./group.js";

export interface DealtSetUp {
  plan: Plan;
  hash: string;
  /** Hex. */
  seeds: readonly [string, string];
  /** Where servers have several processes: whose it is. */
  pair: Pair | undefined;
}

export interface DealerSetUpsOptions {
  /** Bytes of masks that lie expanded; one set-up alone may have more. */
  bytes: number;
  /** Seeds beyond that are forgotten, the ones longest unused first: what they were for is set up anew. */
  most?: number;
}

/** Those of 48 x 48 workers with fifty models, for some 100 MB. */
export const MAX_SETUPS = 120_000;

export class DealerSetUps {
  private readonly ring: Ring;
  private readonly bytes: number;
  private readonly most: number;
  /** Longest unused first, and so are those expanded. */
  private readonly known = new Map<string, DealtSetUp>();
  private readonly expanded = new Map<string, { masks: Leased<DealerSetup>; bytes: number }>();
  /** One of each, however many set-ups are of it. */
  private readonly plans = new Map<string, { plan: Plan; users: number }>();
  private inUse = 0;

  constructor(ring: Ring, { bytes, most = MAX_SETUPS }: DealerSetUpsOptions) {
    this.ring = ring;
    this.bytes = bytes;
    this.most = most;
  }

  get size(): number {
    return this.known.size;
  }

  /** Bytes of masks that lie expanded, those not counted that a dealing holds longer. */
  get expandedBytes(): number {
    return this.inUse;
  }

  ids(): string[] {
    return [...this.known.keys()];
  }

  get(id: string): DealtSetUp | undefined {
    return this.known.get(id);
  }

  /** @throws SottoError bad-model, unsupported: what is no plan. */
  put(id: string, about: Pick<DealtSetUp, "plan" | "seeds"> & { pair?: Pair | undefined }): DealtSetUp {
    const before = this.known.get(id);
    if (before) return before;
    const { seeds, pair } = about;
    const hash = planHash(about.plan);
    const shared = this.plans.get(hash) ?? { plan: checkPlan(about.plan), users: 0 };
    shared.users++;
    this.plans.set(hash, shared);
    const made = { plan: shared.plan, hash, seeds, pair };
    this.known.set(id, made);
    while (this.known.size > this.most) this.drop(this.known.keys().next().value!);
    return made;
  }

  /** The masks of a set-up that is known, for one more user, who releases them. */
  masks(id: string): Leased<DealerSetup> {
    const known = this.known.get(id)!;
    const { plan, seeds } = known;
    renew(this.known, id, known);
    const ready = this.expanded.get(id);
    if (ready) {
      renew(this.expanded, id, ready);
      return ready.masks.acquire();
    }
    const [a, b] = seeds.map((seed) => Buffer.from(seed, "hex"));
    const before = this.ring.bytesInUse;
    const masks = new Leased(DealerSetup.fromSeeds(this.ring, plan, [a!, b!]));
    const bytes = this.ring.bytesInUse - before;
    this.expanded.set(id, { masks, bytes });
    this.inUse += bytes;
    // a dealing that has them goes on with them
    while (this.inUse > this.bytes && this.expanded.size > 1) this.fold(this.expanded.keys().next().value!);
    return masks.acquire();
  }

  /** It is not needed any more. */
  drop(id: string): void {
    this.fold(id);
    const hash = this.known.get(id)?.hash;
    if (hash === undefined) return;
    this.known.delete(id);
    const shared = this.plans.get(hash)!;
    if (--shared.users === 0) this.plans.delete(hash);
  }

  private fold(id: string): void {
    const found = this.expanded.get(id);
    if (!found) return;
    this.expanded.delete(id);
    this.inUse -= found.bytes;
    found.masks.release();
  }
}

function renew<T>(map: Map<string, T>, id: string, value: T): void {
  map.delete(id);
  map.set(id, value);
}
