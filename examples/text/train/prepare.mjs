/**
 * Chooses the words and writes what train.py reads:
 *
 *   node train/prepare.mjs SET DATA FOLDER      (after `tsc -b`; SET is sms or sst2, DATA the folder of the published set)
 *
 * Into FOLDER go NPY files of the training and the validation part, never of the test part. The words come from the
 * training part alone and go to model/SET.json.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CLASS_TOKENS } from "@sotto/example-spam/tokenizer";
import { writeNpy } from "@sotto/model/npy";
import { tokens } from "../dist/index.js";
import { parts, sms, sst2 } from "../dist/sets.js";

/** Tokens a text, words of the vocabulary at most, and in how many training texts a word must occur. */
const SETTINGS = {
  sms: { length: 40, most: 4000, least: 2 },
  sst2: { length: 40, most: 7000, least: 2 },
};

const [name, data, folder] = process.argv.slice(2);
const set = { sms, sst2 }[name];
const settings = SETTINGS[name];
if (settings === undefined || folder === undefined)
  throw new Error("usage: node train/prepare.mjs sms|sst2 DATA FOLDER");
const texts = await set.texts(data);
await mkdir(folder, { recursive: true });

const counts = new Map();
for (const { text } of texts.train) {
  for (const word of new Set(set.split(text).slice(0, settings.length)))
    counts.set(word, (counts.get(word) ?? 0) + 1);
}
const chosen = [...counts]
  .filter(([word, count]) => count >= settings.least && !CLASS_TOKENS.includes(word))
  .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
  .slice(0, settings.most - CLASS_TOKENS.length)
  .map(([word]) => word);
const vocabulary = { length: settings.length, words: [...CLASS_TOKENS, ...chosen] };
await writeFile(set.vocabulary, `${JSON.stringify(vocabulary, null, 2)}\n`);

for (const part of ["train", "validation"]) {
  const list = texts[part];
  const numbers = new Float32Array(list.length * settings.length);
  for (const [i, { text }] of list.entries())
    numbers.set(tokens(text, set.split, vocabulary).data, i * settings.length);
  const shape = [list.length, settings.length];
  await writeFile(join(folder, `${part}_tokens.npy`), writeNpy(shape, numbers, "float32"));
  const labels = list.map(({ label }) => label);
  await writeFile(join(folder, `${part}_labels.npy`), writeNpy([list.length], labels, "float32"));
}
const count = (part) => `${part} ${texts[part].length} (${texts[part].filter((t) => t.label === 1).length})`;
console.log(`vocabulary ${vocabulary.words.length}; ${parts.map(count).join(", ")}, class 1 in brackets`);
