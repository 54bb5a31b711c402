/** A running ECG strip, with what each beat was. */
import { useEffect, useMemo, useState } from "preact/hooks";
import type uPlot from "uplot";
import { type Colors, Plot } from "../plots/plot.js";

/** Samples that are shown. */
const SHOWN = 1000;
const REDRAW_MS = 100;

export interface Mark {
  /** Of the R peak, counted from the signal's first sample. */
  sample: number;
  label: string;
}

/** The newest samples of a signal, and what was said of its beats; the owner adds to both. */
export class Signal {
  readonly values: number[] = [];
  marks: Mark[] = [];
  /** Number of the first value that is kept. */
  first = 0;

  push(samples: ArrayLike<number>): void {
    for (let i = 0; i < samples.length; i++) this.values.push(samples[i]!);
    const over = this.values.length - SHOWN;
    if (over <= 0) return;
    this.values.splice(0, over);
    this.first += over;
    this.marks = this.marks.filter(({ sample }) => sample >= this.first);
  }
}

export function Strip({ signal, rate }: { signal: Signal; rate: number }) {
  const [drawn, setDrawn] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setDrawn((n) => n + 1), REDRAW_MS);
    return () => clearInterval(timer);
  }, []);
  const options = useMemo(() => optionsFor(signal, rate), [signal, rate]);
  const data = useMemo<uPlot.AlignedData>(
    () => [
      Array.from({ length: signal.values.length }, (_, i) => (signal.first + i) / rate),
      [...signal.values],
    ],
    // the signal is the same object, which grows
    [signal, rate, drawn],
  );
  return <Plot data={data} height={180} label="Electrocardiogram of the last seconds" options={options} />;
}

function optionsFor(signal: Signal, rate: number) {
  return (colors: Colors): Omit<uPlot.Options, "width" | "height"> => ({
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: {
        time: false,
        range: (_u, _min, max) => [Math.max(0, max - SHOWN / rate), Math.max(max, SHOWN / rate)],
      },
    },
    axes: [
      {
        stroke: colors.ink,
        grid: { stroke: colors.grid, width: 1 },
        ticks: { show: false },
        size: 22,
        font: "11px system-ui",
        incrs: [1, 2, 5],
        values: (_u, splits) => splits.map((v) => `${v} s`),
      },
      { show: false },
    ],
    padding: [22, 8, 0, 8],
    series: [{}, { stroke: colors.accent, width: 1.5, points: { show: false } }],
    hooks: {
      draw: [
        (u) => {
          const { ctx } = u;
          ctx.save();
          ctx.font = `${13 * devicePixelRatio}px system-ui`;
          ctx.textAlign = "center";
          for (const { sample, label } of signal.marks) {
            ctx.fillStyle = label === "N" ? colors.ink : colors.alarm;
            ctx.fillText(label, u.valToPos(sample / rate, "x", true), 15 * devicePixelRatio);
          }
          ctx.restore();
        },
      ],
    },
  });
}
