/** What is public of a model: fetched from both servers, and checked before anything is shared. */
import { type Plan, planHash, SottoError, type Tensor } from "@sotto/core";
import { checkPlan, decodeTables } from "@sotto/wire";
import * as z from "zod/mini";
import { type Asking, type CallOptions, type Deadline, modelPath, type ServerApi } from "./cluster.js";
import { isPassing, type RetryOptions, withRetries } from "./retry.js";

export interface ModelOptions extends CallOptions, RetryOptions {
  /** The hash of the plan that the model must have, for clients that know it. */
  plan?: string;
}

export type Servers = readonly [ServerApi, ServerApi];

const description = z.object({ plan: z.unknown(), hash: z.string() });

/** Fetches and checks a model's public part. @throws SottoError plan-mismatch naming both hashes. */
export async function fetchModel(
  servers: Servers,
  name: string,
  options: ModelOptions,
  deadline: Deadline,
): Promise<PublicPart> {
  let differ = false;
  const attempt = async () => {
    differ = false;
    return fetchOnce(servers, name, options.plan, deadline, () => {
      differ = true;
    });
  };
  // two servers that are being deployed to agree again in a moment
  return withRetries(options, deadline, attempt, undefined, (error) => differ || isPassing(error));
}

interface PublicPart {
  plan: Plan;
  hash: string;
  tables: Record<string, Tensor>;
}

async function fetchOnce(
  servers: Servers,
  name: string,
  pinned: string | undefined,
  asking: Asking,
  onDiffer: () => void,
): Promise<PublicPart> {
  const [a, b] = await Promise.all(
    servers.map(async (server) => {
      const answer = description.safeParse(await server.json(modelPath(name), asking));
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
    onDiffer();
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
  const headers = { "sotto-plan": hash };
  const reply = await servers[0].call({ method: "GET", path: modelPath(name, "/tables"), headers }, asking);
  return { plan, hash, tables: decodeTables(plan, reply.body) };
}
