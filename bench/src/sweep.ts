/** How each figure grows with the state's size, the steps and the batch. */
import { localWork } from "./local-work.js";
import { measure } from "./measure.js";
import { digits, markdownTable, writeResult } from "./report.js";
import { exponent } from "./statistics.js";
import { lineChart } from "./svg.js";
import { material, TEXT, type Workload } from "./workloads.js";

type Dimension = "hidden" | "steps" | "batch";

const SWEEPS: readonly { by: Dimension; letter: string; title: string; values: readonly number[] }[] = [
  { by: "hidden", letter: "H", title: "units of the state (H)", values: [32, 64, 128, 256, 512] },
  { by: "steps", letter: "T", title: "steps (T)", values: [10, 25, 50, 100, 200] },
  { by: "batch", letter: "batch", title: "sequences in a batch", values: [1, 4, 16, 64] },
];

const RUNS = { runs: 7, warmUp: 8 };
/** A batch of 64 takes seconds. */
const LARGE_RUNS = { runs: 3, warmUp: 1 };

/** What is plotted and tabled. */
const FIGURES = {
  "online ms": (p) => p.onlineMs,
  "offline ms": (p) => p.offlineMs,
  "ping-pong ms": (p) => p.pingPongMs,
  "local work ms": (p) => p.localWorkMs,
  "plaintext ms": (p) => p.plaintextMs,
  "online kB": (p) => p.onlineKilobytes,
  "offline kB": (p) => p.offlineKilobytes,
} satisfies Record<string, (p: Point) => number>;

/** Medians; one value of what is swept. */
interface Point {
  value: number;
  onlineMs: number;
  offlineMs: number;
  pingPongMs: number;
  /** One server's online work without a network. */
  localWorkMs: number;
  plaintextMs: number;
  serverCpuMs: number | undefined;
  rounds: number;
  onlineKilobytes: number;
  offlineKilobytes: number;
  error: number;
  onlineToPingPong: number;
  serverCpuToPlaintext?: number;
}

export async function sweep(machine: string): Promise<void> {
  const results: { by: Dimension; base: Workload; points: Point[]; growth: Record<string, number> }[] = [];
  const parts = [
    `# Sweep\n\n${machine}. The workload text (T = ${TEXT.steps}, I = ${TEXT.inputSize}, H = ${TEXT.hidden}, batch ${TEXT.batch})` +
      ` with one of its sizes changed; medians of ${RUNS.runs} runs after ${RUNS.warmUp} that are not counted` +
      ` (batches above 4: ${LARGE_RUNS.runs} after ${LARGE_RUNS.warmUp}).`,
    "The row *grows as* gives b of the power law a x^b that fits best over all sizes: 0 is constant, 1 is linear.",
  ];
  for (const { by, letter, title, values } of SWEEPS) {
    const points: Point[] = [];
    for (const value of values) {
      console.error(`sweep: ${letter} = ${value} ...`);
      points.push(await point(by, value));
    }
    const growth = Object.fromEntries(
      Object.entries(FIGURES).map(([name, of]) => [name, exponent(points.map((p) => [p.value, of(p)]))]),
    );
    results.push({ by, base: { ...TEXT, ...RUNS }, points, growth });
    const lines = Object.entries(FIGURES)
      .filter(([name]) => name.endsWith("ms"))
      .map(([name, of]) => ({
        name: name.replace(" ms", ""),
        points: points.map((p) => [p.value, of(p)] as const),
      }));
    writeResult(`sweep-${by}.svg`, lineChart({ title: `Time by ${title}`, x: title, y: "ms", lines }));
    parts.push(`## By ${title}\n\n![](sweep-${by}.svg)`, table(letter, points, growth));
  }
  writeResult("sweep.json", { machine, results });
  writeResult("sweep.md", `${parts.join("\n\n")}\n`);
}

async function point(by: Dimension, value: number): Promise<Point> {
  const counts = by === "batch" && value > 4 ? LARGE_RUNS : RUNS;
  const workload: Workload = { ...TEXT, name: `${by} ${value}`, [by]: value, ...counts };
  const result = await measure(workload);
  const work = await localWork(material(workload), { ...workload, runs: Math.min(5, workload.runs) });
  return {
    value,
    onlineMs: result.onlineMs.median,
    offlineMs: result.offlineMs.median,
    pingPongMs: result.pingPongMs.median,
    localWorkMs: Math.max(...work.onlineMs.map((s) => s.median)),
    plaintextMs: result.plaintextMs.median,
    serverCpuMs: result.cpuMs.server1,
    rounds: result.rounds,
    onlineKilobytes: result.onlineBytes / 1000,
    offlineKilobytes: (result.offlineBytes.server0 + result.offlineBytes.server1) / 1000,
    error: result.error,
    onlineToPingPong: result.ratios.onlineToPingPong,
    serverCpuToPlaintext: result.ratios.serverCpuToPlaintext,
  };
}

function table(letter: string, points: readonly Point[], growth: Record<string, number>): string {
  const names = Object.keys(FIGURES);
  const rows = points.map((p) => [
    p.value,
    ...Object.values(FIGURES).map((of) => digits(of(p))),
    p.rounds,
    digits(p.onlineToPingPong),
    digits(p.serverCpuToPlaintext),
    p.error.toExponential(1),
  ]);
  const last = ["*grows as*", ...names.map((name) => growth[name]!.toFixed(2)), "", "", "", ""];
  const ratios = ["rounds", "online / ping-pong", "server 1 CPU / plaintext", "largest error"];
  return markdownTable([letter, ...names, ...ratios], [...rows, last]);
}
