/** Bodies on their way from callers that have no limits of their own: owners, whose models take memory until they are whole. */
import { SottoError } from "@sotto/core";

const RETRY_MS = 1000;

export class Uploads {
  private readonly max: number;
  private running = 0;

  constructor(max: number) {
    this.max = max;
  }

  /** @returns what ends it; calling that twice does no harm. @throws SottoError busy naming the limit. */
  begin(): () => void {
    if (this.running >= this.max) {
      throw new SottoError(
        "busy",
        `${this.running} uploads are on their way already (limits.maxUploads); try again when one has arrived`,
        { retryAfterMs: RETRY_MS },
      );
    }
    this.running++;
    let over = false;
    return () => {
      if (!over) this.running--;
      over = true;
    };
  }
}
