/** The model in the clear, by ONNX Runtime: what the private inference is compared with. */

import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";
import { modelPath } from "./index.js";
import { type MailText, tokenize, type Vocabulary } from "./tokenizer.js";

/** Mails per call of the runtime. */
const BATCH = 128;

/**
 * Classifies mails without any privacy.
 *
 * @returns per mail the logits [ham, spam]
 */
export async function classify(mails: MailText[], vocabulary: Vocabulary): Promise<[number, number][]> {
  // One thread: the runtime's workers are no use to a model this small.
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(await readFile(modelPath()));
  const result: [number, number][] = [];
  for (let start = 0; start < mails.length; start += BATCH) {
    const part = mails.slice(start, start + BATCH);
    const data = new BigInt64Array(part.length * vocabulary.length);
    for (const [i, mail] of part.entries()) {
      data.set(BigInt64Array.from(tokenize(mail, vocabulary), BigInt), i * vocabulary.length);
    }
    const tokens = new ort.Tensor("int64", data, [part.length, vocabulary.length]);
    const { logits } = await session.run({ tokens });
    const values = logits?.data as Float32Array;
    for (let i = 0; i < part.length; i++) result.push([values[2 * i] ?? 0, values[2 * i + 1] ?? 0]);
  }
  await session.release();
  return result;
}
