import { readFile, stat } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { classify } from "./classify.js";
import { labels, loadMails, loadVocabulary, type Mails, modelPath, vocabularyPath } from "./index.js";
import { type Figures, figures } from "./metrics.js";
import { CLASS_TOKENS, mailWords, type Vocabulary } from "./tokenizer.js";

describe("figures", () => {
  it("counts", () => {
    const result = figures([2, 1, -1, -2, -3], [true, false, true, false, false]);
    expect(result.accuracy).toBeCloseTo(3 / 5);
    expect(result.precision).toBeCloseTo(1 / 2);
    expect(result.recall).toBeCloseTo(1 / 2);
    expect(result.auc).toBeCloseTo(5 / 6);
    expect(result.constant).toBeCloseTo(3 / 5);
  });
});

describe("the shipped model", () => {
  let mails: Mails;
  let vocabulary: Vocabulary;
  let result: Figures;
  let readme: string;

  beforeAll(async () => {
    mails = await loadMails();
    vocabulary = await loadVocabulary();
    readme = await readFile(new URL("../model/README.md", import.meta.url), "utf8");
    const logits = await classify(mails.test, vocabulary);
    result = figures(
      logits.map(([ham, spam]) => spam - ham),
      mails.test.map((mail) => mail.spam),
    );
  });

  /** A row of one of the README's tables, without its first cell. */
  function row(name: string): number[] {
    const line = readme.split("\n").find((candidate) => candidate.startsWith(`| ${name} |`));
    if (line === undefined) throw new Error(`the model's README has no row "${name}"`);
    return line
      .split("|")
      .slice(2, -1)
      .map((cell) => Number.parseFloat(cell));
  }

  it("is as good on mails it never saw as its README says", () => {
    // One spam mail of slack per figure: another build of the runtime rounds differently.
    const slack = 100 / mails.test.filter((mail) => mail.spam).length;
    expect(result.accuracy * 100).toBeGreaterThan((row("accuracy")[0] ?? 100) - slack);
    expect(Math.abs(result.precision * 100 - (row("precision (spam)")[0] ?? 0))).toBeLessThan(slack);
    expect(Math.abs(result.recall * 100 - (row("recall (spam)")[0] ?? 0))).toBeLessThan(slack);
    expect(result.auc).toBeCloseTo(row("area under the ROC curve")[0] ?? 0, 3);
    expect(result.constant * 100).toBeCloseTo(row("accuracy of the constant guess (ham)")[0] ?? 0, 1);
  });

  it("clearly beats the constant guess", () => {
    expect(1 - result.accuracy).toBeLessThan((1 - result.constant) / 5);
  });

  it("was trained on the parts that its README counts", () => {
    for (const [part, list] of Object.entries(mails)) {
      expect(row(part)).toEqual([list.length, list.filter((mail) => mail.spam).length]);
    }
  });

  it("has a vocabulary from the training part alone", () => {
    const seen = new Set(mails.train.flatMap((mail) => mailWords(mail)));
    expect(vocabulary.words.slice(0, CLASS_TOKENS.length)).toEqual([...CLASS_TOKENS]);
    expect(new Set(vocabulary.words).size).toBe(vocabulary.words.length);
    expect(vocabulary.words.slice(CLASS_TOKENS.length).filter((word) => !seen.has(word))).toEqual([]);
  });

  it("is small", async () => {
    expect((await stat(modelPath())).size + (await stat(vocabularyPath())).size).toBeLessThan(1.5e6);
    expect(labels).toEqual(["ham", "spam"]);
  });
});
