/**
 * Chooses the vocabulary and writes what train.py reads:
 *
 *   node train/prepare.mjs FOLDER      (after `tsc -b`)
 *
 * Into FOLDER go NPY files of the training and the validation part, never of the test part. The
 * vocabulary, chosen from the training part alone, goes to model/vocabulary.json.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadMails, vocabularyPath } from "../dist/index.js";
import { CLASS_TOKENS, encode, mailWords, tokenize } from "../dist/tokenizer.js";

/** Tokens the model reads. */
const LENGTH = 64;
/** Tokens of a training mail that train.py gets to see: it also trains on later windows. */
const LONG = 400;
const MAX_WORDS = 4000;
/** A word must occur in so many training mails; rarer ones would only be remembered. */
const MIN_MAILS = 4;

/** Writes a C-contiguous int32 array as NPY, version 1.0. */
async function writeNpy(path, shape, data) {
  const dict = `{'descr': '<i4', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  // Magic, version and length take 10 bytes; the whole header is a multiple of 64 long.
  const header = Buffer.from(`${dict.padEnd(Math.ceil((dict.length + 11) / 64) * 64 - 11)}\n`, "latin1");
  const start = Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0, header.length & 255, header.length >> 8]);
  await writeFile(path, Buffer.concat([start, header, Buffer.from(data.buffer)]));
}

function chooseVocabulary(mails) {
  const counts = new Map();
  for (const mail of mails) {
    for (const word of new Set(mailWords(mail).slice(0, LONG))) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const chosen = [...counts]
    .filter(([word, count]) => count >= MIN_MAILS && !CLASS_TOKENS.includes(word))
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .slice(0, MAX_WORDS - CLASS_TOKENS.length)
    .map(([word]) => word);
  return { length: LENGTH, words: [...CLASS_TOKENS, ...chosen] };
}

const folder = process.argv[2];
if (folder === undefined) throw new Error("usage: node train/prepare.mjs FOLDER");
await mkdir(folder, { recursive: true });
const { train, validation } = await loadMails();
const vocabulary = chooseVocabulary(train);
await writeFile(vocabularyPath(), `${JSON.stringify(vocabulary, null, 2)}\n`);

// Training mails are written long and from the left, with the position where the text begins.
const long = new Int32Array(train.length * LONG);
const starts = new Int32Array(train.length);
for (const [i, mail] of train.entries()) {
  const list = mailWords(mail).slice(0, LONG);
  long.set(encode(list, vocabulary), i * LONG);
  starts[i] = list.indexOf("<text>") + 1;
}
await writeNpy(join(folder, "train_long.npy"), [train.length, LONG], long);
await writeNpy(join(folder, "train_starts.npy"), [train.length], starts);

for (const [name, mails] of [
  ["train", train],
  ["validation", validation],
]) {
  const tokens = new Int32Array(mails.length * LENGTH);
  for (const [i, mail] of mails.entries()) tokens.set(tokenize(mail, vocabulary), i * LENGTH);
  const labels = Int32Array.from(mails, (mail) => Number(mail.spam));
  await writeNpy(join(folder, `${name}_tokens.npy`), [mails.length, LENGTH], tokens);
  await writeNpy(join(folder, `${name}_labels.npy`), [mails.length], labels);
}
console.log(`vocabulary ${vocabulary.words.length}, train ${train.length}, validation ${validation.length}`);
