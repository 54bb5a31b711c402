/** Beats on their way through a stream, and what the servers say of them. */
import type { ModelStream } from "@sotto/client";
import { type Beat, BeatFeatures, beatClasses, FEATURES } from "@sotto/example-heart";
import type { Connection } from "../cluster.js";
import { LOOK, type Run, runOf } from "../run.js";
import { best, softmax } from "./scores.js";

/** Beats on their way; more are left out, when the servers are slower than the heart. */
const MOST = 8;

export interface Said {
  label: (typeof beatClasses)[number];
  sure: number;
  run: Run;
  /** Of its R peak, from the beginning of the signal. */
  sample: number;
}

/** A stream, its shares as they go out, and the beats in the order in which they went. */
export class Listener {
  private stream: Promise<ModelStream> | undefined;
  private sent: (readonly [Uint8Array, Uint8Array])[] = [];
  private readonly features = new BeatFeatures();
  private waiting = 0;
  private number = 0;
  private readonly connection: Connection;

  constructor(connection: Connection) {
    this.connection = connection;
  }

  /** What the servers say of the next beat; nothing when too many are on their way. */
  async hear(beat: Beat): Promise<Said | undefined> {
    const data = this.features.next(beat);
    if (this.waiting >= MOST) return undefined;
    this.waiting++;
    try {
      this.stream ??= this.open();
      const stream = await this.stream;
      const { outputs, stats } = await stream.step({ beats: { shape: [1, 1, FEATURES], data } });
      const shares = this.sent.shift()!;
      const scores = softmax(outputs.logits!.data);
      const bits = Math.floor((shares[0].length * 8) / FEATURES);
      const at = best(scores);
      const run = runOf(++this.number, shares, stats, bits);
      return { label: beatClasses[at]!, sure: scores[at]!, run, sample: beat.sample };
    } finally {
      this.waiting--;
    }
  }

  close(): void {
    this.stream?.then((stream) => stream.close()).catch(() => {});
  }

  private async open(): Promise<ModelStream> {
    const model = await this.connection.model("heart");
    return model.stream({ look: LOOK, roundTimes: true, onSent: (shares) => this.sent.push(shares) });
  }
}
