/**
 * Evaluates the shipped models on the test parts, once all choices are made, and on generated beats, and writes the figures
 * into model/README.md:
 *
 *   node train/report.mjs MITBIH ECG5000      (folders of the sets; after `tsc -b`)
 */
import { readFile, writeFile } from "node:fs/promises";
import { classify } from "../dist/classify.js";
import {
  beatClasses,
  drawHeart,
  FEATURES,
  featuresOf,
  generateBeats,
  rhythms,
  seeded,
  standardHeart,
} from "../dist/index.js";
import { confusion, figures } from "../dist/metrics.js";
import { beatModelPath, ecg5000Samples, mitbihSamples, readRecordings, records } from "../dist/sets.js";

/** Hearts that the training has not seen: their numbers begin here. */
const HEARTS = 1000;

const percent = (share) => (share === undefined ? "-" : `${(100 * share).toFixed(1)} %`);

function table(names, counts) {
  const { accuracy, macroF1, sensitivity, predictivity, f1 } = figures(counts);
  return [
    `| truth | ${names.map((name) => `→ ${name}`).join(" | ")} | sensitivity | predictivity | F1 |`,
    `| --- |${" ---: |".repeat(names.length + 3)}`,
    ...names.map(
      (name, c) =>
        `| ${name} | ${counts[c].join(" | ")} | ${percent(sensitivity[c])} | ${percent(predictivity[c])} | ${f1[c]?.toFixed(3) ?? "-"} |`,
    ),
    "",
    `Accuracy ${percent(accuracy)}, mean F1 of the classes that occur ${macroF1.toFixed(3)}.`,
  ];
}

async function measure(modelPath, samples, classes) {
  const answers = (await classify(modelPath, samples)).flat();
  const truth = samples.flatMap(({ labels }) => labels);
  return confusion(classes, truth, answers);
}

const asStream = ({ beats, labels }) => ({
  inputs: { beats: { shape: [1, beats.length, FEATURES], data: featuresOf(beats) } },
  labels,
});

const [mitbih, ecg5000] = process.argv.slice(2);
if (ecg5000 === undefined) throw new Error("usage: node train/report.mjs MITBIH ECG5000");

const recordings = (await readRecordings(mitbih)).filter(({ record }) => records.test.includes(record));
const streams = await measure(beatModelPath(), recordings.map(asStream), 5);
const pieces = await mitbihSamples(mitbih);
const short = await measure(pieces.modelPath, pieces.samples, 5);
const single = await ecg5000Samples(ecg5000);
const ecg = await measure(single.modelPath, single.samples, 5);

const generated = [];
for (const [name, heartOf] of [
  ["standard", () => standardHeart()],
  ["drawn", (random) => drawHeart(random)],
]) {
  for (const rhythm of rhythms) {
    const samples = Array.from({ length: 10 }, (_, i) => {
      const random = seeded(HEARTS + i);
      const heart = heartOf(random);
      const made = generateBeats({ random, heart, rhythm, noise: 0.02 }, 90);
      return asStream({ beats: made.beats, labels: made.labels.map((label) => beatClasses.indexOf(label)) });
    });
    const counts = await measure(beatModelPath(), samples, 5);
    const right = (c) => {
      const all = counts[c].reduce((a, b) => a + b, 0);
      return all === 0 ? "" : `${percent(counts[c][c] / all)} of ${all}`;
    };
    generated.push(`| ${name} | ${rhythm} | ${right(0)} | ${right(1)} | ${right(2)} |`);
  }
}

const texts = {
  streams: table(beatClasses, streams),
  pieces: [
    `Accuracy ${percent(figures(short).accuracy)}, mean F1 ${figures(short).macroF1.toFixed(3)}; ${pieces.samples.length} samples.`,
  ],
  generated: [
    "| heart | rhythm | N right | S right | V right |",
    "| --- | --- | ---: | ---: | ---: |",
    ...generated,
  ],
  ecg5000: table(["1", "2", "3", "4", "5"], ecg),
};
const readme = new URL("../model/README.md", import.meta.url);
let text = await readFile(readme, "utf8");
for (const [name, lines] of Object.entries(texts)) {
  const marks = new RegExp(`(<!-- ${name}: written by train/report\\.mjs -->\\n)[\\s\\S]*?(<!-- end -->)`);
  if (!marks.test(text)) throw new Error(`model/README.md has no place for "${name}"`);
  text = text.replace(marks, (_, before, after) => `${before}${lines.join("\n")}\n${after}`);
  console.log(`${name}\n${lines.join("\n")}\n`);
}
await writeFile(readme, text);
