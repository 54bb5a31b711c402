/** The demo's sample and its report; the whole of it is run by hand and by the pipeline (`npm run demo`). */
import type { Mail } from "@sotto/example-spam";
import { describe, expect, it } from "vitest";
import { sample } from "./mails.js";
import { summary, type Verdict, verdictTable } from "./report.js";

const mail = (i: number): Mail => ({ id: `m${i}`, subject: `s${i}`, text: "", spam: i % 4 === 0 });
const mails = Array.from({ length: 100 }, (_, i) => mail(i));

describe("the demo's mails", () => {
  it("are the same ones every time, with the usual share of spam, mixed", () => {
    const chosen = sample(mails, 20);
    expect(chosen).toHaveLength(20);
    expect(new Set(chosen).size).toBe(20);
    expect(chosen.filter((m) => m.spam)).toHaveLength(5);
    expect(sample([...mails].reverse(), 20)).toEqual(chosen);
    // not all of a kind at one end
    const spams = chosen.flatMap((m, i) => (m.spam ? [i] : []));
    expect(spams.at(-1)! - spams[0]!).toBeGreaterThan(5);
  });

  it("are all there are, if more are asked for", () => {
    expect(sample(mails, 1000)).toHaveLength(100);
    expect(sample([], 5)).toEqual([]);
  });
});

describe("the demo's report", () => {
  const verdict = (privately: number, plainly: number, spam: boolean): Verdict => ({
    subject:
      "An offer\tthat\u001b[0m nobody who reads subjects as long as this one could possibly refuse today",
    spam,
    privately,
    plainly,
    logitError: 3e-5,
    stats: {
      onlineMs: 100,
      offlineMs: 50,
      totalMs: 170,
      rounds: 323,
      onlineBytes: 123456,
      offlineBytes: { server0: 300, server1: 567890 },
    },
  });
  const verdicts = [
    verdict(0.91, 0.9101, true),
    verdict(0.2, 0.2, false),
    verdict(0.7, 0.7, false),
    verdict(0.499, 0.501, true),
  ];
  const saw = ["ab", "cd"].map((b) => ({ input: b.repeat(32), message: "ef".repeat(32) }));
  const text = `${verdictTable(verdicts)}\n${summary({ verdicts, saw })}`;

  it("fits in 110 columns, and has no control characters", () => {
    for (const line of text.split("\n")) expect([...line].length).toBeLessThanOrEqual(110);
    expect(text).not.toMatch(/[^\P{C}\n]/u);
  });

  it("counts", () => {
    expect(text).toMatch(/accuracy, private +2 of 4 \(50\.0 %\)/);
    expect(text).toMatch(/accuracy, plaintext +3 of 4 \(75\.0 %\)/);
    expect(text).toMatch(/same label both ways +3 of 4/);
    expect(text).toMatch(/largest difference +0\.002 in a score, 3\.00e-5 in a logit/);
    expect(text).toMatch(/time per message +170 ms \(online 100 ms, offline 50 ms\)/);
    expect(text).toMatch(/server 1 saw +input share +cd cd/);
    expect(text.split("\n").filter((l) => l.endsWith("wrong"))).toHaveLength(2);
  });
});
