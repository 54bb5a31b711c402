/** The dealer in one session: the connection over which its randomness comes, which may be any of the dealer's workers'. */
import { SottoError } from "@sotto/core";
import type { Link } from "@sotto/wire";

export class SessionDealer {
  private readonly onLost: (error: SottoError) => void;
  private current: Link | undefined;
  private undo = () => {};

  /** @param onLost when the connection that the session depends on closes. */
  constructor(onLost: (error: SottoError) => void) {
    this.onLost = onLost;
  }

  get link(): Link | undefined {
    return this.current;
  }

  /** The session ends with this connection, and no longer with the one it has named before. */
  need(link: Link): Link {
    this.close();
    this.current = link;
    this.undo = link.onClose(this.onLost);
    return link;
  }

  /**
   * One of the dealer's workers has taken over what another one seemed to have left, and is dealing: that one goes on.
   * @throws SottoError protocol where it is the same one: it would end what goes on if it were told.
   */
  refuseCopy(link: Link | undefined, session: string): void {
    if (!link || link === this.current)
      throw new SottoError("protocol", "the dealer dealt twice for one session");
    const message = "another one of the dealer's workers deals for the session";
    link.control({ type: "abort", session, code: "conflict", message });
  }

  /** The session depends on none any more. */
  close(): void {
    this.undo();
    this.undo = () => {};
  }
}
