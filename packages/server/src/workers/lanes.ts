/** The lanes of a server's worker, as the API sees them: one server. */
import { randomInt } from "node:crypto";
import { SottoError } from "@sotto/core";
import type { ControlMessage, Link } from "@sotto/wire";
import { chunkSession } from "@sotto/wire";
import { Admission } from "../party/admission/admission.js";
import { turnLimits } from "../party/admission/turns.js";
import type { Model } from "../party/models.js";
import type { InferRequest, InferResult } from "../party/session-types.js";
import type { SetUp } from "../party/setups.js";
import type { Stream, StreamEvents, StreamRequest } from "../party/streams/stream.js";
import { type OpensStreams, StreamPlaces } from "../party/streams/streams.js";
import { Lane, type LaneOptions, noLane } from "./lane.js";

/** For a worker of the other server to connect again; then what belongs to it is freed. */
const GONE_MS = 30_000;
/** What set-ups and links have become is looked at so often, for the front. */
const LOOK_MS = 200;

export interface LanesOptions extends Omit<LaneOptions, "id" | "admission" | "streams"> {
  /** Models have become ready, or are not any more. */
  onReady: () => void;
}

export class Lanes implements OpensStreams {
  readonly inFlight = 4;
  readonly idleMs: number;
  private readonly options: LanesOptions;
  private readonly lanes = new Map<string, Lane>();
  /** The limits are of the worker, however many lanes it has. */
  private readonly limits: Pick<LaneOptions, "admission" | "streams">;
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly looking: NodeJS.Timeout;
  private told = "{}";
  private leaving = false;

  constructor(options: LanesOptions) {
    this.options = options;
    const { limits } = options.config;
    this.limits = {
      admission: new Admission(options.shared.party, turnLimits(limits)),
      streams: new StreamPlaces(limits.maxStreams),
    };
    this.idleMs = limits.streamIdleMs;
    this.looking = setInterval(() => this.look(), LOOK_MS);
    this.looking.unref();
  }

  get all(): readonly Lane[] {
    return [...this.lanes.values()];
  }

  get(id: string): Lane | undefined {
    return this.lanes.get(id);
  }

  /** The lane in which a session has begun. */
  of(session: string): Lane | undefined {
    return this.all.find((lane) => lane.sessions.knows(session));
  }

  attach(link: Link): void {
    const id = link.remoteBoot;
    clearTimeout(this.timers.get(id));
    const lane = this.lanes.get(id) ?? new Lane({ ...this.options, ...this.limits, id });
    this.lanes.set(id, lane);
    if (this.leaving) lane.leave();
    lane.attach(link);
    link.onClose(() => {
      const timer = setTimeout(() => this.free(id), GONE_MS);
      timer.unref();
      this.timers.set(id, timer);
    });
  }

  /** To every worker of the other server. */
  tell(message: ControlMessage): void {
    for (const lane of this.all) lane.connections.get("peer")?.control(message);
  }

  kick(): void {
    for (const lane of this.all) lane.part.kick();
  }

  removed(name: string): void {
    for (const lane of this.all) lane.part.removed(name);
  }

  get linked(): number {
    return this.all.filter((lane) => lane.linked).length;
  }

  get count(): number {
    return this.all.reduce((n, lane) => n + lane.sessions.count, 0);
  }

  get queued(): number {
    return this.all.reduce((n, lane) => n + lane.sessions.queued, 0);
  }

  get depths(): ReadonlyMap<string, number> {
    const depths = new Map<string, number>();
    for (const lane of this.all) {
      for (const [name, n] of lane.sessions.pool.depths) depths.set(name, (depths.get(name) ?? 0) + n);
    }
    return depths;
  }

  /** Hashes of the plans that sessions may use, by model. */
  get ready(): Record<string, string[]> {
    const ready: Record<string, string[]> = {};
    for (const lane of this.all) {
      for (const [name, hash] of lane.ready) ready[name] = [...new Set([...(ready[name] ?? []), hash])];
    }
    return ready;
  }

  get roundTripMs(): number | undefined {
    const times = this.all.flatMap((lane) => lane.connections.get("peer")?.roundTripMs ?? []);
    return times.length > 0 ? Math.min(...times) : undefined;
  }

  /** @throws SottoError unreachable */
  checkReady(): void {
    if (this.leaving) throw new SottoError("unreachable", "this worker is shutting down; try again");
    if (this.linked === 0) throw noLane(this.party);
    this.all[0]!.connections.need("dealer");
  }

  served(name: string): Model {
    return this.bestFor(name)?.setups.served(name) ?? this.options.shared.models.need(name);
  }

  whyNotReady(name: string): string | undefined {
    const lane = this.bestFor(name);
    return lane ? lane.setups.whyNotReady(name) : noLane(this.party).message;
  }

  whyNot(name: string): string {
    return this.bestFor(name)?.setups.whyNot(name) ?? noLane(this.party).message;
  }

  need(name: string, plan?: string): SetUp {
    this.options.shared.models.need(name);
    const lane = this.bestFor(name);
    if (!lane) throw noLane(this.party);
    return lane.setups.need(name, plan);
  }

  async infer(id: string, request: InferRequest, signal: AbortSignal): Promise<InferResult> {
    return this.laneFor(id, request).sessions.infer(id, request, signal);
  }

  async open(request: StreamRequest, events: StreamEvents, signal: AbortSignal): Promise<Stream> {
    return this.laneFor(chunkSession(request.stream, 0), request).streams.open(request, events, signal);
  }

  async drain(reason: string): Promise<void> {
    this.leaving = true;
    for (const lane of this.all) {
      lane.leave();
      lane.streams.drain(reason);
    }
    await Promise.all(this.all.map((lane) => lane.sessions.drain()));
  }

  close(reason: string): void {
    clearInterval(this.looking);
    for (const timer of this.timers.values()) clearTimeout(timer);
    for (const lane of this.all) lane.close(reason);
  }

  private get party(): 0 | 1 {
    return this.options.shared.party;
  }

  /** Server 0 chooses; server 1 takes the lane in which server 0 has begun the session. */
  private laneFor(session: string, { model, plan }: { model: string; plan: string }): Lane {
    const lane = this.party === 0 ? this.leastBusy(model, plan) : (this.of(session) ?? this.linkedLanes[0]);
    if (!lane) throw noLane(this.party);
    return lane;
  }

  private get linkedLanes(): Lane[] {
    return this.all.filter((lane) => lane.linked);
  }

  private leastBusy(model: string, plan: string): Lane | undefined {
    const linked = this.linkedLanes;
    const ready = linked.filter((lane) => lane.ready.get(model) === plan);
    const lanes = ready.length > 0 ? ready : linked;
    const busy = (lane: Lane) => lane.sessions.count + lane.sessions.queued;
    const least = Math.min(...lanes.map(busy));
    const best = lanes.filter((lane) => busy(lane) === least);
    return best.length > 0 ? best[randomInt(best.length)] : undefined;
  }

  /** The lane that can say most of a model: one that is ready for its newest version, or for any. */
  private bestFor(name: string): Lane | undefined {
    const newest = this.options.shared.models.versions(name)[0];
    const linked = this.linkedLanes;
    return (
      linked.find((lane) => newest && lane.setups.isSetUp(newest)) ??
      linked.find((lane) => lane.setups.isReady(name)) ??
      linked[0]
    );
  }

  private look(): void {
    const now = JSON.stringify(this.ready);
    if (now === this.told) return;
    this.told = now;
    this.options.onReady();
  }

  private free(id: string): void {
    const lane = this.lanes.get(id);
    if (!lane || lane.linked) return;
    this.lanes.delete(id);
    this.timers.delete(id);
    lane.close("the other server's worker has gone");
  }
}
