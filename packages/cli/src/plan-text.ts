/** The plan of a private run, for people: what `sotto inspect` prints. */
import type { Ranges } from "./compile-options.js";
import { bytes, cut, duration, section, significant, table } from "./format.js";
import type { InputReport, PlanReport, ProfileCost } from "./plan-report.js";

/** Names that exporters make can be long. */
const NAME_WIDTH = 40;
/** So many ranges of features are shown one by one. */
const MAX_RANGES = 8;

/** The report for people. @param declared the ranges that the user gave. */
export function render(r: PlanReport, declared: Ranges = {}): string {
  const shape = (s: readonly (number | string)[]) => `[${s.join(", ")}]`;
  const parts = [`${r.model}\n  plan ${r.plan}`];
  const row = (i: InputReport) => [cut(i.name, NAME_WIDTH), shape(i.declared), inputText(i, declared)];
  const isPublic = (i: InputReport) => i.kind === "length";
  parts.push(
    section("Inputs (private; only the client sees them)", r.inputs.filter((i) => !isPublic(i)).map(row)),
  );
  if (r.inputs.some(isPublic)) {
    parts.push(section("Inputs that are PUBLIC (the servers see them)", r.inputs.filter(isPublic).map(row)));
  }
  parts.push(
    section(
      "Outputs (private; only the client sees them)",
      r.outputs.map((o) => [
        cut(o.name, NAME_WIDTH),
        shape(o.shape),
        (o.client ? `${o.client} is computed by the client` : "") +
          (o.revealed === undefined ? "" : `, which gets the ${o.revealed} numbers that it is made of`),
      ]),
    ),
  );
  if (r.sizes.length > 0) {
    parts.push(
      section(
        "Sizes that the model leaves open",
        r.sizes.map((s) => [
          s.name,
          String(s.value),
          s.given
            ? "as given"
            : `assumed: give --size ${s.name}=N${s.time ? "; rounds and bytes grow with it" : ""}`,
        ]),
      ),
    );
  }
  parts.push(layerTable(r), numbers(r), latency(r));
  return parts.join("\n\n");
}

function layerTable(r: PlanReport): string {
  const columns = [
    { title: "  Layer" },
    { title: "kind" },
    { title: "rounds", align: "right" as const },
    { title: "online", align: "right" as const },
    { title: "offline", align: "right" as const },
    { title: "" },
  ];
  const rows = r.layers.map((l) => [
    `  ${cut(l.name, NAME_WIDTH)}`,
    l.op,
    l.rounds ? String(l.rounds) : "-",
    l.onlineBytes ? bytes(l.onlineBytes) : "-",
    l.offlineBytes ? bytes(l.offlineBytes) : "-",
    l.detail,
  ]);
  return `Layers (layers that are ready together share rounds)\n${table(columns, rows)}`;
}

function numbers(r: PlanReport): string {
  const p = r.precision;
  const bounds = Object.entries(r.bounds).map(([layer, b]) => [
    `bounds of ${cut(layer, NAME_WIDTH)}`,
    `|x| <= ${significant(b.x!)}; before activation: z ${significant(b.z!)}, r ${significant(b.r!)}, ` +
      `n ${significant(b.n!)} (its recurrent part ${significant(b.v!)})`,
  ]);
  return section("Numbers", [
    [
      "scales",
      `bits of fraction: operands ${p.operand}, weights ${p.weight}, gate ${p.gate}, activations ${p.activation}`,
    ],
    ...bounds,
    ...r.tables.map((t) => [
      `table of ${t.activation}`,
      t.oneRound
        ? `${t.nodes} nodes, looked up ${t.lookUps} times in one round each`
        : `${t.nodes} nodes (${bytes(t.nodes / 8)} of correction each), looked up ${t.lookUps} times`,
    ]),
    [
      "moduli",
      r.moduli.most > 0
        ? `what is opened has ${r.moduli.least} to ${r.moduli.most} bits`
        : "nothing is opened",
    ],
    ["rounds", String(r.rounds)],
    ["online", `${bytes(r.onlineBytes)} each way between the servers (frames of 16 bytes included)`],
    ["offline", offlineText(r.profile)],
    ["profile", r.profile.name],
    ...(r.otherProfile.rounds === r.rounds
      ? []
      : [[`--profile ${r.otherProfile.name}`, profileText(r.otherProfile)]]),
    ["client", `sends ${bytes(r.inputBytes)} to and gets ${bytes(r.outputBytes)} from each server`],
    [
      "deployment",
      `${bytes(r.deployBytes)} to each server, then ${bytes(r.setupBytes)} each way between them, once`,
    ],
  ]);
}

function offlineText({ offlineBytes: { server0, server1 }, expandedBytes }: ProfileCost): string {
  if (server0 === 0) return `${bytes(server1)} from the dealer to server 1; server 0 gets a seed`;
  return `${bytes(server0)} from the dealer to server 0, ${bytes(server1)} to server 1, from which each makes ${bytes(expandedBytes)}`;
}

function profileText(p: ProfileCost): string {
  return `instead: ${p.rounds} rounds, ${bytes(p.onlineBytes)} online; ${offlineText(p)}`;
}

function latency(r: PlanReport): string {
  const rows = r.latency.map((l) => [`${l.roundTripMs} ms`, duration(l.networkMs)]);
  return section(
    "Latency of the network alone, by round-trip time between the parties",
    rows,
    "rounds x half a round trip, since both servers send at once, and one round trip for the client.\n" +
      "  A run takes longer: computing, and sending the bytes above, are not counted here, and on a fast\n" +
      "  network they are most of its time; `sotto run` measures them",
  );
}

function inputText(i: InputReport, declared: Ranges): string {
  if (i.mask) {
    const { edge, value, input } = i.mask;
    const where = `${edge === "start" ? "begin after" : "end before"} the padding (${value}) in ${input}`;
    return `found by the client: a sequence's steps ${where}`;
  }
  if (i.kind === "length") return "how many steps each sequence has";
  if (i.vocabulary !== undefined)
    return `tokens; the client shares a vector of ${i.vocabulary} numbers for each, in which one is 1`;
  if (i.kind === "token") return "tokens, looked up by the client";
  const isDeclared = [i.name, ""].some((n) => Object.hasOwn(declared, n));
  return `|x| <= ${rangeText(i.range!)} ${isDeclared ? "declared" : "by default; --input-range declares another"}`;
}

/** "4", "4, 0.5, 120 by feature", or where there are many the smallest and the largest. */
export function rangeText(range: number | number[]): string {
  if (typeof range === "number" || range.length === 1) return significant(Number(range));
  if (range.length <= MAX_RANGES) return `${range.map(significant).join(", ")} by feature,`;
  return `${significant(Math.min(...range))} to ${significant(Math.max(...range))}, by feature,`;
}
