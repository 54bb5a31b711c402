/**
 * Digital filters of second order: Butterworth, by the bilinear transform (R. Bristow-Johnson, Cookbook formulae for
 * audio EQ biquad filter coefficients; W3C Group Note, 2021).
 */

/** Takes the signal one sample at a time. */
export type Filter = (value: number) => number;

/** A high pass after a low pass. @param rate samples a second @param low, high corner frequencies, Hz */
export function bandPass(rate: number, low: number, high: number): Filter {
  const first = biquad(rate, high, "low");
  const second = biquad(rate, low, "high");
  return (value) => second(first(value));
}

function biquad(rate: number, corner: number, kind: "low" | "high"): Filter {
  const w = (2 * Math.PI * corner) / rate;
  const cos = Math.cos(w);
  const alpha = Math.sin(w) * Math.SQRT1_2; // Q = 1 / √2
  const sign = kind === "low" ? -1 : 1;
  const a0 = 1 + alpha;
  const b0 = (1 + sign * cos) / 2 / a0;
  const b1 = 2 * -sign * b0;
  const a1 = (-2 * cos) / a0;
  const a2 = (1 - alpha) / a0;
  let [x1, x2, y1, y2] = [0, 0, 0, 0];
  return (x) => {
    const y = b0 * (x + x2) + b1 * x1 - a1 * y1 - a2 * y2;
    [x2, x1, y2, y1] = [x1, x, y1, y];
    return y;
  };
}
