/** The folders of results, and the tables in docs/experiments.md that are made from it. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { writeResult } from "@sotto/bench/report";
import { confusionChart } from "./confusion-svg.js";
import { costTables, recorded } from "./costs.js";
import type { SetResult } from "./measure.js";
import { accuracyTable, setPage, timeTable } from "./report.js";

/** What this repository has, from which the tables are made. */
export const RECORDED = new URL("../results/", import.meta.url);
/** Git knows nothing of it. */
export const SCRATCH = new URL("../../.cache/experiments/", import.meta.url);
const PAGE = new URL("../../docs/experiments.md", import.meta.url);
const BASE = "../experiments/results";

export function save(result: SetResult, folder: URL): void {
  const { name, classes } = result;
  const panels = [
    { title: `float, ${result.float.decisions}`, confusion: result.float.confusion },
    { title: `fixed point, ${result.fixed.decisions}`, confusion: result.fixed.confusion },
    { title: `private, ${result.private.decisions}`, confusion: result.private.confusion },
  ];
  writeResult(`${name}.svg`, confusionChart(classes, panels), folder);
  writeResult(`${name}.md`, setPage(result), folder);
  // last: where it is there, the set is done
  writeResult(`${name}.json`, result, folder);
}

/** What was saved of a set. */
export function saved(name: string, folder: URL): SetResult | undefined {
  const file = new URL(`${name}.json`, folder);
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as SetResult) : undefined;
}

/** Writes the tables of all sets that have recorded results into docs/experiments.md. @param names in their order. */
export function updatePage(names: readonly string[]): void {
  const results = names.flatMap((name) => saved(name, RECORDED) ?? []);
  let text = readFileSync(PAGE, "utf8");
  text = between(text, "accuracy", accuracyTable(results, BASE));
  text = between(text, "times", timeTable(results, BASE));
  text = between(text, "costs", costTables(recorded(), "../bench/results"));
  writeFileSync(PAGE, text);
}

/** Replaces what lies between `<!-- name -->` and `<!-- end name -->`. @throws Error where the text has no such place. */
export function between(text: string, name: string, content: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- end ${name} -->`];
  const [from, to] = [text.indexOf(open), text.indexOf(close)];
  if (from < 0 || to < from) throw new Error(`the page has no place between ${open} and ${close}`);
  return `${text.slice(0, from + open.length)}\n${content}\n${text.slice(to)}`;
}
