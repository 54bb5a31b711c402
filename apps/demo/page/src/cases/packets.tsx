/** What a host sees of packets: sizes, directions and times, from a capture. */
import {
  type Capture,
  localClasses,
  readCapture,
  WINDOW_FEATURES,
  type Window,
  windowFeatures,
  windowsOf,
} from "@sotto/example-packets";
import { useEffect, useRef, useState } from "preact/hooks";
import { Button } from "../button.js";
import { Figures } from "../figures.js";
import { FileChooser } from "../file.js";
import { useRuns } from "../runs.js";
import { Sides } from "../sides.js";
import { Trouble } from "../trouble.js";
import { type Plain, percent, plainly } from "../words.js";
import { about, unsent } from "./captures.js";
import type { Case, CaseProps } from "./case.js";
import { best, softmax } from "./scores.js";
import { Sizes } from "./sizes.js";

const FILES = import.meta.glob<string>("../../../../../examples/packets/samples/*.pcap", {
  query: "?url",
  import: "default",
  eager: true,
});
/** Recordings of this project, by name: normal-web, scan-syn, ... */
const SAMPLES = Object.entries(FILES)
  .map(([path, url]) => ({ name: /([^/]+)\.pcap$/.exec(path)![1]!, url }))
  .sort((a, b) => a.name.localeCompare(b.name));
const FIRST = Math.max(
  0,
  SAMPLES.findIndex(({ name }) => name === "scan-syn"),
);
const OWN = -1;

export const packets: Case = { id: "packets", title: "Packets", View };

/** A window, and which one of its capture it is. */
interface Shown {
  window: Window;
  number: number;
  of: number;
}

function View({ connection }: CaseProps) {
  const [sample, setSample] = useState(FIRST);
  const [windows, setWindows] = useState<Window[]>([]);
  const [at, setAt] = useState(0);
  const [note, setNote] = useState("");
  /** Of the visitor's file. */
  const [own, setOwn] = useState<string>();
  /** Counts what was chosen: a file that is read too late is left. */
  const choices = useRef(0);
  const [wrong, setWrong] = useState<Plain>();
  const runs = useRuns<Shown>(connection, "packets");
  const window = windows[at];

  const take = (capture: Capture) => {
    const found = windowsOf(capture.packets);
    setWindows(found);
    setAt(0);
    setWrong(undefined);
    setNote(about(capture, found));
  };
  const fail = (text: string, error: unknown) => {
    const { detail } = plainly(error);
    setWindows([]);
    setNote("");
    setWrong({ text: `${text}: ${detail}.`, detail });
  };

  useEffect(() => {
    const chosen = SAMPLES[sample];
    if (!chosen) return;
    const gone = new AbortController();
    fetch(chosen.url, { signal: gone.signal })
      .then(async (reply) => take(readCapture(new Uint8Array(await reply.arrayBuffer()))))
      .catch((error) => gone.signal.aborted || fail("The recording cannot be loaded", error));
    return () => gone.abort();
  }, [sample]);

  const run = (of: Shown, again = false) => {
    const packets = windowFeatures(of.window);
    runs.start({ input: { packets }, words: packets.shape[1] * WINDOW_FEATURES, of, again });
  };
  useEffect(() => {
    if (window) run({ window, number: at + 1, of: windows.length });
    else runs.clear();
  }, [window]);

  const { done, before } = runs;
  const scores = done && softmax(done.outputs.logits!.data);
  const label = scores && localClasses[best(scores)]!;
  const labelBefore = before && localClasses[best(before.outputs.logits!.data)]!;
  return (
    <>
      <div class="try">
        <div class="row">
          <label for="sample">A recording</label>
          <select
            id="sample"
            value={sample}
            onChange={(event) => {
              choices.current++;
              setSample(Number(event.currentTarget.value));
              setOwn(undefined);
            }}
          >
            {sample === OWN && <option value={OWN}>your own file</option>}
            {SAMPLES.map(({ name }, i) => (
              <option key={name} value={i}>
                {name.replace("-", ": ")}
              </option>
            ))}
          </select>
          <FileChooser
            label="or your own pcap file, read in this page"
            accept=".pcap,.pcapng,.cap"
            name={own}
            onFile={async (file) => {
              const choice = ++choices.current;
              setSample(OWN);
              setOwn(file.name);
              // a large one takes its time: what is shown meanwhile is not of another one
              setWindows([]);
              setNote("");
              setWrong(undefined);
              try {
                const bytes = new Uint8Array(await file.arrayBuffer());
                if (choice === choices.current) take(readCapture(bytes));
              } catch (error) {
                if (choice === choices.current) fail(`${file.name} cannot be read as a capture`, error);
              }
            }}
          />
        </div>
        <p class="soft">{note}</p>
        <div class="row">
          <Button idle={at === 0} onClick={() => setAt(at - 1)}>
            Window before
          </Button>
          <Button idle={at + 1 >= windows.length} onClick={() => setAt(at + 1)}>
            Next window
          </Button>
          <Button class="main" idle={!done || runs.running} onClick={() => done && run(done.of, true)}>
            Run the same again
          </Button>
        </div>
        {window && <Sizes window={window} />}
      </div>
      {wrong && <Trouble error={wrong} />}
      {runs.error && <Trouble error={runs.error} onAgain={runs.retry} />}
      <div class="answers" aria-live="polite" aria-busy={runs.running}>
        {scores && label && (
          <p class={label === "normal" ? "answer" : "answer bad"}>
            <span class="soft">
              Private, window {done.of.number} of {done.of.of}
            </span>
            <strong>{label}</strong>
            <span>{percent(Math.max(...scores), 2)} sure</span>
          </p>
        )}
        {labelBefore && (
          <p class="same">
            {label === labelBefore
              ? `The same answer: ${label}. What the servers saw is new, see below.`
              : "Another answer: the scores are too close to each other."}
          </p>
        )}
      </div>
      <Figures run={done?.run} rounds={runs.rounds} running={runs.running} />
      <Sides run={done?.run} before={before?.run}>
        <p class="own">
          {done
            ? `${done.of.window.packets.length} packets at ${done.of.window.host}: of each its size, direction, flags and time`
            : unsent(wrong !== undefined, note, windows.length)}
          {label && (
            <>
              ; and the answer: <strong>{label}</strong>.
            </>
          )}
        </p>
      </Sides>
    </>
  );
}
