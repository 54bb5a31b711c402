/** The model owner's side: shares a compiled model and gives each server its own share. */
import { type Compiled, planHash, Ring, SottoError, shareTensors, systemRandom } from "@sotto/core";
import { encodeBundle, encodeTables, modelName } from "@sotto/wire";
import * as z from "zod/mini";
import {
  type CallOptions,
  type Cluster,
  type Deadline,
  type HttpTransport,
  modelPath,
  parse,
  ServerApi,
  underDeadline,
} from "./cluster.js";
import { pause } from "./retry.js";

export interface DeployOptions extends CallOptions {
  transport?: HttpTransport;
}

const stored = z.object({
  plan: z.string(),
  replaces: z.nullish(z.object({ version: z.string(), plan: z.string() })),
});
const ready = z.object({ deployment: z.string() });

const POLL_MS = 50;

export interface Deployed {
  /** Hash of the plan, which clients can pin. */
  plan: string;
  /** Id of this deployment, at both servers. */
  version: string;
  /** What each server served under the name before. */
  replaced: readonly [Version | undefined, Version | undefined];
}

export interface Version {
  version: string;
  plan: string;
}

/**
 * Deploys a model under a name, beside what has it, and waits until both servers serve the new version; until then
 * they serve the one before. Either share goes to its own server only. When it fails half way, deploying again repairs it.
 * @throws SottoError bad-input (the name), unreachable, tls, timeout (saying why it is not ready), and what a
 * server states.
 */
export async function deployOver(
  transport: HttpTransport,
  cluster: Cluster,
  name: string,
  compiled: Compiled,
  options: CallOptions = {},
): Promise<Deployed> {
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
  return underDeadline(options, `deployment of ${name}`, async (deadline) => {
    const [a, b] = await Promise.all(
      servers.map(async (server, i) => {
        const party = i === 0 ? 0 : 1;
        const body = encodeBundle({ party, deployment, plan, tables, share: shares[party] });
        const headers = { "content-type": "application/octet-stream" };
        const reply = await server.call({ method: "PUT", path: modelPath(name), headers, body }, deadline);
        const answer = stored.safeParse(parse(reply.body, server.name)).data;
        if (answer?.plan !== hash) {
          throw new SottoError(
            "plan-mismatch",
            `${server.name} stored plan ${answer?.plan}, expected ${hash}`,
          );
        }
        return answer.replaces ?? undefined;
      }),
    );
    for (const server of servers) {
      await untilReady(server, name, deployment, deadline);
    }
    return { plan: hash, version: deployment, replaced: [a, b] as const };
  });
}

async function untilReady(
  server: ServerApi,
  name: string,
  deployment: string,
  deadline: Deadline,
): Promise<void> {
  const { signal } = deadline;
  for (;;) {
    try {
      const state = ready.safeParse(await server.json(modelPath(name, "/ready"), deadline));
      if (state.data?.deployment === deployment) return;
      throw new SottoError(
        "conflict",
        `${server.name}: model ${name} has been deployed by somebody else meanwhile`,
      );
    } catch (error) {
      if (!(error instanceof SottoError) || error.code !== "unreachable") throw error;
      deadline.last = error;
    }
    await pause(POLL_MS, signal);
  }
}
