/**
 * `npm run bench [-- WORKLOAD ...]`: measures each workload beside its floors, in one run on this machine, and
 * writes bench/results/latest.json and .md. Times are for reading side by side; nothing asserts them.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { cost, instantiate, roundBytes } from "@sotto/core";
import Table from "cli-table3";
import { pingPong } from "./ping-pong.js";
import { plaintext } from "./plaintext.js";
import { privateRuns } from "./private.js";
import { type Spread, spread } from "./statistics.js";
import { material, WARM_UP, WORKLOADS, type Workload } from "./workloads.js";

interface Result {
  workload: Workload;
  onlineMs: Spread;
  offlineMs: Spread;
  totalMs: Spread;
  pingPongMs: Spread;
  plaintextMs: Spread;
  rounds: number;
  onlineBytes: number;
  offlineBytes: { server0: number; server1: number };
  error: number;
  cpuMs: { dealer?: number; server0?: number; server1?: number };
  peakMegabytes: { dealer?: number; server0?: number; server1?: number };
  ratios: { onlineToPingPong: number; serverCpuToPlaintext?: number };
}

async function measure(workload: Workload): Promise<Result> {
  const { onnx, x } = material(workload);
  const plain = await plaintext(onnx, x, workload, WARM_UP);
  const runs = await privateRuns(onnx, x, workload, plain.outputs, WARM_UP);
  const { program } = instantiate(runs.plan, {});
  const sizes = Array.from({ length: cost(program).rounds }, (_, i) => roundBytes(program, i + 1));
  const floor = spread(await pingPong(sizes, workload.runs, WARM_UP));
  const of = (pick: (s: (typeof runs.stats)[number]) => number) => spread(runs.stats.map(pick));
  const { rounds, onlineBytes, offlineBytes } = runs.stats[0]!;
  const named = <T>([dealer, server0, server1]: T[]) => ({ dealer, server0, server1 });
  const cpuMs = named(runs.cpuSeconds.map((s) => (s === undefined ? undefined : s * 1000)));
  const plaintextMs = spread(plain.ms);
  const onlineMs = of((s) => s.onlineMs);
  const server = cpuMs.server0 === undefined ? undefined : Math.max(cpuMs.server0, cpuMs.server1 ?? 0);
  return {
    workload,
    onlineMs,
    offlineMs: of((s) => s.offlineMs),
    totalMs: of((s) => s.totalMs),
    pingPongMs: floor,
    plaintextMs,
    rounds,
    onlineBytes,
    offlineBytes,
    error: runs.error,
    cpuMs,
    peakMegabytes: named(runs.peakMegabytes),
    ratios: {
      onlineToPingPong: onlineMs.median / floor.median,
      serverCpuToPlaintext: server === undefined ? undefined : server / plaintextMs.median,
    },
  };
}

const ms = (s: Spread) => `${digits(s.median)} (${digits(s.min)}..${digits(s.max)})`;
const digits = (v: number | undefined) => (v === undefined ? "?" : v < 10 ? v.toFixed(2) : v.toFixed(0));

/** Rows of the report: what, and how it reads off a result. */
const ROWS: [string, (r: Result) => string][] = [
  ["online ms", (r) => ms(r.onlineMs)],
  ["offline ms", (r) => ms(r.offlineMs)],
  ["total at the client ms", (r) => ms(r.totalMs)],
  ["bare ping-pong ms", (r) => ms(r.pingPongMs)],
  ["plaintext (ONNX Runtime, WebAssembly, one thread) ms", (r) => ms(r.plaintextMs)],
  ["online / ping-pong", (r) => digits(r.ratios.onlineToPingPong)],
  ["CPU ms: dealer, server 0, server 1", (r) => Object.values(r.cpuMs).map(digits).join(", ")],
  ["server CPU / plaintext", (r) => digits(r.ratios.serverCpuToPlaintext)],
  ["peak MB: dealer, server 0, server 1", (r) => Object.values(r.peakMegabytes).map(digits).join(", ")],
  ["rounds", (r) => String(r.rounds)],
  ["online kB, each way", (r) => digits(r.onlineBytes / 1000)],
  [
    "offline kB, to server 0 and 1",
    (r) => [r.offlineBytes.server0, r.offlineBytes.server1].map((b) => digits(b / 1000)).join(", "),
  ],
  ["largest error", (r) => r.error.toExponential(1)],
];

function markdown(results: readonly Result[], machine: string): string {
  const head = ["", ...results.map((r) => r.workload.name)];
  const shape = [
    "T, I, H, batch",
    ...results.map(({ workload: w }) => `${w.steps}, ${w.inputSize}, ${w.hidden}, ${w.batch}`),
  ];
  const rows = ROWS.map(([name, cell]) => [name, ...results.map(cell)]);
  const lines = [head, head.map(() => "---"), shape, ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  return `# Benchmark\n\n${machine}. Medians, with minimum and maximum in brackets.\n\n${lines.join("\n")}\n`;
}

const wanted = process.argv.slice(2);
const chosen = WORKLOADS.filter((w) => wanted.length === 0 || wanted.includes(w.name));
if (chosen.length === 0) {
  console.error(`no workload of that name; there are: ${WORKLOADS.map((w) => w.name).join(", ")}`);
  process.exit(2);
}
const results: Result[] = [];
for (const workload of chosen) {
  console.error(`measuring ${workload.name} ...`);
  results.push(await measure(workload));
}
const machine = `${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
const table = new Table({
  head: ["", ...results.map((r) => r.workload.name)],
  style: { head: [], border: [] },
});
for (const [name, cell] of ROWS) table.push([name, ...results.map(cell)]);
console.log(`${machine}\n${table.toString()}`);
const directory = new URL("../results/", import.meta.url);
mkdirSync(directory, { recursive: true });
writeFileSync(new URL("latest.json", directory), `${JSON.stringify({ machine, results }, null, 2)}\n`);
writeFileSync(new URL("latest.md", directory), markdown(results, machine));
