import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";

/** Colours of the page, light or dark, as CSS has them. */
export interface Colors {
  ink: string;
  accent: string;
  grid: string;
  alarm: string;
}

export interface PlotProps {
  data: uPlot.AlignedData;
  height: number;
  /** For who cannot see it. */
  label: string;
  /** The same function each time, or the plot is made anew. */
  options: (colors: Colors) => Omit<uPlot.Options, "width" | "height">;
}

/** A plot of uPlot's, as wide as its place, in the colours of the scheme. */
export function Plot({ data, height, label, options }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const at = place.current!;
    const make = () => {
      plot.current?.destroy();
      const width = Math.max(120, at.clientWidth);
      plot.current = new uPlot({ ...options(colorsOf(at)), width, height }, latest.current, at);
    };
    make();
    const sized = new ResizeObserver(() => {
      plot.current?.setSize({ width: Math.max(120, at.clientWidth), height });
    });
    sized.observe(at);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    scheme.addEventListener("change", make);
    return () => {
      sized.disconnect();
      scheme.removeEventListener("change", make);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [options, height]);
  useEffect(() => plot.current?.setData(data), [data]);
  return <div ref={place} class="plot" role="img" aria-label={label} style={{ height: `${height}px` }} />;
}

function colorsOf(element: Element): Colors {
  const style = getComputedStyle(element);
  const [ink, accent, grid, alarm] = ["--soft", "--accent", "--line", "--alarm"].map((name) =>
    style.getPropertyValue(name),
  );
  return { ink: ink!, accent: accent!, grid: grid!, alarm: alarm! };
}
