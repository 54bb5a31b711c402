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

it("long names stand at the rows, and their numbers at the columns", () => {
  const one = {
    title: "float",
    confusion: [
      [1, 0],
      [0, 1],
    ],
  };
  const svg = confusionChart(["normal", "supraventricular ectopic"], [one]);
  expect(svg).toContain(">supraventricular ectopic 2</text>");
  expect(svg.match(/>2<\/text>/g)).toHaveLength(1);
  expect(Number(/width="(\d+)"/.exec(svg)![1])).toBeLessThan(400);
});
