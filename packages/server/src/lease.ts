/** Counts who uses something that has to be freed: replaced ones live on until their last session has ended. */
export class Leased<T extends { free(): void }> {
  readonly value: T;
  private users = 1;
  private readonly listeners: (() => void)[] = [];

  /** The maker is the first user. */
  constructor(value: T) {
    this.value = value;
  }

  /** One more user; to be released once. */
  acquire(): this {
    this.users++;
    return this;
  }

  release(): void {
    if (--this.users > 0) return;
    this.value.free();
    for (const listener of this.listeners) listener();
  }

  /** Called when the last user has released it; at once if that has been. */
  onFree(listener: () => void): void {
    if (this.users === 0) listener();
    else this.listeners.push(listener);
  }
}
