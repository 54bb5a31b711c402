/**
 * Writes what the Python scripts read:
 *
 *   node train/prepare.mjs mitbih DATA FOLDER      (after `tsc -b`)
 *   node train/prepare.mjs ecg5000 DATA FOLDER
 *
 * DATA is the folder of the set (model/README.md says what it holds). For MIT-BIH, FOLDER gets {part}_features.npy [beats,
 * FEATURES], {part}_labels.npy and {part}_records.npy for training and validation, and the same of generated hearts
 * (part "generated": the record is the heart's number): the page shows generated beats, and no patient has all kinds of beats.
 * For ECG5000: {part}_beats.npy [beats, 140] and {part}_labels.npy. Test parts are not written.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeNpy } from "@sotto/model/npy";
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
import { ecg5000Samples, readRecordings, records } from "../dist/sets.js";

/** Generated hearts, seconds of each, and seconds until the rhythm changes. */
const HEARTS = 200;
const SECONDS = 150;
const RHYTHM = 30;

const [set, data, folder] = process.argv.slice(2);
if (folder === undefined || !["mitbih", "ecg5000"].includes(set))
  throw new Error("usage: node train/prepare.mjs mitbih|ecg5000 DATA FOLDER");
await mkdir(folder, { recursive: true });

const write = (name, shape, values, type) =>
  writeFile(join(folder, `${name}.npy`), writeNpy(shape, values, type));

async function writePart(part, recordings) {
  const labels = recordings.flatMap((recording) => recording.labels);
  const numbers = recordings.flatMap(({ record, labels }) => labels.map(() => record));
  const features = recordings.flatMap(({ beats }) => [...featuresOf(beats)]);
  await write(`${part}_features`, [labels.length, FEATURES], features, "float32");
  await write(`${part}_labels`, [labels.length], labels, "int64");
  await write(`${part}_records`, [labels.length], numbers, "int64");
  console.log(`${part}: ${recordings.length} recordings, ${labels.length} beats`);
}

function generated(number) {
  const random = seeded(number);
  const heart = number === 0 ? standardHeart() : drawHeart(random);
  const noise = 0.06 * random() ** 2;
  const { beats, labels } = generateBeats({ random, heart, noise }, SECONDS, (generator, second) => {
    if (second % RHYTHM === 0) generator.rhythm = rhythms[Math.floor(random() * rhythms.length)];
  });
  return { record: number, beats, labels: labels.map((label) => beatClasses.indexOf(label)) };
}

if (set === "mitbih") {
  const recordings = await readRecordings(data);
  for (const part of ["train", "validation"])
    await writePart(
      part,
      recordings.filter(({ record }) => records[part].includes(record)),
    );
  await writePart(
    "generated",
    Array.from({ length: HEARTS }, (_, i) => generated(i)),
  );
} else {
  for (const part of ["train", "validation"]) {
    const { samples } = await ecg5000Samples(data, part);
    const values = samples.flatMap(({ inputs }) => [...inputs.ecg.data]);
    await write(`${part}_beats`, [samples.length, 140], values, "float32");
    await write(
      `${part}_labels`,
      [samples.length],
      samples.flatMap(({ labels }) => labels),
      "int64",
    );
    console.log(`${part}: ${samples.length} beats`);
  }
}
