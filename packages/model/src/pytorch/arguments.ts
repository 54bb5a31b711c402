import { badConfig, quote } from "./errors.js";
import type { Json } from "./json.js";

/** A module's arguments, under the names that PyTorch's constructors give them, as printed or as configured. */
export class Arguments {
  private readonly known = new Set<string>();

  /**
   * @param where the module, for messages.
   * @param printed whether Python printed them: then what is left out has PyTorch's default.
   */
  constructor(
    readonly where: string,
    private readonly values: ReadonlyMap<string, Json>,
    readonly printed: boolean,
  ) {}

  /** Undefined if it is not given. */
  get(name: string): Json | undefined {
    this.known.add(name);
    return this.values.get(name);
  }

  number(name: string, fallback: number): number {
    const value = this.get(name) ?? fallback;
    return typeof value === "number" && Number.isFinite(value) ? value : this.bad(name, "a number");
  }

  boolean(name: string): boolean | undefined {
    const value = this.get(name);
    if (value === undefined || typeof value === "boolean") return value;
    this.bad(name, "true or false");
  }

  /** A whole number; of one-dimensional modules PyTorch prints tuples of one. */
  integer(name: string): number | undefined {
    const value = this.get(name);
    const one = Array.isArray(value) && value.length === 1 ? value[0] : value;
    if (one === undefined || (typeof one === "number" && (one | 0) === one)) return one;
    this.bad(name, "a whole number below 2^31");
  }

  /** A whole number from 1. */
  count(name: string): number | undefined {
    const value = this.integer(name);
    return value === undefined || value >= 1 ? value : this.bad(name, "a whole number above 0");
  }

  text(name: string): string | undefined {
    const value = this.get(name);
    return value === undefined || typeof value === "string" ? value : this.bad(name, "a text");
  }

  /** Sizes that are all given, or undefined. */
  sizes(...names: string[]): number[] | undefined {
    const sizes = names.map((name) => this.count(name));
    return sizes.every((size) => size !== undefined) ? sizes : undefined;
  }

  /** Marks arguments that mean nothing for the result. */
  ignore(...names: string[]): void {
    for (const name of names) this.known.add(name);
  }

  refuseRest(): void {
    const rest = [...this.values.keys()].filter((name) => !this.known.has(name));
    if (rest.length > 0)
      badConfig(
        `${this.where} has the option ${quote(rest[0]!)}, which is not known here; known are ` +
          `${[...this.known].join(", ") || "none"}`,
      );
  }

  bad(name: string, expected: string): never {
    badConfig(`${this.where}: ${quote(name)} should be ${expected}`);
  }
}
