/** Standard output for results, standard error for everything else. */

/** Writes a result and waits until it has left the process. */
export function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(`${text}\n`, (error) => (error ? reject(error) : resolve()));
  });
}

/** A remark that is not a result. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/**
 * What is going on right now: on a terminal one line that changes, otherwise silent, since a log gains
 * nothing from it. `done` leaves the line empty for what follows.
 */
export class Progress {
  private readonly live: boolean;
  private shown = false;

  constructor(enabled = true) {
    this.live = enabled && process.stderr.isTTY === true;
  }

  update(text: string): void {
    if (!this.live) return;
    const width = Math.max(20, process.stderr.columns || 80) - 1;
    process.stderr.write(`\r\u001b[K${text.slice(0, width)}`);
    this.shown = true;
  }

  done(): void {
    if (this.shown) process.stderr.write("\r\u001b[K");
    this.shown = false;
  }
}
