/** Numbers and tables for people. */
import type { NumberTensor } from "@sotto/core";
import Table from "cli-table3";

/** 1234567 -> "1.23 MB" (powers of ten). */
export function bytes(n: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let value = n;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return unit === 0 ? `${n} B` : `${significant(value)} ${units[unit]}`;
}

/** 12.34 -> "12.3 ms", 12340 -> "12.3 s". */
export function duration(ms: number): string {
  return ms < 9999.5 / 10 ? `${significant(ms)} ms` : `${significant(ms / 1000)} s`;
}

/** Milliseconds to three decimals: what is beyond is noise of doubles. */
export function roundMs(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** Three significant digits, without an exponent where that is readable. */
export function significant(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size < 1e-4 || size >= 1e7) return value.toExponential(2);
  return Number(value.toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 8, useGrouping: false });
}

/** "[1, 3] 0.1234, 0.5678, -1.2346"; long ones are cut. */
export function preview({ shape, data }: NumberTensor, most = 8): string {
  const shown = Array.from({ length: Math.min(most, data.length) }, (_, i) => data[i]!.toFixed(4)).join(", ");
  const rest = data.length > most ? `, ... (${data.length} numbers)` : "";
  return `[${shape.join(", ")}]  ${shown}${rest}`;
}

export interface Column {
  title: string;
  align?: "left" | "right";
}

/** A table without frames: columns two blanks apart. */
export function table(columns: Column[], rows: string[][]): string {
  const none = Object.fromEntries(
    [
      "top",
      "top-mid",
      "top-left",
      "top-right",
      "bottom",
      "bottom-mid",
      "bottom-left",
      "bottom-right",
      "left",
      "left-mid",
      "mid",
      "mid-mid",
      "right",
      "right-mid",
    ].map((part) => [part, ""]),
  );
  const t = new Table({
    head: columns.map((c) => c.title),
    colAligns: columns.map((c) => c.align ?? "left"),
    chars: { ...none, middle: "  " },
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  t.push(...rows);
  return t
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

/** One line of at most `width` columns; what is cut is marked. Control characters never reach a terminal. */
export function cut(text: string, width: number): string {
  const characters = [...text.replace(/[\s\p{C}]+/gu, " ").trim()];
  const columns = characters.map((c) => (WIDE.test(c) ? 2 : 1));
  if (columns.reduce((a, b) => a + b, 0) <= width) return characters.join("");
  let kept = 0;
  for (let used = 1; used + columns[kept]! <= width; kept++) used += columns[kept]!;
  return `${characters.slice(0, kept).join("")}…`;
}

/** Characters that take two columns on a terminal. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60]/u;

/** A title, rows below it, and a remark. */
export function section(title: string, rows: string[][], note?: string): string {
  const columns = (rows[0] ?? []).map(() => ({ title: "" }));
  const body = table(
    columns,
    rows.map(([first, ...rest]) => [`  ${first}`, ...rest]),
  )
    .split("\n")
    .filter((line) => line !== "")
    .join("\n");
  return `${title}\n${body}${note ? `\n  (${note})` : ""}`;
}
