/** What each route of the API does at a front. */
import { SottoError } from "@sotto/core";
import { asSottoError } from "@sotto/wire";
import type { Handlers } from "../api/handlers.js";
import { openApi } from "../api/openapi.js";
import { inferHeaders, OCTETS } from "../api/routes.js";
import { callerKey } from "../clients/callers.js";
import { VERSION } from "../version.js";
import { type Answered, type Forwarder, originForm } from "./forward.js";
import type { Worker } from "./messages.js";
import type { Placing } from "./placing.js";

/** What a worker needs of a request's headers. */
const PASSED = ["content-type", "tracestate", ...Object.keys(inferHeaders.shape)];
const ANSWERED = ["sotto-stats", "sotto-version"];

type Asked = Parameters<Handlers["infer"]>[0];

export function forwardingHandlers(party: 0 | 1, placing: Placing, forwarder: Forwarder): Handlers {
  const document = openApi(VERSION);

  const pass = ({ request, call }: Asked, worker: Worker, signal?: AbortSignal) => {
    const headers: Record<string, string> = {};
    for (const name of PASSED) {
      const value = request.headers[name];
      if (typeof value === "string") headers[name] = value;
    }
    return forwarder.send(worker, {
      ...{ method: request.method, path: originForm(request.url), headers, caller: call.caller },
      body: request.body instanceof Uint8Array ? request.body : undefined,
      ...(signal ? { signal } : {}),
    });
  };
  // biome-ignore lint/suspicious/noExplicitAny: the worker's answer has the type that the route states
  const json = async (asked: Asked): Promise<any> => {
    const answered = await pass(asked, placing.any(asked.call.model));
    return JSON.parse(answered.body.toString());
  };
  const bytes = ({ reply, call }: Asked, { headers, body }: Answered) => {
    for (const name of ANSWERED) {
      const value = headers[name];
      if (typeof value === "string") reply.header(name, value);
      if (name === "sotto-version" && typeof value === "string") call.version = value;
    }
    return reply.type(OCTETS).send(body);
  };

  return {
    server: async () => ({ name: "sotto", version: VERSION, extensions: ["sotto_shares"], party }),
    document: async () => ({ ...document }),
    live: async () => ({ live: true }),
    ready: async (asked) => {
      try {
        return await json(asked);
      } catch (error) {
        throw asked.call.caller ? error : new SottoError("unreachable", `server ${party} is not ready`);
      }
    },
    models: json,
    model: json,
    tables: async (asked) => bytes(asked, await pass(asked, placing.any(asked.call.model))),
    modelReady: async (asked) => {
      // once a client is told that a version is ready, it may meet any of them
      const workers = placing.all();
      const settled = await Promise.allSettled(
        workers.map(async (w) => JSON.parse((await pass(asked, w)).body.toString())),
      );
      const answers = settled.flatMap((s) => (s.status === "fulfilled" ? [s.value] : []));
      const errors = settled.flatMap((s) => (s.status === "rejected" ? [asSottoError(s.reason)] : []));
      // one that does not know the model yet will, if another one does
      const passing = errors.find(({ code }) => code !== "not-found");
      if (passing || answers.length === 0) throw passing ?? errors[0];
      const [first] = answers;
      if (errors.length === 0 && answers.every((a) => a.deployment === first.deployment)) return first;
      throw new SottoError("unreachable", `server ${party}: some of its workers have another version still`);
    },
    deploy: async (asked) => {
      const answer = await json(asked);
      asked.call.version = answer.version;
      return answer;
    },
    remove: json,
    infer: async (asked) => {
      const { request, reply, call } = asked;
      const gone = new AbortController();
      reply.raw.on("close", () => gone.abort());
      if (!(request.body instanceof Uint8Array)) {
        throw new SottoError("bad-input", `expected a body of type ${OCTETS}`);
      }
      const about = {
        model: call.model!,
        plan: String(request.headers["sotto-plan"]),
        bytes: request.body.length,
        client: call.caller ? callerKey(call.caller) : "",
      };
      const worker = await placing.of(call.session!, about, gone.signal);
      return bytes(asked, await pass(asked, worker, gone.signal));
    },
  };
}
