import { describe, expect, it } from "vitest";
import { lastLines, lastWords } from "./child.js";

const line = (level: number, msg: string) => `${JSON.stringify({ level, time: 1, msg })}\n`;

describe("what is said of a party that ended", () => {
  it("is the message of its last warning or error", () => {
    expect(lastWords(line(40, "early") + line(50, "disk full") + line(30, "session ends"))).toBe("disk full");
    expect(lastWords(line(50, "disk full") + line(30, "cut").slice(0, 12))).toBe("disk full");
  });

  it("is what Node.js says, or nothing; never a piece of the log", () => {
    expect(lastWords("\nFATAL ERROR: heap out of memory\n----- stack -----\n1: 0xb8 node\n")).toBe(
      "FATAL ERROR: heap out of memory",
    );
    expect(lastWords(line(30, "listening"))).toBeUndefined();
    expect(lastWords('"pid":12,"msg":"chopped"}\n')).toBeUndefined();
    expect(lastWords("")).toBeUndefined();
  });

  it("comes from whole lines", () => {
    const text = line(30, "x".repeat(200)).repeat(200);
    const kept = lastLines(text);
    expect(kept.length).toBeLessThan(16_001);
    expect(kept.startsWith("{")).toBe(true);
    expect(text.endsWith(kept)).toBe(true);
    expect(lastLines("short")).toBe("short");
  });
});
