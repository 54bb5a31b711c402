/** A YAML file checked against a schema, with errors that say what to change. */
import { readFileSync } from "node:fs";
import { SottoError } from "@sotto/core";
import { LineCounter, parseDocument } from "yaml";
import type { z } from "zod";

// biome-ignore lint/suspicious/noControlCharactersInRegex: those that no text has
const CONTROL = /[\u0000-\u0008\u000e-\u001f]/;

const REASONS: Record<string, string> = {
  ENOENT: "there is no such file",
  // a file in the place of a directory
  ENOTDIR: "there is no such file",
  EISDIR: "it is a directory",
};

/** @throws SottoError bad-config listing every key that is wrong. */
export function readYaml<S extends z.ZodType>(path: string, schema: S): z.output<S> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = (code && REASONS[code]) ?? `cannot be read (${code})`;
    throw new SottoError("bad-config", `${path}: ${why}; expected a YAML file`, { cause });
  }
  // the parser's message would show some of it, and a terminal obey it
  if (CONTROL.test(text)) throw new SottoError("bad-config", `${path}: it is no text; expected a YAML file`);
  // a pretty message quotes lines, and the file may be a key that was named by mistake
  const lines = new LineCounter();
  const document = parseDocument(text, { prettyErrors: false, lineCounter: lines });
  const [syntax] = document.errors;
  if (syntax) {
    const { line } = lines.linePos(syntax.pos[0]);
    throw new SottoError("bad-config", `${path}: not YAML: line ${line}: ${syntax.message.trimEnd()}`);
  }
  let value: unknown;
  try {
    value = document.toJS();
  } catch {
    // aliases, which are resolved only now; the parser's message names them
    const why = "an alias (*NAME) does not fit its anchor; a text that begins with * goes in quotes";
    throw new SottoError("bad-config", `${path}: not YAML: ${why}`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new SottoError("bad-config", `${path}: ${explain(schema, parsed.error.issues, value)}`);
}

/** What is wrong with a value, in words: each key, what was expected and what was found. */
export function explain(schema: z.ZodType, issues: readonly z.core.$ZodIssue[], value: unknown): string {
  if (value === undefined || value === null) return `the file is empty; expected ${keysOf(schema)}`;
  return issues
    .map((issue) => `${issue.path.join(".") || "the file"}: ${describe(schema, issue, value)}`)
    .join("; ");
}

function describe(root: z.ZodType, issue: z.core.$ZodIssue, value: unknown): string {
  const schema = issue.path.reduce<z.core.$ZodType | undefined>(child, root);
  if (issue.code === "unrecognized_keys")
    return `unknown key ${issue.keys.join(", ")}; expected ${keysOf(schema)}`;
  const found = issue.path.reduce<unknown>((v, key) => (v as Record<PropertyKey, unknown>)?.[key], value);
  const own = issue.message.replace(/^Invalid \w+: /, "").replace(/, received .*$/, "");
  const expected = issue.code === "custom" ? own : (expectedBy(schema, issue) ?? own);
  return `${expected}, found ${found === undefined ? "nothing" : shown(found, issue.path)}`;
}

/** What a token and a key begin with, wherever they were put. */
const SECRET = /^\s*(sotto_|-----BEGIN)/;

/** A number or a word; not a token, not what may hold one, and not what is all of the file, which may be a key. */
function shown(value: unknown, path: readonly PropertyKey[]): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "keys with values";
  const secret = typeof value === "string" && SECRET.test(value);
  if (secret || path.length === 0 || path.at(-1) === "token") return `a ${typeof value}`;
  return JSON.stringify(value).slice(0, 80);
}

/** In our words, where we have any. */
function expectedBy(schema: z.core.$ZodType | undefined, issue: z.core.$ZodIssue): string | undefined {
  const inner = unwrap(schema);
  const { type } = inner?._zod.def ?? {};
  if (type === "number") {
    const { minValue: low, maxValue: high } = inner as z.ZodNumber;
    const bounded = (bound: number | null): bound is number =>
      Math.abs(bound ?? Infinity) < Number.MAX_SAFE_INTEGER;
    if (!bounded(low)) return undefined;
    return `expected a number ${bounded(high) ? `from ${low} to ${high}` : `of ${low} or more`}`;
  }
  if (type === "string" && issue.code === "too_small") return "expected a text that is not empty";
  if (inner && type === "tuple") {
    return `expected a list of ${(inner as z.core.$ZodTuple)._zod.def.items.length}`;
  }
  return undefined;
}

function keysOf(schema: z.core.$ZodType | undefined): string {
  const inner = unwrap(schema);
  if (inner?._zod.def.type !== "object") return "none of that name";
  return `the keys ${Object.keys((inner as z.core.$ZodObject)._zod.def.shape).join(", ")}`;
}

function child(schema: z.core.$ZodType | undefined, key: PropertyKey): z.core.$ZodType | undefined {
  const inner = unwrap(schema);
  const { type } = inner?._zod.def ?? {};
  if (type === "object") return (inner as z.core.$ZodObject)._zod.def.shape[String(key)];
  if (type === "tuple") return (inner as z.core.$ZodTuple)._zod.def.items[Number(key)];
  return undefined;
}

/** Without optional(), default() and the like. */
function unwrap(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  const inner = (schema?._zod.def as { innerType?: z.core.$ZodType } | undefined)?.innerType;
  return inner ? unwrap(inner) : schema;
}
