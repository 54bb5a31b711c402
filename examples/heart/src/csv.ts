/** A visitor's own signal, from a CSV file: one column of samples, or time and value. */
import { SottoError } from "@sotto/core";
import Papa from "papaparse";

export interface CsvSignal {
  /** In the file's own unit. The model does not depend on the unit: its features are relative to the beats before. */
  samples: Float32Array;
  /** Samples a second, from the time column; undefined if there is none: ask the visitor. */
  rate: number | undefined;
}

/** Times may differ from even steps by so much of a step. */
const UNEVEN = 0.5;
/** Larger steps than this are no seconds: an ECG has more than ten samples a second. */
const MOST_SECONDS = 0.1;

/**
 * Reads numbers separated by commas, semicolons, tabs or blanks, with any number of header lines and of empty lines.
 * With one column it is the samples; otherwise the first is time (in seconds, or in milliseconds if its header says ms or
 * its steps are too large for seconds) and the second the samples.
 * @throws SottoError `bad-input` that names the line
 */
export function readCsv(text: string): CsvSignal {
  const rows = Papa.parse<string[]>(text.replace(/^\ufeff/, "").trimEnd(), {
    delimiter: delimiterOf(text),
    skipEmptyLines: "greedy",
    comments: "#",
  }).data.map((row) => row.map((cell) => cell.trim().replace(/^'(.*)'$/, "$1")));
  const begin = rows.findIndex((row) => row.every((cell) => cell === "" || Number.isFinite(number(cell))));
  const found = rows[begin]?.length ?? 0;
  if (begin < 0 || rows.length - begin < 2)
    throw new SottoError(
      "bad-input",
      "CSV: no two lines of numbers were found; expected one sample a line, or time and sample",
    );
  const values = rows.slice(begin).map((row, i) => {
    const cells = row.slice(0, 2).map(number);
    if (row.length !== found || !cells.every(Number.isFinite))
      throw new SottoError(
        "bad-input",
        `CSV: line ${begin + i + 1} of those that are not empty is ${JSON.stringify(row.join(", ").slice(0, 40))}; ` +
          `expected ${found === 1 ? "a number" : `${found} numbers`}, as in the first`,
      );
    return cells;
  });
  if (found === 1) return { samples: Float32Array.from(values, ([value]) => value!), rate: undefined };
  const header = rows.slice(0, begin).map((row) => row[0] ?? "");
  return {
    samples: Float32Array.from(values, ([, value]) => value!),
    rate: rateOf(
      values.map(([time]) => time!),
      header.join(" "),
    ),
  };
}

/** Semicolons go with decimal commas; otherwise the first of these that occurs in a line of numbers. */
function delimiterOf(text: string): string {
  const line =
    text
      .split(/\r\n?|\n/)
      .find((candidate) => /^\s*["']?[-+]?[\d.,]/.test(candidate) && /\d/.test(candidate)) ?? "";
  return [";", "\t", ","].find((candidate) => line.includes(candidate)) ?? (/\S\s+\S/.test(line) ? " " : ",");
}

/** "1.5", and "1,5" where another delimiter leaves the comma to it. NaN for what is no number, and for nothing. */
function number(cell: string): number {
  return cell === "" ? Number.NaN : Number(cell.replace(",", "."));
}

function rateOf(times: number[], header: string): number {
  const step = (times.at(-1)! - times[0]!) / (times.length - 1);
  if (!(step > 0))
    throw new SottoError("bad-input", "CSV: the first column does not grow; expected times, then samples");
  const odd = times.findIndex(
    (time, i) => Math.abs(time - times[0]! - i * step) > Math.max(UNEVEN * step, 1e-9),
  );
  if (odd > 0)
    throw new SottoError(
      "bad-input",
      `CSV: the times are not even at sample ${odd + 1} (${times[odd]}); expected steps of ${step.toPrecision(4)}`,
    );
  const milliseconds = /\bms\b|msec|millisec/i.test(header) || step > MOST_SECONDS;
  return (milliseconds ? 1000 : 1) / step;
}
