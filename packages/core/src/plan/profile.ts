/** Which profile is the faster one over a given line. docs/protocol.md, "Look-up in one round". */
import { cost, expandedBytes } from "../interpret/cost.js";
import { instantiate } from "./instantiate.js";
import type { Plan, Profile, Sizes } from "./plan.js";

/**
 * Bytes of point vectors that a server makes in a millisecond, on one core: what bench/results measures, rounded down.
 * Preparing overlaps with waiting, so this errs towards "lan".
 */
const EXPANDED_PER_MS = 400_000;
/** Milliseconds of a round trip below which messages take their time for other reasons than the line. */
const SHORT_LINE_MS = 5;

/**
 * @param roundTripMs between the servers; a round takes half of it, since both send at once.
 * @returns "wan" where the rounds that it saves take longer than the work that it adds.
 */
export function fasterProfile(plan: Plan, sizes: Sizes, roundTripMs: number): Profile {
  if (roundTripMs < SHORT_LINE_MS) return "lan";
  const [lan, wan] = (["lan", "wan"] as const).map(
    (profile) => instantiate({ ...plan, profile }, sizes).program,
  );
  const saved = ((cost(lan!).rounds - cost(wan!).rounds) * roundTripMs) / 2;
  return saved > expandedBytes(wan!) / EXPANDED_PER_MS ? "wan" : "lan";
}
