import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CLASS_TOKENS, mailWords, PAD, tokenize, UNKNOWN, type Vocabulary, words } from "./tokenizer.js";

const vocabulary: Vocabulary = {
  length: 16,
  words: [...CLASS_TOKENS, "free", "money", "re", "meeting", "don't", "!", "$"],
};

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc
    .array(fc.constantFrom("free", "MONEY", "42", "!", "$", "a@b.example", "http://x.example/?y", "hello"))
    .map((list) => list.join(" ")),
);

describe("words", () => {
  it("keeps words and marks and maps classes", () => {
    expect(
      words("Don't PAY $1,000.50 now!! See http://x.example/a?b=1 or mail a.b@c.example ----- caf\u00e9"),
    ).toEqual([
      "don't",
      "pay",
      "$",
      "<number>",
      "now",
      "!",
      "!",
      "see",
      "<url>",
      "or",
      "mail",
      "<email>",
      "<rule>",
      "<foreign>",
    ]);
  });

  it("repairs lost apostrophes", () => {
    expect(words("don\ufffdt \ufffd\ufffd")).toEqual(["don't", "<foreign>"]);
  });

  it("does not depend on case, for ASCII text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme-ascii" }), (s) => {
        // URLs are recognised in lower case only.
        fc.pre(!/http|ftp|www/i.test(s));
        expect(words(s.toUpperCase())).toEqual(words(s.toLowerCase()));
      }),
    );
  });

  it("is unchanged by surrounding space and by its own words", () => {
    fc.assert(
      fc.property(text, (s) => {
        expect(words(`  ${s}\n`)).toEqual(words(s));
        const plain = words(s).filter((w) => !w.startsWith("<"));
        expect(words(plain.join(" "))).toEqual(plain);
      }),
    );
  });
});

describe("tokenize", () => {
  it("has a fixed length and numbers within the vocabulary", () => {
    fc.assert(
      fc.property(text, text, (subject, body) => {
        const tokens = tokenize({ subject, text: body }, vocabulary);
        expect(tokens).toBeInstanceOf(Int32Array);
        expect(tokens.length).toBe(vocabulary.length);
        for (const t of tokens) expect(t >= 0 && t < vocabulary.words.length).toBe(true);
      }),
    );
  });

  it("pads in front only, by what is missing", () => {
    fc.assert(
      fc.property(text, text, (subject, body) => {
        const count = Math.min(mailWords({ subject, text: body }).length, vocabulary.length);
        const tokens = [...tokenize({ subject, text: body }, vocabulary)];
        expect(tokens.slice(0, vocabulary.length - count).every((t) => t === PAD)).toBe(true);
        expect(tokens.slice(vocabulary.length - count).every((t) => t !== PAD)).toBe(true);
      }),
    );
  });

  it("keeps the first words: what follows them has no influence", () => {
    fc.assert(
      fc.property(text, fc.nat(), text, (subject, extra, tail) => {
        const body = "free money ! ".repeat(vocabulary.length + (extra % 3));
        const long = { subject, text: `${body} ${tail}` };
        expect(tokenize(long, vocabulary)).toEqual(tokenize({ subject, text: body }, vocabulary));
      }),
    );
  });

  it("puts the subject first and marks where the text begins", () => {
    const tokens = tokenize({ subject: "Free money", text: "zebra !" }, vocabulary);
    const tail = ["free", "money", "<text>"].map((w) => vocabulary.words.indexOf(w));
    expect([...tokens.slice(-5)]).toEqual([...tail, UNKNOWN, vocabulary.words.indexOf("!")]);
  });
});
