/**
 * Measures a model on the test part of its set and writes the figures into its README:
 *
 *   node examples/report.mjs packets doh|local DATA      (after `tsc -b`)
 *   node examples/report.mjs text sms|sst2 DATA
 *
 * The model is interpreted over reals and over the integers that a private run computes (core's exact interpretation).
 */
import { readFile, writeFile } from "node:fs/promises";
import { compile, instantiate, prepareInputs, runClear, runExact } from "@sotto/core";
import { loadModel } from "@sotto/model";

const [example, name, data] = process.argv.slice(2);
if (data === undefined) throw new Error("usage: node examples/report.mjs EXAMPLE SET DATA");
const set = (await import(`./${example}/dist/sets.js`))[name];
const samples = await set.samples(data);
const compiled = compile(await loadModel(set.model), { range: set.range });
const networks = new Map();

function network(time) {
  if (!networks.has(time)) networks.set(time, instantiate(compiled.plan, { batch: 1, time }));
  return networks.get(time);
}

function largest(values) {
  return values.indexOf(Math.max(...values));
}

let [equal, error] = [0, 0];
const tables = { float: emptyTable(), fixed: emptyTable() };
function emptyTable() {
  return set.classes.map(() => set.classes.map(() => 0));
}
for (const { inputs, label } of samples) {
  const run = network(Object.values(inputs)[0].shape[1]);
  const values = prepareInputs(run, inputs, compiled.publicTensors);
  const float = runClear(run.program, compiled.tensors, values).logits;
  const fixed = runExact(run.program, compiled.plan, compiled.tensors, values).logits;
  tables.float[label][largest(float)]++;
  tables.fixed[label][largest(fixed)]++;
  equal += largest(float) === largest(fixed);
  error = Math.max(error, ...float.map((v, i) => Math.abs(v - fixed[i])));
}

const sum = (list) => list.reduce((a, b) => a + b, 0);
const accuracy = (table) => sum(table.map((row, i) => row[i])) / samples.length;
function scores(table, i) {
  const right = table[i][i];
  const precision = right / Math.max(1, sum(table.map((row) => row[i])));
  const recall = right / Math.max(1, sum(table[i]));
  return {
    precision,
    recall,
    f1: (2 * right) / Math.max(1, sum(table.map((row) => row[i])) + sum(table[i])),
  };
}
const percent = (share) => `${(100 * share).toFixed(2)} %`;
const macroF1 = (table) => sum(set.classes.map((_, i) => scores(table, i).f1)) / set.classes.length;
const constant = Math.max(...tables.float.map(sum)) / samples.length;
const rows = [
  `| on ${samples.length} samples of the test part | float | fixed-point |`,
  "| --- | ---: | ---: |",
  `| accuracy | ${percent(accuracy(tables.float))} | ${percent(accuracy(tables.fixed))} |`,
  `| macro F1 | ${macroF1(tables.float).toFixed(4)} | ${macroF1(tables.fixed).toFixed(4)} |`,
  `| accuracy of the constant guess | ${percent(constant)} | |`,
  `| equal decisions | | ${percent(equal / samples.length)} |`,
  `| largest difference of a logit | | ${error.toFixed(6)} |`,
  "",
  `| true class | ${set.classes.map((c) => `said ${c}`).join(" | ")} | precision | recall |`,
  `| --- |${" ---: |".repeat(set.classes.length + 2)}`,
  ...set.classes.map((c, i) => {
    const { precision, recall } = scores(tables.float, i);
    return `| ${c} | ${tables.float[i].join(" | ")} | ${percent(precision)} | ${percent(recall)} |`;
  }),
];
console.log(rows.join("\n"));
const readme = new URL(`./${example}/model/README.md`, import.meta.url);
const text = await readFile(readme, "utf8");
const marks = new RegExp(`(<!-- ${name}: written by examples/report.mjs -->\n)[\\s\\S]*?(<!-- end -->)`);
if (!marks.test(text)) throw new Error(`${readme.pathname} has no place for the figures`);
await writeFile(
  readme,
  text.replace(marks, (_, before, after) => `${before}${rows.join("\n")}\n${after}`),
);
