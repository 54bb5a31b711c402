/**
 * Text to tokens. Isomorphic: the client of the demo runs it where the mail is, in Node or in a
 * browser, so nothing here imports from Node.
 */

/** A vocabulary file: the token's number is its position in `words`. */
export interface Vocabulary {
  /** Number of tokens per mail, T. */
  length: number;
  /** `words[0]` is the padding, `words[1]` the unknown word; class tokens are written `<name>`. */
  words: string[];
}

/** What the tokenizer needs of a mail. */
export interface MailText {
  subject: string;
  text: string;
}

/** Number of the token that fills up short mails. */
export const PAD = 0;
/** Number of the token for words that are not in the vocabulary. */
export const UNKNOWN = 1;

/** Tokens that stand for a class of strings; the first two in this order have fixed numbers. */
export const CLASS_TOKENS = [
  "<pad>",
  "<unknown>",
  "<text>", // between subject and text
  "<url>",
  "<email>",
  "<number>",
  "<foreign>", // a word with letters beyond ASCII
  "<rule>", // a line of dashes or the like
] as const;

// Alternatives are tried in order, so the more specific ones come first.
const TOKEN = new RegExp(
  [
    String.raw`(?<url>(?:https?:\/\/|ftp:\/\/|www\.)[^\s<>"']+)`,
    String.raw`(?<email>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)`,
    "(?<rule>[-=_*#~]{4,})",
    String.raw`(?<number>\d+(?:[.,:/-]\d+)*)`,
    String.raw`(?<word>[\p{L}\ufffd]+(?:'[\p{L}]+)?)`,
    "(?<mark>[$!?%>])",
  ].join("|"),
  "gu",
);

/**
 * Splits text into words and class tokens, without a limit: lower-case words (with an inner
 * apostrophe), `$ ! ? % >` as they are, and class tokens for URLs, addresses, numbers, rules and
 * words in other scripts.
 */
export function words(text: string): string[] {
  const result: string[] = [];
  // U+FFFD within an English word was a typographic apostrophe before the data set was decoded.
  const readable = text.replace(/(?<=[A-Za-z])[\ufffd\u2018\u2019](?=[A-Za-z])/g, "'");
  for (const match of readable.matchAll(TOKEN)) {
    const groups = match.groups ?? {};
    if (groups.word !== undefined) result.push(isAscii(match[0]) ? match[0].toLowerCase() : "<foreign>");
    else if (groups.mark !== undefined) result.push(match[0]);
    else if (groups.url !== undefined) result.push("<url>");
    else if (groups.email !== undefined) result.push("<email>");
    else if (groups.rule !== undefined) result.push("<rule>");
    else result.push("<number>");
  }
  return result;
}

function isAscii(word: string): boolean {
  return /^[A-Za-z']+$/.test(word);
}

/** The words of a mail in the order the model reads them: subject, `<text>`, text. */
export function mailWords(mail: MailText | string): string[] {
  if (typeof mail === "string") return words(mail);
  return [...words(mail.subject), "<text>", ...words(mail.text)];
}

const indices = new WeakMap<Vocabulary, Map<string, number>>();

function indexOf(vocabulary: Vocabulary): Map<string, number> {
  let index = indices.get(vocabulary);
  if (index === undefined) {
    index = new Map(vocabulary.words.map((word, i) => [word, i]));
    indices.set(vocabulary, index);
  }
  return index;
}

/** Numbers of words; words that are not in the vocabulary become `UNKNOWN`. */
export function encode(list: string[], vocabulary: Vocabulary): number[] {
  const index = indexOf(vocabulary);
  return list.map((word) => index.get(word) ?? UNKNOWN);
}

/**
 * The model's input for a mail (or a bare text): exactly `vocabulary.length` token numbers, the
 * first ones of the mail, subject first. Short mails are padded in front, so that the network's
 * last state is always one that has just read the mail.
 */
export function tokenize(mail: MailText | string, vocabulary: Vocabulary): Int32Array {
  const tokens = new Int32Array(vocabulary.length).fill(PAD);
  const numbers = encode(mailWords(mail).slice(0, vocabulary.length), vocabulary);
  tokens.set(numbers, vocabulary.length - numbers.length);
  return tokens;
}
