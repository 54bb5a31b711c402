/**
 * From the dealer's message to a Party with its correlated randomness on the way. This is the one place where a
 * server uses a session's seed, and it wipes it: the seed cannot serve a second Party.
 */
import { CorrectedMaterial, Party, type Ring, SeedMaterial, SottoError } from "@sotto/core";
import { frameTag, type Link, type Message } from "@sotto/wire";
import type { Run } from "../runs.js";
import type { Ahead, Window } from "./ahead.js";
import type { SetUp } from "./setups.js";
import { CorrectionSupply, SeedSupply, type Supply, type SupplyEvents } from "./supply.js";

export interface RandomnessOptions {
  ring: Ring;
  /** This server. */
  index: 0 | 1;
  run: Run;
  setUp: SetUp;
  dealt: Message<"dealt">;
  /** Where corrections come from. */
  dealer: Link;
  ahead: Ahead;
  events: SupplyEvents;
}

/** @throws SottoError material when the message has been used before. */
export function takeRandomness(options: RandomnessOptions): {
  party: Party;
  supply: Supply;
  window: Window;
  close: () => void;
} {
  const { ring, index, run, setUp, dealt, dealer, ahead, events } = options;
  if (!dealt.seed) throw new SottoError("material", `the randomness of session ${dealt.session} is taken`);
  const seed = Buffer.from(dealt.seed, "hex");
  dealt.seed = "";
  const material = index === 0 ? SeedMaterial.fromSeed(ring, seed) : CorrectedMaterial.fromSeed(ring, seed);
  seed.fill(0);
  const party = new Party(ring, run.network.program, index, setUp.lease.value, material);
  const window = ahead.open(run.prepared);
  const tag = frameTag("corrections", dealt.deal, run.hash, "dealer", index === 0 ? "server-0" : "server-1");
  const close = () => {
    party.close();
    window.close();
  };
  let supply: Supply;
  try {
    supply =
      index === 0 && run.cost.commonBytes === 0
        ? new SeedSupply(party, window, events)
        : new CorrectionSupply(party, window, events, { link: dealer, deal: dealt.deal, tag });
  } catch (error) {
    close();
    throw error;
  }
  return {
    party,
    supply,
    window,
    close: () => {
      supply.stop();
      close();
    },
  };
}
