import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compile, instantiate, prepareInputs, runClear, runExact } from "@sotto/core";
import { CLASS_TOKENS } from "@sotto/example-spam/tokenizer";
import { loadModel } from "@sotto/model";
import { describe, expect, it, onTestFinished } from "vitest";
import { tokens } from "./index.js";
import { loadVocabulary, sms, sst2, type TextSet } from "./sets.js";

const largest = (values: Float64Array) => values.indexOf(Math.max(...values));

/** Invented, not of the sets. */
const INVENTED: [TextSet, string, number][] = [
  [sms, "URGENT! You have won a £1000 cash prize. Call 09012345678 now to claim, 150p per min", 1],
  [sms, "FREE ringtone! Text TONE to 85555 now. Txt STOP to end. £1.50 per msg", 1],
  [sms, "Hi mum, i'm on the train now, see you at home for dinner", 0],
  [sms, "ok lol, ask him if he wants to come too", 0],
  [sst2, "A wonderful, moving film with a brilliant cast and a funny, touching story.", 1],
  [sst2, "one of the best and most enjoyable movies of the year", 1],
  [sst2, "A dull, lifeless mess: bad acting, no plot and too long.", 0],
  [sst2, "it's just stupid and boring", 0],
];

describe("the shipped models", () => {
  it.each([sms, sst2])(
    "decide as expected of invented texts, in fixed point as in float: $name",
    async (set) => {
      const compiled = compile(await loadModel(set.model));
      const network = instantiate(compiled.plan, { batch: 1 });
      const vocabulary = await loadVocabulary(set.vocabulary);
      for (const [, text, label] of INVENTED.filter(([s]) => s === set)) {
        const inputs = { tokens: tokens(text, set.split, vocabulary) };
        const values = prepareInputs(network, inputs, compiled.publicTensors);
        const float = runClear(network.program, compiled.tensors, values).logits!;
        const fixed = runExact(network.program, compiled.plan, compiled.tensors, values).logits!;
        expect(largest(float), text).toBe(label);
        expect(largest(fixed), text).toBe(label);
        float.forEach((v, i) => {
          expect(Math.abs(v - fixed[i]!)).toBeLessThan(0.01);
        });
      }
    },
  );

  it.each([sms, sst2])("are small: $name", async ({ model, vocabulary }) => {
    expect((await stat(model)).size).toBeLessThan(3e6);
    const { words } = await loadVocabulary(vocabulary);
    expect(words.slice(0, CLASS_TOKENS.length)).toEqual([...CLASS_TOKENS]);
    expect(new Set(words).size).toBe(words.length);
  });
});

describe("the parts of a set", () => {
  async function folder(files: Record<string, string>): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), "sotto-text-"));
    onTestFinished(() => rm(path, { recursive: true }));
    for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text, "latin1");
    return path;
  }
  const word = (i: number) =>
    [..."abcdefghij"].map((c) => String.fromCharCode(c.charCodeAt(0) + ((i * 7) % 13))).join("") +
    "x".repeat(i);

  it("of messages have the same share of spam and no message twice", async () => {
    const rows = Array.from(
      { length: 100 },
      (_, i) => `${i % 10 === 0 ? "spam" : "ham"},"${word(i)}, £ ${i}",,,`,
    );
    const path = await folder({ "data.csv": ["v1,v2,,,", ...rows, rows[3], rows[20]].join("\r\n") });
    const texts = await sms.texts(path);
    const count = (list: { label: number }[]) => [list.length, list.filter((t) => t.label === 1).length];
    expect(Object.values(texts).map(count)).toEqual([
      [70, 7],
      [10, 1],
      [20, 2],
    ]);
    const all = Object.values(texts).flat();
    expect(new Set(all.map((t) => t.text)).size).toBe(100);
    expect(all.every((t) => /^\w+, £ \d+$/.test(t.text))).toBe(true);
    expect(await sms.texts(path)).toEqual(texts);
  });

  it("of sentences are the published ones, with a tenth for validation", async () => {
    const lines = (from: number, n: number) =>
      Array.from({ length: n }, (_, i) => `${word(from + i)} .\t${i % 2}\n`).join("");
    const path = await folder({ "train.tsv": lines(0, 50), "dev.tsv": lines(50, 10) });
    const { train, validation, test } = await sst2.texts(path);
    expect([train.length, validation.length, test.length]).toEqual([45, 5, 10]);
    expect(test.map((t) => t.label)).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
    const samples = await sst2.samples(path);
    expect(samples[1]).toMatchObject({ label: 1, inputs: { tokens: { shape: [1, 40] } } });
  });

  it("name the row that is something else", async () => {
    await expect(sms.texts(await folder({ "data.csv": "v1,v2\nham,a\neggs,b\n" }))).rejects.toThrow(
      /row 3 begins neither/,
    );
    const path = await folder({ "train.tsv": "good\t1\nbad\n", "dev.tsv": "" });
    await expect(sst2.texts(path)).rejects.toThrow(/line 2 is no sentence/);
  });
});
