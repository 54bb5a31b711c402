/** A server's two connections, as they are at the moment: to the other server and to the dealer. */
import { SottoError } from "@sotto/core";
import type { Link } from "@sotto/wire";

export type Other = "peer" | "dealer";

export class Connections {
  private readonly links = new Map<Other, Link>();
  private readonly reasons = new Map<Other, string>();
  private readonly names: Record<Other, string>;

  constructor(names: Record<Other, string>) {
    this.names = names;
  }

  /** How people call the other party. */
  name(other: Other): string {
    return this.names[other];
  }

  get(other: Other): Link | undefined {
    return this.links.get(other);
  }

  /** @throws SottoError unreachable, with the reason of the last failure. */
  need(other: Other): Link {
    const link = this.links.get(other);
    if (link) return link;
    const reason = this.reasons.get(other) ?? "no connection so far";
    throw new SottoError("unreachable", `${this.names[other]} is not connected: ${reason}`);
  }

  /** The process at the other end, as set-ups are bound to it. @throws SottoError unreachable */
  boot(other: Other): string {
    return this.need(other).remoteBoot;
  }

  /** A new connection takes the place of an earlier one. */
  up(other: Other, link: Link): void {
    this.links.get(other)?.close();
    this.links.set(other, link);
  }

  /** @param link the one that went, if there was one: it may have been replaced already. */
  down(other: Other, reason: string, link?: Link): void {
    this.reasons.set(other, reason);
    if (!link || this.links.get(other) === link) this.links.delete(other);
  }

  close(): void {
    for (const link of this.links.values()) link.close();
  }
}
