/** Sizes and directions of a window's packets. */
import type { Window } from "@sotto/example-packets";
import { useMemo } from "preact/hooks";
import uPlot from "uplot";
import { type Colors, Plot } from "../plots/plot.js";

/** Bytes of each packet, those to the host up, those from it down. */
export function Sizes({ window }: { window: Window }) {
  const data = useMemo<uPlot.AlignedData>(() => {
    const numbers = window.packets.map((_, i) => i + 1);
    return [numbers, window.packets.map(({ inward, payload }) => (inward ? 1 : -1) * height(payload))];
  }, [window]);
  return (
    <>
      <p class="soft small">
        {window.packets.length} packets in a row at {window.host}: up to it, down from it, each as high as the
        logarithm of its payload's bytes
      </p>
      <Plot
        data={data}
        height={130}
        label={`Sizes and directions of ${window.packets.length} packets`}
        options={sizeOptions}
      />
    </>
  );
}

/** Bytes with a line of their own. */
const SIZES = [50, 1500];

/** Of a bar. What has no payload is drawn, too. */
function height(bytes: number): number {
  return 2 + Math.log2(bytes + 1);
}

function sizeOptions(colors: Colors): Omit<uPlot.Options, "width" | "height"> {
  return {
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false, range: (_u, min, max) => [min - 0.5, max + 0.5] }, y: { range: [-14, 14] } },
    axes: [
      {
        stroke: colors.ink,
        grid: { show: false },
        ticks: { show: false },
        size: 22,
        font: "11px system-ui",
        // numbers of packets
        incrs: [1, 2, 5, 10, 20, 50],
      },
      {
        stroke: colors.ink,
        grid: { stroke: colors.grid, width: 1 },
        ticks: { show: false },
        size: 52,
        font: "11px system-ui",
        splits: () => [...SIZES.map((n) => -height(n)), 0, ...SIZES.map(height)],
        values: () => [...SIZES.map((n) => `${n} B`), "", ...SIZES.map((n) => `${n} B`)],
      },
    ],
    series: [
      {},
      {
        fill: colors.accent,
        stroke: colors.accent,
        paths: uPlot.paths.bars!({ size: [0.7, 100] }),
        points: { show: false },
      },
    ],
  };
}
