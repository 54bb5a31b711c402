/** A dealer and two servers as processes of their own on this machine. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServerAddress } from "@sotto/client";
import { SottoError } from "@sotto/core";
import { Child } from "./child.js";
import { atExit } from "./cleanup.js";
import {
  clusterConfig,
  dealerConfig,
  FILES,
  forPages,
  HOST,
  type Ports,
  type ServerLimits,
  serverConfig,
  writeCertificates,
  writeYaml,
} from "./files.js";

export { untilSignal } from "./cleanup.js";

export interface LocalCluster {
  /** Paths of the cluster files for the owner and the client. */
  owner: string;
  client: string;
  ports: Ports;
  /** For web pages: see throwAwayCluster(). */
  page?: { servers: [ServerAddress, ServerAddress]; token: string };
  /** Process numbers of the dealer, server 0, server 1. */
  pids: number[];
  /** Waits for `work`, or fails as soon as a party ends unexpectedly. */
  guard<T>(work: Promise<T>): Promise<T>;
  /** Ends the processes and clears away what was temporary. */
  close(): Promise<void>;
}

/** Ports of the links, as Ports names them. */
export type LinkName = "dealer" | "peer" | "http0" | "http1";

/** What lies between the parties: called with the port that a party listens on, gives the one to connect to. */
export type Via = (link: LinkName, port: number) => Promise<number>;

export const PARTIES = ["the dealer", "server 0", "server 1"] as const;

/** From the end of a party to its notice. */
const LOSS_MS = 200;

type Files = Pick<LocalCluster, "owner" | "client" | "ports" | "page">;

/** What there is to clear away, whatever happens. */
class Holding {
  readonly children: Child[] = [];
  private scratch: string | undefined;
  private readonly forget: () => void;

  constructor() {
    // before there is anything, so that no signal finds it half done
    this.forget = atExit(() => {
      for (const child of this.children) child.kill();
      this.remove();
    });
  }

  /** A temporary directory that only this user can read. */
  makeScratch(): string {
    try {
      this.scratch = mkdtempSync(join(tmpdir(), "sotto-"));
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new SottoError(
        "not-found",
        `no temporary directory can be made in ${tmpdir()} (${reason}); set TMPDIR to a directory that can be written`,
        { cause },
      );
    }
    return this.scratch;
  }

  /** A full disk, which the system reports without the path, with what to do about it; other errors as they are. */
  explain(error: unknown): unknown {
    const { code, message } = error as NodeJS.ErrnoException;
    if (!this.scratch || (code !== "ENOSPC" && code !== "EDQUOT")) return error;
    return new SottoError(
      "not-found",
      `the temporary directory ${this.scratch} can't be written (${message}); make room in ${tmpdir()}, ` +
        "or set TMPDIR to a directory on another disk",
      { cause: error },
    );
  }

  /**
   * The three processes; they load their code while other work goes on.
   * @param logs where their logs go, if anywhere.
   */
  spawn(logs?: string): [Child, Child, Child] {
    const children = PARTIES.map((name) => {
      const log = logs ? join(logs, `${name.replace("the ", "").replace(" ", "-")}.log`) : undefined;
      return new Child(name, { scratch: this.scratch, log });
    }) as [Child, Child, Child];
    this.children.push(...children);
    return children;
  }

  async close(): Promise<void> {
    await Promise.all(this.children.map((c) => c.stop()));
    this.remove();
    this.forget();
  }

  cluster(files: Files): LocalCluster {
    const lost = Promise.race(this.children.map((c) => c.lost));
    lost.catch(() => {});
    return {
      ...files,
      pids: this.children.map((c) => c.pid ?? -1),
      guard: (work) => Promise.race([work.catch((error) => afterLoss(lost, error)), lost]),
      close: () => this.close(),
    };
  }

  private remove(): void {
    if (this.scratch) rmSync(this.scratch, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A party that ends breaks connections, too; that may be seen first, but is not the cause. */
async function afterLoss(lost: Promise<never>, error: unknown): Promise<never> {
  await Promise.race([lost, new Promise((resolve) => setTimeout(resolve, LOSS_MS))]);
  throw error;
}

/**
 * A cluster for one run: fresh certificates and configuration in a directory of its own, free ports, and
 * nothing left afterwards.
 * @param via puts something between parties, such as a slow link; the clients connect through it, too.
 * @param origins web pages that may use it, over HTTP, with the token of `page`.
 */
export async function throwAwayCluster(
  limits: ServerLimits,
  via?: Via,
  origins: readonly string[] = [],
): Promise<LocalCluster> {
  const holding = new Holding();
  try {
    const dir = holding.makeScratch();
    // nobody comes for what would be prepared ahead
    return holding.cluster(await configure(dir, holding.spawn(), { pool: 0, ...limits }, origins, via));
  } catch (error) {
    await holding.close();
    throw holding.explain(error);
  }
}

/** Writes the files and starts the parties one after the other: each must know the ports of the one before. */
async function configure(
  dir: string,
  [dealer, server0, server1]: [Child, Child, Child],
  limits: ServerLimits,
  origins: readonly string[],
  via: Via = async (_, port) => port,
): Promise<Files> {
  await writeCertificates(dir);
  const ports: Ports = { dealer: 0, peer: 0, http: [0, 0] };
  const level = process.env.SOTTO_DEBUG === "1" ? "debug" : "warn";
  const write = async (name: string, content: object): Promise<string> => {
    const path = join(dir, name);
    await writeYaml(path, "Made for one run.", content);
    return path;
  };
  const pages = (party: 0 | 1) => (origins.length > 0 ? forPages(party, origins) : {});
  const token = origins.length > 0 ? await tokenOfPages(dir) : undefined;
  const a = await dealer.start("dealer", await write(FILES.dealer, dealerConfig(ports, level)));
  ports.dealer = await via("dealer", a.listen ?? 0);
  const b = await server0.start(
    "server",
    await write(FILES.server[0], { ...serverConfig(0, ports, level, limits), ...pages(0) }),
  );
  ports.peer = await via("peer", b.peer ?? 0);
  ports.http[0] = await via("http0", b.http ?? 0);
  const c = await server1.start(
    "server",
    await write(FILES.server[1], { ...serverConfig(1, ports, level, limits), ...pages(1) }),
  );
  ports.http[1] = await via("http1", c.http ?? 0);
  const owner = await write(FILES.owner, clusterConfig("owner", ports));
  const client = await write(FILES.client, clusterConfig("client", ports));
  if (token === undefined) return { owner, client, ports };
  const address = (port = 0) => ({ url: `http://${HOST}:${port}` });
  return { owner, client, ports, page: { servers: [address(b.plainHttp), address(c.plainHttp)], token } };
}

/** A token that both servers of the directory know. */
async function tokenOfPages(dir: string): Promise<string> {
  const { createToken } = await import("@sotto/server");
  return createToken(
    FILES.tokens.map((name) => join(dir, name)),
    { name: "page", role: "client" },
  );
}

/** The cluster whose files lie in `dir` (cluster/files.ts, writeCluster). */
export async function clusterIn(dir: string): Promise<LocalCluster> {
  const holding = new Holding();
  try {
    const [dealer, server0, server1] = holding.spawn(dir);
    const [a, b, c] = await Promise.all([
      dealer.start("dealer", join(dir, FILES.dealer)),
      server0.start("server", join(dir, FILES.server[0])),
      server1.start("server", join(dir, FILES.server[1])),
    ]);
    const ports: Ports = { dealer: a.listen ?? 0, peer: b.peer ?? 0, http: [b.http ?? 0, c.http ?? 0] };
    return holding.cluster({ owner: join(dir, FILES.owner), client: join(dir, FILES.client), ports });
  } catch (error) {
    await holding.close();
    throw error;
  }
}
