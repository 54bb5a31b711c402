/** Figures of a classifier, from its confusion matrix. */

/** counts[truth][answer]. */
export type Confusion = number[][];

export interface Figures {
  /** Share of right answers. */
  accuracy: number;
  /** Per class; undefined where there is nothing to divide by. */
  sensitivity: (number | undefined)[];
  predictivity: (number | undefined)[];
  f1: (number | undefined)[];
  /** Mean F1 of the classes that occur. */
  macroF1: number;
}

export function confusion(classes: number, truth: readonly number[], answers: readonly number[]): Confusion {
  const counts = Array.from({ length: classes }, () => Array<number>(classes).fill(0));
  for (const [i, label] of truth.entries()) counts[label]![answers[i]!]!++;
  return counts;
}

export function figures(counts: Confusion): Figures {
  const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
  const share = (part: number, all: number) => (all === 0 ? undefined : part / all);
  const occurring = counts.map((row) => sum(row));
  const answered = counts.map((_, c) => sum(counts.map((row) => row[c]!)));
  const right = counts.map((row, c) => row[c]!);
  const f1 = right.map((n, c) => (occurring[c] === 0 ? undefined : (2 * n) / (occurring[c]! + answered[c]!)));
  const known = f1.filter((value) => value !== undefined);
  return {
    accuracy: sum(right) / sum(occurring),
    sensitivity: right.map((n, c) => share(n, occurring[c]!)),
    predictivity: right.map((n, c) => share(n, answered[c]!)),
    f1,
    macroF1: sum(known) / known.length,
  };
}
