/** Configuration files and certificates of a cluster on this machine. */
import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { access, chmod, rename, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { SottoError } from "@sotto/core";
import { ROLES } from "@sotto/wire";
import { makeDirectory } from "@sotto/wire/node";
import { stringify } from "yaml";
import { atExit } from "./cleanup.js";
import { LOCK_FILE } from "./lock.js";

export const HOST = "127.0.0.1";

/** TCP ports of a cluster. 0 lets the system choose. */
export interface Ports {
  dealer: number;
  /** Server 0's, for server 1. */
  peer: number;
  http: [number, number];
  /** For metrics and health: the dealer's, server 0's, server 1's. */
  metrics?: readonly [number, number, number];
}

/** Ports in a row from `base`. */
export function portsFrom(base: number): Ports {
  return {
    dealer: base,
    peer: base + 1,
    http: [base + 2, base + 3],
    metrics: [base + 4, base + 5, base + 6],
  };
}

export interface ServerLimits {
  sessionTimeoutMs?: number;
  roundTimeoutMs?: number;
  /** Sessions prepared ahead of demand. */
  pool?: number;
}

/** Names of files within a cluster's directory. */
export const FILES = {
  dealer: "dealer.yaml",
  server: ["server-0.yaml", "server-1.yaml"],
  owner: "cluster-owner.yaml",
  client: "cluster-client.yaml",
  tokens: ["tokens-0.yaml", "tokens-1.yaml"],
} as const;

export const CERTIFICATES = "certificates";

/** Paths are relative to the file that names them. */
function tls(role: string): Record<string, string> {
  return {
    ca: `${CERTIFICATES}/ca.pem`,
    cert: `${CERTIFICATES}/${role}.pem`,
    key: `${CERTIFICATES}/${role}.key`,
  };
}

function metrics({ metrics }: Ports, party: 0 | 1 | 2): object {
  return metrics ? { metrics: { listen: `${HOST}:${metrics[party]}` } } : {};
}

export function dealerConfig(ports: Ports, level: string): object {
  const listen = { host: HOST, port: ports.dealer };
  return { listen, tls: tls("dealer"), ...metrics(ports, 0), log: { level } };
}

/** What lets web pages of these origins use a server on this machine, with a token. */
export function forPages(party: 0 | 1, origins: readonly string[]): object {
  return {
    plainHttp: { host: HOST, port: 0 },
    clients: { tokens: FILES.tokens[party] },
    cors: { origins },
  };
}

export function serverConfig(party: 0 | 1, ports: Ports, level: string, limits?: ServerLimits): object {
  const address = { host: HOST, port: ports.peer };
  return {
    party,
    data: `data-${party}`,
    http: { host: HOST, port: ports.http[party] },
    peer: party === 0 ? { listen: address } : { connect: address },
    dealer: { host: HOST, port: ports.dealer },
    tls: tls(`server-${party}`),
    ...(limits ? { limits } : {}),
    ...metrics(ports, party === 0 ? 1 : 2),
    log: { level },
  };
}

export function clusterConfig(role: "owner" | "client", ports: Ports): object {
  return { servers: ports.http.map((port) => ({ url: `https://${HOST}:${port}` })), tls: tls(role) };
}

/** @param about first line, a comment. */
export async function writeYaml(path: string, about: string, content: object): Promise<void> {
  await writeFile(path, `# ${about}\n${stringify(content)}`, { mode: 0o600 });
}

/** Makes the certificates of a cluster. */
export async function writeCertificates(dir: string): Promise<void> {
  // a large library, which the commands that only name these files do not need
  const { makeCertificates } = await import("@sotto/server");
  const folder = join(dir, CERTIFICATES);
  if (await exists(folder)) return makeCertificates(folder, {});
  // whole at once: a part of them, left by Ctrl-C, could not be used by the next start
  const part = `${folder}.${process.pid}.new`;
  const remove = () => rmSync(part, { recursive: true, force: true });
  const forget = atExit(remove);
  try {
    await makeCertificates(part, {});
    // keys belong into no repository
    await writeFile(join(part, ".gitignore"), "*\n");
    await rename(part, folder);
  } finally {
    remove();
    forget();
  }
}

/** Every file that `sotto up` needs, within a cluster's directory. */
const ALL_FILES: readonly string[] = [
  FILES.dealer,
  ...FILES.server,
  FILES.owner,
  FILES.client,
  ...FILES.tokens,
  ...["ca.pem", ...ROLES.flatMap((role) => [`${role}.pem`, `${role}.key`])].map(
    (name) => `${CERTIFICATES}/${name}`,
  ),
];

/** What the parties add while they run. */
const TRACES = ["dealer.log", "server-0.log", "server-1.log", "data-0", "data-1", LOCK_FILE];

/**
 * Whether `dir` holds a whole cluster.
 * @throws SottoError conflict if it holds a part of one: what is missing can't be made to fit the rest.
 */
export async function holdsCluster(dir: string): Promise<boolean> {
  const there = await Promise.all(ALL_FILES.map((name) => exists(join(dir, name))));
  if (!there.includes(true)) return false;
  const missing = ALL_FILES.filter((_, i) => !there[i]);
  if (missing.length === 0) return true;
  if (await exists(join(dir, "nats-dealer"))) {
    throw new SottoError("conflict", `${dir} holds a cluster of workers; \`sotto up --workers N\` starts it`);
  }
  throw new SottoError(
    "conflict",
    `${dir} holds a part of a cluster; missing: ${missing.join(", ")}. ` +
      "Restore these files, or delete the directory to have a new cluster made",
  );
}

export interface WrittenCluster {
  /** Names of the files and folders. */
  names: string[];
  /** Removes them, what the parties have added since, and the directory if it was made for them. */
  undo(): void;
}

/**
 * Writes a new cluster into a directory that holds none of its files (holdsCluster).
 * @throws SottoError conflict, before anything is written, if a port is in use; not-found if it can't be written.
 */
export async function writeCluster(dir: string, ports: Ports): Promise<WrittenCluster> {
  await refuseBusyPorts(ports);
  let before: Set<string> | undefined;
  let made: string | undefined;
  const undo = (): void => {
    if (!before) return;
    try {
      // of the cluster's files, none was there before
      const traces = [...TRACES, CERTIFICATES].filter((name) => !before?.has(name));
      for (const name of [...ALL_FILES, ...traces]) rmSync(join(dir, name), { recursive: true, force: true });
      // as far up as directories were made
      for (let d = dir; made && d.length >= made.length; d = dirname(d)) rmdirSync(d);
    } catch {
      // it could not be written either, or somebody has put something else there
    }
  };
  // Ctrl-C in the middle
  const forget = atExit(undo);
  try {
    before = new Set(existsSync(dir) ? readdirSync(dir) : []);
    made = makeDirectory(dir);
    // keys lie in it; a directory that was there has the mode that its owner gave it
    if (made) await chmod(dir, 0o700);
    await writeCertificates(dir);
    const files: [string, string, object][] = [
      [
        FILES.dealer,
        "The dealer: deals randomness to the servers, sees no data.",
        dealerConfig(ports, "info"),
      ],
      ...([0, 1] as const).map((party): [string, string, object] => [
        FILES.server[party],
        `Server ${party} of two.`,
        { ...serverConfig(party, ports, "info"), clients: { tokens: FILES.tokens[party] } },
      ]),
      ...FILES.tokens.map((name, party): [string, string, object] => [
        name,
        `Tokens of server ${party}'s clients, hashed: sotto token create | list | revoke`,
        { tokens: [] },
      ]),
      [FILES.owner, "For the model owner: sotto deploy --cluster.", clusterConfig("owner", ports)],
      [FILES.client, "For clients: sotto infer --cluster.", clusterConfig("client", ports)],
    ];
    for (const [name, about, content] of files) await writeYaml(join(dir, name), about, content);
    return { names: [CERTIFICATES, ...files.map(([name]) => name)], undo };
  } catch (cause) {
    undo();
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SottoError("not-found", `the directory ${dir} can't be written: ${reason}`, { cause });
  } finally {
    forget();
  }
}

/** @throws SottoError conflict naming the ports on which nothing can listen now. */
export async function refuseBusyPorts({ dealer, peer, http, metrics }: Ports): Promise<void> {
  const ports = [dealer, peer, ...http, ...(metrics ?? [])];
  const reasons = await Promise.all(ports.map(whyBusy));
  const busy = ports.flatMap((port, i) => (reasons[i] ? [`${port} (${reasons[i]})`] : []));
  if (busy.length === 0) return;
  throw new SottoError(
    "conflict",
    `can't listen on ${HOST}, port ${busy.join(", ")}; nothing was written. ` +
      `--port BASE takes ${ports.length} other ports in a row from BASE (here ${ports[0]} to ${ports.at(-1)})`,
  );
}

function whyBusy(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", ({ code }: NodeJS.ErrnoException) => {
      resolve(code === "EADDRINUSE" ? "in use" : (code ?? "it can't be opened"));
    });
    probe.listen(port, HOST, () => probe.close(() => resolve(undefined)));
  });
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
