import { useMemo } from "preact/hooks";
import uPlot from "uplot";
import { percent } from "../words.js";
import { Plot } from "./plot.js";

const BINS = 32;

/** How often each byte value occurs, in bins of eight values, as parts of all. */
export function histogram(bytes: Uint8Array): number[] {
  const bins = new Array<number>(BINS).fill(0);
  for (const value of bytes) bins[value >> 3]!++;
  return bins.map((n) => n / Math.max(1, bytes.length));
}

/** A histogram of byte values. Of noise it is flat: the dotted line. */
export function Histogram({ bytes, label }: { bytes: Uint8Array; label: string }) {
  const bins = useMemo(() => histogram(bytes), [bytes]);
  const data = useMemo<uPlot.AlignedData>(() => {
    const xs = Array.from({ length: BINS }, (_, i) => i * 8 + 4);
    return [xs, bins, xs.map(() => 1 / BINS)];
  }, [bins]);
  const [least, most] = [percent(Math.min(...bins)), percent(Math.max(...bins))];
  const flat = `${label}: from ${least} to ${most} of the bytes in each of ${BINS} bins`;
  return <Plot data={data} height={110} label={flat} options={options} />;
}

function options(colors: {
  ink: string;
  accent: string;
  grid: string;
}): Omit<uPlot.Options, "width" | "height"> {
  const axis = { stroke: colors.ink, grid: { show: false }, ticks: { show: false }, font: "11px system-ui" };
  return {
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: [0, 256] },
      // the same for all three, so that they can be compared
      y: { range: (_u, _min, max) => [0, Math.max(2 / BINS, max)] },
    },
    axes: [
      { ...axis, size: 22, values: () => ["0", "", "128", "", "255"], splits: () => [0, 64, 128, 192, 255] },
      {
        ...axis,
        size: 40,
        // none, as often as in noise, and the most
        splits: (_u, _i, _min, max) => [0, 1 / BINS, max],
        values: (_u, splits) =>
          splits.map((v, i) => (i === 1 && splits[2]! > 0.2 ? "" : `${Math.round(v * 100)} %`)),
      },
    ],
    series: [
      {},
      {
        fill: colors.accent,
        stroke: colors.accent,
        paths: uPlot.paths.bars!({ size: [0.85, 100] }),
        points: { show: false },
      },
      { stroke: colors.ink, dash: [3, 3], width: 1, points: { show: false } },
    ],
  };
}
