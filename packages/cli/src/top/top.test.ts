/** What `sotto top` makes of metrics, and that it leaves a terminal as it was. */
import { EventEmitter } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { executeHere } from "../testing/in-process.js";
import { Workshop } from "../testing/sotto.js";
import { figuresOf } from "./figures.js";
import { type Reading, read, valuesOf } from "./read.js";
import { type Input, type Output, Screen } from "./screen.js";
import { sourcesOf } from "./sources.js";
import { render } from "./view.js";

type Metrics = Parameters<typeof valuesOf>[0];

/** After n sessions of 100 ms, 60 of which went by waiting for the peer. */
function metrics(n: number, start = 1): Metrics {
  const one = (name: string, value: number, labels = {}, metricName?: string) => ({
    name,
    values: [{ value, labels, ...(metricName ? { metricName } : {}) }],
  });
  const spent = (spent: string, s: number) =>
    one("sotto_session_spent_seconds", s, { spent }, "sotto_session_spent_seconds_sum");
  return [
    one("process_start_time_seconds", start),
    one("sotto_sessions_total", n, { outcome: "ok" }),
    one("sotto_sessions_total", 3, { outcome: "timeout" }),
    one("sotto_session_seconds", n, { le: "+Inf" }, "sotto_session_seconds_bucket"),
    one("sotto_session_seconds", n, {}, "sotto_session_seconds_count"),
    one("sotto_session_seconds", n * 0.1, {}, "sotto_session_seconds_sum"),
    spent("peer", n * 0.06),
    spent("dealer", n * 0.01),
    spent("compute", n * 0.03),
    one("sotto_bytes_total", n * 1000, { direction: "sent", kind: "data" }),
    one("sotto_bytes_total", n * 10, { direction: "sent", kind: "control" }),
    one("sotto_connection_up", 1, { other: "dealer" }),
    one("sotto_connection_up", 0, { other: "server-1" }),
    one("process_cpu_seconds_total", n * 0.05),
  ];
}

const reading = (at: number, n: number, start = 1): Reading => ({ at, values: valuesOf(metrics(n, start)) });

describe("sotto top", () => {
  it("shows rates and means of what happened between two readings", () => {
    const { figures } = figuresOf("server-0", reading(1000, 10), reading(3000, 30));
    expect(figures).toMatchObject({
      sessionsPerSecond: 10,
      failedPerSecond: 0,
      sentBytesPerSecond: 10_100,
      workers: 1,
      connectionsUp: 1,
    });
    const { total, peer, dealer, compute, queue } = figures!.latencyMs!;
    expect([total, peer, dealer, compute, queue].map(Math.round)).toEqual([100, 60, 10, 30, 0]);
    expect(Math.round(figures!.cpuPercent)).toBe(50);
    const text = render([figuresOf("server-0", reading(1000, 10), reading(3000, 30))], "now");
    expect(text).toMatch(/^now\n +server 0\nsessions\/s +10\n/);
    expect(text).toMatch(/ {2}waiting for the peer +60 ms\n/);
    expect(text).toMatch(/connections +1 of 2\n/);
  });

  it("shows no latency where no session has ended, and nothing of a party that is away or was restarted", () => {
    expect(figuresOf("dealer", reading(0, 5), reading(1000, 5)).figures!.latencyMs).toBeNull();
    const away: Reading = { at: 1000, values: undefined, error: "ECONNREFUSED" };
    expect(figuresOf("dealer", reading(0, 5), away)).toMatchObject({ figures: null, error: "ECONNREFUSED" });
    expect(figuresOf("dealer", away, reading(0, 5))).toMatchObject({ figures: null, error: "just come up" });
    const again = figuresOf("dealer", reading(0, 5), reading(1000, 1, 2));
    expect(again).toMatchObject({ figures: null, error: "restarted" });
    expect(render([again], "now")).toMatch(/\nsessions\/s +-\n.*\ndealer: restarted$/s);
  });

  it("counts the connections of all workers, and the dealer's set-ups by themselves", () => {
    const figures = {
      ...figuresOf("dealer", reading(0, 1), reading(1000, 1)).figures!,
      ...{ connectionsUp: 5, models: 4, modelsReady: 4 },
    };
    const of = (party: "dealer" | "server-0", workers: number) => ({
      party,
      figures: { ...figures, workers },
    });
    const text = render([of("dealer", 3), of("server-0", 3)], "now");
    expect(text).toMatch(/\nworkers +3 +3\nconnections +5 of 6 +5 of 6\n/);
    expect(text).toMatch(/\nmodels ready {2,}4 of 4\nset-ups +4 *\n/);
    expect(render([of("dealer", 1)], "now")).not.toContain("workers");
  });

  it("takes the terminal, and gives it back on q, Ctrl-C or an error", async () => {
    for (const key of ["q", "\u0003"]) {
      const raw: boolean[] = [];
      let written = "";
      const input = Object.assign(new EventEmitter(), {
        isTTY: true,
        setRawMode: (on: boolean) => raw.push(on),
        setEncoding: () => {},
        resume: () => {},
        pause: () => {},
      });
      const output = { isTTY: true, rows: 3, write: (text: string) => (written += text) };
      const screen = new Screen(input as unknown as Input, output as unknown as Output);
      screen.show("one\ntwo\nthree");
      expect(written).toMatch(/one.*two/s);
      expect(written).not.toContain("three");
      input.emit("data", "x");
      input.emit("data", key);
      await screen.ended;
      screen.leave();
      screen.leave();
      expect(raw).toEqual([true, false]);
      expect(input.listenerCount("data")).toBe(0);
      expect(written.startsWith("\u001b[?1049h\u001b[?25l")).toBe(true);
      expect(written.endsWith("\u001b[?25h\u001b[?1049l")).toBe(true);
    }
  });
});

describe("where it reads", () => {
  const shop = new Workshop();
  let server: Server;
  let answer = "";
  let delayMs = 0;
  let url: string;
  beforeAll(async () => {
    server = createServer((_, reply) => setTimeout(() => reply.end(answer), delayMs));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.close();
    shop.close();
  });

  it("is named by a file, for as many parties as one likes", async () => {
    const file = shop.file("top.yaml", `parties: {server-1: "${url}/"}`);
    const [source] = sourcesOf(file);
    expect(source).toEqual({ party: "server-1", url });
    answer = JSON.stringify(metrics(7));
    expect((await read(source!, 5000)).values!("sotto_sessions_total")).toBe(10);
    answer = "<html>";
    expect((await read(source!, 5000)).error).toMatch(/JSON/);
    answer = '[{"name": 1}]';
    expect((await read(source!, 5000)).error).toMatch(/no metrics of sotto/);
    expect((await read({ party: "dealer", url: "http://127.0.0.1:1" }, 5000)).error).toBe("ECONNREFUSED");
  });

  it("may answer later than figures are asked for", async () => {
    const file = shop.file("top.yaml", `parties: {server-1: "${url}/"}`);
    answer = JSON.stringify(metrics(7));
    delayMs = 200;
    const { code, stdout } = await executeHere(
      "top",
      "--config",
      file,
      "--once",
      "--json",
      "--interval",
      "0.05",
    );
    delayMs = 0;
    expect(code).toBe(0);
    expect(JSON.parse(stdout).parties[0].figures).toMatchObject({ cpuPercent: 0 });
  });

  it("is refused with what to write instead", async () => {
    const wrong = shop.file("wrong.yaml", "parties: {server-2: x}");
    const none = shop.file("none.yaml", "parties: {}");
    shop.file("dealer.yaml", "listen: {}");
    for (const [args, message] of [
      [["--config", wrong], /unknown key server-2; expected the keys dealer, server-0, server-1/],
      [["--config", none], /expected one at least of dealer, server-0, server-1/],
      [[shop.dir], /dealer\.yaml: this party shows no metrics; add `metrics:/],
      [[], /expected a cluster's directory or --config FILE/],
    ] as const) {
      const done = await executeHere("top", "--once", ...args);
      expect(done.code).toBe(args.length ? 1 : 2);
      expect(done.stderr).toMatch(message);
    }
  });
});
