import { useEffect, useState } from "preact/hooks";
import { cases } from "./cases/index.js";
import { Connection } from "./cluster.js";
import { Trouble } from "./trouble.js";
import { type Plain, plainly } from "./words.js";

export function App() {
  const [connection, setConnection] = useState<Connection>();
  const [waiting, setWaiting] = useState(false);
  const [error, setError] = useState<Plain>();
  const [chosen, setChosen] = useState(() => caseOf(location.hash));
  useEffect(() => {
    Connection.open(() => setWaiting(true)).then(setConnection, (cause) =>
      setError({
        text: "This page has lost the program that serves it. Start it with npm run demo:web and load the page again.",
        detail: plainly(cause).detail,
      }),
    );
    const go = () => setChosen(caseOf(location.hash));
    addEventListener("hashchange", go);
    return () => removeEventListener("hashchange", go);
  }, []);
  const current = cases[chosen]!;
  const choose = (i: number) => {
    setChosen(i);
    history.replaceState(undefined, "", `#${cases[i]!.id}`);
  };
  return (
    <>
      <header>
        <h1>Sotto</h1>
        <p>
          Two servers run a neural network on your input. Neither sees the input, the network's weights or the
          answer: only this page puts the answer together.
        </p>
      </header>
      <Tabs chosen={chosen} onChoose={choose} />
      <main>
        <div id="panel" role="tabpanel" aria-labelledby={`tab-${current.id}`} tabIndex={-1}>
          {error && <Trouble error={error} />}
          {!error && !connection && (
            <p class="soft" role="status">
              {waiting ? "The cluster is starting: a dealer and two servers …" : "Looking for the cluster …"}
            </p>
          )}
          {connection && <current.View key={current.id} connection={connection} />}
        </div>
      </main>
      <footer>
        <p class="soft">
          All of this runs on this machine: the page, a dealer and two servers as processes of their own. In
          earnest each of the three belongs to another organisation.
        </p>
      </footer>
    </>
  );
}

function caseOf(hash: string): number {
  return Math.max(
    0,
    cases.findIndex(({ id }) => `#${id}` === hash),
  );
}

const MOVES: Record<string, (i: number, n: number) => number> = {
  ArrowRight: (i, n) => (i + 1) % n,
  ArrowLeft: (i, n) => (i + n - 1) % n,
  Home: () => 0,
  End: (_i, n) => n - 1,
};

/** One tab stop; arrows go from tab to tab. */
function Tabs({ chosen, onChoose }: { chosen: number; onChoose: (i: number) => void }) {
  const onKeyDown = (event: KeyboardEvent) => {
    const move = MOVES[event.key];
    if (!move) return;
    event.preventDefault();
    const next = move(chosen, cases.length);
    onChoose(next);
    document.getElementById(`tab-${cases[next]!.id}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label="Cases" onKeyDown={onKeyDown}>
      {cases.map(({ id, title }, i) => (
        <button
          key={id}
          id={`tab-${id}`}
          type="button"
          role="tab"
          aria-selected={i === chosen}
          aria-controls="panel"
          tabIndex={i === chosen ? 0 : -1}
          onClick={() => onChoose(i)}
        >
          {title}
        </button>
      ))}
    </div>
  );
}
