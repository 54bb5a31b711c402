/** Plans with their sizes fixed, kept for the next session of the same sizes. */
import {
  type Cost,
  cost,
  instantiate,
  type Network,
  type Plan,
  preparedBytes,
  roundBytes,
  rounds,
  runHash,
  type Sizes,
  SottoError,
  stageCorrectionBytes,
} from "@sotto/core";
import { DEFAULT_MAX_PAYLOAD } from "@sotto/wire";

export interface Run {
  network: Network;
  /** Run hash: of plan and sizes. */
  hash: string;
  cost: Cost;
  stages: number;
  /** Bytes of memory that each stage's correlated randomness takes from when it is prepared until it is used. */
  prepared: Float64Array;
}

const KEPT = 16;

export class Runs {
  private readonly kept = new Map<string, Run>();

  /** @throws SottoError bad-input, does-not-fit: sizes that the plan does not take, or too large for a frame. */
  get(plan: Plan, planHash: string, sizes: Sizes): Run {
    const key = `${planHash} ${sizesText(sizes)}`;
    const known = this.kept.get(key);
    // the most recently used stays longest
    this.kept.delete(key);
    const run = known ?? makeRun(plan, sizes);
    this.kept.set(key, run);
    if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value!);
    return run;
  }
}

/** Sizes in a fixed order, as text. */
export function sizesText(sizes: Sizes): string {
  const sorted = Object.entries(sizes).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(Object.fromEntries(sorted));
}

function makeRun(plan: Plan, sizes: Sizes): Run {
  const network = instantiate(plan, sizes);
  const { program } = network;
  const stages = program.stages.length;
  let largest = 1;
  for (let s = 0; s < stages; s++) {
    const bytes = Math.max(
      stageCorrectionBytes(program, s, 1),
      s < rounds(program) ? roundBytes(program, s + 1) : 0,
    );
    largest = Math.max(largest, bytes);
  }
  if (largest > DEFAULT_MAX_PAYLOAD) {
    throw new SottoError(
      "does-not-fit",
      `with sizes ${sizesText(sizes)} a message of ${largest} bytes would be needed; at most ${DEFAULT_MAX_PAYLOAD} ` +
        "are sent at once: split the batch",
    );
  }
  const prepared = Float64Array.from(program.stages, (_, stage) => preparedBytes(program, stage));
  return { network, hash: runHash(plan, sizes), cost: cost(program), stages, prepared };
}
