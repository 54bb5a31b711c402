/**
 * How far ahead of the rounds sessions prepare. What is prepared lies in memory until it is used, so all sessions of a
 * server share a budget: one alone prepares everything before it begins, many at once just ahead of use.
 */

/** A stage is prepared while the one before it waits for the other server. */
const LEAST_STAGES = 2;

/** What a stage takes in memory once it is prepared, and what it takes besides if its keys are expanded then. */
export interface Prepared {
  drawn: number;
  expanded: number;
}

/** A budget of bytes, and the sessions that share it. */
export class Ahead {
  readonly bytes: number;
  /** Bytes that are prepared, or may be by now. More than the budget only by two stages a session, unexpanded. */
  held = 0;
  private readonly windows = new Set<Window>();

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  /** One more session. */
  open(stages: readonly Prepared[]): Window {
    const window = new Window(stages, this);
    this.windows.add(window);
    return window;
  }

  /** @internal A window comes from another budget, with what it has prepared. */
  enter(window: Window, bytes: number): void {
    this.windows.add(window);
    this.held += bytes;
  }

  /** @internal */
  leave(window: Window, bytes: number): void {
    this.windows.delete(window);
    this.held -= bytes;
  }

  /** Bytes that each session may have prepared. */
  get share(): number {
    return this.bytes / Math.max(1, this.windows.size);
  }
}

/** The stages of one session that may be prepared, as its rounds go on. */
export class Window {
  private readonly stages: readonly Prepared[];
  private ahead: Ahead;
  /** Bytes that each stage holds, from the first to the last that may be prepared. */
  private readonly holding: number[] = [];
  private from = 0;
  private bytes = 0;

  /** @internal See Ahead.open. */
  constructor(stages: readonly Prepared[], ahead: Ahead) {
    this.stages = stages;
    this.ahead = ahead;
  }

  /** The rounds have come so far; @returns how many stages may be prepared by now, from the first on. */
  reached(round: number): number {
    const { stages, holding } = this;
    while (this.from < Math.min(round, holding.length)) this.hold(-holding[this.from++]!);
    while (holding.length < stages.length) {
      const { drawn, expanded } = stages[holding.length]!;
      const whole = this.fits(drawn + expanded);
      // what is needed next is prepared in any case, but expanded where it is used if there is no room
      if (!whole && holding.length >= this.from + LEAST_STAGES) break;
      const bytes = whole ? drawn + expanded : drawn;
      holding.push(bytes);
      this.hold(bytes);
    }
    return holding.length;
  }

  /** Whether a stage that may be prepared has room for what it expands to. */
  expands(stage: number): boolean {
    return this.holding[stage]! > this.stages[stage]!.drawn;
  }

  /** The session has ended. */
  close(): void {
    this.ahead.leave(this, this.bytes);
    this.bytes = 0;
  }

  /** It counts in another budget from now on. */
  move(to: Ahead): void {
    this.ahead.leave(this, this.bytes);
    this.ahead = to;
    to.enter(this, this.bytes);
  }

  private fits(bytes: number): boolean {
    const { share, held, bytes: budget } = this.ahead;
    return this.bytes + bytes <= share && held + bytes <= budget;
  }

  private hold(bytes: number): void {
    this.bytes += bytes;
    this.ahead.held += bytes;
  }
}
