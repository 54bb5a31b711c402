/** What ends a session, in words. */
import { type ErrorCode, leastNumbers, type Plan, type Sizes, SottoError } from "@sotto/core";
import { type Run, sizesText } from "../runs.js";
import type { Rounds } from "./rounds.js";
import type { InferRequest } from "./session-types.js";

/** @throws SottoError plan-mismatch when another party runs something else in this session. */
export function agree(
  session: string,
  what: string,
  who: string,
  theirs: string,
  us: string,
  ours: string,
): void {
  if (theirs === ours) return;
  throw new SottoError(
    "plan-mismatch",
    `session ${session}: ${who} runs ${what} ${theirs}, ${us} runs ${what} ${ours}; ` +
      "the client must send the same plan and sizes to both servers, and both must hold the same deployment",
  );
}

/**
 * Before a program is built, which takes long where the sizes stated are large: a share has a bit at least for each number.
 * @param bytes the share's length. @throws SottoError bad-input
 */
export function checkStated(bytes: number, plan: Plan, sizes: Sizes): void {
  const least = Math.ceil(leastNumbers(plan, sizes) / 8);
  if (bytes >= least) return;
  throw new SottoError(
    "bad-input",
    `an input share of ${least} bytes or more expected for sizes ${sizesText(sizes)}, got ${bytes}`,
  );
}

/** @throws SottoError bad-input when a share is not of a run's length. */
export function checkShare(input: Uint8Array, { sizes }: InferRequest, run: Run): void {
  const { inputBytes } = run.cost;
  if (input.length === inputBytes) return;
  throw new SottoError(
    "bad-input",
    `an input share of ${inputBytes} bytes expected for sizes ${sizesText(sizes)}, got ${input.length}`,
  );
}

export function peerLost(peer: string, rounds: Rounds | undefined, cause: SottoError): SottoError {
  const round = rounds?.round ? ` in round ${rounds.round} of ${rounds.count}` : "";
  return new SottoError("unreachable", `${peer} was lost${round}: ${cause.message}`);
}

export function dealerLost(dealer: string, cause: SottoError): SottoError {
  return new SottoError(
    "unreachable",
    `${dealer} was lost before the session had its randomness: ${cause.message}`,
  );
}

/** Two of the dealer's workers had one job at the same moment, and each server has heard of another one first. */
export function dealtApart(session: string): SottoError {
  return new SottoError(
    "unreachable",
    `session ${session}: two of the dealer's workers dealt for it, one for each server; try again`,
  );
}

/** What a client did wrong is its own affair; what a party did is the operator's. */
export function failureLevel(code: ErrorCode): "info" | "warn" | "error" {
  if (code === "internal") return "error";
  return code === "bad-input" || code === "not-found" || code === "does-not-fit" ? "info" : "warn";
}
