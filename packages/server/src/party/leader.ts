/**
 * Server 0's part in set-ups: it begins one for every model that has none known to all three processes as they
 * run now, and begins again when it fails.
 */
import { type ErrorCode, type PartyModel, type Ring, SottoError } from "@sotto/core";
import { asSottoError, type ControlMessage, type Link, stateError } from "@sotto/wire";
import { Leased } from "../lease.js";
import type { Logger } from "../log.js";
import { newId } from "../parties.js";
import type { Connections } from "./connections.js";
import { SetupExchange } from "./exchange.js";
import type { Model, Models } from "./models.js";
import type { SetUps } from "./setups.js";

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5000;
/** For a deployment to reach both servers. */
const FRESH_MS = 5000;

/** Either server's part in set-ups. */
export interface SetupPart {
  /** A connection came up, or a model was put: what could not be set up may work now. */
  kick(): void;
  /** @returns whether the message belonged to a set-up. */
  take(from: "peer" | "dealer", message: ControlMessage): boolean;
  close(): void;
}

export interface SetupContext {
  ring: Ring;
  log: Logger;
  timeoutMs: number;
  models: Models;
  setups: SetUps;
  connections: Connections;
}

interface Attempt {
  id: string;
  model: Model;
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
  delay: number;
  timer?: NodeJS.Timeout;
}

export class SetupLeader implements SetupPart {
  private readonly context: SetupContext;
  private readonly attempts = new Map<string, Attempt>();
  private readonly retries = new Map<string, Retry>();
  private closed = false;

  constructor(context: SetupContext) {
    this.context = context;
  }

  kick(): void {
    for (const model of this.context.models.list()) this.begin(model);
    this.context.setups.changed();
  }

  take(from: "peer" | "dealer", message: ControlMessage): boolean {
    if (message.type === "changed") {
      this.kick();
      return true;
    }
    const id = message.type === "refused" ? message.about : "setup" in message ? message.setup : undefined;
    const attempt = [...this.attempts.values()].find((a) => a.id === id);
    if (!attempt) return message.type.startsWith("setup");
    const { model } = attempt;
    try {
      attempt.timer.refresh();
      switch (message.type) {
        case "setup-accepted":
          attempt.dealer.control({ type: "setup-request", setup: attempt.id, plan: model.plan });
          return true;
        case "setup-seed":
          if (from !== "dealer" || message.plan !== model.hash) {
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
  }

  private begin(model: Model): void {
    const { setups, connections, ring, timeoutMs } = this.context;
    const running = this.attempts.get(model.name);
    if (running?.model === model || this.closed) return;
    if (running) this.fail(running, new SottoError("conflict", `model ${model.name} has been deployed anew`));
    const [peer, dealer] = [connections.get("peer"), connections.get("dealer")];
    if (!peer || !dealer || setups.isReady(model.name)) return;

    const id = newId();
    const fail = (error: unknown) => this.fail(attempt, error);
    const listeners = [peer, dealer].map((link) => link.onClose(fail));
    const attempt: Attempt = {
      id,
      model,
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
    const { id, model, made, peer, dealer } = attempt;
    if (!made || !attempt.peerDone) return;
    attempt.made = undefined;
    this.end(attempt);
    this.retries.delete(model.name);
    const replaced = this.context.setups.put({
      id,
      model,
      lease: new Leased(made),
      peerBoot: peer.remoteBoot,
      dealerBoot: dealer.remoteBoot,
    });
    if (replaced) dealer.control({ type: "setup-drop", setup: replaced });
    this.context.log.info({ model: model.name, setup: id }, "model set up");
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
    this.context.setups.failed(model.name, error);
    const known = this.retries.get(model.name);
    const retry = known?.model === model ? known : { model, since: performance.now(), delay: FIRST_DELAY_MS };
    clearTimeout(known?.timer);
    this.context.log[failureLevel(error.code, performance.now() - retry.since)](
      { model: model.name, setup: id, code: error.code, message: error.message },
      "set-up failed",
    );
    if (this.closed) return;
    const wait = retry.delay * (0.5 + Math.random());
    this.retries.set(model.name, {
      ...retry,
      delay: Math.min(retry.delay * 2, MAX_DELAY_MS),
      timer: setTimeout(() => this.kick(), wait),
    });
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

/** The owner gives the bundles to both servers at once, and ours may have come first: that is no failure yet. */
export function failureLevel(code: ErrorCode, forMs: number): "info" | "warn" {
  const race = code === "not-found" || code === "plan-mismatch" || code === "conflict";
  return race && forMs < FRESH_MS ? "info" : "warn";
}
