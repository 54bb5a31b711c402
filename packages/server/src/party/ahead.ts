/**
 * How far ahead of the rounds sessions prepare. What is prepared lies in memory until it is used, so all sessions of a
 * server share a budget: one alone prepares everything before it begins, many at once just ahead of use.
 */

/** A stage is prepared while the one before it waits for the other server. */
const LEAST_STAGES = 2;

/** Divides a budget of bytes evenly among the sessions that there are. */
export class Ahead {
  private readonly bytes: number;
  private sessions = 0;

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  /** One more session. @returns to be called once, when it has ended. */
  join(): () => void {
    this.sessions++;
    return () => {
      this.sessions--;
    };
  }

  /** Bytes that each session may have prepared. */
  get share(): number {
    return this.bytes / Math.max(1, this.sessions);
  }
}

/** The stages of one session that may be prepared, as its rounds go on. */
export class Window {
  private readonly prepared: Float64Array;
  private readonly ahead: Ahead;
  private from = 0;
  private to = 0;
  private bytes = 0;

  /** @param prepared bytes that each stage takes once it is prepared. */
  constructor(prepared: Float64Array, ahead: Ahead) {
    this.prepared = prepared;
    this.ahead = ahead;
  }

  /** The rounds have come so far; @returns how many stages may be prepared by now, from the first on. */
  reached(round: number): number {
    const { prepared, ahead } = this;
    while (this.from < Math.min(round, this.to)) this.bytes -= prepared[this.from++]!;
    const { share } = ahead;
    while (this.to < prepared.length) {
      const next = prepared[this.to]!;
      if (this.to >= this.from + LEAST_STAGES && this.bytes + next > share) break;
      this.bytes += next;
      this.to++;
    }
    return this.to;
  }

  /** Stages that may be prepared and are not used yet. */
  get width(): number {
    return this.to - this.from;
  }
}
