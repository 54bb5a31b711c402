import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadCluster } from "@sotto/client";
import { SottoError } from "@sotto/core";
import { afterAll, describe, expect, it } from "vitest";
import { loadDealerConfig, loadFrontConfig, loadServerConfig } from "./config.js";

const dir = mkdtempSync(join(tmpdir(), "sotto-config-"));
const file = join(dir, "config.yaml");
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** The message with which a text is refused. */
function refusal(load: (path: string) => unknown, text: string): string {
  writeFileSync(file, text);
  try {
    load(file);
  } catch (error) {
    expect(error).toBeInstanceOf(SottoError);
    expect((error as SottoError).code).toBe("bad-config");
    return (error as Error).message;
  }
  return "accepted";
}

const TLS = "tls: {ca: certs/ca.pem, cert: certs/x.pem, key: certs/x.key}";
const SERVER = `
party: 0
data: models
http: {host: 127.0.0.1, port: 9440}
peer: {listen: {host: 127.0.0.1, port: 9441}}
dealer: {host: 127.0.0.1, port: 9442}
${TLS}
`;

describe("a configuration", () => {
  it("is read, with paths relative to its file and defaults filled in", () => {
    writeFileSync(file, SERVER);
    const config = loadServerConfig(file);
    expect(config.data).toBe(join(dir, "models"));
    expect(config.tls.ca).toBe(join(dir, "certs/ca.pem"));
    expect(config.limits).toEqual({
      heartbeatMs: 30_000,
      drainMs: 30_000,
      sessionTimeoutMs: 50_000,
      roundTimeoutMs: 20_000,
      maxBodyBytes: 2 ** 28,
      maxSessions: 64,
      queueLength: 256,
      queueBytes: 2 ** 28,
      queueWaitMs: 20_000,
      joinTimeoutMs: 10_000,
      maxUploads: 8,
      replyTimeoutMs: 30_000,
      maxStreams: 32,
      pool: 2,
      streamIdleMs: 300_000,
      preparedBytes: 12 * 2 ** 20,
    });
    expect(config.metrics).toBeUndefined();
    const metrics = 'metrics: {listen: "127.0.0.1:9464", tls: {cert: m.pem, key: m.key}}';
    writeFileSync(file, `listen: {host: 0.0.0.0, port: 0}\n${TLS}\n${metrics}\nlog: {level: debug}`);
    const dealer = loadDealerConfig(file);
    expect(dealer.log).toEqual({ level: "debug" });
    expect(dealer.metrics?.tls?.cert).toBe(join(dir, "m.pem"));
    expect(dealer.limits).toEqual({ heartbeatMs: 30_000, drainMs: 30_000, setUpBytes: 2 ** 28 });
    writeFileSync(file, `servers: [{url: "https://a:1"}, {url: "https://b:2"}]\n${TLS}`);
    expect(loadCluster(file).servers[1].url).toBe("https://b:2");
  });

  it("of a worker and of a front has the organisation's NATS, with paths relative to the file", () => {
    const workers =
      "workers: {nats: {servers: [a:4222], credentials: s.creds, tls: {ca: n.pem}}, version: two}";
    writeFileSync(file, `${SERVER}${workers}`);
    expect(loadServerConfig(file).workers).toEqual({
      nats: {
        ...{ servers: ["a:4222"], prefix: "sotto", replicas: 1 },
        ...{ credentials: join(dir, "s.creds"), tls: { ca: join(dir, "n.pem") } },
      },
      version: "two",
    });
    writeFileSync(file, `party: 1\nhttp: {host: a, port: 1}\nclients: {tokens: t.yaml}\n${TLS}\n${workers}`);
    const front = loadFrontConfig(file);
    expect([front.clients.tokens, front.tls.ca]).toEqual([join(dir, "t.yaml"), expect.stringContaining(dir)]);
    writeFileSync(file, `party: dealer\n${TLS}\n${workers}`);
    expect(loadFrontConfig(file).http).toBeUndefined();
  });

  it("is refused with file, key, what was expected and what was found", () => {
    const cases: [(path: string) => unknown, string, RegExp][] = [
      [loadServerConfig, SERVER.replace("party: 0", "party: 2"), /config.yaml: party: .*0.*1.*found 2/],
      [
        loadServerConfig,
        SERVER.replace("port: 9440", "port: many"),
        /http.port: expected a number from 0 to 65535, found "many"/,
      ],
      [
        loadServerConfig,
        SERVER.replace("port: 9440", "port: 70000"),
        /http.port: expected a number from 0 to 65535, found 70000/,
      ],
      [
        loadServerConfig,
        SERVER.replace("data: models", "data: ''"),
        /data: expected a text that is not empty/,
      ],
      [loadServerConfig, SERVER.replace("data: models", ""), /data: expected string, found nothing/],
      [
        loadServerConfig,
        SERVER.replace("dealer:", "dealr:"),
        /unknown key dealr; expected the keys party, data, http, plainHttp, peer, dealer, tls, limits, metrics, workers, clients, cors, audit, log/,
      ],
      [
        loadServerConfig,
        SERVER.replace("party: 0", "party: 1"),
        /peer.connect: party 1 connects to party 0: expected \{host, port\}/,
      ],
      [
        loadServerConfig,
        `${SERVER}limits: {sessionTimeoutMs: 1}`,
        /limits.sessionTimeoutMs: expected a number of 100 or more, found 1/,
      ],
      ...["0.0.0.0", "10.0.0.7", "::", "localhost"].map(
        (host): [(path: string) => unknown, string, RegExp] => [
          loadServerConfig,
          `${SERVER}clients: {tokens: t.yaml}\nplainHttp: {host: "${host}", port: 1}`,
          /plainHttp.host: expected 127.0.0.1 or ::1: without TLS anybody on the way could read .*proxy.*, found "/,
        ],
      ),
      [
        loadServerConfig,
        `${SERVER}plainHttp: {host: 127.0.0.1, port: 1}`,
        /plainHttp: needs clients.tokens: without TLS there are no certificates/,
      ],
      [
        loadServerConfig,
        `${SERVER}workers: {nats: {servers: []}}`,
        /workers.nats.servers: expected one address host:port at least/,
      ],
      ...["plainHttp: {host: 127.0.0.1, port: 1}", "cors: {origins: ['*']}", "clients: {tokens: t.yaml}"].map(
        (ofClients): [(path: string) => unknown, string, RegExp] => [
          loadServerConfig,
          `${SERVER}workers: {nats: {servers: [a]}}\n${ofClients}`,
          /(plainHttp|cors|clients.tokens): belongs into the front's configuration/,
        ],
      ),
      [
        loadFrontConfig,
        `party: 0\nhttp: {host: a, port: 1}\n${TLS}\nworkers: {nats: {servers: [a]}}\nplainHttp: {host: 127.0.0.1, port: 1}`,
        /plainHttp: needs clients.tokens/,
      ],
      [loadServerConfig, `${SERVER}workers: {}`, /workers.nats: expected object, found nothing/],
      [
        loadFrontConfig,
        `party: 0\n${TLS}\nworkers: {nats: {servers: [a]}}`,
        /http: party 0: expected \{host, port\} for clients/,
      ],
      [loadDealerConfig, TLS, /listen: expected object, found nothing/],
      [loadDealerConfig, "listen: {host", /not YAML/],
      ...["9464", "localhost:70000", ":9464", "http://localhost:1"].map(
        (listen): [(path: string) => unknown, string, RegExp] => [
          loadServerConfig,
          `${SERVER}metrics: {listen: "${listen}"}`,
          /metrics.listen: expected "host:port", for example "127.0.0.1:9464", found "/,
        ],
      ),
      [
        loadDealerConfig,
        "",
        /config.yaml: the file is empty; expected the keys listen, tls, limits, metrics, workers, log/,
      ],
      [
        loadDealerConfig,
        `listen: {hots: a, port: 1}\n${TLS}`,
        /listen: unknown key hots; expected the keys host, port/,
      ],
      [loadCluster, `servers: [{url: "https://a:1"}]\n${TLS}`, /servers: expected a list of 2, found/],
      [
        loadCluster,
        `servers: [{url: "http://a:1"}, {url: x}]\n${TLS}`,
        /servers.0.url: expected an address https/,
      ],
    ];
    for (const [load, text, message] of cases) expect(refusal(load, text)).toMatch(message);
  });

  it("is in docs/api.md as it is read, with the limits that hold by default", () => {
    writeFileSync(file, SERVER);
    const { limits } = loadServerConfig(file).clients;
    const text = readFileSync(new URL("../../../docs/api.md", import.meta.url), "utf8");
    const example = /```yaml\n(.*?)```/s.exec(text)![1]!;
    writeFileSync(file, SERVER + example);
    const config = loadServerConfig(file);
    expect(config.clients).toEqual({
      tokens: join(dir, "tokens-0.yaml"),
      limits: { ...limits, maxSizes: { time: 2000 } },
    });
    expect(config.audit).toEqual({ file: join(dir, "audit-0.log") });
    expect(config.cors).toEqual({ origins: ["https://app.example.org"] });
    const page = SERVER.concat("cors: {origins: [https://a/page]}");
    expect(refusal(loadServerConfig, page)).toMatch(/cors.origins.0: expected an origin https:\/\/host/);
  });

  it("that is not there is named", () => {
    expect(() => loadDealerConfig(join(dir, "none.yaml"))).toThrow(/none.yaml: there is no such file/);
  });
});
