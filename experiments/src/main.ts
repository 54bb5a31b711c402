/**
 * `npm run experiments -- [DATA_FOLDER] [SET ...]`: accuracy of float, fixed-point and private inference on the test parts of
 * real data sets; with --write into experiments/results and the tables of docs/experiments.md.
 */
import { existsSync, statSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { SottoError } from "@sotto/core";
import { measure } from "./measure.js";
import { accuracyTable } from "./report.js";
import { RECORDED, SCRATCH, save, saved, updatePage } from "./results.js";
import { SETS } from "./sets.js";

const USAGE = `usage: npm run experiments -- [DATA_FOLDER] [SET ...] [--private N] [--missing] [--write] | --tables

  SET          ${SETS.map((s) => s.name).join(", ")} (default: all)
  --private N  samples that run privately (default: 500, or all where there are fewer)
  --write      write the results to experiments/results and the tables of docs/experiments.md; otherwise to .cache/experiments
  --tables     only write the tables of docs/experiments.md again, from what has been measured, here and in bench/results
  --missing    only sets that have no results yet: goes on where a run was stopped

docs/experiments.md says where the sets can be had.`;

const { tables, folder, names, wanted, missing, write } = argumentsOf(process.argv.slice(2));
const results = write ? RECORDED : SCRATCH;
let done = 0;
let failed = 0;
for (const about of SETS.filter((s) => !tables && (names.length === 0 || names.includes(s.name)))) {
  if (missing && saved(about.name, results)) {
    console.error(`${about.name}: has results already`);
    continue;
  }
  try {
    const set = await about.load(folder);
    if (!set) {
      console.error(`${about.name}: skipped, its data are not there. ${about.where}`);
      continue;
    }
    const result = await measure(about, set, wanted, reporter());
    save(result, results);
    done++;
    console.log(`\n${accuracyTable([result], shown(results))}\n`);
  } catch (error) {
    // the others can still be measured
    if (!(error instanceof SottoError)) throw error;
    console.error(`${about.name}: failed: ${error.message}`);
    failed++;
  }
}
if (done > 0) console.log(`results are in ${shown(results)}, a page, a JSON file and a picture a set`);
if (tables || (done > 0 && write)) {
  updatePage(SETS.map((s) => s.name));
  console.log("docs/experiments.md is written");
}
process.exit(failed > 0 ? 1 : 0);

function argumentsOf(argv: string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        private: { type: "string" },
        missing: { type: "boolean" },
        write: { type: "boolean" },
        tables: { type: "boolean" },
        help: { type: "boolean" },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const known = (name: string) => SETS.some((s) => s.name === name);
    const [first] = positionals;
    const folder = first !== undefined && !known(first) ? first : undefined;
    const names = folder === undefined ? positionals : positionals.slice(1);
    if (folder !== undefined && !(existsSync(folder) && statSync(folder).isDirectory()))
      throw new Error(`${folder} is neither a set nor a folder`);
    const unknown = names.filter((n) => !known(n));
    if (unknown.length > 0) throw new Error(`there is no set ${unknown.join(", ")}`);
    const wanted = values.private === undefined ? undefined : Number(values.private);
    if (wanted !== undefined && !(Number.isInteger(wanted) && wanted > 0))
      throw new Error(`--private ${values.private}: expected a whole number above 0`);
    const { missing = false, tables = false, write = false } = values;
    return { folder, names, wanted, missing, tables, write };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    process.exit(2);
  }
}

/** As the reader of this terminal can open it. */
function shown(folder: URL): string {
  return relative(process.cwd(), fileURLToPath(folder)) || ".";
}

/** One line that changes on a terminal; elsewhere a line now and then. */
function reporter(): (text: string) => void {
  let last = 0;
  return (text) => {
    const now = performance.now();
    const [, done, all] = /(\d+) of (\d+)$/.exec(text) ?? [];
    const every = process.stderr.isTTY ? 100 : 10_000;
    if (now - last < every && done !== all) return;
    last = now;
    process.stderr.write(process.stderr.isTTY ? `\r\u001b[K${text}${done === all ? "\n" : ""}` : `${text}\n`);
  };
}
