/** What went wrong, for programs; the message says it to people. */
export type ErrorCode =
  | "bad-model" // the file is not a model, or is damaged
  | "unsupported" // the model has something this version does not do
  | "bad-input" // shape, type, NaN, or out of the declared range
  | "does-not-fit" // a bound of the model exceeds what the arithmetic holds
  | "bad-config"
  | "plan-mismatch" // the parties do not agree on the plan
  | "protocol" // a message that is not the one expected
  | "material" // correlated randomness missing, wrong or already taken
  | "unreachable"
  | "tls" // a certificate is not the one expected
  | "timeout"
  | "not-found"
  | "conflict"
  | "unauthorized" // no token and no certificate that is known
  | "forbidden" // known, but not allowed to do this, or not at this size
  | "busy" // a limit is reached for now; retryAfterMs says when to come again
  | "internal";

/**
 * The one error type of the product. The message names what was wrong, what was expected and
 * what to do; it never contains a share, a weight, an input or a seed.
 */
export class SottoError extends Error {
  readonly code: ErrorCode;
  /** How long to wait before the same may be tried again, in milliseconds, where that is known. */
  readonly retryAfterMs: number | undefined;
  /** Of a value of the client's input that is refused: its place, row-major. */
  readonly at: { input: string; element: number } | undefined;
  constructor(
    code: ErrorCode,
    message: string,
    options?: { cause?: unknown; retryAfterMs?: number; at?: { input: string; element: number } },
  ) {
    super(message, options);
    this.name = "SottoError";
    this.code = code;
    this.retryAfterMs = options?.retryAfterMs;
    this.at = options?.at;
  }
}
