/** What a run cost: rounds, bytes, milliseconds, and where the time went. */
import { Rounds } from "./rounds.js";
import type { Run } from "./run.js";
import { bytes, ms } from "./words.js";

export interface FiguresProps {
  run: Run | undefined;
  /** Of all runs, since there was no input or another one. */
  rounds: number;
  running: boolean;
  /** What a run is of. */
  what?: string;
  /** See Rounds. */
  replayMs?: number;
}

export function Figures({ run, rounds, running, what = "run", replayMs }: FiguresProps) {
  const stats = run?.stats;
  return (
    <section class="figures" aria-label="What it cost">
      <dl>
        <Figure name="Rounds, so far" value={rounds.toLocaleString("en")} busy={running} />
        <Figure name={`Rounds, this ${what}`} value={stats ? String(stats.rounds) : "–"} />
        <Figure name="Server to server" value={stats ? `2\u00a0×\u00a0${bytes(stats.onlineBytes)}` : "–"} />
        <Figure
          name="Dealer to servers"
          value={stats ? `${bytes(stats.offlineBytes.server0)}, ${bytes(stats.offlineBytes.server1)}` : "–"}
        />
        <Figure name="You to the servers" value={run ? bytes(2 * run.input.length) : "–"} />
        <Figure name="In all" value={stats ? ms(stats.totalMs) : "–"} />
      </dl>
      {stats && <Where run={run!} />}
      {stats?.roundTimes && <Rounds times={stats.roundTimes} rounds={stats.rounds} replayMs={replayMs} />}
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
    { kind: "prepare", name: "wait for randomness", value: prepare },
    { kind: "rounds", name: "rounds and result", value: onlineMs },
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
