/** The sets behind the models, for training and for the experiments (Node only). */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SottoError } from "@sotto/core";
import { findDuplicates, normalise } from "@sotto/example-spam/duplicates";
import { parseCsv } from "./csv.js";
import {
  type Splitter,
  sentimentClasses,
  sentimentWords,
  smsClasses,
  smsWords,
  tokens,
  type Vocabulary,
} from "./index.js";

export interface Sample {
  inputs: Record<string, { shape: [1, number]; data: Float32Array }>;
  /** Position in the classes. */
  label: number;
}

/** A text and its class. */
export interface Labelled {
  text: string;
  label: number;
}

export const parts = ["train", "validation", "test"] as const;
export type Part = (typeof parts)[number];

export interface TextSet {
  name: string;
  /** The set as others know it, and where to have it. */
  origin: string;
  classes: readonly string[];
  /** Path of the model file (ONNX): tokens [batch, length] to logits [batch, classes]. */
  model: string;
  /** Path of the words that the model knows (JSON). */
  vocabulary: string;
  split: Splitter;
  /** The texts of all parts, from the files in `folder` as the set is published. */
  texts(folder: string): Promise<Record<Part, Labelled[]>>;
  /** The samples of the split on which figures are reported. */
  samples(folder: string): Promise<Sample[]>;
}

/** SMS Spam Collection; `folder` holds data.csv with a class and a message a row, in Latin-1. */
export const sms: TextSet = textSet({
  name: "sms",
  origin: "SMS Spam Collection (https://archive.ics.uci.edu/dataset/228/sms+spam+collection)",
  classes: smsClasses,
  split: smsWords,
  texts: smsTexts,
});

/** SST-2; `folder` holds train.tsv and dev.tsv with a sentence and a label a row. */
export const sst2: TextSet = textSet({
  name: "sst2",
  origin: "Stanford Sentiment Treebank, two classes, sentences (https://nlp.stanford.edu/sentiment)",
  classes: sentimentClasses,
  split: sentimentWords,
  texts: sentimentTexts,
});

function textSet(set: Omit<TextSet, "model" | "vocabulary" | "samples">): TextSet {
  const model = fileURLToPath(new URL(`../model/${set.name}.onnx`, import.meta.url));
  const vocabulary = fileURLToPath(new URL(`../model/${set.name}.json`, import.meta.url));
  const samples = async (folder: string): Promise<Sample[]> => {
    const known = await loadVocabulary(vocabulary);
    const { test } = await set.texts(folder);
    return test.map(({ text, label }) => ({ inputs: { tokens: tokens(text, set.split, known) }, label }));
  };
  return { ...set, model, vocabulary, samples };
}

export async function loadVocabulary(path: string): Promise<Vocabulary> {
  return JSON.parse(await readFile(path, "utf8")) as Vocabulary;
}

/**
 * Messages that begin alike are there once (spam comes in campaigns). Of each class the same shares go to each part, in the
 * order of a hash of the message.
 */
async function smsTexts(folder: string): Promise<Record<Part, Labelled[]>> {
  const path = join(folder, "data.csv");
  const [, ...rows] = parseCsv(await readFile(path, "latin1"));
  const all = rows.map(([kind, ...rest], i) => {
    const label = (smsClasses as readonly unknown[]).indexOf(kind);
    if (label < 0)
      throw new SottoError("bad-input", `${path}: row ${i + 2} begins neither with ham nor with spam`);
    // some rows have their message's commas unquoted
    return { text: rest.join(",").replace(/,+$/, ""), label };
  });
  const copies = findDuplicates(all.map(({ text }) => text));
  const result: Record<Part, Labelled[]> = { train: [], validation: [], test: [] };
  for (const label of smsClasses.keys()) {
    const some = inHashOrder(all.filter((m, i) => m.label === label && !copies[i]));
    const [first, second] = [Math.round(0.7 * some.length), Math.round(0.8 * some.length)];
    result.train.push(...some.slice(0, first));
    result.validation.push(...some.slice(first, second));
    result.test.push(...some.slice(second));
  }
  return result;
}

/** The published training part, of which a tenth is for validation, and the published development part for the figures. */
async function sentimentTexts(folder: string): Promise<Record<Part, Labelled[]>> {
  const known = inHashOrder(await readTsv(join(folder, "train.tsv")));
  const test = await readTsv(join(folder, "dev.tsv"));
  const tenth = Math.round(known.length / 10);
  return { train: known.slice(tenth), validation: known.slice(0, tenth), test };
}

async function readTsv(path: string): Promise<Labelled[]> {
  const lines = (await readFile(path, "utf8")).split("\n").filter((line) => line !== "");
  return lines.map((line, i) => {
    const [text, label] = line.trimEnd().split("\t");
    if (text === undefined || (label !== "0" && label !== "1"))
      throw new SottoError("bad-input", `${path}: line ${i + 1} is no sentence with 0 or 1 after a tab`);
    return { text, label: Number(label) };
  });
}

function inHashOrder(list: Labelled[]): Labelled[] {
  const hash = ({ text }: Labelled) => createHash("sha256").update(normalise(text)).digest("hex");
  return list
    .map((item) => ({ item, key: hash(item) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ item }) => item);
}
