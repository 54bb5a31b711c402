/** Long local work lets other sessions go on: a pause whenever a slice of time has been used. */
const SLICE_MS = 4;

export class Slices {
  private began = performance.now();

  /** Whether it is time to pause. */
  get over(): boolean {
    return performance.now() - this.began > SLICE_MS;
  }

  /** Lets everything else that is waiting run. */
  pause(): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(() => {
        this.began = performance.now();
        resolve();
      });
    });
  }
}
