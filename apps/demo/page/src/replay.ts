/** The rounds of a run, once more and slowly: they are over long before an eye could follow them. */
import type { RoundTimes } from "@sotto/client";
import { useCallback, useEffect, useState } from "preact/hooks";

/** How long a replay takes where nothing else is said; a run that took longer is shown as fast as it was. */
const REPLAY_MS = 3000;

export interface Replay {
  /** The round that is over, of all of the run. */
  round: number;
  /** Of the run, in ms: so far, and in all. */
  ms: number;
  totalMs: number;
  playing: boolean;
  /** So many times slower than it was. */
  slower: number;
  again: () => void;
}

/** How many rounds were over after so many ms of a run. */
export function roundAt({ every, ms }: RoundTimes, rounds: number, at: number): number {
  let told = ms.length;
  while (told > 0 && ms[told - 1]! > at) told--;
  return told === ms.length ? rounds : told * every;
}

/** Plays when there is a new run, unless the visitor wants no motion: then each only when it is asked for. */
export function useReplay(times: RoundTimes, rounds: number, lasts = REPLAY_MS): Replay {
  const totalMs = times.ms.at(-1) ?? 0;
  const slower = Math.max(1, lasts / Math.max(totalMs, 1));
  // of which run it is: the first picture of a new one is its beginning
  const [at, setAt] = useState({ times, ms: 0 });
  const [asked, setAsked] = useState({ times, count: 0 });
  const count = asked.times === times ? asked.count : 0;
  const still = count === 0 && matchMedia("(prefers-reduced-motion: reduce)").matches;
  const again = useCallback(() => setAsked({ times, count: count + 1 }), [times, count]);
  useEffect(() => {
    if (still) return;
    const began = performance.now();
    let frame = 0;
    const tick = () => {
      const ms = Math.min(totalMs, (performance.now() - began) / slower);
      setAt({ times, ms });
      if (ms < totalMs) frame = requestAnimationFrame(tick);
    };
    tick();
    return () => cancelAnimationFrame(frame);
  }, [times, count, still]);
  const ms = still ? totalMs : at.times === times ? at.ms : 0;
  return { round: roundAt(times, rounds, ms), ms, totalMs, playing: ms < totalMs, slower, again };
}
