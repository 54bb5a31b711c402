/** Errors as HTTP replies. */
import { type ErrorCode, SottoError } from "@sotto/core";
import { asSottoError, stateError } from "@sotto/wire";
import type { FastifyReply } from "fastify";

export const STATUS: Record<ErrorCode, number> = {
  "bad-model": 400,
  unsupported: 400,
  "bad-input": 400,
  "does-not-fit": 400,
  "bad-config": 400,
  unauthorized: 401,
  tls: 403,
  forbidden: 403,
  "not-found": 404,
  conflict: 409,
  "plan-mismatch": 409,
  busy: 429,
  internal: 500,
  protocol: 502,
  material: 502,
  unreachable: 503,
  timeout: 504,
};

/** Where an error does not know better: parties come back within a second or two. */
const RETRY_AFTER_MS = 1000;

/** Headers of error replies, by status. */
export function errorHeaders(error: SottoError): Record<string, string> {
  const status = STATUS[error.code];
  if (status === 401) return { "www-authenticate": 'Bearer realm="sotto"' };
  if (status !== 429 && status !== 503) return {};
  // whole seconds, never too early
  return { "retry-after": String(Math.max(1, Math.ceil((error.retryAfterMs ?? RETRY_AFTER_MS) / 1000))) };
}

/** A library's errors in the product's terms. */
export function statedBy(error: unknown, expected: { maxBodyBytes: number; type: string }): SottoError {
  const code = (error as { code?: string }).code;
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") {
    return new SottoError(
      "bad-input",
      `the body exceeds ${expected.maxBodyBytes} bytes (limits.maxBodyBytes)`,
    );
  }
  if (code?.startsWith("FST_ERR")) {
    return new SottoError(
      "bad-input",
      `the request cannot be read (${code}); expected a body of type ${expected.type}`,
    );
  }
  return asSottoError(error);
}

export function sendError(error: SottoError, reply: FastifyReply): FastifyReply {
  return reply.headers(errorHeaders(error)).status(STATUS[error.code]).send(stateError(error));
}
