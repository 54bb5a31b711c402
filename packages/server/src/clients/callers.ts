/**
 * Who a request comes from: the role of a certificate of the cluster's authority, or the name of an API token.
 * The file of tokens is read again when it has changed, so that a revoked token ends at once.
 */
import { timingSafeEqual } from "node:crypto";
import { stat } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { SottoError } from "@sotto/core";
import { type Identity, shownName } from "@sotto/wire/node";
import { z } from "zod";
import type { Logger } from "../log.js";
import type { ClientLimits, Limited } from "./limits.js";
import { hashToken, isToken, readTokens, type TokenEntry } from "./token-file.js";

export type CallerRole = "client" | "owner";

export interface Caller {
  /** The token's name, or the certificate's. */
  name: string;
  role: CallerRole;
  by: "token" | "certificate";
  /** None for an owner whose token states none. */
  limits: ClientLimits | undefined;
  /** The front that asks for it has checked its limits. */
  atFront?: boolean;
}

export interface CallersOptions {
  party: 0 | 1;
  /** Limits of clients for which nothing else is said. */
  limits: ClientLimits;
  /** The file of tokens; without one only certificates count. */
  tokens?: string | undefined;
  log: Logger;
  /** This server's: certificates are judged by what it trusts. */
  identity: Pick<Identity, "listed">;
  /** A worker believes the front of its own party, which has checked and limited, who asks. */
  front?: boolean;
  now?: () => number;
}

/** Tells it from callers of the same name that show something else. */
export function callerKey({ name, by }: Caller): string {
  return `${by} ${name}`;
}

/** A caller as limits see it; undefined when it has none. */
export function limited(caller: Caller): Limited | undefined {
  const { name, limits } = caller;
  return limits && { name, key: callerKey(caller), limits };
}

/** Where a front states to its party's workers who asks. */
export const CALLER_HEADER = "sotto-caller";

const stated = z.object({
  name: z.string(),
  role: z.enum(["client", "owner"]),
  by: z.enum(["token", "certificate"]),
});

/** Limits are the front's affair. */
function statedCaller(header: string): Caller {
  return { ...stated.parse(JSON.parse(decodeURIComponent(header))), limits: undefined, atFront: true };
}

export function callerHeader({ name, role, by }: Caller): Record<string, string> {
  return { [CALLER_HEADER]: encodeURIComponent(JSON.stringify({ name, role, by })) };
}

interface Known {
  entry: TokenEntry;
  hash: Buffer;
}

const ROLES: readonly CallerRole[] = ["client", "owner"];

export class Callers {
  private readonly options: CallersOptions;
  private known: readonly Known[] = [];
  private read = "";

  private constructor(options: CallersOptions) {
    this.options = options;
  }

  /** @throws SottoError bad-config: what is wrong with the file of tokens. */
  static async load(options: CallersOptions): Promise<Callers> {
    const callers = new Callers(options);
    if (options.tokens !== undefined) {
      callers.load(options.tokens);
      callers.read = await stampOf(options.tokens);
    }
    return callers;
  }

  /** @throws SottoError unauthorized for a token that is not known; undefined when nothing is shown. */
  async identify(request: IncomingMessage): Promise<Caller | undefined> {
    const { authorization } = request.headers;
    if (authorization !== undefined) return this.byToken(authorization);
    return this.byCertificate(request.socket, request.headers[CALLER_HEADER]);
  }

  /** The caller, who has to have one of the roles. @throws SottoError unauthorized, forbidden. */
  need(caller: Caller | undefined, roles: readonly CallerRole[], what: string): Caller {
    const { party, tokens } = this.options;
    const expected = roles.join(" or ");
    if (!caller) {
      const ways =
        tokens === undefined
          ? "a certificate of the cluster"
          : "a header authorization: Bearer TOKEN or a certificate of the cluster";
      throw new SottoError("unauthorized", `server ${party}: ${what} needs ${ways}, of ${expected}`);
    }
    if (roles.includes(caller.role)) return caller;
    const who = caller.by === "token" ? `the token of ${caller.role}` : "the certificate of";
    throw new SottoError(
      "forbidden",
      `server ${party}: ${what} is not for ${who} "${caller.name}"; expected that of ${expected}`,
    );
  }

  private async byToken(authorization: string): Promise<Caller> {
    const { party, tokens: path, limits, now = Date.now } = this.options;
    if (path === undefined) {
      throw new SottoError(
        "unauthorized",
        `server ${party} takes no tokens (no clients.tokens in its configuration)`,
      );
    }
    await this.reload(path);
    const token = /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? "";
    const hash = hashToken(token);
    let found: TokenEntry | undefined;
    // all of them, each in constant time: how long it takes says nothing about any
    for (const known of this.known) if (timingSafeEqual(known.hash, hash)) found = known.entry;
    const expired = found?.expires !== undefined && Date.parse(found.expires) <= now();
    if (!found || expired || !isToken(token)) {
      const why = expired ? "has expired" : "is not known here; it may have been revoked";
      throw new SottoError("unauthorized", `server ${party}: the token ${why}; ask the server's operator`);
    }
    const { name, role } = found;
    const own = role === "owner" && !found.limits ? undefined : { ...limits, ...found.limits };
    return { name, role, by: "token", limits: own };
  }

  private byCertificate(socket: unknown, stated: unknown): Caller | undefined {
    if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
    const { party, limits, front, identity } = this.options;
    const name = shownName(socket.getPeerCertificate(), identity);
    if (name === undefined) return undefined;
    const role = ROLES.find((r) => r === name);
    if (front && name === `server-${party}`)
      return typeof stated === "string" ? statedCaller(stated) : undefined;
    if (front)
      throw new SottoError("forbidden", `server ${party}: a worker's API is for the party's front alone`);
    if (!role) {
      throw new SottoError(
        "forbidden",
        `server ${party}: the API is not for the certificate of "${name}"; expected that of ${ROLES.join(" or ")}`,
      );
    }
    return { name, role, by: "certificate", limits: role === "owner" ? undefined : limits };
  }

  /** What cannot be read changes nothing: neither does it lock everybody out, nor anybody in. */
  private async reload(path: string): Promise<void> {
    const stamp = await stampOf(path);
    if (stamp === this.read) return;
    this.read = stamp;
    try {
      this.load(path);
      this.options.log.info({ tokens: this.known.length }, "tokens read again");
    } catch (error) {
      const reason = (error as Error).message;
      this.options.log.error({ reason }, "tokens cannot be read again; those known before are in use");
    }
  }

  private load(path: string): void {
    this.known = readTokens(path).map((entry) => ({ entry, hash: Buffer.from(entry.sha256, "hex") }));
  }
}

/** Changes when the file does. */
async function stampOf(path: string): Promise<string> {
  try {
    const { mtimeNs, size, ino } = await stat(path, { bigint: true });
    return `${mtimeNs} ${size} ${ino}`;
  } catch (error) {
    return `none: ${(error as NodeJS.ErrnoException).code}`;
  }
}
