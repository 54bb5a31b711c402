import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SottoError } from "../errors.js";
import type { Constant, ShapeLayer, ViewLayer } from "./description.js";
import { applyView, foldConstant, indexElements, shapeOf } from "./fold.js";

const vector = (...data: number[]): Constant => ({ shape: [data.length], data });
const scalar = (value: number): Constant => ({ shape: [], data: [value] });
const iota = (...shape: number[]): Constant => {
  const { data } = indexElements(shape);
  return { shape, data: [...data] };
};

type Parameters = Pick<ViewLayer, "perm" | "axis" | "allowzero"> & Pick<ShapeLayer, "value" | "integer">;

function view(op: ViewLayer["op"], inputs: (Constant | undefined)[], parameters: Parameters = {}): Constant {
  const names = inputs.map((x, i) => (x ? `v${i}` : ""));
  return foldConstant({ op, name: "n", inputs: names, outputs: ["y"], ...parameters }, inputs)[0]!;
}

function shaping(op: ShapeLayer["op"], inputs: Constant[], parameters: Parameters = {}): Constant {
  const names = inputs.map((_, i) => `v${i}`);
  return foldConstant({ op, name: "n", inputs: names, outputs: ["y"], ...parameters }, inputs)[0]!;
}

describe("views", () => {
  it("transposes", () => {
    expect(view("transpose", [iota(2, 3)])).toEqual({ shape: [3, 2], data: [0, 3, 1, 4, 2, 5] });
    const turned = view("transpose", [iota(2, 1, 3)], { perm: [1, 0, 2] });
    expect(turned).toEqual({ shape: [1, 2, 3], data: [0, 1, 2, 3, 4, 5] });
    expect(() => view("transpose", [iota(2, 3)], { perm: [0, 0] })).toThrow(/permutation/);
  });

  it("reshapes with 0 and -1", () => {
    expect(view("reshape", [iota(2, 3, 4), vector(0, -1)]).shape).toEqual([2, 12]);
    expect(view("reshape", [iota(2, 3), vector(-1)]).shape).toEqual([6]);
    expect(view("reshape", [iota(1), vector()]).shape).toEqual([]);
    expect(view("reshape", [iota(0, 3), vector(3, 0)], { allowzero: true }).shape).toEqual([3, 0]);
    for (const wanted of [vector(4), vector(-1, -1), vector(4, -1), vector(2, 3, 0), vector(-2, -3)])
      expect(() => view("reshape", [iota(2, 3), wanted])).toThrow(SottoError);
  });

  it("flattens", () => {
    expect(view("flatten", [iota(2, 3, 4)]).shape).toEqual([2, 12]);
    expect(view("flatten", [iota(2, 3, 4)], { axis: 0 }).shape).toEqual([1, 24]);
    expect(view("flatten", [iota(2, 3, 4)], { axis: 3 }).shape).toEqual([24, 1]);
    expect(view("flatten", [iota(2, 3, 4)], { axis: -1 }).shape).toEqual([6, 4]);
    expect(() => view("flatten", [iota(2, 3)], { axis: 3 })).toThrow(SottoError);
  });

  it("squeezes and unsqueezes", () => {
    expect(view("squeeze", [iota(1, 3, 1)]).shape).toEqual([3]);
    expect(view("squeeze", [iota(1, 3, 1), vector(-1)]).shape).toEqual([1, 3]);
    expect(() => view("squeeze", [iota(1, 3, 1), vector(1)])).toThrow(/size 1/);
    expect(view("unsqueeze", [iota(3), vector(0, -1)]).shape).toEqual([1, 3, 1]);
    expect(view("unsqueeze", [scalar(4), vector(0)])).toEqual(vector(4));
    expect(() => view("unsqueeze", [iota(3), vector(0, 0)])).toThrow(/repeat/);
  });

  it("slices, clamping starts and ends", () => {
    const x = iota(5);
    const slice = (starts: number, ends: number, steps = 1) =>
      view("slice", [x, vector(starts), vector(ends), vector(0), vector(steps)]).data;
    expect(slice(1, 3)).toEqual([1, 2]);
    expect(slice(-1, 2 ** 63)).toEqual([4]);
    expect(slice(-100, 2)).toEqual([0, 1]);
    expect(slice(3, 1)).toEqual([]);
    expect(slice(0, 5, 2)).toEqual([0, 2, 4]);
    expect(slice(-1, -(2 ** 63), -1)).toEqual([4, 3, 2, 1, 0]);
    expect(slice(100, 0, -2)).toEqual([4, 2]);
    expect(() => slice(0, 1, 0)).toThrow(/step/);
    expect(view("slice", [iota(2, 3), vector(1), vector(2), vector(-1)]).data).toEqual([1, 4]);
    expect(view("slice", [iota(2, 3), vector(1, 0), vector(2, 2)]).data).toEqual([3, 4]);
    expect(view("slice", [iota(0), vector(-1), vector(-9), undefined, vector(-1)]).shape).toEqual([0]);
  });

  it("gathers rows, columns and scalars", () => {
    expect(view("gather", [iota(3, 2), vector(2, 0)])).toEqual({ shape: [2, 2], data: [4, 5, 0, 1] });
    expect(view("gather", [iota(3, 2), scalar(-1)], { axis: 1 })).toEqual(vector(1, 3, 5));
    expect(view("gather", [vector(7, 8, 9), scalar(1)])).toEqual(scalar(8));
    const square = { shape: [2, 2], data: [0, 1, 1, 0] };
    expect(view("gather", [iota(2), square])).toEqual({ shape: [2, 2], data: [0, 1, 1, 0] });
    expect(() => view("gather", [iota(3), scalar(3)])).toThrow(/out of range/);
  });

  it("concatenates and expands", () => {
    const joined = view("concat", [iota(2, 1), iota(2, 2)], { axis: -1 });
    expect(joined).toEqual({ shape: [2, 3], data: [0, 0, 1, 1, 2, 3] });
    expect(view("concat", [vector(1), vector(), vector(2, 3)], { axis: 0 })).toEqual(vector(1, 2, 3));
    expect(() => view("concat", [iota(2, 1), iota(3, 2)], { axis: 1 })).toThrow(/join/);
    expect(view("expand", [iota(2, 1), vector(3, 1, 2)]).shape).toEqual([3, 2, 2]);
    expect(view("expand", [iota(2, 1), vector(2, 2)]).data).toEqual([0, 0, 1, 1]);
    expect(view("expand", [iota(3), vector(1)]).data).toEqual([0, 1, 2]);
    expect(() => view("expand", [iota(3), vector(2)])).toThrow(/fit/);
  });

  it("gives for element numbers what it gives for data", () => {
    const data = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(data, fc.nat(), (shape, seed) => {
        const perm = shape.map((_, i) => i).sort((a, b) => ((a + seed) % 3) - ((b + seed) % 3));
        const layer: ViewLayer = { op: "transpose", name: "n", inputs: ["x"], outputs: ["y"], perm };
        const index = indexElements(shape);
        const values = { shape, data: Float32Array.from(index.data, (i) => Math.sin(i)) };
        const moved = applyView(layer, [index], [])[0]!;
        const direct = applyView(layer, [values], [])[0]!;
        expect(direct.data).toBeInstanceOf(Float32Array);
        expect([...direct.data]).toEqual(Array.from(moved.data, (i) => values.data[i]));
        const inverse = perm.map((_, i) => perm.indexOf(i));
        expect(applyView({ ...layer, perm: inverse }, [moved], [])[0]).toEqual(index);
      }),
    );
  });
});

describe("shape arithmetic", () => {
  it("takes sizes, in part too", () => {
    const layer: ShapeLayer = { op: "shape", name: "n", inputs: ["x"], outputs: ["y"] };
    expect(foldConstant(layer, [iota(2, 3)])).toEqual([vector(2, 3)]);
    expect(shapeOf({ ...layer, start: -2, end: 9 }, [4, 5, 6])).toEqual(vector(5, 6));
    expect(shapeOf({ ...layer, start: 2, end: 1 }, [4, 5, 6])).toEqual(vector());
  });

  it("fills", () => {
    expect(shaping("constantOfShape", [vector(2, 2)], { value: 3 }).data).toEqual([3, 3, 3, 3]);
    expect(shaping("constantOfShape", [vector()])).toEqual(scalar(0));
  });

  it("broadcasts", () => {
    const sum = shaping("add", [iota(2, 1), vector(10, 20)]);
    expect(sum).toEqual({ shape: [2, 2], data: [10, 20, 11, 21] });
    expect(shaping("sub", [scalar(1), vector(1, 2)])).toEqual(vector(0, -1));
    expect(shaping("mul", [vector(2, 3), scalar(4)])).toEqual(vector(8, 12));
    expect(shaping("div", [vector(7, -7), scalar(2)], { integer: true })).toEqual(vector(3, -3));
    expect(shaping("div", [scalar(7), scalar(2)])).toEqual(scalar(3.5));
    expect(() => shaping("div", [scalar(7), scalar(0)])).toThrow(/zero/);
    expect(() => shaping("add", [iota(2), iota(3)])).toThrow(/fit/);
  });
});

describe("limits", () => {
  it("refuses absurd sizes before allocating", () => {
    expect(() => shaping("constantOfShape", [vector(2 ** 20, 2 ** 20)])).toThrow(/more than/);
    expect(() => shaping("constantOfShape", [vector(2 ** 40, 0)])).toThrow(/more than/);
    expect(() => shaping("constantOfShape", [vector(-1)])).toThrow(/shape/);
    expect(() => view("expand", [iota(1), vector(2 ** 30)])).toThrow(/more than/);
    expect(() => view("reshape", [iota(0), vector(2 ** 40, 0)], { allowzero: true })).toThrow(/more than/);
  });

  it("says which parameter is not public", () => {
    const layer: ViewLayer = { op: "reshape", name: "view", inputs: ["x", "s"], outputs: ["y"] };
    const attempt = () => applyView(layer, [indexElements([2])], [undefined, undefined]);
    expect(attempt).toThrow(/"view".*shape.*depends on/);
  });
});
