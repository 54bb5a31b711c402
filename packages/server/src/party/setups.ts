/** The set-ups that a server holds, and which of them a session may use now. */
import { type PartyModel, SottoError } from "@sotto/core";
import type { Leased } from "../lease.js";
import type { Connections } from "./connections.js";
import type { Model, Models } from "./models.js";

export interface SetUp {
  id: string;
  model: Model;
  lease: Leased<PartyModel>;
  /** The processes that took part: when one has been restarted, it knows nothing of the set-up. */
  peerBoot: string;
  dealerBoot: string;
}

export class SetUps {
  private readonly byName = new Map<string, SetUp>();
  private readonly models: Models;
  private readonly connections: Connections;
  private readonly failures = new Map<string, SottoError>();
  private readonly waiting = new Set<() => void>();

  constructor(models: Models, connections: Connections) {
    this.models = models;
    this.connections = connections;
  }

  /** Takes the place of the set-up before, which is freed when its last session ends. @returns the id replaced. */
  put(setUp: SetUp): string | undefined {
    const { name } = setUp.model;
    const before = this.byName.get(name);
    before?.lease.release();
    this.byName.set(name, setUp);
    this.failures.delete(name);
    this.changed();
    return before?.id;
  }

  failed(name: string, error: SottoError): void {
    this.failures.set(name, error);
  }

  /** Whoever waits for a set-up looks again. */
  changed(): void {
    for (const look of [...this.waiting]) look();
  }

  /** A set-up by its id, while it is the newest of its model. */
  byId(id: string): SetUp | undefined {
    for (const setUp of this.byName.values()) if (setUp.id === id) return setUp;
    return undefined;
  }

  /** @throws SottoError not-found, unreachable: why no session of this model can begin now. */
  need(name: string): SetUp {
    const model = this.models.need(name);
    const [peer, dealer] = [this.connections.need("peer"), this.connections.need("dealer")];
    const setUp = this.byName.get(name);
    if (
      setUp?.model === model &&
      setUp.peerBoot === peer.remoteBoot &&
      setUp.dealerBoot === dealer.remoteBoot
    ) {
      return setUp;
    }
    const why = this.failures.get(name)?.message ?? "its set-up between the servers is going on";
    throw new SottoError("unreachable", `model ${name} is not ready: ${why}`);
  }

  isReady(name: string): boolean {
    try {
      this.need(name);
      return true;
    } catch {
      return false;
    }
  }

  /** Waits for a set-up. @throws SottoError what need() says at the end of the wait. */
  whenReady(name: string, timeoutMs: number): Promise<SetUp> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(timer);
        this.waiting.delete(look);
        settle();
      };
      const look = (last = false) => {
        try {
          const setUp = this.need(name);
          end(() => resolve(setUp));
        } catch (error) {
          if (last || !(error instanceof SottoError) || error.code !== "unreachable")
            end(() => reject(error));
        }
      };
      const timer = setTimeout(look, timeoutMs, true);
      this.waiting.add(look);
      look();
    });
  }
}
