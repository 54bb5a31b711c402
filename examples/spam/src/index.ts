/** Example model of the demo: spam or ham, from a mail's subject and first words. */

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Vocabulary } from "./tokenizer.js";

export { loadMails, type Mail, type Mails, type Part } from "./mails.js";
export { type MailText, tokenize, type Vocabulary } from "./tokenizer.js";

/** Names of the model's two outputs, in their order. */
export const labels = ["ham", "spam"] as const;

/** Path of the model file (ONNX, as PyTorch wrote it): tokens [batch, T] to logits [batch, 2]. */
export function modelPath(): string {
  return fileURLToPath(new URL("../model/spam.onnx", import.meta.url));
}

/** Path of the vocabulary file (JSON, see `Vocabulary`). */
export function vocabularyPath(): string {
  return fileURLToPath(new URL("../model/vocabulary.json", import.meta.url));
}

/** Reads the vocabulary that the model was trained with. */
export async function loadVocabulary(): Promise<Vocabulary> {
  return JSON.parse(await readFile(vocabularyPath(), "utf8")) as Vocabulary;
}
