/** Results as Markdown: a set's own page, and the table over all sets. */
import { digits, markdownTable } from "@sotto/bench/report";
import type { Run, SetResult } from "./measure.js";
import type { Difference } from "./metrics.js";

const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
const small = (v: number) => (v === 0 ? "0" : v.toExponential(1));
const kilobytes = (bytes: number) => digits(bytes / 1000);

/** All decisions equal is worth telling from nearly all. */
function equal({ equal, count }: Difference): string {
  return equal === count ? `all ${count}` : `${equal} of ${count} (${percent(equal / count)})`;
}

/** The page of one set. Its picture lies beside it as NAME.svg. */
export function setPage(r: SetResult): string {
  const runs: [string, Run][] = [
    ["float, all samples", r.float],
    ["fixed point, all samples", r.fixed],
    ["float, those that ran privately", r.floatOfPrivate],
    ["private", r.private],
  ];
  const figures = markdownTable(
    ["", "samples", "decisions", "accuracy", "macro F1"],
    runs.map(([name, run]) => [
      name,
      run.samples,
      run.decisions,
      percent(run.accuracy),
      run.macroF1.toFixed(4),
    ]),
  );
  const { fixedToFloat, privateToFloat, privateToFixed } = r.differences;
  const differences = markdownTable(
    ["", "equal decisions", "largest error of a score", "mean error of a score"],
    (
      [
        ["fixed point and float, all samples", fixedToFloat],
        ["private and float", privateToFloat],
        ["private and fixed point", privateToFixed],
      ] as const
    ).map(([name, d]) => [name, equal(d), small(d.maxError), small(d.meanError)]),
  );
  const byClass = markdownTable(
    ["class", "samples", "precision", "recall", "F1"],
    r.float.byClass.map((c, i) => [
      r.classes[i]!,
      c.count,
      ...[c.precision, c.recall, c.f1].map((v) => v.toFixed(4)),
    ]),
  );
  const { times: t } = r;
  const times = markdownTable(
    ["", ""],
    [
      ["one at a time: total ms at the client (median)", digits(t.aloneMs)],
      [`${t.clients} clients at once: inferences a second`, digits(t.perSecond)],
      [
        `the same: total ms at a client, median and 95 %`,
        `${digits(t.totalMs.median)}, ${digits(t.totalMs.p95)}`,
      ],
      [
        `the same: ms of the rounds, median and 95 %`,
        `${digits(t.onlineMs.median)}, ${digits(t.onlineMs.p95)}`,
      ],
      ["rounds", t.rounds],
      ["kB between the servers, each way", kilobytes(t.onlineBytes)],
      ["kB from the dealer", kilobytes(t.offlineBytes)],
    ],
  );
  return [
    `# ${r.title}`,
    `${r.machine}. Plan ${r.plan}. Written by \`npm run experiments\`; [docs/experiments.md](../../docs/experiments.md) says what is what.`,
    "## Accuracy",
    figures,
    "## Beside each other",
    differences,
    "## Confusion",
    `![](${r.name}.svg)`,
    ...[r.float, r.fixed, r.private].map((run, i) => {
      const name = ["Float", "Fixed point", "Private"][i]!;
      const rows = run.confusion.map((counts, c) => [`**${r.classes[c]}**`, ...counts]);
      return `${name}, ${run.decisions} decisions; a row is what it is, a column what the model says:\n\n${markdownTable(["", ...r.classes], rows)}`;
    }),
    "## By class, in float",
    byClass,
    "## What a private inference took",
    times,
    "",
  ].join("\n\n");
}

/** All sets beside each other, for docs/experiments.md. @param base path from there to the results. */
export function accuracyTable(results: readonly SetResult[], base: string): string {
  return markdownTable(
    [
      "set",
      "decisions: all, private",
      "accuracy: float, fixed, private",
      "macro F1: float, fixed, private",
      "equal decisions: fixed, private",
      "largest error: fixed, private",
      "mean error: fixed, private",
    ],
    results.map((r) => {
      const { fixedToFloat: f, privateToFloat: p } = r.differences;
      return [
        `[${r.title}](${base}/${r.name}.md)`,
        `${r.float.decisions}, ${r.private.decisions}`,
        [r.float, r.fixed, r.private].map((x) => percent(x.accuracy)).join(", "),
        [r.float, r.fixed, r.private].map((x) => x.macroF1.toFixed(4)).join(", "),
        `${equal(f)}, ${equal(p)}`,
        `${small(f.maxError)}, ${small(p.maxError)}`,
        `${small(f.meanError)}, ${small(p.meanError)}`,
      ];
    }),
  );
}

/** What a private inference of each set took. */
export function timeTable(results: readonly SetResult[], base: string): string {
  return markdownTable(
    [
      "set",
      "rounds",
      "kB between servers, each way",
      "kB from the dealer",
      "one at a time: total ms",
      "several at once: total ms, median and 95 %",
      "inferences a second",
    ],
    results.map((r) => {
      const { times: t } = r;
      return [
        `[${r.title}](${base}/${r.name}.md)`,
        t.rounds,
        kilobytes(t.onlineBytes),
        kilobytes(t.offlineBytes),
        digits(t.aloneMs),
        `${digits(t.totalMs.median)}, ${digits(t.totalMs.p95)}`,
        digits(t.perSecond),
      ];
    }),
  );
}
