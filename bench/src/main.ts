/**
 * `npm run bench [-- WHAT ...]`: measures workloads beside their floors, load, sweeps, simulated links and kernels, in one
 * run on this machine, and writes bench/results. Times are for reading side by side; nothing asserts them.
 */
import { availableParallelism } from "node:os";
import Table from "cli-table3";
import { latestMarkdown, type Measured, tableOf } from "./latest.js";
import { links } from "./links.js";
import { type Load, measureLoad } from "./load.js";
import { localWork } from "./local-work.js";
import { measure } from "./measure.js";
import { micro } from "./micro/report.js";
import { overload } from "./overload.js";
import { digits, machine, writeResult } from "./report.js";
import { sideBySide } from "./side-by-side.js";
import { measureSteady } from "./steady.js";
import { sweep } from "./sweep.js";
import { workers } from "./workers.js";
import { material, TEXT, WORKLOADS } from "./workloads.js";

const LOAD = "load";
/** Beside the workloads and the load, which are what runs when nothing is named. */
const OTHERS: Record<string, (machine: string) => Promise<unknown>> = {
  sweep,
  links,
  micro,
  overload,
  workers,
};

const names = [...WORKLOADS.map((w) => w.name), LOAD, ...Object.keys(OTHERS)];
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`nothing is called ${unknown.join(", ")}; there are: ${names.join(", ")}`);
  process.exit(2);
}
const chosen = (name: string) => wanted.length === 0 || wanted.includes(name);
const where = `${machine()}; two processes that compute at once take ${digits(await sideBySide())} times as long as one`;
console.log(where);

const results: Measured[] = [];
for (const workload of WORKLOADS.filter((w) => chosen(w.name))) {
  console.error(`measuring ${workload.name} ...`);
  const result = await measure(workload);
  const steady = await measureSteady(workload);
  results.push({ ...result, steady, localWork: await localWork(material(workload), workload) });
}
let load: Load | undefined;
if (chosen(LOAD)) {
  console.error("measuring load ...");
  load = await measureLoad(TEXT, availableParallelism());
}
if (results.length > 0 || load) {
  writeResult("latest.json", { machine: where, results, load });
  const text = latestMarkdown(where, results, load);
  writeResult("latest.md", text);
  const { head, rows } = tableOf(results);
  const table = new Table({ head, style: { head: [], border: [] } });
  table.push(...rows);
  if (results.length > 0) console.log(table.toString());
  if (load) console.log(text.slice(text.indexOf("## Load")));
}
for (const [name, run] of Object.entries(OTHERS)) {
  if (!wanted.includes(name)) continue;
  console.error(`measuring ${name} ...`);
  const text = await run(where);
  console.log(text ?? `bench/results/${name}.md is written`);
}
