/** A model on a cluster: share the input, send each share to its server, put the outputs together. */
import {
  instantiate,
  type Network,
  type NumberTensor,
  type Plan,
  prepareInputs,
  type Ring,
  reconstruct,
  type Sizes,
  SottoError,
  Streaming,
  shareInputs,
  sizesOf,
  systemRandom,
  type Tensor,
  tensorsOf,
} from "@sotto/core";
import { type Asking, type CallOptions, modelPath, parse, underDeadline } from "./cluster.js";
import type { Servers } from "./public-part.js";
import { isPassing, type Retry, type RetryOptions, withRetries } from "./retry.js";
import { type InferStats, merge, type ServerStats, serverStats } from "./stats.js";
import { ModelStream, type StreamOptions } from "./stream.js";

/** The input as it goes to server 0 and to server 1: words of as many bits as its modulus has, packed, which add up to it. */
export type Shares = readonly [Uint8Array, Uint8Array];

/** What an inference is doing. An attempt that is repeated has fresh shares and a fresh session. */
export type Progress =
  | { stage: "sharing"; attempt: number }
  /** The shares are on their way to the servers. */
  | { stage: "sent"; attempt: number; session: string; bytes: number; shares: Shares }
  /** A server has answered, with figures of its own. */
  | { stage: "server"; server: 0 | 1; stats: ServerStats }
  | ({ stage: "retrying" } & Retry)
  | { stage: "done" };

export interface InferOptions extends CallOptions, RetryOptions {
  /** Values outside the declared range: an error (default), or brought to the range's end. */
  outside?: "refuse" | "clip";
  onProgress?: (progress: Progress) => void;
  /**
   * So many bytes of what each server received in the first round are in `stats.saw`, up to 2048 (default 8): openings of this
   * input and of nothing else.
   */
  look?: number;
  /** Has the servers tell when the rounds were over, in `stats.roundTimes`. */
  roundTimes?: boolean;
  /** W3C trace context of the caller's span, which both servers' spans are to belong to; the dealer is not told. */
  traceparent?: string;
}

/** What the servers are told. */
type SentOptions = Pick<InferOptions, "look" | "roundTimes" | "traceparent">;

export type Outputs = Record<string, { shape: number[]; data: Float64Array }>;

export interface InferResult {
  outputs: Outputs;
  stats: InferStats;
}

/** Programs kept for the next input of the same sizes. */
const KEPT = 8;

export class RemoteModel {
  readonly name: string;
  readonly plan: Plan;
  /** Hex SHA-256 of the plan. */
  readonly hash: string;
  private readonly servers: Servers;
  private readonly ring: Ring;
  private readonly tables: Record<string, Tensor>;
  private readonly networks = new Map<string, Network>();
  private readonly running = new Set<AbortController>();
  private readonly streams = new Set<ModelStream>();
  private closed = false;

  /** @internal See Client.model(). */
  constructor(
    name: string,
    plan: Plan,
    hash: string,
    tables: Record<string, Tensor>,
    servers: Servers,
    ring: Ring,
  ) {
    this.name = name;
    this.plan = plan;
    this.hash = hash;
    this.tables = tables;
    this.servers = servers;
    this.ring = ring;
  }

  /**
   * Infers privately. Each server sees a uniform share of the input and nothing of the result. When a party is away
   * or busy it is tried again, with fresh shares in a fresh session.
   * @param given by the model's names, row-major.
   * @throws SottoError bad-input (naming input and element, never a value), unreachable (also when the model has been
   * closed), tls, timeout,
   * plan-mismatch, unauthorized, forbidden, busy, and what a server states.
   */
  infer(given: Record<string, NumberTensor>, options: InferOptions = {}): Promise<InferResult> {
    if (this.closed) return Promise.reject(closedByUser());
    const began = performance.now();
    const say = options.onProgress ?? (() => {});
    return underDeadline(options, `inference with ${this.name}`, async (deadline) => {
      const inputs = tensorsOf(inputNames(this.plan), given);
      const sizes = sizesOf(this.plan, inputs);
      const network = this.network(sizes);
      const values = prepareInputs(network, inputs, this.tables, { outside: options.outside });
      const attempt = async (number: number) => {
        say({ stage: "sharing", attempt: number });
        const shares = shareInputs(this.ring, network, values);
        return this.send(shares, { ...options, sizes: asciiJson(sizes) }, deadline, number, say);
      };
      const [a, b] = await withRetries(
        options,
        deadline,
        attempt,
        (retry) => say({ stage: "retrying", ...retry }),
        (error) => isPassing(error) && !this.closed,
      );
      const outputs = reconstruct(this.ring, network, [a.output, b.output]);
      say({ stage: "done" });
      return { outputs, stats: merge(a.stats, b.stats, performance.now() - began) };
    });
  }

  /**
   * Opens a stream: the model goes on from call to call, over time steps as they come.
   * @throws SottoError unsupported, naming the layer that needs the whole sequence; plan-mismatch, not-found,
   * unreachable, tls, timeout, and what a server states.
   */
  stream(options: StreamOptions = {}): Promise<ModelStream> {
    if (this.closed) return Promise.reject(closedByUser());
    return underDeadline(options, `stream of ${this.name}`, async (deadline) => {
      const streaming = new Streaming(this.plan, {
        sizes: allSizes(this.plan, options.sizes ?? {}),
        steps: options.steps ?? 1,
      });
      const { name, hash, servers, ring, tables } = this;
      const stream = await ModelStream.open(
        { name, hash, servers, ring, tables, streaming },
        options,
        deadline,
      );
      this.streams.add(stream);
      stream.onEnd = () => this.streams.delete(stream);
      return stream;
    });
  }

  /** Cancels what is running. */
  close(): void {
    this.closed = true;
    for (const stream of [...this.streams]) void stream.close();
    for (const c of this.running) c.abort(closedByUser());
  }

  /** One attempt. */
  private async send(
    shares: Shares,
    { sizes, look, roundTimes, traceparent }: SentOptions & { sizes: string },
    { signal, silent }: Asking,
    attempt: number,
    say: (progress: Progress) => void,
  ) {
    const session = [...systemRandom(16)].map((b) => b.toString(16).padStart(2, "0")).join("");
    const headers = {
      "content-type": "application/octet-stream",
      "sotto-session": session,
      "sotto-plan": this.hash,
      "sotto-sizes": sizes,
      ...(look === undefined ? {} : { "sotto-look": String(look) }),
      ...(roundTimes ? { "sotto-round-times": "yes" } : {}),
      ...(traceparent ? { traceparent } : {}),
    };
    const both = new AbortController();
    const cancel = () => both.abort(signal.reason);
    signal.addEventListener("abort", cancel);
    if (signal.aborted) cancel();
    this.running.add(both);
    const ask = async (i: 0 | 1) => {
      const server = this.servers[i];
      const request = {
        method: "POST" as const,
        path: modelPath(this.name, "/infer"),
        headers,
        body: shares[i],
      };
      const reply = await server.call(request, { signal: both.signal, silent });
      const stats = statsOf(reply.header("sotto-stats"), server.name);
      say({ stage: "server", server: i, stats });
      return { output: reply.body, stats, version: reply.header("sotto-version") };
    };
    try {
      const asked = [ask(0), ask(1)] as const;
      say({ stage: "sent", attempt, session, bytes: shares[0].length + shares[1].length, shares });
      // one server cannot finish without the other: the first failure ends both
      const [a, b] = await Promise.all(asked);
      if (a.version === b.version) return [a, b] as const;
      throw new SottoError(
        "plan-mismatch",
        `model ${this.name}: server 0 ran version ${a.version}, server 1 ran version ${b.version}; ` +
          "their shares do not belong together: deploy it again to both",
      );
    } catch (error) {
      both.abort(error);
      throw error;
    } finally {
      signal.removeEventListener("abort", cancel);
      this.running.delete(both);
    }
  }

  private network(sizes: Record<string, number>): Network {
    const key = JSON.stringify(sizes);
    const network = this.networks.get(key) ?? instantiate(this.plan, sizes);
    this.networks.set(key, network);
    if (this.networks.size > KEPT) this.networks.delete(this.networks.keys().next().value!);
    return network;
  }
}

function closedByUser(): SottoError {
  return new SottoError("unreachable", "the model was closed by its user");
}

/** Of the inputs that are the caller's to give. */
function inputNames(plan: Plan): string[] {
  return plan.inputs.filter((input) => !input.mask).map((input) => input.name);
}

/** Every open size 1, where it is not given. */
function allSizes(plan: Plan, given: Sizes): Sizes {
  const names = plan.inputs.flatMap((i) => i.shape).filter((d) => typeof d === "string");
  return { ...Object.fromEntries(names.map((name) => [name, 1])), ...given };
}

function statsOf(header: string | undefined, whose: string): ServerStats {
  const parsed = serverStats.safeParse(parse(header ?? "", whose));
  if (parsed.success) return parsed.data;
  throw new SottoError("protocol", `${whose} sent no header sotto-stats of this version`);
}

/** For a header, which takes no other characters; names of sizes may have any. */
function asciiJson(value: unknown): string {
  const escaped = (c: string) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, escaped);
}
