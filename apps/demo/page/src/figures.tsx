/** What a run cost: rounds, bytes, milliseconds, and where the time went. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Run } from "./run.js";
import { bytes, ms } from "./words.js";

export interface FiguresProps {
  run: Run | undefined;
  /** Of all runs since the page was loaded. */
  rounds: number;
  running: boolean;
}

export function Figures({ run, rounds, running }: FiguresProps) {
  const shown = useTicking(rounds);
  const stats = run?.stats;
  return (
    <section class="figures" aria-label="What it cost">
      <dl>
        <Figure name="Rounds, so far" value={shown.toLocaleString("en")} busy={running} />
        <Figure name="Rounds of this run" value={stats ? String(stats.rounds) : "–"} />
        <Figure name="Server to server, each way" value={stats ? bytes(stats.onlineBytes) : "–"} />
        <Figure
          name="Dealer to server 0, to 1"
          value={stats ? `${bytes(stats.offlineBytes.server0)}, ${bytes(stats.offlineBytes.server1)}` : "–"}
        />
        <Figure name="You to the servers" value={run ? bytes(2 * run.input.length) : "–"} />
        <Figure name="In all" value={stats ? ms(stats.totalMs) : "–"} />
      </dl>
      {stats && <Where run={run!} />}
    </section>
  );
}

function Figure({ name, value, busy }: { name: string; value: string; busy?: boolean }) {
  return (
    <div class={busy ? "figure busy" : "figure"}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Where({ run: { stats } }: { run: Run }) {
  const { offlineMs, onlineMs, totalMs } = stats;
  // each is the slower server's: together they may be more than there is
  const prepare = Math.max(0, Math.min(offlineMs, totalMs - onlineMs));
  const rest = Math.max(0, totalMs - prepare - onlineMs);
  const parts = [
    { kind: "prepare", name: "prepare randomness", value: prepare },
    { kind: "rounds", name: "rounds", value: onlineMs },
    { kind: "network", name: "page and network", value: rest },
  ];
  const all = parts.reduce((sum, { value }) => sum + value, 0);
  return (
    <div class="where">
      <div class="bar" aria-hidden="true">
        {parts.map(({ kind, value }) => (
          <span key={kind} class={kind} style={{ flexGrow: value / all }} />
        ))}
      </div>
      <ul>
        {parts.map(({ kind, name, value }) => (
          <li key={kind}>
            <span class={`dot ${kind}`} aria-hidden="true" />
            {name} {ms(value)}
          </li>
        ))}
      </ul>
    </div>
  );
}

const TICK_MS = 600;

/** Goes up to a number instead of jumping there, unless the visitor wants no motion. */
function useTicking(target: number): number {
  const [shown, setShown] = useState(target);
  const now = useRef(target);
  useEffect(() => {
    const from = now.current;
    if (matchMedia("(prefers-reduced-motion: reduce)").matches || from === target) {
      now.current = target;
      setShown(target);
      return;
    }
    const began = performance.now();
    let frame = 0;
    const tick = () => {
      const part = Math.min(1, (performance.now() - began) / TICK_MS);
      now.current = Math.round(from + (target - from) * part);
      setShown(now.current);
      if (part < 1) frame = requestAnimationFrame(tick);
    };
    frame = requestAnimationFrame(tick);
    return () => cancelAnimationFrame(frame);
  }, [target]);
  return shown;
}
