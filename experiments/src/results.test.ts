import { describe, expect, it } from "vitest";
import { confusionChart } from "./confusion-svg.js";
import { chosen } from "./private-run.js";
import { between } from "./results.js";

describe("a page's generated part", () => {
  const page = "before\n<!-- times -->\nold\n<!-- end times -->\nafter\n";

  it("is replaced, and nothing else", () => {
    expect(between(page, "times", "| new |")).toBe(
      "before\n<!-- times -->\n| new |\n<!-- end times -->\nafter\n",
    );
  });

  it("must have a place", () => {
    expect(() => between(page, "accuracy", "")).toThrow("<!-- accuracy -->");
  });
});

it("the samples that run privately are the same every time, and not the first ones", () => {
  const some = chosen("spam", 860, 500);
  expect(some).toEqual(chosen("spam", 860, 500));
  expect(new Set(some).size).toBe(500);
  expect(some.at(-1)).toBeGreaterThan(800);
  expect(chosen("small", 3, 500)).toEqual([0, 1, 2]);
});

it("the picture of confusion has every count, and no class name that is markup", () => {
  const svg = confusionChart(
    ["a<b", "c"],
    [
      {
        title: "float",
        confusion: [
          [11, 22],
          [33, 44],
        ],
      },
    ],
  );
  for (const count of [11, 22, 33, 44]) expect(svg).toContain(`>${count}</text>`);
  expect(svg).toContain("a&#60;b");
  expect(svg).not.toContain("a<b");
});
