/** latest.md: the workloads beside each other, their local work, and the load. */
import { CLIENTS, type Load } from "./load.js";
import type { LocalWork } from "./local-work.js";
import type { Result } from "./measure.js";
import { type Cells, digits, markdownTable, withSpread } from "./report.js";
import type { Steady } from "./steady.js";

export interface Measured extends Result {
  localWork: LocalWork;
  steady: Steady;
}

/** Rows of the report: what, and how it reads off a result. */
const ROWS: [string, (r: Measured) => string][] = [
  ["online ms", (r) => withSpread(r.onlineMs)],
  ["offline ms", (r) => withSpread(r.offlineMs)],
  ["total at the client ms", (r) => withSpread(r.totalMs)],
  ["steady stream: total ms", (r) => withSpread(r.steady.totalMs)],
  ["steady stream: waiting for randomness ms", (r) => withSpread(r.steady.waitMs)],
  ["steady stream: online ms", (r) => withSpread(r.steady.onlineMs)],
  ["the first one after the start: total ms", (r) => digits(r.firstTotalMs)],
  ["bare ping-pong ms", (r) => withSpread(r.pingPongMs)],
  ["plaintext (ONNX Runtime, WebAssembly, one thread) ms", (r) => withSpread(r.plaintextMs)],
  ["**online / ping-pong**", (r) => digits(r.ratios.onlineToPingPong)],
  ["the same run by run", (r) => withSpread(r.ratios.onlineToPingPongByRun)],
  ["**server CPU / plaintext**", (r) => digits(r.ratios.serverCpuToPlaintext)],
  ["CPU ms: dealer, server 0, server 1, client", (r) => Object.values(r.cpuMs).map(digits).join(", ")],
  ["local work online ms: server 0, server 1", (r) => medians(r.localWork.onlineMs)],
  ["local work while waiting ms: server 0, server 1", (r) => medians(r.localWork.waitingMs)],
  ["local work prepare ms: server 0, server 1", (r) => medians(r.localWork.prepareMs)],
  ["local work deal ms: dealer", (r) => digits(r.localWork.dealMs.median)],
  ["peak MB: dealer, server 0, server 1", (r) => Object.values(r.peakMegabytes).map(digits).join(", ")],
  ["rounds", (r) => String(r.rounds)],
  ["online kB, each way", (r) => digits(r.onlineBytes / 1000)],
  [
    "offline kB, to server 0 and 1",
    (r) => [r.offlineBytes.server0, r.offlineBytes.server1].map((b) => digits(b / 1000)).join(", "),
  ],
  ["largest error", (r) => r.error.toExponential(1)],
];

const medians = (pair: LocalWork["onlineMs"]) => pair.map((s) => digits(s.median)).join(", ");

export function tableOf(results: readonly Measured[]): { head: string[]; rows: string[][] } {
  const shape = (r: Measured) => {
    const { steps, inputSize, hidden, batch, bidirectionalLayers } = r.workload;
    const layers = bidirectionalLayers ? `, ${bidirectionalLayers} layers, 2 directions` : "";
    return `${steps}, ${inputSize}, ${hidden}, ${batch}${layers}`;
  };
  return {
    head: ["", ...results.map((r) => r.workload.name)],
    rows: [
      ["T, I, H, batch", ...results.map(shape)],
      ...ROWS.map(([name, cell]) => [name, ...results.map(cell)]),
    ],
  };
}

/** What each operation takes of a server's online work, and of its preparation. */
function operations(results: readonly Measured[]): string {
  const kinds = [...new Set(results.flatMap((r) => Object.keys(r.localWork.operations)))];
  const cell = (r: Measured, kind: string) => {
    const t = r.localWork.operations[kind];
    return t ? `${digits(t.evaluate)}, ${digits(t.prepare)}, ${digits(t.deal)}` : "";
  };
  const weight = (kind: string) =>
    Math.max(...results.map((r) => r.localWork.operations[kind]?.evaluate ?? 0));
  kinds.sort((a, b) => weight(b) - weight(a));
  return markdownTable(
    ["operation", ...results.map((r) => r.workload.name)],
    kinds.map((kind) => [kind, ...results.map((r) => cell(r, kind))]),
  );
}

function loadTable(l: Load): string {
  const list = (values: readonly (number | undefined)[]) => values.map(digits).join(", ");
  const beyond = l.loadedMegabytes.map((m, i) => (m === undefined ? m : m - l.idleMegabytes[i]!));
  const part = (v: number | undefined) => (v === undefined ? "?" : `${(100 * v).toFixed(0)} %`);
  const rows: Cells[] = [
    ["inferences in seconds", `${l.inferences} in ${digits(l.seconds)}`],
    ["inferences a second", digits(l.perSecond)],
    ["what CPU time of one inference alone allows on these cores", digits(l.allowedPerSecond)],
    ["**throughput / allowed**", digits(l.throughputToAllowed)],
    [
      "cores busy with the four processes; with anything else",
      [l.coresBusy, l.othersBusy].map(part).join("; "),
    ],
    ["latency at a client ms: median, 95 %, max", list(Object.values(l.latencyMs))],
    ["latency alone ms", withSpread(l.aloneMs)],
    ["until the rounds begin ms: median, 95 %", list(Object.values(l.offlineMs))],
    ["the rounds ms: median, 95 %", list(Object.values(l.onlineMs))],
    ["CPU ms an inference: dealer, server 0, server 1, clients", list(l.cpuMs)],
    ["the same alone", list(l.aloneCpuMs)],
    ["the dealer's part of dealer's and servers' CPU", part(l.dealerShare)],
    ["server 0, server 1: MB with the model alone", list(l.idleMegabytes)],
    ["most MB beyond that", list(beyond)],
    [`the same for each of ${CLIENTS} sessions`, list(beyond.map((m) => m && m / CLIENTS))],
  ];
  return markdownTable(["", `${l.clients} clients, text`], rows);
}

export function latestMarkdown(
  machine: string,
  results: readonly Measured[],
  load: Load | undefined,
): string {
  const parts = [
    `# Benchmark\n\n${machine}. Medians, with minimum and maximum in brackets; how each is taken: [../README.md](../README.md).`,
  ];
  if (results.length > 0) {
    const { head, rows } = tableOf(results);
    parts.push(markdownTable(head, rows));
    parts.push(
      "## Local work by operation\n\nMilliseconds of one inference, in one process without a network: a server's online part, its preparation, the\ndealer's part.",
      operations(results),
    );
  }
  if (load) parts.push("## Load", loadTable(load));
  return `${parts.join("\n\n")}\n`;
}
