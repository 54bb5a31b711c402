/** Figures of a classifier, and of two runs of one beside each other. */

/** Entry [truth][answer] counts decisions. */
export type Confusion = number[][];

export function confusionOf(
  truth: readonly number[],
  answers: readonly number[],
  classes: number,
): Confusion {
  const counts = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  truth.forEach((t, i) => {
    counts[t]![answers[i]!]!++;
  });
  return counts;
}

export interface ClassFigures {
  /** Of the answers that name the class, the part that is right; 0 where there is none. */
  precision: number;
  /** Of the class's samples, the part that is found; 0 where there is none. */
  recall: number;
  f1: number;
  /** The class's samples. */
  count: number;
}

export interface Figures {
  /** All in 0..1. */
  accuracy: number;
  /** The mean of the F1 of the classes that occur, in truth or answers. */
  macroF1: number;
  byClass: ClassFigures[];
}

export function figuresOf(confusion: Confusion): Figures {
  let [right, all] = [0, 0];
  const byClass = confusion.map((row, c) => {
    const hits = row[c]!;
    const count = sum(row);
    const named = sum(confusion.map((r) => r[c]!));
    right += hits;
    all += count;
    return {
      precision: named ? hits / named : 0,
      recall: count ? hits / count : 0,
      f1: count + named ? (2 * hits) / (count + named) : 0,
      count,
      occurs: count + named > 0,
    };
  });
  const occurring = byClass.filter((c) => c.occurs);
  return {
    accuracy: right / all,
    macroF1: sum(occurring.map((c) => c.f1)) / occurring.length,
    byClass: byClass.map(({ occurs: _, ...rest }) => rest),
  };
}

/** One run of the model over some samples: a decision and its scores (row-major) for each label. */
export interface Answers {
  decisions: number[];
  scores: number[];
}

export interface Difference {
  /** Decisions that both runs made. */
  count: number;
  equal: number;
  maxError: number;
  meanError: number;
}

/** @param a, b runs over the same samples. */
export function differenceOf(a: Answers, b: Answers): Difference {
  const count = a.decisions.length;
  if (b.decisions.length !== count || a.scores.length !== b.scores.length)
    throw new Error("runs over different samples cannot be compared");
  let [equal, maxError, total] = [0, 0, 0];
  for (let i = 0; i < count; i++) if (a.decisions[i] === b.decisions[i]) equal++;
  for (let i = 0; i < a.scores.length; i++) {
    // equal infinities (the logarithm of a vanishing probability) do not differ
    const error = a.scores[i] === b.scores[i] ? 0 : Math.abs(a.scores[i]! - b.scores[i]!);
    maxError = Math.max(maxError, error);
    total += error;
  }
  return { count, equal, maxError, meanError: total / a.scores.length };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, v) => total + v, 0);
}
