import { describe, expect, it } from "vitest";
import { parseCsv } from "./csv.js";
import { sentimentWords, smsWords, tokens } from "./index.js";

describe("words", () => {
  it("of a message tell telephone numbers, short codes and pounds apart", () => {
    expect(smsWords("WIN £500! Call 09061701461 or txt 80086, 2nd of 3")).toEqual(
      "win pounds <number> ! call telephonenumber or txt shortcode <number> nd of <number>".split(" "),
    );
    expect(smsWords("see www.example.com/80086 or a12345678@example.com")).toEqual(
      ["see", "<url>", "or", "a", "<email>"].filter((w) => w !== "a"),
    );
  });

  it("of a sentence are the same however it is typed", () => {
    const treebank = "it 's a film you ca n't forget , and i would n't";
    expect(sentimentWords(treebank)).toEqual(sentimentWords("It's a film you can't forget, and I wouldn't"));
    expect(sentimentWords(treebank)).toEqual("it 's a film you ca n't forget and i would n't".split(" "));
  });
});

describe("tokens", () => {
  const vocabulary = { length: 4, words: ["<pad>", "<unknown>", "good", "bad"] };
  it("are padded in front, cut behind, and unknown where the word is", () => {
    const of = (text: string) => Array.from(tokens(text, sentimentWords, vocabulary).data);
    expect(of("good")).toEqual([0, 0, 0, 2]);
    expect(of("bad film good bad good good")).toEqual([3, 1, 2, 3]);
    expect(of("")).toEqual([0, 0, 0, 0]);
    expect(tokens("good", sentimentWords, vocabulary).shape).toEqual([1, 4]);
  });
});

describe("CSV", () => {
  it("has quoted fields, empty ones, and either line end", () => {
    expect(parseCsv('a,"b, ""c""\nd",\r\n,e\nf')).toEqual([["a", 'b, "c"\nd', ""], ["", "e"], ["f"]]);
    expect(parseCsv("a\n")).toEqual([["a"]]);
    expect(parseCsv("")).toEqual([]);
  });

  it("ends whatever the quotes", () => {
    expect(parseCsv('"a\nb')).toEqual([["a\nb"]]);
    expect(parseCsv('a,"')).toEqual([["a", ""]]);
  });
});
