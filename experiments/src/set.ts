/** What a data set has to give to be measured. */
import type { NumberTensor, Range } from "@sotto/core";

export interface Sample {
  /** By name, as the model takes them. */
  inputs: Record<string, NumberTensor>;
  /**
   * The true class; or one for each row of the output's last axis (a label a step), NO_LABEL for rows that nobody labelled
   * (padding).
   */
  label: number | readonly number[];
}

export const NO_LABEL = -1;

export interface LoadedSet {
  /** Path of the trained model. */
  model: string;
  /** Names of the classes, in the order of the output's last axis. */
  classes: readonly string[];
  /** The test part. */
  samples: readonly Sample[];
  /** |x| of real inputs, by name, or for all of them. Values outside are clipped in fixed point and privately. */
  inputRange?: number | Record<string, Range>;
  /** How many samples run privately at least; without it, PRIVATE_SAMPLES. For long sequences of labelled steps. */
  privateSamples?: number;
}

export interface ExperimentSet {
  name: string;
  title: string;
  /** Said when the data are not there: where they can be had, and where in the folder they belong. */
  where: string;
  /** @param folder DATA_FOLDER, if one was given. @returns undefined where the data are not there. */
  load(folder: string | undefined): Promise<LoadedSet | undefined>;
}
