/** Standard output for results, standard error for everything else. */

/** As for other tools that SIGPIPE ends: 128 + 13. */
const NOBODY_READS = 141;

/** Ends the process without a word when what reads its output has gone (`sotto ... | head`). */
export function endWhenNobodyReads(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      process.exit(NOBODY_READS);
    });
  }
}

/** Writes a result and waits until it has left the process. */
export function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(`${text}\n`, (error?: NodeJS.ErrnoException | null) => {
      // comes before the stream's "error"
      if (error?.code === "EPIPE") process.exit(NOBODY_READS);
      if (error) reject(error);
      else resolve();
    });
  });
}

/** A remark that is not a result. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** What was assumed about a model. */
export function onNote(text: string): void {
  note(`sotto: note: ${text}`);
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
