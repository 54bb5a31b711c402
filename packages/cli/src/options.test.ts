import { describe, expect, it } from "vitest";
import { basePort, count, modelName, planHashOption, positive, size } from "./options.js";

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
