/** Dealer and both servers in one process and one thread, one after the other: what they compute, without a network. */
import {
  CorrectedMaterial,
  Dealer,
  type Network,
  outputStream,
  Party,
  type Ring,
  rounds,
  SEED_BYTES,
  SeedMaterial,
  systemRandom,
} from "@sotto/core";
import type { deployTogether } from "@sotto/core/testing";

type Deployment = ReturnType<typeof deployTogether>;

/** Milliseconds of one run. */
export interface LockStepTimes {
  deal: number;
  /** Of server 0 and server 1: what depends on randomness alone. */
  prepare: [number, number];
  /** Of server 0 and server 1: from the input share to the output share, without `waiting`. */
  online: [number, number];
  /** Of server 0 and server 1: what is done while the other's message is on the way. */
  waiting: [number, number];
}

/** One inference on these input shares. */
export function lockStep(
  ring: Ring,
  network: Network,
  deployment: Deployment,
  shares: readonly [Uint8Array, Uint8Array],
): LockStepTimes {
  const { program } = network;
  const seeds = [systemRandom(SEED_BYTES), systemRandom(SEED_BYTES)] as const;
  const dealer = Dealer.fromSeeds(ring, program, deployment.setup, seeds);
  const parties = [
    new Party(ring, program, 0, deployment.models[0], SeedMaterial.fromSeed(ring, seeds[0])),
    new Party(ring, program, 1, deployment.models[1], CorrectedMaterial.fromSeed(ring, seeds[1])),
  ] as const;
  const times: LockStepTimes = { deal: 0, prepare: [0, 0], online: [0, 0], waiting: [0, 0] };
  const timed = <T>(add: (ms: number) => void, work: () => T): T => {
    const began = performance.now();
    const result = work();
    add(performance.now() - began);
    return result;
  };
  const online = <T>(i: 0 | 1, work: () => T, of: "online" | "waiting" = "online"): T =>
    timed((ms) => {
      times[of][i] += ms;
    }, work);

  while (!dealer.done) {
    const corrections = timed(
      (ms) => {
        times.deal += ms;
      },
      () => dealer.deal(),
    );
    for (const i of [0, 1] as const) {
      timed(
        (ms) => {
          times.prepare[i] += ms;
        },
        () => parties[i].prepare(corrections[i]),
      );
    }
  }
  const nonces = [systemRandom(SEED_BYTES), systemRandom(SEED_BYTES)] as const;
  for (const i of [0, 1] as const) online(i, () => parties[i].begin(shares[i], outputStream(ring, nonces)));
  for (let round = 1; round <= rounds(program); round++) {
    const a = online(0, () => parties[0].message());
    const b = online(1, () => parties[1].message());
    for (const i of [0, 1] as const) online(i, () => parties[i].whileWaiting(), "waiting");
    online(0, () => parties[0].accept(b));
    online(1, () => parties[1].accept(a));
  }
  for (const i of [0, 1] as const) online(i, () => parties[i].result());
  for (const player of [...parties, dealer]) player.close();
  return times;
}
