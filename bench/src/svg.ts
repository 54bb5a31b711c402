/**
 * Line charts on logarithmic axes, as SVG text. Of our own: the plotting libraries that run without a browser bring some thirty
 * packages and a DOM with them (Observable Plot, Vega), or are not kept; what is needed here is this.
 */
export interface Line {
  name: string;
  points: readonly (readonly [x: number, y: number])[];
}

export interface Chart {
  title: string;
  x: string;
  y: string;
  lines: readonly Line[];
}

const [WIDTH, HEIGHT] = [720, 440];
/** Of the plot within the picture; names of lines stand to the right of it. */
const [LEFT, TOP, RIGHT, BOTTOM] = [64, 40, WIDTH - 120, HEIGHT - 52];
/** Okabe and Ito's colours, which colour-blind readers can tell apart. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
const LABEL_HEIGHT = 15;

/** @throws Error for a value that has no logarithm. */
export function lineChart({ title, x, y, lines }: Chart): string {
  const all = lines.flatMap((l) => l.points);
  if (all.length === 0 || !all.every(([a, b]) => a > 0 && b > 0 && Number.isFinite(a + b)))
    throw new Error(`${title}: logarithmic axes take positive numbers`);
  const xs = [...new Set(all.map(([v]) => v))].sort((a, b) => a - b);
  const decades = ticks(Math.min(...all.map(([, v]) => v)), Math.max(...all.map(([, v]) => v)));
  const across = scale([xs[0]!, xs.at(-1)!], [LEFT, RIGHT]);
  const up = scale([decades[0]!, decades.at(-1)!], [BOTTOM, TOP]);
  const parts = [
    text((LEFT + RIGHT) / 2, 22, title, 'text-anchor="middle" font-size="15"'),
    text((LEFT + RIGHT) / 2, HEIGHT - 12, x, 'text-anchor="middle"'),
    text(16, (TOP + BOTTOM) / 2, y, `text-anchor="middle" transform="rotate(-90 16 ${(TOP + BOTTOM) / 2})"`),
  ];
  for (const v of decades) {
    parts.push(rule(LEFT, up(v), RIGHT, up(v)));
    parts.push(text(LEFT - 8, up(v) + 4, String(v), 'text-anchor="end"'));
  }
  for (const v of xs) {
    parts.push(rule(across(v), TOP, across(v), BOTTOM));
    parts.push(text(across(v), BOTTOM + 18, String(v), 'text-anchor="middle"'));
  }
  const ends = apart(lines.map((l) => up(l.points.at(-1)![1])));
  lines.forEach(({ name, points }, i) => {
    const colour = COLOURS[i % COLOURS.length]!;
    const at = points.map(([a, b]) => [across(a).toFixed(1), up(b).toFixed(1)] as const);
    parts.push(
      `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${at.map((p) => p.join()).join(" ")}"/>`,
      ...at.map(([a, b]) => `<circle cx="${a}" cy="${b}" r="3" fill="${colour}"/>`),
      text(RIGHT + 12, ends[i]! + 4, name, `fill="${colour}"`),
    );
  });
  return page(WIDTH, HEIGHT, parts);
}

/** A picture of elements on white ground. */
export function page(width: number, height: number, parts: readonly string[]): string {
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  const open = `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="12">`;
  return `${[open, '<rect width="100%" height="100%" fill="#fff"/>', ...parts].join("\n")}\n</svg>\n`;
}

/** One element. @param content its text, if any. */
export function element(name: string, attributes: Record<string, string | number>, content?: string): string {
  const all = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(String(value))}"`);
  const open = `<${name}${all.join("")}`;
  return content === undefined ? `${open}/>` : `${open}>${escaped(content)}</${name}>`;
}

/** 1, 2 and 5 times powers of ten, from at most `low` to at least `high`. */
export function ticks(low: number, high: number): number[] {
  const all: number[] = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++)
    for (const m of [1, 2, 5]) all.push(Number(`${m}e${e}`));
  const from = all.filter((v) => v <= low).length - 1;
  const to = all.findIndex((v) => v >= high);
  // one tick at least on each side of it
  return all.slice(from, Math.max(to, from + 1) + 1);
}

function scale([a, b]: readonly [number, number], [p, q]: readonly [number, number]): (v: number) => number {
  return (v) => (a === b ? (p + q) / 2 : p + ((q - p) * Math.log(v / a)) / Math.log(b / a));
}

/** Heights of labels, moved down as far as they would overlap the one above. */
export function apart(heights: readonly number[]): number[] {
  const moved = [...heights];
  let above = -Infinity;
  for (const i of moved.map((_, k) => k).sort((a, b) => heights[a]! - heights[b]!)) {
    moved[i] = Math.max(moved[i]!, above + LABEL_HEIGHT);
    above = moved[i];
  }
  return moved;
}

function rule(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="#ddd"/>`;
}

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}
