import { SottoError } from "@sotto/core";
import { expect, it } from "vitest";
import { type RowInput, stepsOf } from "./rows.js";

async function* lines(...text: string[]) {
  yield* text;
}

async function all(inputs: RowInput[], ...text: string[]) {
  const found = [];
  for await (const { values } of stepsOf(lines(...text), inputs))
    found.push(Object.fromEntries(Object.entries(values).map(([name, t]) => [name, Array.from(t.data)])));
  return found;
}

const x: RowInput = { name: "x", shape: [1, 1, 2], timeAxis: 0 };

it("a line is a step: numbers in any of the usual forms, after a head or without one", async () => {
  expect(
    await all([x], "rate,pause", "1,2", " 3 ; -4.5", "", "5\t6e1", "[7, 8]", '{"x": [[9, 10]]}'),
  ).toEqual([{ x: [1, 2] }, { x: [3, -4.5] }, { x: [5, 60] }, { x: [7, 8] }, { x: [9, 10] }]);
});

it("several steps go together, each where its time axis has it", async () => {
  const batchFirst: RowInput = { name: "x", shape: [2, 3, 1], timeAxis: 1 };
  expect(await all([batchFirst], "1 10", "2 20", "3 30")).toEqual([{ x: [1, 2, 3, 10, 20, 30] }]);
  await expect(all([batchFirst], "1 10", "2 20", "3 30", "4 40")).rejects.toThrow(
    /ends with 1 of the 3 steps/,
  );
});

it("an initial state comes with the first line, several inputs by name", async () => {
  const h: RowInput = { name: "h", shape: [1, 1, 2] };
  const y: RowInput = { name: "y", shape: [1], timeAxis: 0 };
  expect(await all([x, y, h], '{"x":[1,2],"y":3,"h":[4,5]}', '{"x":[6,7],"y":8}')).toEqual([
    { x: [1, 2], y: [3], h: [4, 5] },
    { x: [6, 7], y: [8] },
  ]);
  await expect(all([x, h], '{"x":[1,2]}')).rejects.toThrow(/line 1: 0 numbers for input h, expected 2/);
  await expect(all([x, y], "1 2 3")).rejects.toThrow(/line 1: .* JSON object with x, y/);
});

it("what is wrong is named by its line, without its content", async () => {
  const cases: [string, RegExp][] = [
    ["1,2,777", /line 2: 3 numbers for input x, expected 2/],
    ["1,seven", /line 2: input x: expected numbers/],
    ["[1, 777", /line 2: not JSON/],
    ['{"x":[1,2],"z":[777]}', /line 2: input z is not taken here/],
  ];
  for (const [text, message] of cases) {
    const error = await all([x], "1,2", text).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(SottoError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toMatch(/777|seven/);
  }
});

it("an element that is refused later is named by its line, and its place in it", async () => {
  const y: RowInput = { name: "y", shape: [2, 3, 2], timeAxis: 1 };
  const h: RowInput = { name: "h", shape: [1, 1, 2] };
  const text = ['{"y":[1,2,3,4],"h":[5,6]}', "", '{"y":[1,2,3,4]}', '{"y":[1,2,3,4]}', '{"y":[0,0,0,0]}'];
  const refused = (input: string, element: number) =>
    new SottoError("bad-input", `input ${input}: element ${element} ([0,${element}]) is odd`, {
      at: { input, element },
    });
  for await (const { values, located } of stepsOf(lines(...text.slice(0, 4)), [y, h])) {
    const at = (input: string, i: number) => (located(refused(input, i)) as Error).message;
    const places = Array.from(values.y!.data, (v, i) => [v, at("y", i)]);
    const expected = [1, 3, 4].flatMap((line) =>
      [1, 2, 3, 4].map((v, i) => [v, `line ${line}: input y: element ${i} is odd`]),
    );
    expect(places.sort()).toEqual(expected.sort());
    expect(at("h", 1)).toBe("line 1: input h: element 1 is odd");
    const other = new Error("another");
    expect(located(other)).toBe(other);
  }
});
