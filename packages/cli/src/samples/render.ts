/** What samples show, for people. */
import type { Study } from "../commands/inspect.js";
import { cut, section, significant, table } from "../format.js";
import { rangeText } from "../plan-text.js";
import type { BoundCalibration, Calibration, InputCalibration } from "./calibrate.js";
import { type Decisions, type ErrorReport, MAX_SHOWN, type Rule } from "./error.js";

const NAME_WIDTH = 40;

export function renderStudy({ model, plan, calibration, error }: Study): string {
  const parts = [`${model}\n  plan ${plan}`];
  if (calibration) parts.push(...calibrationText(calibration));
  if (error) parts.push(...errorText(error));
  return parts.join("\n\n");
}

function calibrationText(c: Calibration): string[] {
  const parts: string[] = [];
  if (c.inputs.length > 0) {
    const rows = c.inputs.map((i) => [
      cut(i.name, NAME_WIDTH),
      `|x| <= ${rangeText(i.declared).replace(/,$/, "")}`,
      rangeText(i.observed.length > 1 ? i.observed : i.observed[0]!).replace(/,$/, ""),
      outsideText(i),
    ]);
    const columns = [{ title: "  input" }, { title: "declared" }, { title: "observed" }, { title: "" }];
    parts.push(
      `Inputs, on ${counted(c.samples, "sample")}\n${table(columns, indented(rows))}\n${proposals(c.inputs)}`,
    );
  }
  const columns = [
    { title: "  Layer" },
    { title: "" },
    { title: "proven", align: "right" as const },
    { title: "observed", align: "right" as const },
    { title: "used", align: "right" as const },
    { title: "" },
  ];
  const rows = c.bounds.map((b) => [
    cut(b.layer, NAME_WIDTH),
    whatText(b),
    significant(b.proven),
    significant(b.observed),
    percent(b.ratio),
    markText(b),
  ]);
  if (rows.length > 0) {
    parts.push(
      `Largest absolute values, on ${counted(c.samples, "sample")}\n${table(columns, indented(rows))}\n` +
        "  (proven: the most that the weights allow, for any input within the declared ranges; tables are made for it, and\n" +
        "  a smaller --input-range makes both smaller. Nothing is clipped but what is marked)" +
        (c.stateBounds.length > 0 ? `\n${proposals(c.stateBounds)}` : ""),
    );
  }
  return parts;
}

function proposals(declarations: readonly { option: string }[]): string {
  return `  To declare what was observed, and a tenth more:\n${declarations.map((d) => `    ${d.option}`).join("\n")}`;
}

function outsideText({ outside, elements }: InputCalibration): string {
  if (outside === 0) return "";
  return `${outside} of ${elements} elements are OUTSIDE: sotto run refuses them, or clips them with --clip`;
}

function whatText({ what, fn }: BoundCalibration): string {
  switch (what) {
    case "z":
    case "r":
      return `gate ${what}, before its function`;
    case "n":
      return "candidate n, before its function";
    case "candidate":
      return "candidate n";
    case "input":
      return `input of ${fn}`;
    default:
      return what;
  }
}

function markText({ mark, limit }: BoundCalibration): string {
  const text = limit === undefined ? "" : `--state-bound ${significant(limit)}`;
  if (mark === "near") return `NEAR ${text}, beyond which it is clipped`;
  if (mark === "clipped") return `EXCEEDS ${text}: a private run clips it, and gives something else`;
  return mark ? "EXCEEDED: by inputs outside the declared range" : text;
}

function errorText(e: ErrorReport): string[] {
  const columns = [
    { title: "  output" },
    { title: "largest", align: "right" as const },
    { title: "mean", align: "right" as const },
    { title: "decisions", align: "right" as const },
    { title: "unchanged", align: "right" as const },
    { title: "smallest margin", align: "right" as const },
    { title: "" },
  ];
  const rows = e.outputs.map(({ name, maxAbsError, meanAbsError, decisions: d }) => [
    cut(name, NAME_WIDTH),
    significant(maxAbsError),
    significant(meanAbsError),
    String(d.count),
    d.count > 0 ? share(d) : "-",
    d.count > 0 ? significant(d.smallestMargin) : "-",
    RULES[d.rule],
  ]);
  const clipped = Object.entries(e.clipped).map(
    ([name, n]) =>
      `  ${counted(n, "element")} of input ${name} outside the declared range: clipped in the private run's numbers, and ` +
      "counted as\n  its error. sotto run refuses them unless --clip is given; --calibrate shows what to declare",
  );
  const parts = [
    [
      `Absolute error of a private run's numbers, on ${counted(e.samples, "sample")}\n${table(columns, indented(rows))}`,
      "  (against the model in double precision. A private run rounds a little differently each time, in the last places)",
      ...clipped,
    ].join("\n"),
  ];
  for (const { name, decisions } of e.outputs) {
    const { changed, count, unchanged } = decisions;
    if (changed.length === 0) continue;
    const more = count - unchanged > MAX_SHOWN ? `, the ${MAX_SHOWN} of the largest margin` : "";
    parts.push(
      section(
        `Changed decisions of ${name}${more}`,
        changed.map(({ sample, position, margin }) => [
          `sample ${sample}${position.length > 0 ? ` [${position.join(", ")}]` : ""}`,
          `margin ${significant(margin)}`,
        ]),
      ),
    );
  }
  return parts;
}

const RULES: Record<Rule, string> = {
  largest: "the largest entry of the last axis",
  logits: "the largest of the logits that the client gets",
  sign: "the sign",
  half: "the side of 0.5",
};

/** Not 100 % unless all are. */
function share({ count, unchanged }: Decisions): string {
  return unchanged === count ? "all" : `${Math.floor((10_000 * unchanged) / count) / 100} %`;
}

function percent(ratio: number): string {
  const value = 100 * ratio;
  return `${value >= 10 ? value.toFixed(0) : significant(Number(value.toPrecision(2)))} %`;
}

function counted(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? "" : "s"}`;
}

function indented(rows: string[][]): string[][] {
  return rows.map(([first, ...rest]) => [`  ${first}`, ...rest]);
}
