/** Another sampling rate, by a windowed sinc that also keeps out what the new rate can't hold. */
import { SottoError } from "@sotto/core";

/** Zero crossings of the sinc on each side. */
const LOBES = 8;

/**
 * @param samples at `from` samples a second
 * @returns the same signal at `to` samples a second, beginning at the same time. Beyond its ends the signal is taken to
 *   stay as it is there.
 * @throws SottoError `bad-input` if a rate is not positive.
 */
export function resample(samples: ArrayLike<number>, from: number, to: number): Float32Array {
  for (const rate of [from, to]) {
    if (!(rate > 0 && Number.isFinite(rate)))
      throw new SottoError("bad-input", `a sampling rate of ${rate} Hz; expected a positive number`);
  }
  if (from === to) return Float32Array.from(samples);
  const cutoff = Math.min(1, to / from); // as a share of the old rate
  const reach = LOBES / cutoff;
  const count = samples.length === 0 ? 0 : Math.floor(((samples.length - 1) * to) / from + 1e-9) + 1;
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const at = (i * from) / to;
    let sum = 0;
    let total = 0;
    for (let j = Math.ceil(at - reach); j <= at + reach; j++) {
      const d = (j - at) * cutoff;
      const weight = sinc(d) * (0.5 + 0.5 * Math.cos((Math.PI * d) / LOBES));
      sum += weight * samples[Math.min(samples.length - 1, Math.max(0, j))]!;
      total += weight;
    }
    out[i] = sum / total;
  }
  return out;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}
