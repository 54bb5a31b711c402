/** A YAML file checked against a schema, with errors that say what to change. */
import { readFileSync } from "node:fs";
import { SottoError } from "@sotto/core";
import { parseDocument } from "yaml";
import type { z } from "zod";

/** @throws SottoError bad-config listing every key that is wrong. */
export function readYaml<S extends z.ZodType>(path: string, schema: S): z.output<S> {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code;
    throw new SottoError("bad-config", `${path}: cannot be read (${why}); expected a YAML file`, { cause });
  }
  const document = parseDocument(text);
  const [syntax] = document.errors;
  if (syntax) throw new SottoError("bad-config", `${path}: not YAML: ${syntax.message}`);
  const value: unknown = document.toJS();
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map(
    (issue) => `${issue.path.join(".") || "the file"}: ${describe(issue, value)}`,
  );
  throw new SottoError("bad-config", `${path}: ${wrong.join("; ")}`);
}

function describe(issue: z.core.$ZodIssue, root: unknown): string {
  if (issue.code === "unrecognized_keys")
    return `unknown key ${issue.keys.join(", ")}; expected none of that name`;
  const found = issue.path.reduce<unknown>(
    (value, key) => (value as Record<PropertyKey, unknown>)?.[key],
    root,
  );
  const expected = issue.message.replace(/^Invalid \w+: /, "").replace(/, received .*$/, "");
  return `${expected}, found ${found === undefined ? "nothing" : JSON.stringify(found).slice(0, 80)}`;
}
