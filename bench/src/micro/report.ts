/** npm run bench:micro: nanoseconds of kernels and operations, to bench/results/micro.{md,json}. */
import { Ring } from "@sotto/core";
import { markdownTable, withSpread, writeResult } from "../report.js";
import { kernelCases, measureKernels } from "./kernels.js";
import { measureOperations } from "./operations.js";

const SECONDS_A_KERNEL = 0.3;
const RUNS = 60;

export async function micro(machine: string): Promise<string> {
  const kernels = await measureKernels(kernelCases(await Ring.create()), SECONDS_A_KERNEL);
  const operations = await measureOperations(RUNS);
  const text = `# Microbenchmarks

${machine}. Nanoseconds; medians, with minimum and maximum in brackets (of kernels, the 99th percentile in place of
the maximum); how each is taken: [../README.md](../README.md).

## Kernels

${markdownTable(
  ["kernel", "ns", "of one"],
  kernels.map((k) => [k.name, withSpread(k.ns), k.per]),
)}

## Operations

One thread, in lock-step; of servers, the mean of both.

${markdownTable(
  ["operation", "of one", "deal", "prepare", "evaluate"],
  operations.map((o) => [
    o.op,
    o.per,
    ...[o.ns.deal, o.ns.prepare, o.ns.evaluate].map((s) => (s.max < 0.005 ? "" : withSpread(s))),
  ]),
)}
`;
  writeResult("micro.json", { machine, kernels, operations });
  writeResult("micro.md", text);
  return text;
}
