/** The dealer's connections to the servers: one of each role or, where servers have several processes, one of each process. */
import { SottoError } from "@sotto/core";
import type { Link } from "@sotto/wire";
import { admit } from "../admit.js";
import type { Pair } from "./group.js";

export type ServerRole = "server-0" | "server-1";

export class ServerLinks {
  private readonly several: boolean;
  /** By the process's `boot`. */
  private readonly links: Record<ServerRole, Map<string, Link>> = {
    "server-0": new Map(),
    "server-1": new Map(),
  };

  /** @param several processes of a server. */
  constructor(several: boolean) {
    this.several = several;
  }

  /** @throws (rejects with) SottoError conflict when another process has the role. */
  admit(role: ServerRole, boot: string): Promise<void> {
    return admit(this.present(role, boot), role, boot);
  }

  /** Takes a new connection; an earlier one in its place is closed. */
  put(role: ServerRole, link: Link): void {
    this.present(role, link.remoteBoot)?.close();
    this.links[role].set(link.remoteBoot, link);
  }

  /** Forgets one that has gone. */
  drop(role: ServerRole, link: Link): void {
    if (this.get(role, link.remoteBoot) === link) this.links[role].delete(link.remoteBoot);
  }

  get(role: ServerRole, boot: string): Link | undefined {
    return this.links[role].get(boot);
  }

  has(role: ServerRole): boolean {
    return this.links[role].size > 0;
  }

  all(): Link[] {
    return [...this.links["server-0"].values(), ...this.links["server-1"].values()];
  }

  /**
   * To server 0 and to server 1.
   * @param pair of processes, where there are several.
   * @throws SottoError unreachable when one of them is not connected.
   */
  both(pair?: Pair): [Link, Link] {
    const of = (role: ServerRole, boot: string | undefined) =>
      boot === undefined ? [...this.links[role].values()][0] : this.get(role, boot);
    const [a, b] = [of("server-0", pair?.[0]), of("server-1", pair?.[1])];
    if (!a || !b) {
      throw new SottoError(
        "unreachable",
        `server ${a ? 1 : 0} is not connected to the dealer; it comes back by itself`,
      );
    }
    return [a, b];
  }

  /** Whose place a process takes. */
  private present(role: ServerRole, boot: string): Link | undefined {
    return this.several ? this.get(role, boot) : [...this.links[role].values()][0];
  }
}
