/** A mark for each round at the time when it was over, and a replay that runs along them. */
import type { RoundTimes } from "@sotto/client";
import { useMemo } from "preact/hooks";
import { Button } from "./button.js";
import { useReplay } from "./replay.js";
import { ms } from "./words.js";

/** Of the drawing, which is stretched to its place. */
const WIDTH = 1000;
/** Half of a mark, on a phone: the last one is at the end. */
const EDGE = 3;

export interface RoundsProps {
  times: RoundTimes;
  rounds: number;
  /** How long a replay takes, at least. */
  replayMs?: number | undefined;
}

export function Rounds({ times, rounds, replayMs }: RoundsProps) {
  const { round, ms: at, totalMs, playing, slower, again } = useReplay(times, rounds, replayMs);
  const marks = useMemo(
    () => times.ms.map((end) => `M${((WIDTH * end) / Math.max(totalMs, 1)).toFixed(1)} 0V10`).join(""),
    [times, totalMs],
  );
  const each = times.every === 1 ? "Each mark is a round" : `Each mark is ${times.every} rounds`;
  const speed =
    slower > 1 ? `${slower < 10 ? slower.toFixed(1) : Math.round(slower)} times slower than` : "as fast as";
  return (
    <div class="replay">
      <svg viewBox={`${-EDGE} 0 ${WIDTH + 2 * EDGE} 10`} preserveAspectRatio="none" aria-hidden="true">
        <path class="mark" d={marks} />
        <clipPath id="played">
          <rect x={-EDGE} width={(WIDTH * at) / Math.max(totalMs, 1) + 2 * EDGE} height="10" />
        </clipPath>
        <path class="mark played" d={marks} clip-path="url(#played)" />
      </svg>
      <p>
        {playing ? (
          <>
            <strong>Replay, {speed} it was:</strong> round {round} of {rounds}, after {ms(at)}
          </>
        ) : (
          <>
            {each}, when the slower server was done; {rounds} rounds in {ms(totalMs)}
          </>
        )}
      </p>
      <Button onClick={again}>Replay the rounds</Button>
    </div>
  );
}
