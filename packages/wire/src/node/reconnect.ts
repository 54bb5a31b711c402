/** Keeps a link to a party that is dialled: connects, waits until it goes, connects again. */
import type { SottoError } from "@sotto/core";
import { Backoff } from "../backoff.js";
import { asSottoError } from "../codes.js";
import type { Role } from "../frame.js";
import { type Greeting, greet, type Link } from "../link.js";
import type { Identity } from "./identity.js";
import { type Address, type ChannelOptions, dial } from "./tls.js";

/** A link that goes sooner was no success: the next attempt waits longer. */
const LIVED_MS = 3000;
const BACKOFF = { firstMs: 50, maxMs: 1000 };
/** After a refusal because our place is taken, which may last. */
const MAX_TAKEN_MS = 5000;

export interface ReconnectOptions extends ChannelOptions {
  address: Address;
  identity: Identity;
  self: Greeting;
  remote: Role;
  connectTimeoutMs: number;
  onLink: (link: Link) => void;
  /** An attempt failed, or the link was lost. */
  onDown: (error: SottoError) => void;
}

/** Starts at once. @returns what stops it and closes the link. */
export function keepConnected(options: ReconnectOptions): () => void {
  const giveUp = new AbortController();
  const { signal } = giveUp;
  let link: Link | undefined;
  let timer: NodeJS.Timeout | undefined;
  const backoff = new Backoff(BACKOFF);

  const down = (error: SottoError) => {
    link = undefined;
    if (signal.aborted) return;
    options.onDown(error);
    timer = setTimeout(attempt, backoff.next(error.code === "conflict" ? MAX_TAKEN_MS : BACKOFF.maxMs));
  };

  const attempt = async () => {
    try {
      const { address, identity, remote, connectTimeoutMs, self } = options;
      const channel = await dial(address, identity, remote, connectTimeoutMs, { ...options, signal });
      if (signal.aborted) return channel.close();
      await greet(channel, self, remote, connectTimeoutMs, (made) => {
        if (signal.aborted) return made.close();
        link = made;
        const began = performance.now();
        options.onLink(made);
        made.onClose((error) => {
          if (performance.now() - began > LIVED_MS) backoff.reset();
          down(error);
        });
      });
    } catch (error) {
      down(asSottoError(error));
    }
  };

  void attempt();
  return () => {
    giveUp.abort();
    clearTimeout(timer);
    link?.close();
  };
}
