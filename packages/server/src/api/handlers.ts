/** What each route of the API does. */
import { SottoError } from "@sotto/core";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import { callerKey } from "../clients/callers.js";
import type { Logger } from "../log.js";
import { traceContext } from "../observe/trace-context.js";
import type { Model, Models } from "../party/models.js";
import type { Sessions } from "../party/sessions.js";
import type { SetUps } from "../party/setups.js";
import { VERSION } from "../version.js";
import type { Call } from "./calls.js";
import { describePlan } from "./describe.js";
import { openApi } from "./openapi.js";
import { OCTETS, ROUTES, type RouteName } from "./routes.js";

export interface ApiContext {
  party: 0 | 1;
  log: Logger;
  models: Models;
  setups: Pick<SetUps, "served" | "whyNotReady" | "need" | "whyNot">;
  sessions: Pick<Sessions, "infer">;
  /** A model has been put. */
  onModel: (model: Model) => void | Promise<void>;
  /** A model has been removed here. */
  onRemoved: (name: string) => void | Promise<void>;
  /** Why this server cannot serve at all at the moment. @throws SottoError */
  checkConnections: () => void;
  /** The shortest round trip to the other server so far. */
  roundTripMs: () => number | undefined;
}

interface Asked {
  request: FastifyRequest;
  reply: FastifyReply;
  call: Call;
}

/** A JSON reply has the type that the table of routes states; bytes are sent by the handler. */
type Answer<R> = R extends z.ZodType ? z.input<R> : FastifyReply;
export type Handlers = {
  [N in RouteName]: (asked: Asked) => Promise<Answer<(typeof ROUTES)[N]["reply"]>>;
};

export function handlersOf(context: ApiContext): Handlers {
  const { party, models, setups, sessions, log } = context;
  const document = openApi(VERSION);
  return {
    server: async () => ({ name: "sotto", version: VERSION, extensions: ["sotto_shares"], party }),
    document: async () => ({ ...document }),
    live: async () => ({ live: true }),

    ready: async ({ call }) => {
      try {
        context.checkConnections();
      } catch (error) {
        // addresses are nobody's business who has not said who they are
        throw call.caller ? error : new SottoError("unreachable", `server ${party} is not ready`);
      }
      const roundTripMs = call.caller ? context.roundTripMs() : undefined;
      return { ready: true, ...(roundTripMs === undefined ? {} : { roundTripMs }) };
    },

    models: async () => ({
      party,
      models: models.names().map((name) => {
        const served = setups.served(name);
        const reason = setups.whyNotReady(name);
        return {
          name,
          ready: reason === undefined,
          ...(reason === undefined ? {} : { reason }),
          hash: served.hash,
          version: served.deployment,
          versions: models.versions(name).map((m) => ({
            version: m.deployment,
            hash: m.hash,
            profile: m.plan.profile,
            stored: m.stored,
            served: reason === undefined && m === served,
          })),
        };
      }),
    }),

    model: async ({ call }) => {
      const name = call.model!;
      const { plan, hash, deployment } = setups.served(name);
      const versions = models.versions(name).map((m) => m.deployment);
      const about = { name, versions, version: deployment, platform: "sotto" as const, hash, party };
      return { ...about, profile: plan.profile, ...describePlan(plan), plan: { ...plan } };
    },

    tables: async ({ request, reply, call }) => {
      const expected = request.headers["sotto-plan"];
      const held = models.versions(call.model!).find((m) => m.hash === expected);
      const { tables, deployment } = held ?? setups.served(call.model!);
      return send(reply.header("sotto-version", deployment), tables);
    },

    modelReady: async ({ call }) => {
      const name = call.model!;
      const newest = models.need(name);
      const { model } = setups.need(name);
      if (model === newest) return { name, ready: true, plan: model.hash, deployment: model.deployment };
      throw new SottoError(
        "unreachable",
        `model ${name}: version ${newest.deployment} is not ready, ${model.deployment} is served: ` +
          setups.whyNot(name),
      );
    },

    deploy: async ({ request, call }) => {
      const name = call.model!;
      const before = models.versions(name).length > 0 ? setups.served(name) : undefined;
      const model = await models.put(name, bodyOf(request));
      call.version = model.deployment;
      log.info({ model: name, version: model.deployment, bytes: model.share.length }, "model stored");
      await context.onModel(model);
      const replaces = before ? { version: before.deployment, plan: before.hash } : null;
      return { plan: model.hash, party, version: model.deployment, replaces };
    },

    remove: async ({ call }) => {
      const name = call.model!;
      const versions = (await models.remove(name)).map((m) => m.deployment);
      if (versions[0]) call.version = versions[0];
      await context.onRemoved(name);
      return { name, party, versions };
    },

    infer: async ({ request, reply, call }) => {
      const model = call.model!;
      models.need(model);
      call.version = setups.served(model).deployment;
      const gone = new AbortController();
      reply.raw.on("close", () => gone.abort());
      const { output, stats, version } = await sessions.infer(
        call.session!,
        {
          model,
          plan: String(request.headers["sotto-plan"]),
          sizes: call.sizes!,
          input: bodyOf(request),
          look: call.look,
          roundTimes: call.roundTimes,
          client: call.caller ? callerKey(call.caller) : "",
          arrived: call.arrived,
          trace: traceContext(request.headers),
        },
        gone.signal,
      );
      call.version = version;
      return send(reply.headers({ "sotto-stats": JSON.stringify(stats), "sotto-version": version }), output);
    },
  };
}

function bodyOf({ body }: FastifyRequest): Uint8Array {
  if (body instanceof Uint8Array) return body;
  throw new SottoError("bad-input", `expected a body of type ${OCTETS}`);
}

function send(reply: FastifyReply, bytes: Uint8Array): FastifyReply {
  return reply.type(OCTETS).send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
}

/** For the routes that are registered: method and address. */
export const TABLE = Object.entries(ROUTES) as [RouteName, (typeof ROUTES)[RouteName]][];
