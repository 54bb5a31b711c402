import { badModel, quote, unsupported } from "./errors.js";
import type { Config } from "./json.js";

/** A layer's configuration: typed reads, with errors that name the layer. */
export class Options {
  constructor(
    readonly layer: string,
    readonly type: string,
    private readonly config: Config,
  ) {}

  has(name: string): boolean {
    return this.config[name] !== undefined && this.config[name] !== null;
  }

  raw(name: string): unknown {
    return this.config[name];
  }

  boolean(name: string, otherwise: boolean): boolean {
    const value = this.config[name] ?? otherwise;
    if (typeof value !== "boolean") this.bad(`${name} should be true or false, not ${quote(value)}`);
    return value;
  }

  number(name: string, otherwise: number): number {
    const value = this.config[name] ?? otherwise;
    if (typeof value !== "number" || !Number.isFinite(value))
      this.bad(`${name} should be a number, not ${quote(value)}`);
    return value;
  }

  string(name: string, otherwise: string): string {
    const value = this.config[name] ?? otherwise;
    if (typeof value !== "string") this.bad(`${name} should be text, not ${quote(value)}`);
    return value;
  }

  /** A positive whole number. */
  size(name: string, otherwise?: number): number {
    const value = this.config[name] ?? otherwise;
    if (!isSize(value)) this.bad(`${name} should be a positive whole number, not ${quote(value)}`);
    return value;
  }

  /** A list of whole numbers; a single one counts as a list. */
  integers(name: string): number[] {
    const value = this.config[name];
    const list = Array.isArray(value) ? value : [value];
    if (!list.every((v) => Number.isSafeInteger(v)))
      this.bad(`${name} should be whole numbers, not ${quote(value)}`);
    return list;
  }

  /** Throws `bad-model`. */
  bad(message: string): never {
    badModel(`layer ${quote(this.layer)} (${this.type}): ${message}`);
  }

  /** Throws `unsupported`; say also what to do instead. */
  unsupported(message: string): never {
    unsupported(`layer ${quote(this.layer)} (${this.type}): ${message}`);
  }

  /** Refuses a true option. */
  refuse(name: string, why: string): void {
    if (this.boolean(name, false)) this.unsupported(`${name} is not supported; ${why}`);
  }
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0 && (value as number) < 2 ** 31;
}
