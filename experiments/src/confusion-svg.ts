/** Confusion matrices beside each other, as SVG text: a cell's shade is the part of its row. */
import { element, page } from "@sotto/bench/svg";
import type { Confusion } from "./metrics.js";

export interface Panel {
  title: string;
  confusion: Confusion;
}

const CELL = 48;
const GAP = 36;
const TOP = 64;
/** Of a letter, about; SVG text has no width before it is drawn. */
const LETTER = 7;

/** Names longer than this stand at the rows only, with numbers that stand at the columns. */
const BRIEF = 10;

export function confusionChart(names: readonly string[], panels: readonly Panel[]): string {
  const numbered = names.some((name) => name.length > BRIEF);
  const classes = names.map((name, i) => ({
    row: numbered ? `${name} ${i + 1}` : name,
    column: numbered ? String(i + 1) : name,
  }));
  const left = 16 + Math.max(...classes.map((c) => c.row.length)) * LETTER;
  const longest = Math.max(...classes.map((c) => c.column.length));
  const cell = Math.max(CELL, longest * LETTER + 8);
  const side = classes.length * cell;
  const width = left + panels.length * (side + GAP);
  const height = TOP + classes.length * CELL + 28;
  const parts = panels.flatMap(({ title, confusion }, p) => {
    const x0 = left + p * (side + GAP);
    const head = element(
      "text",
      { x: x0 + side / 2, y: 20, "text-anchor": "middle", "font-size": 14 },
      title,
    );
    return [head, ...cells(classes, confusion, x0, cell, p === 0)];
  });
  parts.push(
    element(
      "text",
      { x: width / 2, y: height - 8, "text-anchor": "middle", fill: "#555" },
      "rows: what it is; columns: what the model says",
    ),
  );
  return page(width, height, parts);
}

function cells(
  classes: readonly { row: string; column: string }[],
  confusion: Confusion,
  x0: number,
  cell: number,
  first: boolean,
): string[] {
  return classes.flatMap((about, row) => {
    const y = TOP + row * CELL;
    const all = confusion[row]!.reduce((a, b) => a + b, 0);
    const label = { x: x0 - 8, y: y + CELL / 2 + 4, "text-anchor": "end" };
    const above = { x: x0 + row * cell + cell / 2, y: TOP - 8, "text-anchor": "middle" };
    return [
      ...(first ? [element("text", label, about.row)] : []),
      element("text", above, about.column),
      ...confusion[row]!.flatMap((count, column) => {
        const part = all ? count / all : 0;
        const x = x0 + column * cell;
        const shade = { fill: "#0072b2", "fill-opacity": part.toFixed(3), stroke: "#ccc" };
        const inside = { x: x + cell / 2, y: y + CELL / 2 + 4, "text-anchor": "middle" };
        return [
          element("rect", { x, y, width: cell, height: CELL, ...shade }),
          element("text", { ...inside, fill: part > 0.5 ? "#fff" : "#000" }, String(count)),
        ];
      }),
    ];
  });
}
