/** Numbers and tables as the reports print them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";
import type { Spread } from "./statistics.js";

/** What it was measured on, and how busy that was with other things. */
export function machine(): string {
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const system = `${type()} ${release()}`;
  const [load] = loadavg();
  const parts = [
    cpus()[0]?.model.trim(),
    `${availableParallelism()} cores`,
    memory,
    system,
    `Node ${process.version}`,
  ];
  return `${parts.join(", ")}; load average before the run ${load!.toFixed(1)}`;
}

/** Two or three digits, as far as they say something. */
export function digits(v: number | undefined): string {
  return v === undefined ? "?" : Math.abs(v) < 10 ? v.toFixed(2) : v.toFixed(Math.abs(v) < 100 ? 1 : 0);
}

/** Median, and the smallest and the largest in brackets. */
export function withSpread(s: Spread): string {
  return `${digits(s.median)} (${digits(s.min)}..${digits(s.max)})`;
}

export type Cells = readonly (string | number)[];

export function markdownTable(head: Cells, rows: readonly Cells[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

const RESULTS = new URL("../results/", import.meta.url);

/** Writes a file of bench/results, or of another folder. @param content text, or what goes into JSON. */
export function writeResult(name: string, content: string | object, folder = RESULTS): void {
  mkdirSync(folder, { recursive: true });
  const text = typeof content === "string" ? content : `${JSON.stringify(content, significant, 2)}\n`;
  writeFileSync(new URL(name, folder), text);
}

/** Four digits are more than any of these measurements has. */
function significant(_key: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;
}
