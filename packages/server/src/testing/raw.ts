/** Requests as a client that does not keep the rules would make them, for tests. */
import { httpsTransport } from "@sotto/client";
import { type Compiled, instantiate, type Network, planHash, Ring, shareInputs } from "@sotto/core";
import type { TestCluster } from "./cluster.js";
import type { TestModel } from "./models.js";

export interface RawRequest {
  model: string;
  session: string;
  plan?: string;
  sizes?: string;
  body: Uint8Array;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export interface RawReply {
  status: number;
  /** The code of an error, or "ok". */
  code: string;
  message: string;
  retryAfter: string | undefined;
  /** First bytes of the other server's first message. */
  saw: Uint8Array | undefined;
}

/** Asks one server. @param request.plan hash of the plan; the model's own by default. */
export async function ask(
  cluster: TestCluster,
  server: 0 | 1,
  compiled: Compiled,
  request: RawRequest,
): Promise<RawReply> {
  const at = cluster.as("client");
  const transport = httpsTransport(at);
  try {
    const reply = await transport.request({
      method: "POST",
      url: `${at.servers[server].url}/v2/models/${request.model}/infer`,
      role: server === 0 ? "server-0" : "server-1",
      headers: {
        "content-type": "application/octet-stream",
        "sotto-session": request.session,
        "sotto-plan": request.plan ?? planHash(compiled.plan),
        "sotto-sizes": request.sizes ?? "{}",
        ...request.headers,
      },
      body: request.body,
      ...(request.signal ? { signal: request.signal } : {}),
    });
    const stats = reply.header("sotto-stats");
    const error = stats
      ? {}
      : (JSON.parse(new TextDecoder().decode(reply.body)) as { code: string; message: string });
    const saw = stats
      ? Buffer.from((JSON.parse(stats) as { saw: { message: string } }).saw.message, "hex")
      : undefined;
    return {
      status: reply.status,
      code: "ok",
      message: "",
      ...error,
      retryAfter: reply.header("retry-after"),
      saw,
    };
  } finally {
    transport.close();
  }
}

/** Fresh shares of a test model's input. */
export async function sharesOf(model: TestModel, n: number): Promise<[Uint8Array, Uint8Array]> {
  const { x } = model.input(n);
  return shareInputs(await Ring.create(), instantiate(model.compiled.plan, {}), { x: x!.data });
}

/**
 * The first values that a session opened: x + m for the first inputs, from both servers' first messages. For one
 * input they say whether two sessions had the same masks.
 */
export function firstOpenings(compiled: Compiled, messages: readonly [Uint8Array, Uint8Array]): string {
  const network: Network = instantiate(compiled.plan, {});
  const { modulus } = network.program.stages[0]!.openings[0]!;
  const words = messages.map((m) => new DataView(m.buffer, m.byteOffset).getBigUint64(0, true));
  const opened: bigint[] = [];
  for (let at = 0; at + modulus <= 64; at += modulus) {
    opened.push(BigInt.asUintN(modulus, (words[0]! >> BigInt(at)) + (words[1]! >> BigInt(at))));
  }
  return opened.join();
}
