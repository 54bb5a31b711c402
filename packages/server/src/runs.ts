/** Plans with their sizes fixed, kept for the next session of the same sizes. */
import {
  type Cost,
  cost,
  instantiate,
  type Network,
  type Plan,
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
  /** How many stages may be prepared ahead of the rounds. */
  window: number;
}

const KEPT = 16;
/** Stages ahead; fewer where they are large, so that what is prepared and not used yet stays below WINDOW_BYTES. */
const WINDOW = 1024;
const WINDOW_BYTES = 2 ** 28;

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
      stageCorrectionBytes(program, s),
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
  const window = Math.max(2, Math.min(WINDOW, Math.floor(WINDOW_BYTES / largest)));
  return { network, hash: runHash(plan, sizes), cost: cost(program), stages, window };
}
