/** All sets, in the order of the report. */
import type { ExperimentSet } from "./set.js";
import { ecg5000, mitbih } from "./sets/heart.js";
import { loopback, packets } from "./sets/packets.js";
import { spam } from "./sets/spam.js";
import { sms, sst2 } from "./sets/text.js";

export const SETS: readonly ExperimentSet[] = [spam, sms, sst2, mitbih, ecg5000, packets, loopback];
