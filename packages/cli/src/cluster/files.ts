/** Configuration files and certificates of a cluster on this machine. */
import { access, chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";

export const HOST = "127.0.0.1";

/** TCP ports of a cluster. 0 lets the system choose. */
export interface Ports {
  dealer: number;
  /** Server 0's, for server 1. */
  peer: number;
  http: [number, number];
}

/** Ports in a row from `base`. */
export function portsFrom(base: number): Ports {
  return { dealer: base, peer: base + 1, http: [base + 2, base + 3] };
}

export interface ServerLimits {
  sessionTimeoutMs?: number;
}

/** Names of files within a cluster's directory. */
export const FILES = {
  dealer: "dealer.yaml",
  server: ["server-0.yaml", "server-1.yaml"],
  owner: "cluster-owner.yaml",
  client: "cluster-client.yaml",
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

export function dealerConfig(ports: Ports, level: string): object {
  return { listen: { host: HOST, port: ports.dealer }, tls: tls("dealer"), log: { level } };
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

/** Makes the certificates unless they are there. Returns whether it made them. */
export async function ensureCertificates(dir: string): Promise<boolean> {
  if (await exists(join(dir, CERTIFICATES, "ca.pem"))) return false;
  // a large library, which the commands that only name these files do not need
  const { makeCertificates } = await import("@sotto/server");
  await makeCertificates(join(dir, CERTIFICATES), {});
  return true;
}

/**
 * Writes what is missing of a cluster's directory, and leaves what is there.
 * @returns the names of the files it wrote.
 */
export async function writeCluster(dir: string, ports: Ports): Promise<string[]> {
  await mkdir(dir, { recursive: true });
  // keys lie in it
  await chmod(dir, 0o700);
  const written: string[] = (await ensureCertificates(dir)) ? [CERTIFICATES] : [];
  const files: [string, string, object][] = [
    [FILES.dealer, "The dealer: deals randomness to the servers, sees no data.", dealerConfig(ports, "info")],
    [FILES.server[0], "Server 0 of two.", serverConfig(0, ports, "info")],
    [FILES.server[1], "Server 1 of two.", serverConfig(1, ports, "info")],
    [FILES.owner, "For the model owner: sotto deploy --cluster.", clusterConfig("owner", ports)],
    [FILES.client, "For clients: sotto infer --cluster.", clusterConfig("client", ports)],
  ];
  for (const [name, about, content] of files) {
    if (await exists(join(dir, name))) continue;
    await writeYaml(join(dir, name), about, content);
    written.push(name);
  }
  return written;
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
