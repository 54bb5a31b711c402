/** Who may open a stream: checked and limited as requests of the HTTPS API are (packages/server/src/api/calls.ts). */
import type { IncomingMessage } from "node:http";
import { SottoError } from "@sotto/core";
import type { StreamOpen } from "@sotto/wire";
import type { Gate } from "../../api/calls.js";
import type { Caller } from "../../clients/callers.js";
import { limited } from "../../clients/callers.js";
import { checkSizes } from "../../clients/limits.js";

export interface StreamGate extends Gate {
  /** Origins of web pages that may use the API; "*" for any. */
  origins: readonly string[] | undefined;
}

/** A stream for the audit log and for its client's limits, from its first message on. */
export class Admission {
  private readonly gate: StreamGate;
  private readonly request: IncomingMessage;
  private readonly model: string;
  private readonly began = performance.now();
  private caller: Caller | undefined;
  private wanted: StreamOpen | undefined;
  private release = () => {};
  private over = false;

  constructor(gate: StreamGate, request: IncomingMessage, model: string) {
    this.gate = gate;
    this.request = request;
    this.model = model;
  }

  /** @throws SottoError unauthorized, forbidden, busy. */
  async enter(wanted: StreamOpen): Promise<Caller> {
    const { callers, limiter, party, origins = [] } = this.gate;
    const { headers } = this.request;
    this.wanted = wanted;
    // a browser opens a WebSocket for any page, with its user's certificate
    if (headers.origin !== undefined && !origins.includes("*") && !origins.includes(headers.origin))
      throw new SottoError(
        "forbidden",
        `server ${party}: pages of ${headers.origin} may not stream (cors.origins)`,
      );
    if (wanted.token !== undefined) headers.authorization = `Bearer ${wanted.token}`;
    this.caller = await callers.identify(this.request);
    const caller = callers.need(this.caller, ["client", "owner"], `a stream of ${this.model}`);
    const client = limited(caller);
    if (!client) return caller;
    limiter.request(client);
    checkSizes(client, { ...wanted.sizes, steps: wanted.steps });
    this.release = limiter.begin(client);
    if (this.over) this.release();
    return caller;
  }

  /** The stream is over. Safe to call again. @param outcome "ok", or an error's code. */
  leave(outcome: string): void {
    if (this.over) return;
    this.over = true;
    this.release();
    const { caller, wanted, model } = this;
    if (outcome === "busy") this.gate.tally.ended(outcome);
    const refused = outcome === "unauthorized" || (outcome === "forbidden" && !caller);
    this.gate.audit.write({
      event: refused ? "refused" : "stream",
      caller,
      address: this.request.socket.remoteAddress,
      model,
      session: wanted?.stream,
      sizes: wanted && { ...wanted.sizes, steps: wanted.steps },
      outcome,
      ms: performance.now() - this.began,
    });
  }
}
