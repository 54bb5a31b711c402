/** Median and spread of repeated measurements. */
export interface Spread {
  min: number;
  median: number;
  max: number;
}

/** @param values at least one. */
export function spread(values: readonly number[]): Spread {
  const sorted = ascending(values);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { min: sorted[0]!, median, max: sorted.at(-1)! };
}

/** The smallest value that at least this part of them does not exceed (nearest rank). @param part in (0, 1]. */
export function percentile(values: readonly number[], part: number): number {
  return ascending(values)[Math.max(0, Math.ceil(part * values.length) - 1)]!;
}

/** b of the power law y = a x^b that fits best, by least squares of the logarithms: 1 is linear growth. */
export function exponent(points: readonly (readonly [x: number, y: number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (of: 0 | 1) => logs.reduce((sum, p) => sum + p[of], 0) / logs.length;
  const [mx, my] = [mean(0), mean(1)];
  const along = logs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
  return logs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0) / along;
}

function ascending(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}
