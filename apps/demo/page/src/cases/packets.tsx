/** What a host sees of packets: sizes, directions and times, from a capture. */
import {
  type Capture,
  localClasses,
  readCapture,
  WINDOW_FEATURES,
  WINDOW_PACKETS,
  type Window,
  windowFeatures,
  windowsOf,
} from "@sotto/example-packets";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { Figures } from "../figures.js";
import { type Colors, Plot } from "../plots/plot.js";
import { useRuns } from "../runs.js";
import { Sides } from "../sides.js";
import { Trouble } from "../trouble.js";
import { count, type Plain, percent, plainly } from "../words.js";
import type { Case, CaseProps } from "./case.js";
import { best, softmax } from "./scores.js";

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

function View({ connection }: CaseProps) {
  const [sample, setSample] = useState(FIRST);
  const [windows, setWindows] = useState<Window[]>([]);
  const [at, setAt] = useState(0);
  const [note, setNote] = useState("");
  const [wrong, setWrong] = useState<Plain>();
  const runs = useRuns<Window>(connection, "packets");
  const window = windows[at];
  const file = useRef<HTMLInputElement>(null);

  const take = (capture: Capture) => {
    const found = windowsOf(capture.packets);
    setWindows(found);
    setAt(0);
    setWrong(undefined);
    setNote(about(capture, found));
  };
  const fail = (error: unknown) => {
    const { detail } = plainly(error);
    setWindows([]);
    setNote("");
    setWrong({ text: `This file cannot be read as a capture: ${detail}.`, detail });
  };

  useEffect(() => {
    const chosen = SAMPLES[sample];
    if (!chosen) return;
    const gone = new AbortController();
    fetch(chosen.url, { signal: gone.signal })
      .then(async (reply) => take(readCapture(new Uint8Array(await reply.arrayBuffer()))))
      .catch((error) => gone.signal.aborted || fail(error));
    return () => gone.abort();
  }, [sample]);

  const run = (of: Window, again = false) => {
    const packets = windowFeatures(of);
    runs.start({ input: { packets }, words: packets.shape[1] * WINDOW_FEATURES, of, again });
  };
  useEffect(() => {
    if (window) run(window);
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
              setSample(Number(event.currentTarget.value));
              // its name would say that it is shown
              if (file.current) file.current.value = "";
            }}
          >
            {sample === OWN && <option value={OWN}>your own file</option>}
            {SAMPLES.map(({ name }, i) => (
              <option key={name} value={i}>
                {name.replace("-", ": ")}
              </option>
            ))}
          </select>
          <label for="capture">or your own pcap file, read in this page</label>
          <input
            id="capture"
            ref={file}
            type="file"
            accept=".pcap,.pcapng,.cap"
            onChange={async (event) => {
              const file = event.currentTarget.files?.[0];
              if (!file) return;
              setSample(OWN);
              try {
                take(readCapture(new Uint8Array(await file.arrayBuffer())));
              } catch (error) {
                fail(error);
              }
            }}
          />
        </div>
        <p class="soft">{note}</p>
        <div class="row">
          <button type="button" disabled={at === 0} onClick={() => setAt(at - 1)}>
            Window before
          </button>
          <button type="button" disabled={at + 1 >= windows.length} onClick={() => setAt(at + 1)}>
            Next window
          </button>
          <button
            type="button"
            class="main"
            disabled={!done || runs.running}
            onClick={() => done && run(done.of, true)}
          >
            Run the same again
          </button>
        </div>
        {window && <Sizes window={window} />}
      </div>
      {wrong && <Trouble error={wrong} />}
      {runs.error && <Trouble error={runs.error} onAgain={runs.retry} />}
      <div class="answers" aria-live="polite" aria-busy={runs.running}>
        {scores && label && (
          <p class={label === "normal" ? "answer" : "answer bad"}>
            <span class="soft">
              Private, window {windows.indexOf(done.of) + 1} of {windows.length}
            </span>
            <strong>{label}</strong>
            <span>{percent(Math.max(...scores), 2)} sure</span>
          </p>
        )}
        {labelBefore && (
          <p class="same" role="status">
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
            ? `${done.of.packets.length} packets at ${done.of.host}: of each its size, direction, flags and time`
            : "A capture."}
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

function about({ packets, skipped }: Capture, windows: readonly Window[]): string {
  const { least, most } = WINDOW_PACKETS;
  const frames =
    skipped > 0
      ? ` ${count(skipped, "frame")} that ${skipped === 1 ? "is" : "are"} no IP packet left out.`
      : "";
  const all = count(packets.length, "packet");
  if (windows.length === 0)
    return `${all}, but no host with ${least} of them in a row: nothing to classify.${frames}`;
  const inside = windows.reduce((n, window) => n + window.packets.length, 0);
  const where = `${inside === packets.length ? "all" : inside} of them in ${windows.length === 1 ? "one window" : `${windows.length} windows`}`;
  const rest = inside === packets.length ? "" : "; fewer than that are left out";
  return `${all}, ${where}. A window is ${least} to ${most} packets in a row at one host${rest}.${frames}`;
}

/** Bytes of each packet, those to the host up, those from it down. */
function Sizes({ window }: { window: Window }) {
  const data = useMemo<uPlot.AlignedData>(() => {
    const numbers = window.packets.map((_, i) => i + 1);
    return [numbers, window.packets.map(({ inward, payload }) => (inward ? 1 : -1) * height(payload))];
  }, [window]);
  return (
    <>
      <p class="soft small">
        {window.packets.length} packets in a row at {window.host}: up to it, down from it, each as high as the
        logarithm of its payload's bytes
      </p>
      <Plot
        data={data}
        height={130}
        label={`Sizes and directions of ${window.packets.length} packets`}
        options={sizeOptions}
      />
    </>
  );
}

/** Bytes with a line of their own. */
const SIZES = [50, 1500];

/** Of a bar. What has no payload is drawn, too. */
function height(bytes: number): number {
  return 2 + Math.log2(bytes + 1);
}

function sizeOptions(colors: Colors): Omit<uPlot.Options, "width" | "height"> {
  return {
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false, range: (_u, min, max) => [min - 0.5, max + 0.5] }, y: { range: [-14, 14] } },
    axes: [
      { stroke: colors.ink, grid: { show: false }, ticks: { show: false }, size: 22, font: "11px system-ui" },
      {
        stroke: colors.ink,
        grid: { stroke: colors.grid, width: 1 },
        ticks: { show: false },
        size: 52,
        font: "11px system-ui",
        splits: () => [...SIZES.map((n) => -height(n)), 0, ...SIZES.map(height)],
        values: () => [...SIZES.map((n) => `${n} B`), "", ...SIZES.map((n) => `${n} B`)],
      },
    ],
    series: [
      {},
      {
        fill: colors.accent,
        stroke: colors.accent,
        paths: uPlot.paths.bars!({ size: [0.7, 100] }),
        points: { show: false },
      },
    ],
  };
}
