/** The model owner's side: shares a compiled model and gives each server its own share. */
import { type Compiled, planHash, Ring, SottoError, shareTensors, systemRandom } from "@sotto/core";
import { encodeBundle, encodeTables, modelName } from "@sotto/wire";
import { z } from "zod";
import {
  type CallOptions,
  type Cluster,
  type HttpTransport,
  modelPath,
  parse,
  ServerApi,
  underDeadline,
} from "./cluster.js";

export interface DeployOptions extends CallOptions {
  transport?: HttpTransport;
}

const stored = z.object({ plan: z.string() });
const ready = z.object({ deployment: z.string() });

const POLL_MS = 50;

/**
 * Deploys a model under a name, in place of what had it, and waits until both servers are ready to serve it.
 * Either share goes to its own server only.
 * @throws SottoError bad-input (the name), unreachable, tls, timeout (saying why it is not ready), and what a
 * server states.
 */
export async function deployOver(
  transport: HttpTransport,
  cluster: Cluster,
  name: string,
  compiled: Compiled,
  options: CallOptions = {},
): Promise<{ plan: string }> {
  if (!modelName.safeParse(name).success) {
    throw new SottoError(
      "bad-input",
      `model name "${name}": expected 1 to 100 letters, digits, dots, dashes or underscores`,
    );
  }
  const { plan } = compiled;
  const hash = planHash(plan);
  const shares = shareTensors(await Ring.create(), plan, compiled.tensors);
  const tables = encodeTables(plan, compiled.publicTensors);
  const deployment = [...systemRandom(16)].map((b) => b.toString(16).padStart(2, "0")).join("");
  const servers = [new ServerApi(cluster, 0, transport), new ServerApi(cluster, 1, transport)] as const;
  let reason = "";
  try {
    await underDeadline(options, `deployment of ${name}`, async (signal) => {
      await Promise.all(
        servers.map(async (server, i) => {
          const party = i === 0 ? 0 : 1;
          const body = encodeBundle({ party, deployment, plan, tables, share: shares[party] });
          const headers = { "content-type": "application/octet-stream" };
          const reply = await server.call({ method: "PUT", path: modelPath(name), headers, body, signal });
          const answer = stored.safeParse(parse(reply.body, server.name)).data?.plan;
          if (answer !== hash) {
            throw new SottoError("plan-mismatch", `${server.name} stored plan ${answer}, expected ${hash}`);
          }
        }),
      );
      for (const server of servers) {
        await untilReady(server, name, deployment, signal, (why) => {
          reason = why;
        });
      }
    });
  } catch (error) {
    if (!(error instanceof SottoError) || error.code !== "timeout" || !reason) throw error;
    throw new SottoError("timeout", `${error.message}; ${reason}`, { cause: error });
  }
  return { plan: hash };
}

async function untilReady(
  server: ServerApi,
  name: string,
  deployment: string,
  signal: AbortSignal,
  notYet: (reason: string) => void,
): Promise<void> {
  for (;;) {
    try {
      const state = ready.safeParse(await server.json(modelPath(name, "/ready"), signal));
      if (state.data?.deployment === deployment) return;
      throw new SottoError(
        "conflict",
        `${server.name}: model ${name} has been deployed by somebody else meanwhile`,
      );
    } catch (error) {
      if (!(error instanceof SottoError) || error.code !== "unreachable") throw error;
      notYet(error.message);
    }
    await pause(POLL_MS, signal);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", aborted);
      resolve();
    }, ms);
    if (signal.aborted) aborted();
    else signal.addEventListener("abort", aborted, { once: true });
  });
}
