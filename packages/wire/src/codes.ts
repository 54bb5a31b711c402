/** Errors as they cross the wire. */
import { type ErrorCode, SottoError } from "@sotto/core";
import * as z from "zod/mini";

const CODES = [
  "bad-model",
  "unsupported",
  "bad-input",
  "does-not-fit",
  "bad-config",
  "plan-mismatch",
  "protocol",
  "material",
  "unreachable",
  "tls",
  "timeout",
  "not-found",
  "conflict",
  "unauthorized",
  "forbidden",
  "busy",
  "internal",
] as const satisfies readonly ErrorCode[];

const MAX_MESSAGE = 2000;

export const errorCode = z.enum(CODES);

/** An error as another party, or an HTTP reply, states it. */
export const statedError = z.object({ code: errorCode, message: z.string().check(z.maxLength(MAX_MESSAGE)) });
export type StatedError = z.infer<typeof statedError>;

/**
 * An error as it may leave this process. What is not a SottoError is not described: its text is not ours, and
 * nobody has checked what it contains.
 */
export function stateError(error: unknown): StatedError {
  if (!(error instanceof SottoError))
    return { code: "internal", message: "internal error; see this party's log" };
  return { code: error.code, message: error.message.slice(0, MAX_MESSAGE) };
}

/** Anything that was thrown, as a SottoError. */
export function asSottoError(error: unknown): SottoError {
  if (error instanceof SottoError) return error;
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new SottoError("internal", `unexpected: ${text}`, { cause: error });
}
