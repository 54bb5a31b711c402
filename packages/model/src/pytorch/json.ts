/**
 * JSON that refuses duplicate keys, which JSON.parse lets pass and the safetensors format forbids.
 * Objects come as Maps, so that no key ("__proto__") has a meaning of its own.
 */
export type Json = null | boolean | number | string | Json[] | Map<string, Json>;

const MAX_DEPTH = 32;
const SPACE = /[ \t\n\r]*/y;
const PLAIN = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

/** @throws Error saying what is wrong, and where. */
export function parseJson(text: string): Json {
  const reader = new Reader(text);
  const value = reader.value(0);
  if (reader.peek() !== undefined) reader.fail("text after its end");
  return value;
}

class Reader {
  private at = 0;
  constructor(private readonly text: string) {}

  /** The next character that is not space, undefined at the end. */
  peek(): string | undefined {
    SPACE.lastIndex = this.at;
    SPACE.exec(this.text);
    this.at = SPACE.lastIndex;
    return this.text[this.at];
  }

  value(depth: number): Json {
    if (depth > MAX_DEPTH) this.fail("it is nested too deeply");
    const next = this.peek();
    if (next === "{") return this.object(depth);
    if (next === "[") return this.array(depth);
    if (next === '"') return this.string();
    PLAIN.lastIndex = this.at;
    const plain = PLAIN.exec(this.text)?.[0] ?? this.fail("a value is missing or malformed");
    this.at += plain.length;
    return JSON.parse(plain) as Json;
  }

  fail(message: string): never {
    throw new Error(`${message} (at character ${this.at})`);
  }

  private object(depth: number): Map<string, Json> {
    const result = new Map<string, Json>();
    this.list("}", () => {
      if (this.peek() !== '"') this.fail("a key is missing");
      const key = this.string();
      if (result.has(key)) this.fail(`the key ${JSON.stringify(key.slice(0, 100))} occurs twice`);
      this.take(":");
      result.set(key, this.value(depth + 1));
    });
    return result;
  }

  private array(depth: number): Json[] {
    const result: Json[] = [];
    this.list("]", () => result.push(this.value(depth + 1)));
    return result;
  }

  /** From the opening bracket to the closing one. */
  private list(end: string, item: () => void): void {
    this.at++;
    if (this.peek() === end) {
      this.at++;
      return;
    }
    for (;;) {
      item();
      if (this.peek() === end) {
        this.at++;
        return;
      }
      this.take(",");
    }
  }

  private string(): string {
    const start = this.at;
    for (let end = this.text.indexOf('"', start + 1); end >= 0; end = this.text.indexOf('"', end + 1)) {
      let backslashes = 0;
      while (this.text[end - 1 - backslashes] === "\\") backslashes++;
      if (backslashes % 2 === 1) continue;
      this.at = end + 1;
      try {
        return JSON.parse(this.text.slice(start, end + 1)) as string;
      } catch {
        this.at = start;
        this.fail("a string is malformed");
      }
    }
    this.fail("a string does not end");
  }

  private take(char: string): void {
    if (this.peek() !== char) this.fail(`${char} is missing`);
    this.at++;
  }
}
