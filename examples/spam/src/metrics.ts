/** Figures of a classifier with two classes, spam being the positive one. */

/** All in 0..1. */
export interface Figures {
  /** Share of mails classified correctly. */
  accuracy: number;
  /** Share of spam among the mails that are called spam. */
  precision: number;
  /** Share of the spam that is called spam. */
  recall: number;
  /** Probability that a random spam scores higher than a random ham. */
  auc: number;
  /** Accuracy of always guessing the more frequent class. */
  constant: number;
}

/**
 * Computes the figures.
 *
 * @param scores one per mail, logit of spam minus logit of ham; positive means spam
 * @param spam one per mail, the truth
 */
export function figures(scores: number[], spam: boolean[]): Figures {
  let hits = 0;
  let called = 0;
  let positives = 0;
  let correct = 0;
  for (const [i, score] of scores.entries()) {
    const says = score > 0;
    const is = spam[i] === true;
    if (says) called++;
    if (is) positives++;
    if (says && is) hits++;
    if (says === is) correct++;
  }
  const n = scores.length;
  return {
    accuracy: correct / n,
    precision: hits / called,
    recall: hits / positives,
    auc: areaUnderCurve(scores, spam),
    constant: Math.max(positives, n - positives) / n,
  };
}

/** The rank statistic (Mann-Whitney); ties count half. */
function areaUnderCurve(scores: number[], spam: boolean[]): number {
  const ham = scores.filter((_, i) => spam[i] !== true);
  const positive = scores.filter((_, i) => spam[i] === true);
  let wins = 0;
  for (const p of positive) for (const h of ham) wins += p > h ? 1 : p === h ? 0.5 : 0;
  return wins / (ham.length * positive.length);
}
