/**
 * The dealer above its connections: answers the servers' requests. It keeps nothing on disk, sees no share of
 * anything, and draws every seed anew from the operating system. Only server 0 asks; both are answered. As one of
 * several workers it serves many processes of each server, and deals what the workers' common queue gives it.
 */
import { planHash, type RandomBytes, type Ring, SEED_BYTES, SottoError } from "@sotto/core";
import {
  asSottoError,
  type ControlMessage,
  checkPlan,
  type Link,
  type Message,
  stateError,
} from "@sotto/wire";
import type { Logger } from "../log.js";
import type { Gauges } from "../observe/registry.js";
import { Tally } from "../observe/tally.js";
import { Watch } from "../observe/watch.js";
import { hex } from "../parties.js";
import { type Run, Runs } from "../runs.js";
import { Seen } from "../seen.js";
import { Dealing } from "./dealing.js";
import { type DealerGroup, type DealJob, DealtAlready, type QueuedDeal, type SharedSetUp } from "./group.js";
import { ServerLinks, type ServerRole } from "./server-links.js";
import { DealerSetUps, type DealtSetUp } from "./set-ups.js";

const MAX_DEALINGS = 1024;
const ID_BYTES = 16;
/** Bytes of the message with which server 0 gives a plan. */
const MAX_PLAN_MESSAGE = 8 * 2 ** 20;
/** For a server's process to connect again before its set-ups are dropped. */
const FORGET_MS = 60_000;

/** As the configuration has it by default. */
const SETUP_BYTES = 2 ** 28;

function unknownSetUp(setup: string): SottoError {
  return new SottoError("conflict", `unknown setup ${setup}; the dealer may have been restarted`);
}

export class Desk {
  private readonly ring: Ring;
  private readonly random: RandomBytes;
  private readonly log: Logger;
  private readonly runs = new Runs();
  private readonly group: DealerGroup | undefined;
  private readonly links: ServerLinks;
  private readonly setups: DealerSetUps;
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly dealings = new Map<string, Dealing>();
  private readonly seen = new Seen();
  private readonly tally: Tally;
  private leaderBoot: string | undefined;
  /** Set while no session is dealt for any more: who waits for the last dealing to end. */
  private draining: (() => void)[] | undefined;

  /** @param setUpBytes of masks that lie expanded. */
  constructor(
    ring: Ring,
    random: RandomBytes,
    log: Logger,
    tally = new Tally(),
    group?: DealerGroup,
    setUpBytes = SETUP_BYTES,
  ) {
    this.group = group;
    this.links = new ServerLinks(group !== undefined);
    this.setups = new DealerSetUps(ring, { bytes: setUpBytes });
    this.tally = tally;
    this.ring = ring;
    this.random = random;
    this.log = log;
  }

  /** @throws (rejects with) SottoError conflict when another process has the role. */
  admit(role: ServerRole, boot: string): Promise<void> {
    return this.links.admit(role, boot);
  }

  /** A server has connected; an earlier connection of the same role is closed. */
  connected(role: ServerRole, link: Link): void {
    this.links.put(role, link);
    this.log.info({ role }, "connected");
    if (!this.group && role === "server-0" && this.leaderBoot !== link.remoteBoot) {
      // another process: it cannot know the set-ups of the one before
      for (const id of this.setups.ids()) this.drop(id);
      this.leaderBoot = link.remoteBoot;
    }
    if (role === "server-0") link.maxControl = MAX_PLAN_MESSAGE;
    link.onControl = (message) => this.take(role, link, message);
    link.onClose((error) => {
      this.links.drop(role, link);
      if (this.group) this.forgetLater(role, link.remoteBoot);
      this.log.info({ role, reason: error.message }, "disconnected");
      for (const d of [...this.dealings.values()]) if (d.needs(link)) d.cancel();
    });
  }

  /** @throws SottoError unreachable while the dealer cannot deal. */
  checkReady(): void {
    this.checkOpen();
    this.links.both();
  }

  get gauges(): Pick<Gauges, "connections" | "models"> {
    return {
      connections: () => ({
        "server-0": this.links.has("server-0"),
        "server-1": this.links.has("server-1"),
      }),
      models: () => {
        const { size } = this.setups;
        return { stored: size, ready: size };
      },
    };
  }

  /** Deals for no new session from now on; resolves when the last dealing has ended. */
  drain(): Promise<void> {
    this.draining ??= [];
    if (this.dealings.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.draining?.push(resolve));
  }

  close(): void {
    for (const timer of this.timers) clearTimeout(timer);
    for (const link of this.all()) link.close();
  }

  /** Every connection that there is. */
  all(): Link[] {
    return this.links.all();
  }

  /** A set-up that another worker has made, or one that another worker asks for. */
  learn(setup: string, shared: SharedSetUp): void {
    this.setups.put(setup, shared);
  }

  known(setup: string): SharedSetUp | undefined {
    const { plan, seeds, pair } = this.setups.get(setup) ?? {};
    return plan && seeds && pair ? { plan, seeds, pair } : undefined;
  }

  private take(role: ServerRole, link: Link, message: ControlMessage): void {
    const session = "session" in message ? message.session : undefined;
    const setup = "setup" in message ? message.setup : undefined;
    const about = session ?? setup ?? "";
    const refuse = (error: unknown) => {
      const { code, message: text } = asSottoError(error);
      if (message.type === "deal") this.tally.ended(code);
      this.log.warn({ role, session, setup, type: message.type, code, message: text }, "request refused");
      link.control({ type: "refused", about, ...stateError(error) });
    };
    try {
      this.answer(role, link, message)?.catch(refuse);
    } catch (error) {
      refuse(error);
    }
  }

  private answer(role: ServerRole, link: Link, message: ControlMessage): Promise<void> | undefined {
    switch (message.type) {
      case "setup-request":
      case "deal":
      case "setup-drop":
        if (role !== "server-0") {
          throw new SottoError("protocol", `${message.type} comes from server-0, not from ${role}`);
        }
        if (message.type === "setup-request") return this.setUp(message, link);
        if (message.type === "deal") return this.asked(message, link);
        this.drop(message.setup);
        this.group?.dropped(message.setup);
        return undefined;
      case "credit":
        this.dealings.get(message.deal)?.grant(role === "server-0" ? 0 : 1, message.stages);
        return undefined;
      case "abort":
        for (const d of this.dealings.values()) if (d.session === message.session) d.cancel();
        return undefined;
      case "refused":
      case "unknown-frame":
        this.log.debug({ role, type: message.type }, "not taken by the server");
        return undefined;
      default:
        throw new SottoError("protocol", `a dealer takes no message of type ${message.type}`);
    }
  }

  private setUp(
    { setup, plan: stated, peer }: Message<"setup-request">,
    link: Link,
  ): Promise<void> | undefined {
    const pair = this.group && ([link.remoteBoot, peer ?? ""] as const);
    const links = this.links.both(pair);
    if (this.setups.get(setup)) throw new SottoError("conflict", `set-up ${setup} exists already`);
    const plan = checkPlan(stated);
    const hash = planHash(plan);
    const seeds = [hex(this.random(SEED_BYTES)), hex(this.random(SEED_BYTES))] as const;
    this.setups.put(setup, { plan, seeds, pair });
    // what cannot be expanded fails here, and not with the first session
    this.setups.masks(setup).release();
    const tell = () => {
      links.forEach((to, i) => {
        const about = { setup, plan: hash, peer: pair?.[1 - i] };
        to.control({ type: "setup-seed", ...about, seed: seeds[i]! });
      });
      this.log.info({ setup, model: plan.name, plan: hash }, "set-up dealt");
    };
    if (this.group && pair) return this.group.share(setup, { plan, seeds, pair }).then(tell);
    tell();
    return undefined;
  }

  private asked(message: Message<"deal">, link: Link): Promise<void> | undefined {
    if (this.group) return this.enqueue(this.group, message, link);
    this.checkOpen();
    const links = this.links.both();
    const known = this.setups.get(message.setup);
    if (!known) {
      links[0].control({ type: "setup-drop", setup: message.setup });
      throw unknownSetUp(message.setup);
    }
    this.send(message, this.checked(message, known), known, links);
    return undefined;
  }

  /** @throws SottoError plan-mismatch, unreachable, conflict: why this is not dealt. */
  private checked({ session, setup, plan, sizes, chunk }: DealJob, known: DealtSetUp): Run {
    if (known.hash !== plan) {
      throw new SottoError(
        "plan-mismatch",
        `set-up ${setup} is of plan ${known.hash}, the session states plan ${plan}`,
      );
    }
    if (this.dealings.size >= MAX_DEALINGS) {
      throw new SottoError("unreachable", `the dealer serves ${MAX_DEALINGS} sessions already; try again`);
    }
    const run = this.runs.get(known.plan, plan, sizes, chunk);
    if (!this.seen.add(session)) throw new DealtAlready(session);
    return run;
  }

  /** Leaves it to whichever of the workers has room. */
  private async enqueue(group: DealerGroup, message: Message<"deal">, link: Link): Promise<void> {
    const { type: _, ...job } = message;
    const known = await this.find(job.setup);
    if (known?.pair?.[0] !== link.remoteBoot) {
      // server 0 would ask with it again and again
      link.control({ type: "setup-drop", setup: job.setup });
      throw unknownSetUp(job.setup);
    }
    await group.enqueue({ ...job, pair: known.pair });
  }

  /** @throws (rejects with) SottoError unreachable: another worker may know it. */
  private async find(setup: string): Promise<DealtSetUp | undefined> {
    const known = this.setups.get(setup);
    if (known) return known;
    const shared = await this.group?.find(setup);
    return shared && this.setups.put(setup, shared);
  }

  /** Nobody deals for a job: those of its pair that are linked here need not wait for it. */
  refuse({ session, pair }: QueuedDeal, error: SottoError): void {
    this.tally.ended(error.code);
    for (const [i, boot] of pair.entries()) {
      const link = this.links.get(i === 0 ? "server-0" : "server-1", boot);
      link?.control({ type: "abort", session, ...stateError(error) });
    }
  }

  /**
   * Deals for a job of the queue, with a deal id and seeds drawn now, whoever has had the job before. Resolves when nothing
   * more will be sent: all of it is, or the servers do not want it.
   * @throws SottoError unreachable: another worker should; conflict: this one has; plan-mismatch.
   */
  async deal(job: DealJob): Promise<void> {
    const known = await this.find(job.setup);
    if (!known?.pair) throw unknownSetUp(job.setup);
    const links = this.links.both(known.pair);
    const run = this.checked(job, known);
    await new Promise<void>((resolve) => this.send(job, run, known, links, resolve));
  }

  /** How many are being dealt for. */
  get active(): number {
    return this.dealings.size;
  }

  /** A process that does not come back leaves its set-ups behind. */
  private forgetLater(role: ServerRole, boot: string): void {
    const side = role === "server-0" ? 0 : 1;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      if (this.links.get(role, boot)) return;
      for (const id of this.setups.ids()) if (this.setups.get(id)?.pair?.[side] === boot) this.drop(id);
    }, FORGET_MS);
    timer.unref();
    this.timers.add(timer);
  }

  private send(
    { session, setup, sizes, chunk }: DealJob,
    run: Run,
    known: DealtSetUp,
    links: [Link, Link],
    onEnd: () => void = () => {},
  ): void {
    const about = { session, setup, sizes, chunk };
    const deal = hex(this.random(ID_BYTES));
    const seeds = [this.random(SEED_BYTES), this.random(SEED_BYTES)] as const;
    const began = performance.now();
    const watch = new Watch(this.tally, {
      session,
      name: "sotto.deal",
      party: "dealer",
      phase: "deal",
      attributes: { "sotto.deal": deal },
    });
    watch.enter("peer");
    const dealing = new Dealing({
      ring: this.ring,
      session,
      deal,
      run,
      setup: this.setups.masks(setup),
      seeds,
      links,
      watch,
      onEnd: (error) => {
        this.dealings.delete(deal);
        this.ended(dealing, watch, performance.now() - began, links, error);
        onEnd();
      },
    });
    this.dealings.set(deal, dealing);
    const { hash, pair } = known;
    links.forEach((link, i) => {
      link.control({
        type: "dealt",
        ...about,
        deal,
        plan: hash,
        seed: hex(seeds[i]!),
        peer: pair?.[1 - i],
      });
    });
    this.log.debug({ session, deal, stages: run.stages, bytes: run.cost.correctionBytes }, "dealing");
  }

  private ended(dealing: Dealing, watch: Watch, ms: number, links: Link[], cause: unknown): void {
    const { session, deal, done } = dealing;
    if (cause) {
      const error = asSottoError(cause);
      watch.end(error);
      this.tally.ended(error.code);
      this.log.error({ session, deal, code: error.code, message: error.message }, "dealing failed");
      for (const l of links) l.control({ type: "abort", session, ...stateError(error) });
    } else {
      watch.end(done ? undefined : new SottoError("unreachable", "the servers ended the session"));
      this.tally.ended(done ? "ok" : "aborted");
      this.log.info({ session, deal, ms }, done ? "session dealt" : "dealing ended early");
    }
    if (this.draining && this.dealings.size === 0) for (const resolve of this.draining) resolve();
  }

  private checkOpen(): void {
    if (!this.draining) return;
    throw new SottoError(
      "unreachable",
      "the dealer is shutting down and deals for no new session; try again",
    );
  }

  /** It is not needed any more. */
  drop(id: string): void {
    this.setups.drop(id);
  }
}
