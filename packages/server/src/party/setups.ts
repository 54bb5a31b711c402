/** The set-ups that a server holds, and which of them a session may use now. */
import { type PartyModel, SottoError } from "@sotto/core";
import type { Leased } from "../lease.js";
import type { Connections } from "./connections.js";
import type { Model, Models } from "./models.js";

/** How long a replaced set-up takes new sessions: those that were on their way when it was replaced. */
const RETIRING_MS = 10_000;

export interface SetUp {
  id: string;
  model: Model;
  lease: Leased<PartyModel>;
  /** The processes that took part: when one has been restarted, it knows nothing of the set-up. */
  peerBoot: string;
  dealerBoot: string;
}

export interface SetUpsOptions {
  retiringMs?: number | undefined;
  /** Nobody uses this set-up any more. */
  onGone?: (setUp: SetUp) => void;
}

export class SetUps {
  private readonly byName = new Map<string, SetUp>();
  /** Replaced ones that still take sessions, by name. */
  private readonly retiring = new Map<string, { setUp: SetUp; timer: NodeJS.Timeout }>();
  private readonly models: Models;
  private readonly connections: Connections;
  private readonly retiringMs: number;
  private readonly failures = new Map<string, SottoError>();
  private readonly waiting = new Set<() => void>();
  onGone: (setUp: SetUp) => void;
  /** It is not the newest of its model any more. */
  onReplaced: (setUp: SetUp) => void = () => {};

  constructor(models: Models, connections: Connections, options: SetUpsOptions = {}) {
    this.models = models;
    this.connections = connections;
    this.retiringMs = options.retiringMs ?? RETIRING_MS;
    this.onGone = options.onGone ?? (() => {});
  }

  /** Takes the place of the set-up before, which is freed some time later, when its last session or stream has ended. */
  put(setUp: SetUp): void {
    const { name } = setUp.model;
    const before = this.byName.get(name);
    this.byName.set(name, setUp);
    this.failures.delete(name);
    if (before) this.onReplaced(before);
    const sameProcesses = before?.peerBoot === setUp.peerBoot && before.dealerBoot === setUp.dealerBoot;
    if (before && sameProcesses) this.retire(before);
    else if (before) this.free(before);
    this.changed();
  }

  /** A model is not served any more. Running sessions go on. @returns the ids that were in use. */
  remove(name: string): string[] {
    const ids = this.ofModel(name).map((s) => s.id);
    this.endRetiring(name);
    const setUp = this.byName.get(name);
    this.byName.delete(name);
    this.failures.delete(name);
    if (setUp) {
      this.onReplaced(setUp);
      this.free(setUp);
    }
    this.changed();
    return ids;
  }

  /** Another party does not know this set-up any more. @returns whether it was one that is served here. */
  drop(id: string): boolean {
    for (const [name, { setUp }] of this.retiring) if (setUp.id === id) this.endRetiring(name);
    const served = [...this.byName].filter(([, setUp]) => setUp.id === id);
    for (const [name] of served) this.remove(name);
    return served.length > 0;
  }

  failed(name: string, error: SottoError): void {
    this.failures.set(name, error);
  }

  /** Whoever waits for a set-up looks again. */
  changed(): void {
    for (const look of [...this.waiting]) look();
  }

  /** A set-up by its id, while sessions may use it. */
  byId(id: string): SetUp | undefined {
    for (const setUp of this.byName.values()) if (setUp.id === id) return setUp;
    for (const { setUp } of this.retiring.values()) if (setUp.id === id) return setUp;
    return undefined;
  }

  /** The version that is served: the one set up, or the newest where none is. @throws SottoError not-found */
  served(name: string): Model {
    const newest = this.models.need(name);
    const setUp = this.byName.get(name);
    return setUp && this.models.holds(setUp.model) ? setUp.model : newest;
  }

  /**
   * The set-up that a session uses.
   * @param plan hash of the plan that the client expects; any by default.
   * @throws SottoError not-found; unreachable: why no session of this model can begin now; plan-mismatch.
   */
  need(name: string, plan?: string): SetUp {
    const newest = this.models.need(name);
    const [peer, dealer] = [this.connections.boot("peer"), this.connections.boot("dealer")];
    const usable = this.ofModel(name).filter((s) => s.peerBoot === peer && s.dealerBoot === dealer);
    const setUp = usable.find((s) => plan === undefined || s.model.hash === plan);
    if (setUp) return setUp;
    const versions = this.models.versions(name);
    if (plan !== undefined && !versions.some((m) => m.hash === plan)) {
      throw new SottoError(
        "plan-mismatch",
        `the client expects plan ${plan} of model ${name}, server ${this.models.party} holds ${newest.hash}; ` +
          "if the model has been deployed anew, fetch it again",
      );
    }
    throw new SottoError("unreachable", `model ${name} is not ready: ${this.whyNot(name)}`);
  }

  /** Whether a version is set up, for the processes as they run now. */
  isSetUp(model: Model): boolean {
    try {
      return this.need(model.name).model === model;
    } catch {
      return false;
    }
  }

  isReady(name: string): boolean {
    return this.whyNotReady(name) === undefined;
  }

  whyNotReady(name: string): string | undefined {
    try {
      this.need(name);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** Why the newest version is not set up, as far as that is known. */
  whyNot(name: string): string {
    return this.failures.get(name)?.message ?? "its set-up between the servers is going on";
  }

  /** Waits for a set-up. @throws SottoError what need() says at the end of the wait. */
  whenReady(name: string, timeoutMs: number, plan?: string): Promise<SetUp> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(timer);
        this.waiting.delete(look);
        settle();
      };
      const look = (last = false) => {
        try {
          const setUp = this.need(name, plan);
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

  /** Ends what is timed. */
  close(): void {
    for (const name of [...this.retiring.keys()]) this.endRetiring(name);
  }

  /** Those that take sessions, the newest first. */
  private ofModel(name: string): SetUp[] {
    const setUp = this.byName.get(name);
    const before = this.retiring.get(name)?.setUp;
    return [...(setUp ? [setUp] : []), ...(before ? [before] : [])];
  }

  private retire(setUp: SetUp): void {
    const { name } = setUp.model;
    this.endRetiring(name);
    const timer = setTimeout(() => this.endRetiring(name), this.retiringMs);
    timer.unref();
    this.retiring.set(name, { setUp, timer });
  }

  private endRetiring(name: string): void {
    const found = this.retiring.get(name);
    if (!found) return;
    clearTimeout(found.timer);
    this.retiring.delete(name);
    this.free(found.setUp);
  }

  private free(setUp: SetUp): void {
    setUp.lease.release();
    // a stream asks for randomness as long as it goes on
    setUp.lease.onFree(() => this.onGone(setUp));
  }
}
