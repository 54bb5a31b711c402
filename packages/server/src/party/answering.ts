/** Which requests are being answered: a reply that is written is not yet one that has left. */
import type { ServerResponse } from "node:http";

export class Answering {
  private count = 0;
  private readonly waiting: (() => void)[] = [];

  begin(reply: ServerResponse): void {
    this.count++;
    reply.once("close", () => {
      if (--this.count === 0) for (const resolve of this.waiting.splice(0)) resolve();
    });
  }

  idle(): Promise<void> {
    if (this.count === 0) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}
