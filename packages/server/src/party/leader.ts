/**
 * Server 0's part in set-ups: it begins one for every model that has none known to all three processes as they
 * run now, and begins again when it fails.
 */
import { type ErrorCode, type PartyModel, SottoError } from "@sotto/core";
import { asSottoError, Backoff, type ControlMessage, type Link, stateError } from "@sotto/wire";
import { Leased } from "../lease.js";
import { newId } from "../parties.js";
import { Anew } from "./anew.js";
import { SetupExchange } from "./exchange.js";
import type { Model } from "./models.js";
import { type SetupContext, type SetupPart, settle } from "./setup-part.js";

const BACKOFF = { firstMs: 100, maxMs: 5000 };
/** For a deployment to reach both servers. */
const FRESH_MS = 5000;

interface Attempt {
  id: string;
  model: Model;
  /** Not the newest version, which server 1 does not hold: the one that both do. */
  fallback: boolean;
  peer: Link;
  dealer: Link;
  exchange: SetupExchange;
  timer: NodeJS.Timeout;
  detach: () => void;
  made?: PartyModel;
  /** Server 1 has said that it is done. */
  peerDone: boolean;
}

interface Retry {
  model: Model;
  /** performance.now() at the first failure of this model. */
  since: number;
  backoff: Backoff;
  timer?: NodeJS.Timeout;
}

export class SetupLeader implements SetupPart {
  private readonly context: SetupContext;
  private readonly attempts = new Map<string, Attempt>();
  private readonly retries = new Map<string, Retry>();
  private readonly anew = new Anew(() => this.kick());
  private closed = false;

  constructor(context: SetupContext) {
    this.context = context;
    context.setups.onGone = ({ id }) => this.tellDealer(id);
  }

  kick(): void {
    const { models, setups } = this.context;
    for (const name of models.names()) this.beginNewest(name);
    setups.changed();
  }

  removed(name: string): void {
    const { setups, connections } = this.context;
    const running = this.attempts.get(name);
    if (running) this.fail(running, new SottoError("not-found", `model ${name} has been removed`));
    clearTimeout(this.retries.get(name)?.timer);
    this.retries.delete(name);
    this.anew.removed(name);
    for (const setup of setups.remove(name)) connections.get("peer")?.control({ type: "setup-drop", setup });
  }

  take(from: "peer" | "dealer", message: ControlMessage): boolean {
    if (message.type === "changed") {
      this.kick();
      return true;
    }
    if (message.type === "setup-drop") {
      const { setups, connections } = this.context;
      const lost = setups.byId(message.setup);
      // of what is not held here, and of what a stream goes on with, there is nothing to make anew
      if (!setups.drop(message.setup)) return true;
      if (from === "dealer") connections.get("peer")?.control(message);
      if (lost) this.anew.later(lost.model);
      return true;
    }
    const id = message.type === "refused" ? message.about : "setup" in message ? message.setup : undefined;
    const attempt = [...this.attempts.values()].find((a) => a.id === id);
    if (!attempt) return message.type.startsWith("setup");
    const { model } = attempt;
    if (message.type !== "refused" && from !== (message.type === "setup-seed" ? "dealer" : "peer"))
      return false;
    try {
      attempt.timer.refresh();
      switch (message.type) {
        case "setup-accepted":
          attempt.dealer.control({
            type: "setup-request",
            setup: attempt.id,
            plan: model.plan,
            peer: attempt.peer.remoteBoot,
          });
          return true;
        case "setup-seed":
          if (message.plan !== model.hash) {
            throw new SottoError(
              "plan-mismatch",
              `the dealer set up plan ${message.plan}, expected ${model.hash}`,
            );
          }
          attempt.exchange.seed(Buffer.from(message.seed, "hex"));
          return true;
        case "setup-done":
          attempt.peerDone = true;
          this.finish(attempt);
          return true;
        case "refused":
          throw new SottoError(message.code, `${this.context.connections.name(from)}: ${message.message}`);
        default:
          return false;
      }
    } catch (error) {
      this.fail(attempt, error);
      return true;
    }
  }

  close(): void {
    this.closed = true;
    for (const attempt of this.attempts.values()) this.end(attempt);
    for (const { timer } of this.retries.values()) clearTimeout(timer);
    this.anew.close();
  }

  private beginNewest(name: string): void {
    const { setups, models } = this.context;
    const newest = models.need(name);
    const running = this.attempts.get(name);
    if (running?.model === newest || this.closed || setups.isSetUp(newest) || this.anew.waits(newest)) return;
    // an older version is being set up because server 1 has not got the newest yet: that comes first
    if (running?.fallback && models.holds(running.model)) return;
    if (running) this.fail(running, new SottoError("conflict", `model ${name} has been deployed anew`));
    this.begin(newest);
  }

  private begin(model: Model, fallback = false): void {
    const { connections, ring, timeoutMs } = this.context;
    const [peer, dealer] = [connections.get("peer"), connections.get("dealer")];
    if (!peer || !dealer || this.closed) return;

    const id = newId();
    const fail = (error: unknown) => this.fail(attempt, error);
    const listeners = [peer, dealer].map((link) => link.onClose(fail));
    const attempt: Attempt = {
      id,
      model,
      fallback,
      peer,
      dealer,
      peerDone: false,
      timer: setTimeout(() => {
        fail(new SottoError("timeout", `set-up of model ${model.name} made no progress for ${timeoutMs} ms`));
      }, timeoutMs),
      detach: () => {
        for (const remove of listeners) remove();
      },
      exchange: new SetupExchange({
        ring,
        party: 0,
        model,
        id,
        peer,
        onProgress: () => attempt.timer.refresh(),
        onFail: fail,
        onDone: (made) => {
          attempt.made = made;
          this.finish(attempt);
        },
      }),
    };
    this.attempts.set(model.name, attempt);
    peer.control({
      type: "setup",
      setup: id,
      name: model.name,
      plan: model.hash,
      deployment: model.deployment,
    });
  }

  private finish(attempt: Attempt): void {
    const { id, model, made, peer } = attempt;
    const { connections } = this.context;
    if (!made || !attempt.peerDone) return;
    attempt.made = undefined;
    this.end(attempt);
    if (!attempt.fallback) this.retries.delete(model.name);
    this.context.setups.put({
      id,
      model,
      lease: new Leased(made),
      peerBoot: peer.remoteBoot,
      dealerBoot: connections.boot("dealer"),
    });
    settle(this.context, model);
    this.context.log.info({ model: model.name, version: model.deployment, setup: id }, "model set up");
    // it may have been deployed anew meanwhile
    this.kick();
  }

  private fail(attempt: Attempt, cause: unknown): void {
    const { id, model, peer, dealer } = attempt;
    if (this.attempts.get(model.name) !== attempt) return;
    this.end(attempt);
    const error = asSottoError(cause);
    peer.control({ type: "refused", about: id, ...stateError(error) });
    dealer.control({ type: "setup-drop", setup: id });
    const { models, setups } = this.context;
    setups.failed(model.name, error);
    if (!models.holds(model)) return;
    const known = this.retries.get(model.name);
    const newest = models.need(model.name);
    const retry =
      known?.model === newest
        ? known
        : { model: newest, since: performance.now(), backoff: new Backoff(BACKOFF) };
    clearTimeout(known?.timer);
    this.context.log[failureLevel(error.code, performance.now() - retry.since)](
      { model: model.name, setup: id, code: error.code, message: error.message },
      "set-up failed",
    );
    if (this.closed) return;
    this.retries.set(model.name, { ...retry, timer: setTimeout(() => this.kick(), retry.backoff.next()) });
    // what server 1 does not hold need not keep both from serving what they do
    const older = models.versions(model.name)[models.versions(model.name).indexOf(model) + 1];
    if (older && notHeld(error.code) && !setups.isReady(model.name)) this.begin(older, true);
  }

  private tellDealer(setup: string): void {
    this.context.connections.get("dealer")?.control({ type: "setup-drop", setup });
  }

  private end(attempt: Attempt): void {
    clearTimeout(attempt.timer);
    attempt.detach();
    attempt.exchange.cancel();
    attempt.made?.free();
    attempt.made = undefined;
    this.attempts.delete(attempt.model.name);
  }
}

/** What server 1 says about a version that it has not got. */
function notHeld(code: ErrorCode): boolean {
  return code === "not-found" || code === "plan-mismatch";
}

/**
 * The owner gives the bundles to both servers at once, and ours may have come first: that is no failure yet. Nor is it one that
 * somebody has gone, or is about to: what is lost is logged where it was connected.
 */
export function failureLevel(code: ErrorCode, forMs: number): "info" | "warn" {
  if (code === "unreachable") return "info";
  const race = notHeld(code) || code === "conflict";
  return race && forMs < FRESH_MS ? "info" : "warn";
}
