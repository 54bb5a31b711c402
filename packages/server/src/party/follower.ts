/** Server 1's part in set-ups: it takes part where it holds the same deployment, and says why where it does not. */
import { type PartyModel, SottoError } from "@sotto/core";
import { asSottoError, type ControlMessage, type Link, type Message, stateError } from "@sotto/wire";
import { Leased } from "../lease.js";
import { SetupExchange } from "./exchange.js";
import type { Model } from "./models.js";
import { type SetupContext, type SetupPart, settle } from "./setup-part.js";

interface Attempt {
  id: string;
  model: Model;
  peer: Link;
  dealer: Link;
  exchange: SetupExchange;
  timer: NodeJS.Timeout;
  detach: () => void;
}

export class SetupFollower implements SetupPart {
  private readonly context: SetupContext;
  /** By the model's name: a new one takes the place of the one before. */
  private readonly attempts = new Map<string, Attempt>();

  constructor(context: SetupContext) {
    this.context = context;
  }

  kick(): void {
    this.context.connections.get("peer")?.control({ type: "changed" });
    this.context.setups.changed();
  }

  removed(name: string): void {
    const { setups, connections } = this.context;
    const running = this.attempts.get(name);
    if (running) this.fail(running, new SottoError("not-found", `model ${name} has been removed`));
    for (const setup of setups.remove(name)) connections.get("peer")?.control({ type: "setup-drop", setup });
  }

  take(from: "peer" | "dealer", message: ControlMessage): boolean {
    if (message.type === "setup-drop" && from === "peer") {
      this.context.setups.drop(message.setup);
      return true;
    }
    if (message.type === "setup") {
      if (from !== "peer") return false;
      this.begin(message);
      return true;
    }
    // a seed that server 0 knows would show it this server's share of the weights
    if (message.type === "setup-seed" && from !== "dealer") return false;
    const id = message.type === "refused" ? message.about : "setup" in message ? message.setup : undefined;
    const attempt = [...this.attempts.values()].find((a) => a.id === id);
    if (message.type === "setup-seed") this.seed(attempt, message);
    else if (message.type === "refused" && attempt) this.end(attempt);
    else return message.type.startsWith("setup");
    return true;
  }

  close(): void {
    for (const attempt of this.attempts.values()) this.end(attempt);
  }

  private begin(offer: Message<"setup">): void {
    const { models, connections, ring, timeoutMs } = this.context;
    const { name, setup: id } = offer;
    const peer = connections.get("peer");
    if (!peer) return;
    try {
      // an older version is as good, while the newest is not at both servers yet
      const offered = models.versions(name).find((m) => m.deployment === offer.deployment);
      const model = offered ?? models.need(name);
      agree(name, "plan", offer.plan, model.hash);
      agree(name, "deployment", offer.deployment, model.deployment);
      const dealer = connections.need("dealer");
      const before = this.attempts.get(name);
      if (before) this.end(before);
      const fail = (error: unknown) => this.fail(attempt, error);
      // first: it throws where the id is in use
      const exchange = new SetupExchange({
        ring,
        party: 1,
        model,
        id,
        peer,
        onProgress: () => attempt.timer.refresh(),
        onFail: fail,
        onDone: (made) => this.done(attempt, made),
      });
      const listeners = [peer, dealer].map((link) => link.onClose(fail));
      const attempt: Attempt = {
        id,
        model,
        peer,
        dealer,
        timer: setTimeout(
          () => fail(new SottoError("timeout", `no progress for ${timeoutMs} ms`)),
          timeoutMs,
        ),
        detach: () => {
          for (const remove of listeners) remove();
        },
        exchange,
      };
      this.attempts.set(name, attempt);
      peer.control({ type: "setup-accepted", setup: id });
    } catch (error) {
      this.context.log.info(
        { model: name, setup: id, reason: asSottoError(error).message },
        "set-up refused",
      );
      peer.control({ type: "refused", about: id, ...stateError(error) });
    }
  }

  private seed(attempt: Attempt | undefined, message: Message<"setup-seed">): void {
    if (!attempt) return;
    try {
      agree(attempt.model.name, "plan", message.plan, attempt.model.hash);
      attempt.exchange.seed(Buffer.from(message.seed, "hex"));
    } catch (error) {
      this.fail(attempt, error);
    }
  }

  private done(attempt: Attempt, made: PartyModel): void {
    const { id, model, peer } = attempt;
    this.end(attempt);
    this.context.setups.put({
      id,
      model,
      lease: new Leased(made),
      peerBoot: peer.remoteBoot,
      dealerBoot: this.context.connections.boot("dealer"),
    });
    peer.control({ type: "setup-done", setup: id });
    settle(this.context, model);
    this.context.log.info({ model: model.name, version: model.deployment, setup: id }, "model set up");
  }

  private fail(attempt: Attempt, cause: unknown): void {
    if (this.attempts.get(attempt.model.name) !== attempt) return;
    this.end(attempt);
    const error = asSottoError(cause);
    attempt.peer.control({ type: "refused", about: attempt.id, ...stateError(error) });
    this.context.setups.failed(attempt.model.name, error);
    const about = { model: attempt.model.name, code: error.code, message: error.message };
    this.context.log[error.code === "unreachable" ? "info" : "warn"](about, "set-up failed");
  }

  private end(attempt: Attempt): void {
    clearTimeout(attempt.timer);
    attempt.detach();
    attempt.exchange.cancel();
    this.attempts.delete(attempt.model.name);
  }
}

function agree(name: string, what: "plan" | "deployment", theirs: string, ours: string): void {
  if (theirs === ours) return;
  throw new SottoError(
    "plan-mismatch",
    `model ${name}: server 0 holds ${what} ${theirs}, server 1 holds ${what} ${ours}; deploy it again to both`,
  );
}
