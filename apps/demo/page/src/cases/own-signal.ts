/** A visitor's own electrocardiogram, at the rate of the beat detector. */
import { SottoError } from "@sotto/core";
import { RATE, readCsv, resample } from "@sotto/example-heart";
import { count } from "../words.js";

/** Samples a second of a file. */
export const RATES = { least: 10, most: 10_000, usual: 360 };

export interface OwnSignal {
  name: string;
  /** As the file has them. */
  values: Float32Array;
  /** Of these, a second. */
  rate: number;
  /** Whether the file itself says so, by a column of times. */
  timed: boolean;
  /** At RATE; none of what cannot be read, and nothing is played. */
  samples: Float32Array;
}

/** What is known of a file that cannot be read. */
export function unread(name: string): OwnSignal {
  const none = new Float32Array(0);
  return { name, values: none, rate: RATES.usual, timed: true, samples: none };
}

/** @throws SottoError bad-input */
export function readOwn(name: string, text: string): OwnSignal {
  const { samples: values, rate } = readCsv(text);
  return atRate({ ...unread(name), values, timed: rate !== undefined }, rate ?? RATES.usual);
}

/**
 * The same values, so many a second.
 * @throws SottoError bad-input
 */
export function atRate(own: OwnSignal, rate: number): OwnSignal {
  const { least, most } = RATES;
  if (!(rate >= least && rate <= most)) {
    const found = Number.isNaN(rate) ? "" : `, found ${Number(rate.toPrecision(3)).toLocaleString("en")}`;
    throw new SottoError(
      "bad-input",
      `expected ${least} to ${most.toLocaleString("en")} samples a second${found}`,
    );
  }
  return { ...own, rate, samples: resample(own.values, rate, RATE) };
}

/** "3,600 samples, 360 a second by their times: 10.0 s." */
export function aboutOwn({ values, rate, timed }: OwnSignal): string {
  const all = count(values.length, "sample");
  const seconds = `${(values.length / rate).toFixed(1)} s`;
  if (!timed) return `${all} without times: ${seconds} at this rate.`;
  return `${all}, ${Number(rate.toFixed(1)).toLocaleString("en")} a second by their times: ${seconds}.`;
}
