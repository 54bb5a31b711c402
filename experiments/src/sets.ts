/** All sets, in the order of the report. */
import type { ExperimentSet } from "./set.js";
import { spam } from "./sets/spam.js";

export const SETS: readonly ExperimentSet[] = [spam];
