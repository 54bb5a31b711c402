/**
 * How far ahead of the rounds sessions prepare. What is prepared lies in memory until it is used, so all sessions of a
 * server share a budget: one alone prepares everything before it begins, many at once just ahead of use.
 */

/** A stage is prepared while the one before it waits for the other server. */
const LEAST_STAGES = 2;

/** A budget of bytes, and the sessions that share it. */
export class Ahead {
  readonly bytes: number;
  /** Bytes that are prepared, or may be by now. */
  held = 0;
  private readonly windows = new Set<Window>();

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  /** One more session. @param prepared bytes that each stage takes once it is prepared. */
  open(prepared: Float64Array): Window {
    const window = new Window(prepared, this, () => this.windows.delete(window));
    this.windows.add(window);
    return window;
  }

  /** Bytes that each session may have prepared. */
  get share(): number {
    return this.bytes / Math.max(1, this.windows.size);
  }
}

/** The stages of one session that may be prepared, as its rounds go on. */
export class Window {
  private readonly prepared: Float64Array;
  private readonly ahead: Ahead;
  private readonly onClose: () => void;
  private from = 0;
  private to = 0;
  private bytes = 0;

  /** @internal See Ahead.open. */
  constructor(prepared: Float64Array, ahead: Ahead, onClose: () => void) {
    this.prepared = prepared;
    this.ahead = ahead;
    this.onClose = onClose;
  }

  /** The rounds have come so far; @returns how many stages may be prepared by now, from the first on. */
  reached(round: number): number {
    const { prepared, ahead } = this;
    while (this.from < Math.min(round, this.to)) this.hold(-prepared[this.from++]!);
    while (this.to < prepared.length) {
      const next = prepared[this.to]!;
      const fits = this.bytes + next <= ahead.share && ahead.held + next <= ahead.bytes;
      if (!fits && this.to >= this.from + LEAST_STAGES) break;
      this.hold(next);
      this.to++;
    }
    return this.to;
  }

  /** The session has ended. */
  close(): void {
    this.hold(-this.bytes);
    this.onClose();
  }

  private hold(bytes: number): void {
    this.bytes += bytes;
    this.ahead.held += bytes;
  }
}
