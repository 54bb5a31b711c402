/** What the demo prints at its end. Fits in 110 columns. */
import type { Saw } from "@sotto/client";
import { bytes, cut, duration, significant, table } from "../format.js";
import type { RunStats } from "../result-report.js";

/** One mail, classified twice. Scores are probabilities of spam. */
export interface Verdict {
  subject: string;
  spam: boolean;
  privately: number;
  plainly: number;
  /** Largest difference between the two results' logits. */
  logitError: number;
  stats: RunStats;
}

const label = (score: number): string => (score > 0.5 ? "spam" : "ham");
const truth = (v: Verdict): string => (v.spam ? "spam" : "ham");

export function verdictTable(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map((v, i) => [
    String(i + 1),
    cut(v.subject || "(no subject)", 54),
    `${label(v.privately).padEnd(4)} ${v.privately.toFixed(4)}`,
    `${label(v.plainly).padEnd(4)} ${v.plainly.toFixed(4)}`,
    truth(v),
    label(v.privately) === truth(v) ? "" : "wrong",
  ]);
  return table(
    [
      { title: "", align: "right" },
      { title: "subject" },
      { title: "private" },
      { title: "plaintext" },
      { title: "truth" },
      { title: "" },
    ],
    rows,
  );
}

export interface Totals {
  verdicts: readonly Verdict[];
  /** First bytes that server 0 and server 1 received for the first mail. */
  saw?: readonly Saw[];
}

export function summary({ verdicts, saw }: Totals): string {
  const n = verdicts.length;
  const share = (right: (v: Verdict) => boolean): string => {
    const hits = verdicts.filter(right).length;
    return `${hits} of ${n} (${((100 * hits) / n).toFixed(1)} %)`;
  };
  const most = (value: (v: Verdict) => number): number => Math.max(...verdicts.map(value));
  const mean = (value: (s: RunStats) => number): number =>
    verdicts.reduce((sum, v) => sum + value(v.stats), 0) / n;
  const lines = [
    ["accuracy, private", share((v) => label(v.privately) === truth(v))],
    ["accuracy, plaintext", share((v) => label(v.plainly) === truth(v))],
    ["always guessing ham", share((v) => !v.spam)],
    ["same label both ways", share((v) => label(v.privately) === label(v.plainly))],
    [
      "largest difference",
      `${significant(most((v) => Math.abs(v.privately - v.plainly)))} in a score, ` +
        `${significant(most((v) => v.logitError))} in a logit`,
    ],
    [
      "time per message",
      `${duration(mean((s) => s.totalMs))} (online ${duration(mean((s) => s.onlineMs))}, ` +
        `offline ${duration(mean((s) => s.offlineMs))}), on average`,
    ],
    ["network rounds", `${Math.round(mean((s) => s.rounds))} a message`],
    ["between the servers", `${bytes(Math.round(mean((s) => s.onlineBytes)))} each way a message`],
    [
      "from the dealer",
      `${bytes(Math.round(mean((s) => s.offlineBytes.server0)))} to server 0, ` +
        `${bytes(Math.round(mean((s) => s.offlineBytes.server1)))} to server 1, a message`,
    ],
    ...(saw ?? []).flatMap(({ input, message }, party) => [
      [`server ${party} saw`, `input share    ${spaced(input)} ...`],
      ["", `first message  ${spaced(message)} ...`],
    ]),
  ];
  return table([{ title: "" }, { title: "" }], lines as string[][]).replace(/^\s*\n/, "");
}

/** As many bytes as a line takes. */
function spaced(hex: string): string {
  return (hex.match(/../g) ?? []).slice(0, 20).join(" ");
}
