import { RATES } from "./own-signal.js";

export interface RateFieldProps {
  /** Samples a second; NaN for no number. */
  rate: number;
  onRate: (rate: number) => void;
}

/** How many samples a second a file has that does not say so itself. */
export function RateField({ rate, onRate }: RateFieldProps) {
  return (
    <div class="row">
      <label for="rate">Sampling rate of the file</label>
      <input
        id="rate"
        type="number"
        min={RATES.least}
        max={RATES.most}
        step="any"
        value={Number.isNaN(rate) ? "" : rate}
        aria-describedby="rate-unit"
        onChange={(event) => onRate(event.currentTarget.valueAsNumber)}
      />
      <span id="rate-unit" class="soft">
        samples a second (Hz)
      </span>
    </div>
  );
}
