import type { ModelInput } from "@sotto/core";
import { describe, expect, it, vi } from "vitest";
import {
  basePort,
  count,
  modelName,
  planHashOption,
  positive,
  range,
  rangeOption,
  rangesOf,
  size,
} from "./options.js";

describe("option values", () => {
  it.each(["", "0", "-1", "x", "Infinity", "1e999", "NaN"])("%j is not a positive number", (text) => {
    expect(() => positive(text)).toThrow("Expected a number above 0.");
  });

  it("are parsed", () => {
    expect(positive("0.5")).toBe(0.5);
    expect(positive("1e3")).toBe(1000);
    expect(count("40")).toBe(40);
    expect(basePort("7450")).toBe(7450);
    expect(modelName("heart-2.1_b")).toBe("heart-2.1_b");
    expect(planHashOption("0f".repeat(32))).toHaveLength(64);
  });

  it("are refused", () => {
    expect(() => count("1.5")).toThrow("whole");
    expect(() => basePort("80")).toThrow("1024");
    for (const name of ["", "../x", ".x", "a/b", "a".repeat(101)]) expect(() => modelName(name)).toThrow();
    expect(() => planHashOption("123")).toThrow("64");
  });

  it("collect sizes; a name may contain =", () => {
    expect(size("time=50", size("a=b=2", undefined))).toEqual({ "a=b": 2, time: 50 });
    for (const text of ["time", "=5", "time=", "time=0", "time=1.5", "time=x"]) {
      expect(() => size(text, undefined)).toThrow("NAME=N");
    }
  });
});

describe("declared ranges", () => {
  const inputs: ModelInput[] = [
    { name: "x", shape: [3], kind: "real" },
    { name: "h0", shape: [3], kind: "real" },
    { name: "t", shape: [3], kind: "token" },
  ];

  it("hold for all real inputs, or for one", () => {
    expect(rangesOf(inputs)).toEqual({});
    expect(rangesOf(inputs, range("4", undefined))).toEqual({ x: 4, h0: 4 });
    expect(rangesOf(inputs, range("h0=1", range("4", undefined)))).toEqual({ x: 4, h0: 1 });
    expect(rangesOf(inputs, range("h0=1", undefined))).toEqual({ h0: 1 });
  });

  it("are declared once, and the default is said", () => {
    expect(() => range("x=5", range("x=4", undefined))).toThrow("Declared twice for input x.");
    expect(() => range("5", range("4", undefined))).toThrow("Declared twice for all inputs.");
    expect(rangeOption().description).toContain("default: 8");
  });

  it("have no effect on tokens, which is said", () => {
    const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    try {
      rangesOf(inputs, { "": 4 });
      expect(said).not.toHaveBeenCalled();
      expect(rangesOf([inputs[2]!], { "": 4 })).toEqual({});
      expect(said).toHaveBeenCalledWith(expect.stringContaining("--input-range has no effect"));
    } finally {
      said.mockRestore();
    }
  });

  it("name an input that there is, and that is not tokens", () => {
    expect(() => rangesOf(inputs, { y: 1 })).toThrow("no input y; its inputs: x, h0, t");
    expect(() => rangesOf(inputs, { t: 1 })).toThrow("tokens");
    expect(() => range("x=-1", undefined)).toThrow("above 0");
  });
});
