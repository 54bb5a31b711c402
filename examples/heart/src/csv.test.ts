import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCsv } from "./csv.js";

// + 0 makes a 0 of -0, which a file does not tell apart
const value = fc.float({ noNaN: true, min: -5000, max: 5000 }).map((x) => x + 0);
const values = fc.array(value, { minLength: 2, maxLength: 50 });
const header = fc.constantFrom([], ["ECG"], ["# from a device", "lead II"]);
const end = fc.constantFrom("\n", "\r\n");
const rest = fc.constantFrom("", "\n", "\n\n");

describe("a CSV file", () => {
  it("of one column gives its samples", () => {
    fc.assert(
      fc.property(values, header, end, rest, (samples, head, eol, tail) => {
        const signal = readCsv([...head, ...samples].join(eol) + tail);
        expect([...signal.samples]).toEqual(samples);
        expect(signal.rate).toBeUndefined();
      }),
    );
  });

  it("of times and values gives the sampling rate, in seconds and milliseconds", () => {
    fc.assert(
      fc.property(
        values,
        fc.constantFrom(",", ";", "\t", " ", ", "),
        fc.integer({ min: 50, max: 2000 }),
        fc.constantFrom("s", "ms"),
        fc.boolean(),
        end,
        (samples, delimiter, rate, unit, third, eol) => {
          const factor = unit === "ms" ? 1000 : 1;
          const lines = samples.map((sample, i) =>
            [((i / rate) * factor).toFixed(6), sample, ...(third ? [7] : [])].join(delimiter),
          );
          const head = [`time_${unit}`, "value", ...(third ? ["more"] : [])].join(delimiter);
          const signal = readCsv([head, ...lines].join(eol));
          expect([...signal.samples]).toEqual(samples);
          expect(signal.rate! / rate).toBeCloseTo(1, 2);
        },
      ),
    );
  });

  it("may have decimal commas between semicolons, quotes as PhysioNet writes them, and a byte order mark", () => {
    expect(readCsv("\ufeffZeit;mV\n0,000;0,5\n0,004;-0,25\n")).toEqual({
      samples: Float32Array.of(0.5, -0.25),
      rate: 250,
    });
    expect(readCsv("'sample #','MLII'\n'ms','mV'\n0,0.1\n8,0.2\n16,0.3").rate).toBe(125);
    expect(readCsv('"t","v"\n"0.0","1"\n"0.008","2"').rate).toBeCloseTo(125);
  });

  it.each([
    ["", /no two lines of numbers/],
    ["hello\nworld", /no two lines of numbers/],
    ["1", /no two lines of numbers/],
    ["1\n2\nx\n4", /line 3.*"x".*expected a number/],
    ["0,1\n0.008,2\n0.016", /line 3.*expected 2 numbers/],
    ["0,1\n0,2\n0,3", /first column does not grow/],
    ["0,1\n0.01,2\n0.02,2\n0.03,2\n0.09,2\n0.1,1", /times are not even at sample/],
  ])("is refused if it is %j", (text, message) => {
    expect(() => readCsv(text)).toThrow(message);
  });
});
