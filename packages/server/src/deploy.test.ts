/** That the files under deploy/ fit the code: configuration, ports, paths, probes, deadlines, names of metrics. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadCluster } from "@sotto/client";
import { afterAll, describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { loadDealerConfig, loadServerConfig } from "./config.js";
import { addressOf } from "./observe/config.js";
import { makeRegistry } from "./observe/registry.js";
import { Tally } from "./observe/tally.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PARTIES = ["dealer", "server-0", "server-1"] as const;
type Party = (typeof PARTIES)[number];
const file = (...names: string[]) => join(ROOT, "deploy", ...names);
const text = (...names: string[]) => readFileSync(file(...names), "utf8");
const scratch = mkdtempSync(join(tmpdir(), "sotto-deploy-"));
afterAll(() => rmSync(scratch, { recursive: true }));
/** As in packages/cli/src/cluster/child.ts. */
const HEAP = ["--max-semi-space-size=4", "--heap-growing-percent=100"];

/** What the code makes of a party's configuration. */
function facts(party: Party, path: string) {
  const config = party === "dealer" ? loadDealerConfig(path) : loadServerConfig(path);
  const listens: number[] = [];
  if ("listen" in config) listens.push(config.listen.port);
  if ("http" in config)
    listens.push(config.http.port, ...(config.peer.listen ? [config.peer.listen.port] : []));
  return {
    config,
    command: party === "dealer" ? "dealer" : "server",
    ports: listens.sort(),
    metrics: addressOf(config.metrics!.listen).port,
    drainMs: config.limits.drainMs,
  };
}
const example = (party: Party) => facts(party, file("config", `${party}.yaml`));

describe("the configurations", () => {
  it("are taken by the code, and fit each other", () => {
    const { config: dealer } = example("dealer");
    const [zero, one] = [example("server-0").config, example("server-1").config];
    if (!("listen" in dealer && "http" in zero && "http" in one)) throw new Error("mixed up");
    expect([zero.party, one.party]).toEqual([0, 1]);
    for (const server of [zero, one]) expect(server.dealer.port).toBe(dealer.listen.port);
    expect(one.peer.connect!.port).toBe(zero.peer.listen!.port);
    for (const role of ["owner", "client"]) {
      const { servers, tls } = loadCluster(file("config", `cluster-${role}.yaml`));
      expect(servers.map(({ url }) => Number(new URL(url).port))).toEqual([zero.http.port, one.http.port]);
      for (const config of [dealer, zero, one]) expect(config.tls.ca).toBe(tls!.ca);
      expect([tls!.cert, tls!.key]).toEqual(
        ["pem", "key"].map((end) => file("config", "tls", `${role}.${end}`)),
      );
    }
    // which cluster it is must not depend on who asks
    const addresses = (role: string) => parse(text("config", `cluster-${role}.yaml`)).servers;
    expect(addresses("owner")).toEqual(addresses("client"));
    const top = parse(text("config", "top.yaml")) as { parties: Record<string, string> };
    for (const party of PARTIES)
      expect(Number(new URL(top.parties[party]!).port)).toBe(example(party).metrics);
  });
});

describe("the image", () => {
  const lines = text("Dockerfile").split("\n");

  it("is made of what the repository holds", () => {
    const sources = lines.flatMap((line) => {
      const [, from, paths] = /^COPY (--from=build )?(.*) \S+$/.exec(line) ?? [];
      return paths?.split(" ").map((path) => (from ? path.replace("/sotto/", "") : path)) ?? [];
    });
    expect(sources.length).toBeGreaterThan(8);
    for (const path of sources) expect(existsSync(join(ROOT, path)), path).toBe(true);
    // what package.json builds must be there
    const { workspaces } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    for (const glob of workspaces) expect(sources).toContain(glob.replace("/*", ""));
  });

  it("starts the command, as nobody in particular", () => {
    const entry = JSON.parse(lines.find((l) => l.startsWith("ENTRYPOINT"))!.replace("ENTRYPOINT ", ""));
    const script = entry.pop();
    expect(entry).toEqual(["node", ...HEAP]);
    expect(existsSync(join(ROOT, script.replace("/sotto/", "")))).toBe(true);
    expect(lines).toContain("USER 1000:1000");
    expect(lines.filter((l) => l.startsWith("FROM"))).toHaveLength(2);
  });
});

describe.each(PARTIES)("%s", (party) => {
  it("in Compose: command, ports and deadline are the configuration's", () => {
    const { command, ports, metrics, drainMs } = example(party);
    const { services } = parse(text("compose", `${party}.yaml`));
    const service = services[party];
    expect(service.command).toEqual([command, "--config", `/etc/sotto/${party}.yaml`]);
    expect(service.ports).toEqual([...ports.map((p) => `${p}:${p}`), `127.0.0.1:${metrics}:${metrics}`]);
    expect(Number.parseInt(service.stop_grace_period, 10) * 1000).toBeGreaterThan(drainMs);
    expect(service.healthcheck.test.join()).toContain(`http://127.0.0.1:${metrics}/v2/health/live`);
    const [context, dockerfile] = [service.build.context, service.build.dockerfile];
    expect(existsSync(join(file("compose"), context, dockerfile))).toBe(true);
    const [mounted] = service.volumes[0].split(":");
    expect(existsSync(join(file("compose"), mounted, `${party}.yaml`))).toBe(true);
  });

  it("in Kubernetes: the same, and probes on the health routes", () => {
    const documents = parseAllDocuments(text("kubernetes", `${party}.yaml`)).map((d) => {
      expect(d.errors).toEqual([]);
      return d.toJS();
    });
    const of = (kind: string) => documents.filter((d) => d.kind === kind);
    const path = join(scratch, `${party}.yaml`);
    writeFileSync(path, of("ConfigMap")[0].data[`${party}.yaml`]);
    const { command, ports, metrics, drainMs, config } = facts(party, path);
    expect(config).toEqual({ ...example(party).config, tls: config.tls });

    const [set] = of("StatefulSet");
    expect(set.spec.replicas).toBe(1);
    const pod = set.spec.template.spec;
    expect(pod.terminationGracePeriodSeconds * 1000).toBeGreaterThan(drainMs);
    expect(pod.securityContext.runAsUser).toBe(1000);
    const [container] = pod.containers;
    expect(container.args).toEqual([command, "--config", `/etc/sotto/${party}.yaml`]);
    const named = new Map<string, number>(
      container.ports.map((p: { name: string; containerPort: number }) => [p.name, p.containerPort]),
    );
    expect([...named.values()]).toEqual([...ports, metrics]);
    expect(named.get("metrics")).toBe(metrics);
    for (const probe of ["startupProbe", "livenessProbe", "readinessProbe"]) {
      const { path, port } = container[probe].httpGet;
      expect(port).toBe("metrics");
      expect(path).toMatch(/^\/v2\/health\/(live|ready)$/);
    }
    const services = of("Service").flatMap((s) => s.spec.ports as { port: number; targetPort: string }[]);
    for (const { port, targetPort } of services) expect(named.get(targetPort)).toBe(port);
    expect(of("Service").map((s) => s.metadata.name)).toContain(set.spec.serviceName);

    const [mount] = container.volumeMounts;
    const { sources } = pod.volumes.find((v: { name: string }) => v.name === mount.name).projected;
    const files = sources.flatMap((s: { secret?: { items: { path: string }[] } }) => s.secret?.items ?? []);
    const tls = Object.values(config.tls).map((p) => p.replace(scratch, "").slice(1));
    expect(files.map((f: { path: string }) => f.path).sort()).toEqual(tls.sort());
    if ("data" in config) expect(container.volumeMounts[1].mountPath).toBe(config.data);
  });

  it("under systemd: the same, as a user without privileges", () => {
    const unit = text("systemd", `sotto-${party}.service`);
    const { command, drainMs, config } = example(party);
    const [, script, name, path] =
      /^ExecStart=\/usr\/bin\/node \S+ \S+ \/opt\/sotto\/(\S+) (\w+) --config (\S+)$/m.exec(unit)!;
    expect(unit).toContain(`/usr/bin/node ${HEAP.join(" ")} /opt`);
    expect(existsSync(join(ROOT, script!))).toBe(true);
    expect([name, path]).toEqual([command, `/etc/sotto/${party}.yaml`]);
    expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)![1]) * 1000).toBeGreaterThan(drainMs);
    for (const line of [
      "User=sotto",
      "NoNewPrivileges=yes",
      "ProtectSystem=strict",
      "CapabilityBoundingSet=",
    ]) {
      expect(unit.split("\n")).toContain(line);
    }
    if ("data" in config) expect(unit).toContain(`StateDirectory=${config.data.replace("/var/lib/", "")}\n`);
  });

  it.skipIf(!hasSystemd())("under systemd: systemd has no objection", () => {
    const done = spawnSync("systemd-analyze", ["verify", file("systemd", `sotto-${party}.service`)], {
      encoding: "utf8",
    });
    // where Node.js lies elsewhere on this machine
    const said = `${done.stdout}${done.stderr}`.split("\n").filter((l) => l && !/not executable/.test(l));
    expect(said).toEqual([]);
  });
});

describe("monitoring", () => {
  it("asks for metrics that there are, and every alert is in the runbook", async () => {
    const tally = new Tally();
    const registry = makeRegistry("dealer", tally, {
      connections: () => ({}),
      models: () => ({ stored: 0, ready: 0 }),
      ringBytes: () => 0,
    });
    const names = registry.getMetricsAsArray().map((metric) => metric.name);
    const { groups } = parse(text("monitoring", "alerts.yaml"));
    const runbook = readFileSync(join(ROOT, "docs", "runbook.md"), "utf8");
    const rules = groups.flatMap((g: { rules: { alert: string; expr: string }[] }) => g.rules);
    expect(rules.length).toBeGreaterThan(5);
    for (const { alert, expr } of rules as { alert: string; expr: string }[]) {
      expect(runbook).toContain(`### ${alert}\n`);
      for (const [asked] of expr.matchAll(/\b(sotto|process|nodejs)_\w+/g)) {
        expect(names, alert).toContain(
          names.includes(asked) ? asked : asked.replace(/_(bucket|sum|count)$/, ""),
        );
      }
    }
    const told = [...runbook.matchAll(/^### (Sotto\w+)$/gm)].map(([, name]) => name);
    expect(told).toEqual((rules as { alert: string }[]).map((rule) => rule.alert));
    const targets = parse(text("monitoring", "scrape.yaml")).scrape_configs[0].static_configs[0].targets;
    expect(targets.map((t: string) => Number(t.split(":")[1]))).toEqual(
      PARTIES.map((p) => example(p).metrics),
    );
  });

  it("holds no key", () => {
    for (const name of readdirSync(file(), { recursive: true }) as string[]) {
      if (statSync(file(name)).isFile()) expect(text(name)).not.toMatch(/BEGIN .*(KEY|CERTIFICATE)/);
    }
  });

  it("traces with a script that Node.js can read", () => {
    execFileSync(process.execPath, ["--check", file("tracing", "otlp.mjs")]);
  });
});

function hasSystemd(): boolean {
  return spawnSync("systemd-analyze", ["--version"]).status === 0;
}
