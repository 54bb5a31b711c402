/** A model on a cluster: share the input, send each share to its server, put the outputs together. */
import {
  instantiate,
  type Network,
  type NumberTensor,
  type Plan,
  planHash,
  prepareInputs,
  type Ring,
  reconstruct,
  SottoError,
  shareInputs,
  sizesOf,
  systemRandom,
  type Tensor,
} from "@sotto/core";
import { checkPlan, decodeTables } from "@sotto/wire";
import { z } from "zod";
import { type CallOptions, modelPath, parse, type ServerApi, underDeadline } from "./cluster.js";
import { type InferStats, merge, type ServerStats, serverStats } from "./stats.js";

/** What an inference is doing. */
export type Progress = "sharing" | "computing" | "done";

export interface InferOptions extends CallOptions {
  /** Values outside the declared range: an error (default), or brought to the range's end. */
  outside?: "refuse" | "clip";
  onProgress?: (progress: Progress) => void;
}

export type Outputs = Record<string, { shape: number[]; data: Float64Array }>;

export interface InferResult {
  outputs: Outputs;
  stats: InferStats;
}

export interface ModelOptions extends CallOptions {
  /** The hash of the plan that the model must have, for clients that know it. */
  plan?: string;
}

export type Servers = readonly [ServerApi, ServerApi];

const description = z.object({ plan: z.unknown(), hash: z.string() });

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
   * Infers privately. Each server sees a uniform share of the input and nothing of the result.
   * @param inputs by the model's names, row-major.
   * @throws SottoError bad-input (naming input and element, never a value), unreachable, tls, timeout,
   * plan-mismatch, and what a server states.
   */
  infer(inputs: Record<string, NumberTensor>, options: InferOptions = {}): Promise<InferResult> {
    if (this.closed) return Promise.reject(new SottoError("internal", "the model has been closed"));
    const began = performance.now();
    return underDeadline(options, `inference with ${this.name}`, async (signal) => {
      options.onProgress?.("sharing");
      const sizes = sizesOf(this.plan, inputs);
      const network = this.network(sizes);
      const values = prepareInputs(network, inputs, this.tables, { outside: options.outside });
      const shares = shareInputs(this.ring, network, values);
      options.onProgress?.("computing");
      const [a, b] = await this.send(shares, asciiJson(sizes), signal);
      const outputs = reconstruct(this.ring, network, [a.output, b.output]);
      options.onProgress?.("done");
      return { outputs, stats: merge(a.stats, b.stats, performance.now() - began) };
    });
  }

  /** Cancels what is running. */
  close(): void {
    this.closed = true;
    for (const c of this.running) c.abort(new SottoError("unreachable", "the model was closed by its user"));
  }

  private async send(shares: readonly [Uint8Array, Uint8Array], sizes: string, signal: AbortSignal) {
    const session = [...systemRandom(16)].map((b) => b.toString(16).padStart(2, "0")).join("");
    const headers = {
      "content-type": "application/octet-stream",
      "sotto-session": session,
      "sotto-plan": this.hash,
      "sotto-sizes": sizes,
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
      const reply = await server.call({ ...request, signal: both.signal });
      return { output: reply.body, stats: statsOf(reply.header("sotto-stats"), server.name) };
    };
    try {
      // one server cannot finish without the other: the first failure ends both
      return await Promise.all([ask(0), ask(1)]);
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

/** Fetches and checks a model's public part. @throws SottoError plan-mismatch naming both hashes. */
export async function fetchModel(
  servers: Servers,
  name: string,
  pinned: string | undefined,
  signal: AbortSignal,
): Promise<{ plan: Plan; hash: string; tables: Record<string, Tensor> }> {
  const [a, b] = await Promise.all(
    servers.map(async (server) => {
      const answer = description.safeParse(await server.json(modelPath(name), signal));
      if (!answer.success)
        throw new SottoError("protocol", `${server.name} does not describe the model as expected`);
      const plan = checkPlan(answer.data.plan);
      const hash = planHash(plan);
      if (hash !== answer.data.hash) {
        const stated = answer.data.hash;
        throw new SottoError(
          "plan-mismatch",
          `${server.name} states plan ${stated}, the plan it sent has hash ${hash}`,
        );
      }
      return { plan, hash };
    }),
  );
  if (a!.hash !== b!.hash) {
    throw new SottoError(
      "plan-mismatch",
      `model ${name}: server 0 serves plan ${a!.hash}, server 1 serves plan ${b!.hash}; deploy it again to both`,
    );
  }
  const { plan, hash } = a!;
  if (pinned && pinned !== hash) {
    throw new SottoError(
      "plan-mismatch",
      `model ${name}: the servers serve plan ${hash}, expected plan ${pinned}`,
    );
  }
  if (plan.publicTensors.length === 0) return { plan, hash, tables: {} };
  // the hashes are in the plan, so one server's copy is as good as both
  const reply = await servers[0].call({ method: "GET", path: modelPath(name, "/tables"), signal });
  return { plan, hash, tables: decodeTables(plan, reply.body) };
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
