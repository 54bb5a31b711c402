/** Plans with their sizes fixed, kept for the next session of the same sizes. */
import {
  type ChunkKind,
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
  Streaming,
  stageCorrectionBytes,
} from "@sotto/core";
import { DEFAULT_MAX_PAYLOAD } from "@sotto/wire";
import type { Prepared } from "./party/ahead.js";

/** What a session of a stream runs. */
export interface Chunk {
  steps: number;
  kind: ChunkKind;
}

export interface Run {
  network: Network;
  /** Run hash: of plan and sizes. */
  hash: string;
  cost: Cost;
  stages: number;
  /** Of a chunk of a stream. */
  chunk?: Chunk;
  /** Bytes of memory that each stage's correlated randomness takes from when it is prepared until it is used. */
  prepared: readonly Prepared[];
}

const KEPT = 16;

export class Runs {
  private readonly kept = new Map<string, Run>();
  private readonly streamings = new Map<string, Streaming>();

  /**
   * @param chunk of a stream; then the sizes are those besides time.
   * @throws SottoError bad-input, does-not-fit: sizes that the plan does not take, or too large for a frame; unsupported:
   * a model that cannot be streamed.
   */
  get(plan: Plan, planHash: string, sizes: Sizes, chunk?: Chunk): Run {
    const key = `${planHash} ${sizesText(sizes)} ${chunkText(chunk)}`;
    return recent(this.kept, key, () => {
      if (!chunk) return makeRun(instantiate(plan, sizes), runHash(plan, sizes));
      const streaming = this.streaming(plan, planHash, sizes, chunk.steps);
      return { ...makeRun(streaming.chunk(chunk.kind), streaming.hash(chunk.kind)), chunk };
    });
  }

  /** @throws SottoError unsupported, naming the layer that cannot be streamed; bad-input, does-not-fit. */
  streaming(plan: Plan, planHash: string, sizes: Sizes, steps: number): Streaming {
    const key = `${planHash} ${sizesText(sizes)} ${steps}`;
    return recent(this.streamings, key, () => new Streaming(plan, { sizes, steps }));
  }
}

/** The most recently used stay longest. */
function recent<T>(kept: Map<string, T>, key: string, make: () => T): T {
  const found = kept.get(key) ?? make();
  kept.delete(key);
  kept.set(key, found);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value!);
  return found;
}

/** What a session runs of a stream, as text. */
export function chunkText(chunk: Chunk | undefined): string {
  return chunk ? `${chunk.kind} of ${chunk.steps} steps` : "whole";
}

/** Sizes in a fixed order, as text. */
export function sizesText(sizes: Sizes): string {
  const sorted = Object.entries(sizes).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(Object.fromEntries(sorted));
}

function makeRun(network: Network, hash: string): Run {
  const { program, sizes } = network;
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
  const prepared = program.stages.map((_, stage) => preparedBytes(program, stage));
  return { network, hash, cost: cost(program), stages, prepared };
}
