/** What a page or a program needs to classify a text: nothing here imports from Node. */
import { encode, PAD, type Vocabulary, words } from "@sotto/example-spam/tokenizer";

export type { Vocabulary } from "@sotto/example-spam/tokenizer";

/** Classes of `model/sms.onnx`, in the order of its logits. */
export const smsClasses = ["ham", "spam"] as const;

/** Classes of `model/sst2.onnx`, in the order of its logits. */
export const sentimentClasses = ["negative", "positive"] as const;

/** How a text is cut into words. */
export type Splitter = (text: string) => string[];

/** Classes of numbers that tell spam from ham, as words of their own: in front of other digits or in addresses they are left. */
const NUMBERS: [RegExp, string][] = [
  [/£/g, " pounds "],
  [/(?<![\w./@:])\+?\d{8,}(?![\w@])/g, " telephonenumber "],
  [/(?<![\w./@:])\d{5}(?![\w@])/g, " shortcode "],
];

/** Words of a text message: those of the spam filter, with telephone numbers, short codes and pounds told apart. */
export const smsWords: Splitter = (text) =>
  words(NUMBERS.reduce((rest, [pattern, word]) => rest.replace(pattern, word), text));

/** Words of a sentence, with the Stanford Treebank's way of parting n't, 's and the like from the word before. */
export const sentimentWords: Splitter = (text) =>
  words(text.replace(/\s+(?=n't\b|'(?:s|re|ve|ll|d|m)\b)/gi, "").replace(/-lrb-|-rrb-/gi, " ")).flatMap(
    (word) => {
      const parts = /^(.+)(n't|'(?:s|re|ve|ll|d|m))$/.exec(word);
      return parts ? [parts[1]!, parts[2]!] : [word];
    },
  );

/**
 * A model's input for a text: exactly `vocabulary.length` tokens [1, length], the first words of the text, padded in front
 * so that the last state has just read the text.
 */
export function tokens(
  text: string,
  split: Splitter,
  vocabulary: Vocabulary,
): { shape: [1, number]; data: Float32Array } {
  const { length } = vocabulary;
  const data = new Float32Array(length).fill(PAD);
  const numbers = encode(split(text).slice(0, length), vocabulary);
  data.set(numbers, length - numbers.length);
  return { shape: [1, length], data };
}
