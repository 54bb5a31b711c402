/** All parties in one process and in lock-step, for tests: deployment, dealing, rounds, reconstruction. */
import { cost } from "../interpret/cost.js";
import { Dealer } from "../interpret/dealer.js";
import { CorrectedMaterial, outputStream, SeedMaterial } from "../interpret/material.js";
import { type Carried, Party } from "../interpret/party.js";
import type { Values } from "../interpret/plain.js";
import { DealerSetup, type PartyModel, PartySetup } from "../interpret/setup.js";
import type { Compiled } from "../plan/compile.js";
import type { Network } from "../plan/instantiate.js";
import { rounds } from "../program/program.js";
import { SEED_BYTES } from "../random/stream.js";
import type { RandomBytes } from "../random/system.js";
import type { Ring } from "../ring/ring.js";
import { loadTensorShares, reconstruct, type Shares, shareInputs, shareTensors } from "../share/share.js";

export interface Deployment {
  setup: DealerSetup;
  models: [PartyModel, PartyModel];
}

/** Shares a model, and lets both servers and the dealer set it up. */
export function deployTogether(ring: Ring, compiled: Compiled, random: RandomBytes): Deployment {
  const { plan } = compiled;
  const seeds: Shares = [random(SEED_BYTES), random(SEED_BYTES)];
  const shares = shareTensors(ring, plan, compiled.tensors, random).map((s) =>
    loadTensorShares(ring, plan, s),
  );
  const a = PartySetup.fromSeed(ring, plan, 0, shares[0]!, seeds[0]);
  const b = PartySetup.fromSeed(ring, plan, 1, shares[1]!, seeds[1]);
  const models: [PartyModel, PartyModel] = [a.finish(b.message()), b.finish(a.message())];
  for (const share of shares) for (const v of share.values()) v.free();
  return { setup: DealerSetup.fromSeeds(ring, plan, seeds), models };
}

/** What a run was, for checks. */
export interface Transcript {
  /** messages[round - 1][server]. */
  messages: Shares[];
  /** corrections[stage][server]. */
  corrections: Shares[];
  inputShares: Shares;
  outputShares: Shares;
}

/**
 * One private inference; throws if what crosses the wire differs from the declared cost.
 * @param watch gets both servers before they begin.
 * @param carried what both hold of the chunk before; in the result, what they hold for the next one.
 */
export function inferTogether(
  ring: Ring,
  network: Network,
  deployment: Deployment,
  inputs: Values,
  random: RandomBytes,
  watch?: (parties: readonly Party[]) => void,
  carried?: [Carried, Carried],
): { outputs: ReturnType<typeof reconstruct>; transcript: Transcript; carried: [Carried, Carried] } {
  const { program } = network;
  const seeds: Shares = [random(SEED_BYTES), random(SEED_BYTES)];
  const dealer = Dealer.fromSeeds(ring, program, deployment.setup, seeds);
  const parties = [
    new Party(ring, program, 0, deployment.models[0], SeedMaterial.fromSeed(ring, seeds[0])),
    new Party(ring, program, 1, deployment.models[1], CorrectedMaterial.fromSeed(ring, seeds[1])),
  ] as const;
  watch?.(parties);
  const corrections: Shares[] = [];
  while (!dealer.done) {
    const dealt = dealer.deal();
    corrections.push(dealt);
    parties.forEach((party, i) => {
      party.prepare(dealt[i]!);
    });
  }
  const inputShares = shareInputs(ring, network, inputs, random);
  const nonces: Shares = [random(SEED_BYTES), random(SEED_BYTES)];
  parties.forEach((party, i) => {
    party.begin(inputShares[i]!, outputStream(ring, nonces), carried?.[i]);
  });
  const messages: Shares[] = [];
  for (let round = 1; round <= rounds(program); round++) {
    const pair: Shares = [parties[0].message(), parties[1].message()];
    messages.push(pair);
    // one after the other, so that both ways are tried
    parties[round % 2]!.whileWaiting();
    parties[0].accept(pair[1]);
    parties[1].accept(pair[0]);
  }
  const outputShares: Shares = [parties[0].result(), parties[1].result()];
  const kept: [Carried, Carried] = [parties[0].carry(), parties[1].carry()];
  for (const player of [...parties, dealer]) player.close();
  checkCost(network, messages, corrections);
  return {
    outputs: reconstruct(ring, network, outputShares),
    transcript: { messages, corrections, inputShares, outputShares },
    carried: kept,
  };
}

function checkCost(network: Network, messages: Shares[], corrections: Shares[]): void {
  const declared = cost(network.program);
  const sum = (list: Uint8Array[]) => list.reduce((n, m) => n + m.length, 0);
  const measured = [
    messages.length,
    sum(messages.map((m) => m[0])),
    sum(messages.map((m) => m[1])),
    sum(corrections.map((c) => c[0])),
    sum(corrections.map((c) => c[1])),
  ];
  const { openingBytes } = declared;
  const expected = [
    declared.rounds,
    openingBytes,
    openingBytes,
    declared.commonBytes,
    declared.correctionBytes,
  ];
  if (measured.join() !== expected.join()) {
    throw new Error(`declared cost ${expected.join()} differs from the measured ${measured.join()}`);
  }
}
