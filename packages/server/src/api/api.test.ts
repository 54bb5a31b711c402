/** The HTTP API over TLS: what it serves is what its OpenAPI document says, and pages of allowed origins can use it. */
import { readFileSync } from "node:fs";
import { connect, deploy } from "@sotto/client";
import { compile, planHash } from "@sotto/core";
import { randomGru } from "@sotto/core/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newId } from "../parties.js";
import { makeTestFolder, TestCluster } from "../testing/cluster.js";
import { http, type PlainReply } from "../testing/http.js";
import { testModel } from "../testing/models.js";
import { sharesOf } from "../testing/raw.js";
import { STATUS } from "./errors.js";
import { type OpenApi, openApi } from "./openapi.js";
import { STREAM_PATH } from "./openapi-stream.js";
import { schemas } from "./routes.js";

const model = testModel();
const ORIGIN = "https://app.example.org";
const OCTETS = "application/octet-stream";

const document = openApi("0");

/** Headers that any HTTP server may send. */
const ORDINARY = new Set(["content-type", "content-length", "date", "connection", "keep-alive", "vary"]);

/** What of a reply the document does not know. */
function undocumented(document: OpenApi, method: string, path: string, reply: PlainReply): string[] {
  const template = Object.keys(document.paths).find((p) =>
    new RegExp(`^${p.replace(/\{\w+\}/g, "[^/]+")}$`).test(path),
  );
  const operation = template && document.paths[template]![method.toLowerCase()];
  if (!operation) return [`${method} ${path}`];
  const known = operation.responses[String(reply.status)];
  if (!known) return [`${method} ${template}: status ${reply.status}`];
  const headers = Object.keys(reply.headers).filter(
    (h) => !ORDINARY.has(h) && !h.startsWith("access-control-") && !known.headers?.[h],
  );
  const type = reply.headers["content-type"]!.split(";")[0]!;
  if (!known.content?.[type]) headers.push(`type ${type}`);
  const properties = known.content?.[type]?.schema.properties as Record<string, unknown> | undefined;
  const fields = properties ? Object.keys(reply.json() as object).filter((k) => !(k in properties)) : [];
  return [...headers, ...fields].map((what) => `${method} ${template} ${reply.status}: ${what}`);
}

describe("the HTTP API", () => {
  let folder: Awaited<ReturnType<typeof makeTestFolder>>;
  let cluster: TestCluster;

  beforeAll(async () => {
    folder = await makeTestFolder();
    cluster = await TestCluster.start(folder.dir, { config: { cors: { origins: [ORIGIN] } } });
    await deploy(cluster.as("owner"), "m", model.compiled);
  });
  afterAll(async () => {
    await cluster.stop();
    folder.remove();
  });

  it("answers the routes of its document and no others", () => {
    // streams are upgrades, which are no routes of the HTTP server (streams.test.ts)
    const { [STREAM_PATH]: stream, ...paths } = document.paths;
    expect(Object.keys(stream!)).toEqual(["get"]);
    const documented = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((m) => `${m.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`),
    );
    // the route on which pre-flight requests are answered
    const answered = cluster.servers[0]!.routes.filter((r) => !r.startsWith("OPTIONS"));
    expect([...answered].sort()).toEqual(documented.sort());
  });

  it("is in docs/api.md, route by route", () => {
    const text = readFileSync(new URL("../../../../docs/api.md", import.meta.url), "utf8");
    const rows = text.split("\n").filter((line) => /^\| `[A-Z]+` \|/.test(line));
    const told = rows.flatMap((row) => {
      const [method, ...paths] = [
        ...row
          .split("|")
          .slice(1, 3)
          .join()
          .matchAll(/`([^`]+)`/g),
      ].map((m) => m[1]!);
      return paths.map((path) => `${method} ${path}`);
    });
    const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((m) => `${m.toUpperCase()} ${path}`),
    );
    expect(told.sort()).toEqual(documented.sort());
  });

  it("serves its document, which knows every status, header and field of its replies", async () => {
    const served = (await http(cluster.asAnyone(), 0, "GET", "/v2/openapi.json")).json() as OpenApi;
    expect(served.openapi).toBe("3.1.0");
    const [share] = await sharesOf(model, 1);
    const infer = (session: string, plan = planHash(model.compiled.plan)) => ({
      headers: { "content-type": OCTETS, "sotto-session": session, "sotto-plan": plan },
      body: share,
    });
    const [owner, client, anyone] = [cluster.as("owner"), cluster.as("client"), cluster.asAnyone()];
    const session = newId();
    const both = Promise.all([
      http(client, 0, "POST", "/v2/models/m/infer", infer(session)),
      sharesOf(model, 1).then(([, body]) =>
        http(client, 1, "POST", "/v2/models/m/infer", { ...infer(session), body }),
      ),
    ]);
    expect((await both).map((r) => r.status)).toEqual([200, 200]);
    const body = { headers: { "content-type": OCTETS }, body: "no bundle" };
    const cases: [typeof owner, string, string, number, Parameters<typeof http>[4]?][] = [
      [anyone, "GET", "/v2", 200],
      [anyone, "GET", "/v2/health/live", 200],
      [anyone, "GET", "/v2/health/ready", 200],
      [anyone, "GET", "/v2/models", 401],
      [client, "GET", "/v2/models", 200],
      [client, "GET", "/v2/models/m", 200],
      [client, "GET", "/v2/models/.", 400],
      [client, "GET", "/v2/models/none", 404],
      [client, "GET", "/v2/models/m/tables", 200],
      [client, "GET", "/v2/models/m/ready", 200],
      [client, "PUT", "/v2/models/m", 403, body],
      [owner, "PUT", "/v2/models/m", 400, body],
      [owner, "DELETE", "/v2/models/none", 404],
      [anyone, "POST", "/v2/models/m/infer", 401, infer(newId())],
      [client, "POST", "/v2/models/m/infer", 400, infer("7")],
      [client, "POST", "/v2/models/m/infer", 404, infer(newId())],
      [client, "POST", "/v2/models/m/infer", 409, infer(session)],
      [client, "POST", "/v2/models/m/infer", 409, infer(newId(), "0".repeat(64))],
    ];
    const replies: [string, string, PlainReply][] = (await both).map((r) => [
      "POST",
      "/v2/models/m/infer",
      r,
    ]);
    for (const [who, method, path, status, given] of cases) {
      const at = status === 404 && method === "POST" ? "/v2/models/none/infer" : path;
      const reply = await http(who, 0, method, at, given);
      expect([method, at, reply.status, reply.text]).toEqual([method, at, status, reply.text]);
      replies.push([method, at, reply]);
    }
    for (const [method, path, reply] of replies)
      expect(undocumented(served, method, path, reply)).toEqual([]);
    // the check itself notices what is missing
    const [, , good] = replies[0]!;
    const poor = structuredClone(served);
    poor.paths["/v2/models/{name}/infer"]!.post!.responses[200]!.headers = {};
    expect(undocumented(poor, "POST", "/v2/models/m/infer", good).length).toBe(2);
    expect(good.headers["sotto-version"]).toMatch(/^[0-9a-f]{32}$/);
  });

  it("documents every header that a request needs, and every error that a caller can cause", () => {
    const { post } = document.paths["/v2/models/{name}/infer"]!;
    expect(post!.parameters.map((p) => [p.name, p.required])).toEqual([
      ["name", true],
      ["sotto-session", true],
      ["sotto-plan", true],
      ["sotto-sizes", false],
      ["sotto-look", false],
      ["sotto-round-times", false],
      ["traceparent", false],
    ]);
    const statuses = Object.keys(post!.responses).map(Number);
    for (const code of [
      "unauthorized",
      "forbidden",
      "busy",
      "unreachable",
      "timeout",
      "does-not-fit",
    ] as const)
      expect(statuses).toContain(STATUS[code]);
    for (const status of [429, 503])
      expect(Object.keys(post!.responses[status]!.headers!)).toEqual(["retry-after"]);
  });

  it("describes a model as the Open Inference Protocol does, with what is open", async () => {
    const { layers, tensors } = randomGru({ seed: 3, hidden: 8, inputSize: 4, steps: 2 });
    const compiled = compile({
      name: "open",
      inputs: [{ name: "x", shape: ["time", 1, 4], kind: "real" }],
      outputs: [{ name: "y" }, { name: "h" }],
      layers: [{ ...layers[0]!, outputs: ["y", "h"] }],
      tensors,
      constants: {},
    });
    await deploy(cluster.as("owner"), "open", compiled);
    const reply = await http(cluster.as("client"), 1, "GET", "/v2/models/open");
    const about = schemas.model.parse(reply.json());
    expect(about).toMatchObject({ name: "open", platform: "sotto", party: 1, hash: planHash(compiled.plan) });
    expect(about.inputs).toEqual([
      {
        name: "x",
        datatype: "FP32",
        shape: [-1, 1, 4],
        sizes: ["time", 1, 4],
        kind: "real",
        range: compiled.plan.ranges.x,
      },
    ]);
    expect(about.outputs).toEqual([
      { name: "y", datatype: "FP32", shape: [-1, 1, 1, 8] },
      { name: "h", datatype: "FP32", shape: [1, 1, 8] },
    ]);
    expect(about.versions).toEqual([about.version]);
    expect(about.plan).toEqual(JSON.parse(JSON.stringify(compiled.plan)));
  });

  it("answers a browser's pre-flight request without a certificate, and lets pages read what they need", async () => {
    const path = "/v2/models/m/infer";
    const ask = (origin: string) => ({
      headers: {
        origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,sotto-session",
      },
    });
    const allowed = await http(cluster.asAnyone(), 0, "OPTIONS", path, ask(ORIGIN));
    expect(allowed.status).toBe(204);
    expect(allowed.headers["access-control-allow-origin"]).toBe(ORIGIN);
    const words = (header: string | undefined) => header?.split(/, */) ?? [];
    expect(words(allowed.headers["access-control-allow-headers"])).toEqual(
      expect.arrayContaining(["authorization", "sotto-session", "sotto-plan", "sotto-sizes"]),
    );
    const other = await http(cluster.asAnyone(), 0, "OPTIONS", path, ask("https://evil.example.org"));
    expect(other.headers["access-control-allow-origin"]).toBeUndefined();
    // errors as well: a page has to know why
    const refused = await http(cluster.asAnyone(), 0, "POST", path, { headers: { origin: ORIGIN } });
    expect([refused.status, refused.headers["access-control-allow-origin"]]).toEqual([401, ORIGIN]);
    expect(words(refused.headers["access-control-expose-headers"])).toEqual(
      expect.arrayContaining(["sotto-stats", "sotto-version", "retry-after"]),
    );
  });

  it("tells whoever is not known that it is not ready, and a client why", async () => {
    await cluster.stopDealer();
    const ready = async (who: "client" | undefined) => {
      const reply = await http(who ? cluster.as(who) : cluster.asAnyone(), 0, "GET", "/v2/health/ready");
      expect(undocumented(document, "GET", "/v2/health/ready", reply)).toEqual([]);
      return [reply.status, (reply.json() as { message?: string }).message];
    };
    await expect.poll(() => ready(undefined)).toEqual([503, "server 0 is not ready"]);
    expect(await ready("client")).toEqual([503, expect.stringMatching(/the dealer is not connected: ./)]);
    await cluster.startDealer();
    await expect.poll(() => ready("client"), { timeout: 10_000 }).toEqual([200, undefined]);
  });

  it("needs a certificate for a connection where nothing else is configured", async () => {
    await cluster.stop();
    cluster = await TestCluster.start(folder.dir);
    await expect(http(cluster.asAnyone(), 0, "GET", "/v2/health/live")).rejects.toThrow(
      /certificate required/,
    );
    expect((await http(cluster.as("client"), 0, "GET", "/v2/health/live")).status).toBe(200);
    const { servers, tls } = cluster.asAnyone();
    const client = connect({ servers, tls: tls! }, { token: `sotto_${"A".repeat(43)}` });
    await expect(client.model("m", { retries: 0 })).rejects.toMatchObject({ code: "tls" });
    client.close();
    const headers = { authorization: "Bearer x" };
    const reply = await http(cluster.as("client"), 0, "GET", "/v2/models", { headers });
    expect([reply.status, reply.text]).toEqual([401, expect.stringMatching(/takes no tokens/)]);
    expect(reply.headers["www-authenticate"]).toMatch(/^Bearer/);
  });
});
