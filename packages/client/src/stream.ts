/**
 * A sequence that comes step by step: the servers keep the hidden state between the steps, as shares.
 * docs/protocol.md, "Streams".
 */
import {
  type Network,
  type NumberTensor,
  prepareInputs,
  type Ring,
  reconstruct,
  SottoError,
  type Streaming,
  shareInputs,
  systemRandom,
  type Tensor,
  tensorsOf,
} from "@sotto/core";
import {
  asSottoError,
  decodeStepResult,
  encodeStep,
  STREAM_PROTOCOL,
  type StreamOpen,
  streamState,
} from "@sotto/wire";
import { type Asking, type CallOptions, modelPath, parse, type ServerApi, type Socket } from "./cluster.js";
import type { Outputs, Shares } from "./model.js";
import { type InferStats, merge, type ServerStats, serverStats } from "./stats.js";

export interface StreamOptions extends CallOptions {
  /** Sizes that the model leaves open, but for that of time; 1 for those not given. */
  sizes?: Record<string, number>;
  /** Time steps that each call of step() gives at least; default 1. More are computed together in fewer rounds. */
  steps?: number;
  /** Values outside the declared range: an error (default), or brought to the range's end. */
  outside?: "refuse" | "clip";
  /** See InferOptions; of each chunk. */
  look?: number;
  /** See InferOptions; told of calls of step() that take one chunk. */
  roundTimes?: boolean;
  /** Each chunk's input, just before it goes to the servers. */
  onSent?: (shares: Shares) => void;
}

export interface StepResult {
  /** Outputs with a time axis are those of these steps; the others are what a run of all steps so far gives. */
  outputs: Outputs;
  stats: InferStats;
}

interface Chunk {
  network: Network;
  shares: Shares;
  began: number;
  results: [Result?, Result?];
  resolve: (result: StepResult) => void;
  reject: (error: SottoError) => void;
}

interface Result {
  share: Uint8Array;
  stats: ServerStats;
}

export interface StreamContext {
  name: string;
  hash: string;
  servers: readonly [ServerApi, ServerApi];
  ring: Ring;
  tables: Record<string, Tensor>;
  streaming: Streaming;
}

export class ModelStream {
  /** Time steps of a chunk: step() takes so many, or a multiple. */
  readonly steps: number;
  private readonly context: StreamContext;
  private readonly options: StreamOptions;
  private readonly id = [...systemRandom(16)].map((b) => b.toString(16).padStart(2, "0")).join("");
  private readonly sockets: Socket[] = [];
  private readonly opened: (() => void)[] = [];
  private readonly chunks = new Map<number, Chunk>();
  private readonly ready: [boolean, boolean] = [false, false];
  private inFlight = Infinity;
  private prepared = 0;
  private sent = 0;
  private failure: SottoError | undefined;
  /** @internal Called once, when the stream is over. */
  onEnd: () => void = () => {};

  private constructor(context: StreamContext, options: StreamOptions) {
    this.context = context;
    this.options = options;
    this.steps = context.streaming.shape.steps;
  }

  /** @internal See RemoteModel.stream(). */
  static async open(context: StreamContext, options: StreamOptions, asking: Asking): Promise<ModelStream> {
    const { signal } = asking;
    const stream = new ModelStream(context, options);
    const cancel = () => stream.fail(asSottoError(signal.reason));
    signal.addEventListener("abort", cancel);
    try {
      await Promise.all([stream.connect(0, asking), stream.connect(1, asking)]);
      if (stream.failure) throw stream.failure;
      return stream;
    } catch (error) {
      stream.fail(asSottoError(error));
      throw error;
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  }

  /** What a call of step() takes: shapes with the fewest time steps; without a time axis, an initial state for the first call. */
  get inputs(): { name: string; shape: number[]; timeAxis?: number }[] {
    const { streaming } = this.context;
    return streaming.chunk("start").inputs.map(({ name, shape }) => {
      const timeAxis = streaming.timeAxes.get(name);
      return { name, shape, ...(timeAxis === undefined ? {} : { timeAxis }) };
    });
  }

  /**
   * Gives the next time steps to the model. Calls may overlap; results come in order.
   * @param inputs by the model's names, with `steps` time steps or a multiple. Initial states are inputs of the first call.
   * @throws SottoError bad-input, before anything is sent: the stream goes on. Any other error has ended it.
   */
  async step(inputs: Record<string, NumberTensor>): Promise<StepResult> {
    if (this.failure) throw this.failure;
    const { streaming, tables, ring } = this.context;
    const parts = this.split(tensorsOf([...streaming.timeAxes.keys(), ...streaming.initialInputs], inputs));
    // all of them are checked before any is sent
    const chunks = parts.map((part, i) => {
      const network = streaming.chunk(streaming.kindOf(this.prepared + i));
      const values = prepareInputs(network, part, tables, { outside: this.options.outside });
      return { network, shares: shareInputs(ring, network, values) };
    });
    const results = chunks.map(
      (chunk) =>
        new Promise<StepResult>((resolve, reject) => {
          const began = performance.now();
          this.chunks.set(this.prepared++, { ...chunk, began, results: [], resolve, reject });
        }),
    );
    this.pump();
    return joined(streaming, await Promise.all(results));
  }

  /** Outputs of a source of steps, one after the other, the next ones on their way already. */
  async *run(source: AsyncIterable<Record<string, NumberTensor>>): AsyncGenerator<StepResult> {
    const due: Promise<StepResult>[] = [];
    for await (const inputs of source) {
      const result = this.step(inputs);
      result.catch(() => {});
      due.push(result);
      if (due.length >= this.inFlight) yield await due.shift()!;
    }
    for (const result of due) yield await result;
  }

  /** Ends the stream: the servers wipe its state. What is on its way is rejected. */
  async close(): Promise<void> {
    this.fail(new SottoError("unreachable", "the stream was closed by its user"));
  }

  private async connect(i: 0 | 1, asking: Asking): Promise<void> {
    const { servers, name, hash, streaming } = this.context;
    const server = servers[i];
    const socket = await server.answer(
      asking,
      server.socket(modelPath(name, "/stream"), STREAM_PROTOCOL, asking.signal),
    );
    this.sockets[i] = socket;
    if (this.failure) return socket.close();
    const answer = new Promise<void>((resolve) => {
      this.opened[i] = resolve;
    });
    socket.onMessage = (message) => {
      try {
        this.take(i, message);
      } catch (error) {
        this.fail(asSottoError(error));
      }
    };
    socket.onClose = (error) => this.fail(new SottoError(error.code, server.said(error.message)));
    const { sizes, steps } = streaming.shape;
    const open: StreamOpen = { type: "open", stream: this.id, plan: hash, sizes, steps };
    const { look, roundTimes } = this.options;
    if (look !== undefined) open.look = look;
    if (roundTimes) open.roundTimes = true;
    // a browser could not put it into a header
    if (server.token !== undefined) open.token = server.token;
    socket.send(JSON.stringify(open));
    await server.answer(asking, answer);
  }

  private take(i: 0 | 1, message: string | Uint8Array): void {
    if (this.failure) return;
    const server = this.context.servers[i];
    const { name } = server;
    if (typeof message === "string") {
      const state = streamState.safeParse(parse(message, name)).data;
      if (!state) throw new SottoError("protocol", `${name} sent a message that is not of a stream`);
      if (state.type === "error") throw new SottoError(state.code, server.said(state.message));
      this.inFlight = Math.min(this.inFlight, state.inFlight);
      this.ready[i] = true;
      this.opened[i]?.();
      return;
    }
    const { number, figures, share } = decodeStepResult(message);
    const chunk = this.chunks.get(number);
    if (!chunk || number >= this.sent || chunk.results[i])
      throw new SottoError(
        "protocol",
        `${name} sent a result of chunk ${number}, which it was not asked for`,
      );
    const stats = serverStats.safeParse(figures);
    if (!stats.success) throw new SottoError("protocol", `${name} sent figures of another version`);
    chunk.results[i] = { share, stats: stats.data };
    const [a, b] = chunk.results;
    if (!a || !b) return;
    this.chunks.delete(number);
    this.pump();
    const { ring } = this.context;
    const outputs = reconstruct(ring, chunk.network, [a.share, b.share]);
    chunk.resolve({ outputs, stats: merge(a.stats, b.stats, performance.now() - chunk.began) });
  }

  /** Sends what there is, as many chunks at a time as the servers take. */
  private pump(): void {
    const first = this.chunks.keys().next().value;
    while (first !== undefined && this.sent < this.prepared && this.sent - first < this.inFlight) {
      const number = this.sent++;
      const { shares } = this.chunks.get(number)!;
      this.options.onSent?.(shares);
      this.sockets.forEach((socket, i) => {
        socket.send(encodeStep(number, shares[i]!));
      });
    }
  }

  /** The steps of each chunk. @throws SottoError bad-input */
  private split(inputs: Record<string, NumberTensor>): Record<string, NumberTensor>[] {
    const { timeAxes, initialInputs } = this.context.streaming;
    const { steps } = this;
    let count: number | undefined;
    for (const [name, axis] of timeAxes) {
      const size = inputs[name]?.shape[axis];
      const chunks = (size ?? 0) / steps;
      if (!Number.isInteger(chunks) || chunks < 1 || (count ?? chunks) !== chunks) {
        const what = steps === 1 ? "one or more" : `a multiple of ${steps}`;
        throw new SottoError(
          "bad-input",
          `input ${name}: ${size ?? "no"} time steps; expected ${what}, as many for all inputs`,
        );
      }
      count = chunks;
    }
    for (const name of Object.keys(inputs)) {
      if (timeAxes.has(name) || (initialInputs.has(name) && this.prepared === 0)) continue;
      const names = [...timeAxes.keys(), ...(this.prepared === 0 ? initialInputs : [])].join(", ");
      const why = initialInputs.has(name) ? "is for the first step alone" : "is not one of the model";
      throw new SottoError("bad-input", `input ${name} ${why}; this step takes ${names}`);
    }
    return Array.from({ length: count ?? 0 }, (_, c) =>
      Object.fromEntries(
        Object.entries(inputs).map(([name, tensor]) => {
          const axis = timeAxes.get(name);
          return [name, axis === undefined ? tensor : along(tensor, axis, c * steps, steps)];
        }),
      ),
    );
  }

  private fail(error: SottoError): void {
    if (this.failure) return;
    this.failure = error;
    for (const chunk of this.chunks.values()) chunk.reject(error);
    this.chunks.clear();
    for (const opened of this.opened) opened?.();
    for (const socket of this.sockets) socket?.close();
    this.onEnd();
  }
}

/** Some indices of an axis. */
function along({ shape, data }: NumberTensor, axis: number, from: number, count: number): NumberTensor {
  const size = shape[axis]!;
  if (size === count) return { shape, data };
  const inner = shape.slice(axis + 1).reduce((n, d) => n * d, 1);
  const outer = shape.slice(0, axis).reduce((n, d) => n * d, 1);
  const part = new Float64Array(outer * count * inner);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < count * inner; i++)
      part[o * count * inner + i] = data[(o * size + from) * inner + i]!;
  return { shape: shape.map((d, a) => (a === axis ? count : d)), data: part };
}

/** One result of several chunks: outputs with a time axis one after the other, the others as the last chunk left them. */
function joined({ outputAxes }: Streaming, results: StepResult[]): StepResult {
  const last = results.at(-1)!;
  if (results.length === 1) return last;
  const outputs: Outputs = {};
  for (const [name, { shape, data }] of Object.entries(last.outputs)) {
    const axis = outputAxes.get(name);
    if (axis === undefined) {
      outputs[name] = { shape, data };
      continue;
    }
    const size = shape[axis]! * results.length;
    const inner = shape.slice(axis).reduce((n, d) => n * d, 1);
    const all = new Float64Array(data.length * results.length);
    results.forEach((result, c) => {
      const part = result.outputs[name]!.data;
      for (let o = 0; o * inner < part.length; o++)
        all.set(part.subarray(o * inner, (o + 1) * inner), (o * results.length + c) * inner);
    });
    outputs[name] = { shape: shape.map((d, a) => (a === axis ? size : d)), data: all };
  }
  // what passed between two chunks, no server tells
  const { roundTimes: _, ...stats } = last.stats;
  const sum = (of: (s: InferStats) => number) => results.reduce((n, r) => n + of(r.stats), 0);
  return {
    outputs,
    stats: {
      ...stats,
      onlineMs: sum((s) => s.onlineMs),
      offlineMs: sum((s) => s.offlineMs),
      rounds: sum((s) => s.rounds),
      onlineBytes: sum((s) => s.onlineBytes),
      offlineBytes: {
        server0: sum((s) => s.offlineBytes.server0),
        server1: sum((s) => s.offlineBytes.server1),
      },
      totalMs: Math.max(...results.map((r) => r.stats.totalMs)),
    },
  };
}
