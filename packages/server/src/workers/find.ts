/**
 * Which of the dealer's workers knows a set-up. Nobody does only where each of them has said so: one that is slow, or away for
 * a moment, must not have a set-up made anew that it holds.
 */
import { SottoError } from "@sotto/core";
import type { SharedSetUp } from "../dealer/group.js";
import { setUpKnown } from "./messages.js";
import type { Nats } from "./nats.js";

const FIND_MS = 1000;

export interface FindOptions {
  nats: Pick<Nats, "need" | "ask">;
  /** The other workers that may know; undefined while some may not have been heard. */
  others: () => readonly string[] | undefined;
  /** For all of them to answer. */
  ms?: number;
}

export class SetUpFinder {
  private readonly options: FindOptions;
  /** One question at a time about each. */
  private readonly asked = new Map<string, Promise<SharedSetUp | undefined>>();

  constructor(options: FindOptions) {
    this.options = options;
  }

  /** Undefined where nobody knows it. @throws (rejects with) SottoError unreachable: not all workers have answered. */
  find(setup: string): Promise<SharedSetUp | undefined> {
    const known = this.asked.get(setup);
    if (known) return known;
    const found = this.ask(setup).finally(() => this.asked.delete(setup));
    this.asked.set(setup, found);
    return found;
  }

  private async ask(setup: string): Promise<SharedSetUp | undefined> {
    const { nats, others, ms = FIND_MS } = this.options;
    nats.need();
    const silent = new Set(others() ?? ["some that were not heard yet"]);
    if (silent.size === 0) return undefined;
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(timer);
        stop();
        settle();
      };
      const late = () => {
        const who = `${silent.size} of the dealer's workers did not answer`;
        end(() => reject(new SottoError("unreachable", `${who} about set-up ${setup}; try again`)));
      };
      const timer = setTimeout(late, ms);
      const stop = nats.ask(`setup.${setup}`, setUpKnown, ({ worker, shared }) => {
        if (shared) return end(() => resolve(shared));
        silent.delete(worker);
        if (silent.size === 0) end(() => resolve(undefined));
      });
    });
  }
}
