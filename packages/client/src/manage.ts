/** What the servers hold, and removing it. */
import { PROFILES, SottoError } from "@sotto/core";
import * as z from "zod/mini";
import { type Asking, type Deadline, modelPath, parse, type ServerApi } from "./cluster.js";
import { type RetryOptions, withRetries } from "./retry.js";

const held = z.object({
  name: z.string(),
  ready: z.boolean(),
  reason: z.optional(z.string()),
  versions: z.array(
    z.object({
      version: z.string(),
      hash: z.string(),
      profile: z.enum(PROFILES),
      stored: z.string(),
      served: z.boolean(),
    }),
  ),
});
const answer = z.object({ models: z.array(held) });

/** A version of a model at one server. */
export type ListedVersion = z.infer<typeof held>["versions"][number];

export interface ListedModel {
  name: string;
  /** Whether clients can use it: both servers serve the same version. */
  ready: boolean;
  /** Why not. */
  reason?: string;
  /** What each server holds, newest first; nothing where it does not know the model. */
  servers: [ListedVersion[], ListedVersion[]];
}

type Servers = readonly [ServerApi, ServerApi];

export async function listModels(
  servers: Servers,
  options: RetryOptions,
  deadline: Deadline,
): Promise<ListedModel[]> {
  const [a, b] = await Promise.all(
    servers.map((server) => withRetries(options, deadline, () => modelsOf(server, deadline))),
  );
  const names = [...new Set([...a!, ...b!].map((m) => m.name))].sort();
  return names.map((name) =>
    merge(
      name,
      [a!, b!].map((list) => list.find((m) => m.name === name)),
    ),
  );
}

const line = z.object({ roundTripMs: z.optional(z.number()) });

export async function roundTripBetween(
  servers: Servers,
  options: RetryOptions,
  deadline: Deadline,
): Promise<number | undefined> {
  const said = await Promise.all(
    servers.map((server) =>
      withRetries(options, deadline, async () =>
        line.safeParse(await server.json("/v2/health/ready", deadline)),
      ),
    ),
  );
  const times = said.flatMap(({ data }) => data?.roundTripMs ?? []);
  return times.length > 0 ? Math.min(...times) : undefined;
}

export async function removeModel(
  servers: Servers,
  name: string,
  options: RetryOptions,
  deadline: Deadline,
): Promise<void> {
  const outcomes = await Promise.all(
    servers.map((server) =>
      withRetries(options, deadline, () =>
        server.call({ method: "DELETE", path: modelPath(name) }, deadline),
      ).then(
        () => undefined,
        (error: unknown) => error,
      ),
    ),
  );
  const missing = (error: unknown) => error instanceof SottoError && error.code === "not-found";
  // a removal that was cut short is completed by the next
  const failed = outcomes.find((error) => error !== undefined && !missing(error));
  if (failed !== undefined) throw failed;
  if (outcomes.every(missing)) throw outcomes[0];
}

async function modelsOf(server: ServerApi, asking: Asking) {
  const reply = await server.call({ method: "GET", path: "/v2/models" }, asking);
  const parsed = answer.safeParse(parse(reply.body, server.name));
  if (parsed.success) return parsed.data.models;
  throw new SottoError("protocol", `${server.name} does not list its models as expected`);
}

function merge(name: string, at: (z.infer<typeof held> | undefined)[]): ListedModel {
  const servers: ListedModel["servers"] = [at[0]?.versions ?? [], at[1]?.versions ?? []];
  const served = servers.map((list) => list.find((v) => v.served)?.version);
  if (served[0] !== undefined && served[0] === served[1]) return { name, ready: true, servers };
  const lacking = servers.findIndex((list) => list.length === 0);
  const reason =
    lacking >= 0
      ? `server ${lacking} does not hold it; deploy it again, or remove it`
      : (at.find((m) => m?.reason)?.reason ?? "the servers serve different versions; deploy it again");
  return { name, ready: false, reason, servers };
}
