import { expect, it } from "vitest";
import { Collector, truthOf } from "./answers.js";
import { NO_LABEL } from "./set.js";

const beats = { inputs: {}, label: [1, NO_LABEL, 0] };

it("a label a step gives a decision for each labelled row", () => {
  const collector = new Collector(2);
  collector.add(0, beats, [0.1, 0.9, 9, 9, 0.4, 0.2]);
  expect(collector.answers()).toEqual({ decisions: [1, 0], scores: [0.1, 0.9, 0.4, 0.2] });
  expect(truthOf([beats])).toEqual([1, 0]);
});

it("answers of a run in another order are those of the samples", () => {
  const collector = new Collector(2);
  collector.add(2, { inputs: {}, label: 0 }, [1, 2]);
  collector.add(0, { inputs: {}, label: 0 }, [4, 3]);
  expect(collector.answers([0, 2]).decisions).toEqual([0, 1]);
});

it("an output that does not fit the labels is refused", () => {
  expect(() => new Collector(2).add(7, beats, [0.1, 0.9])).toThrow(
    "sample 7: 2 scores, expected 3 rows of 2 classes",
  );
});
