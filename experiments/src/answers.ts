/** Outputs of a model to decisions: the largest entry of the last axis, where there is a label. */
import type { Answers } from "./metrics.js";
import { NO_LABEL, type Sample } from "./set.js";

/** The labels of samples in order, without those rows that have none. */
export function truthOf(samples: readonly Sample[]): number[] {
  return samples.flatMap(({ label }) => labelsOf(label).filter((l) => l !== NO_LABEL));
}

/** Collects a run's outputs, sample by sample in order. */
export class Collector {
  private readonly bySample: Answers[] = [];

  constructor(private readonly classes: number) {}

  /**
   * @param index the sample's number within the run; they may come in any order
   * @param scores the model's output, row-major, its last axis the classes
   * @throws Error for an output that does not fit the labels
   */
  add(index: number, { label }: Sample, scores: ArrayLike<number>): void {
    const labels = labelsOf(label);
    if (scores.length !== labels.length * this.classes) {
      throw new Error(
        `sample ${index}: ${scores.length} scores, expected ${labels.length} rows of ${this.classes} classes`,
      );
    }
    const answers: Answers = { decisions: [], scores: [] };
    labels.forEach((l, row) => {
      if (l === NO_LABEL) return;
      const mine = Array.from({ length: this.classes }, (_, c) => scores[row * this.classes + c]!);
      answers.decisions.push(mine.indexOf(Math.max(...mine)));
      answers.scores.push(...mine);
    });
    this.bySample[index] = answers;
  }

  /** Of the samples with these numbers, in this order; without them, of all. */
  answers(indices: readonly number[] = [...this.bySample.keys()]): Answers {
    const chosen = indices.map((i) => this.bySample[i]!);
    return {
      decisions: chosen.flatMap((a) => a.decisions),
      scores: chosen.flatMap((a) => a.scores),
    };
  }
}

function labelsOf(label: Sample["label"]): readonly number[] {
  return typeof label === "number" ? [label] : label;
}
