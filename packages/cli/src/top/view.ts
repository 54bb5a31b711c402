/** The figures as a table: a column for each party. */
import { bytes, cut, duration, significant, table } from "../format.js";
import type { Figures, Latency, PartyFigures } from "./figures.js";

const NONE = "-";
const ERROR_COLUMNS = 24;
/** Every process of a party is connected to the two others. */
const OTHERS = 2;

type Row = [title: string, show: (figures: Figures, party: PartyFigures["party"]) => string];

const latency =
  (key: keyof Latency) =>
  ({ latencyMs }: Figures) =>
    latencyMs ? duration(latencyMs[key]) : NONE;

const ofServers =
  (show: (figures: Figures) => string): Row[1] =>
  (figures, party) =>
    party === "dealer" ? "" : show(figures);

const ofDealer =
  (show: (figures: Figures) => string): Row[1] =>
  (figures, party) =>
    party === "dealer" ? show(figures) : "";

/** Shown where a party has several. */
const WORKERS = "workers";

const ROWS: Row[] = [
  ["sessions/s", (f) => rate(f.sessionsPerSecond)],
  ["failed/s", (f) => rate(f.failedPerSecond)],
  ["running", (f) => String(f.running)],
  ["queued", (f) => String(f.queued)],
  ["time of a session", latency("total")],
  ["  until it begins", ofServers(latency("queue"))],
  ["  waiting for the dealer", ofServers(latency("dealer"))],
  ["  waiting for the peer", latency("peer")],
  ["  computing", latency("compute")],
  ["rounds/s", ofServers((f) => rate(f.roundsPerSecond))],
  ["sent/s", (f) => bytes(Math.round(f.sentBytesPerSecond))],
  ["received/s", (f) => bytes(Math.round(f.receivedBytesPerSecond))],
  [WORKERS, (f) => String(f.workers)],
  ["connections", (f) => `${f.connectionsUp} of ${OTHERS * f.workers}`],
  ["CPU", (f) => `${Math.round(f.cpuPercent)} %`],
  ["memory", (f) => bytes(f.memoryBytes)],
  ["models ready", ofServers((f) => `${f.modelsReady} of ${f.models}`)],
  ["set-ups", ofDealer((f) => String(f.models))],
  ["pool depth", ofServers((f) => String(f.poolDepth))],
];

export function render(parties: readonly PartyFigures[], title: string): string {
  const columns = [
    { title: "" },
    ...parties.map(({ party }) => ({ title: party.replace("-", " "), align: "right" as const })),
  ];
  const several = parties.some(({ figures }) => (figures?.workers ?? 1) > 1);
  const rows = ROWS.filter(([name]) => name !== WORKERS || several).map(([name, show]) => [
    name,
    ...parties.map(({ party, figures }) => (figures ? show(figures, party) : NONE)),
  ]);
  const silent = parties.flatMap(({ party, error }) =>
    error ? [`${party.replace("-", " ")}: ${cut(error, ERROR_COLUMNS)}`] : [],
  );
  return [title, table(columns, rows), ...silent].join("\n");
}

function rate(perSecond: number): string {
  return significant(Math.max(0, perSecond));
}
