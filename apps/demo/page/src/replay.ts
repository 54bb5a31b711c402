/** The rounds of a run, once more and slowly: they are over long before an eye could follow them. */
import type { InferStats, RoundTimes } from "@sotto/client";
import { useCallback, useEffect, useState } from "preact/hooks";

/** How long a replay takes; a run that took longer is shown as fast as it was. */
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

/** Plays when there is a new run, unless the visitor wants no motion. */
export function useReplay(stats: InferStats | undefined): Replay | undefined {
  const times = stats?.roundTimes;
  const totalMs = times?.ms.at(-1) ?? 0;
  const slower = Math.max(1, REPLAY_MS / Math.max(totalMs, 1));
  // of which run it is: the first picture of a new one is its beginning
  const [at, setAt] = useState<{ times: RoundTimes | undefined; ms: number }>({ times: undefined, ms: 0 });
  const [count, setCount] = useState(0);
  const still = count === 0 && matchMedia("(prefers-reduced-motion: reduce)").matches;
  const again = useCallback(() => setCount((n) => n + 1), []);
  useEffect(() => {
    if (!times || still) return;
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
  if (!times || !stats) return undefined;
  const ms = still ? totalMs : at.times === times ? at.ms : 0;
  const round = roundAt(times, stats.rounds, ms);
  return { round, ms, totalMs, playing: ms < totalMs, slower, again };
}
