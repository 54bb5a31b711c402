/** The result of a private inference, for programs and for people: what `run` and `infer` print. */
import { bytes, duration, preview, roundMs, significant } from "./format.js";
import { type OutputJson, type Outputs, outputsJson } from "./outputs.js";

/** What the client measured and was told (docs of @sotto/client). Bytes include frame headers. */
export interface RunStats {
  onlineMs: number;
  offlineMs: number;
  totalMs: number;
  rounds: number;
  onlineBytes: number;
  offlineBytes: { server0: number; server1: number };
}

export interface ResultJson extends Omit<RunStats, "totalMs"> {
  outputs: Record<string, OutputJson>;
  totalMs: number;
  plan: string;
  maxAbsError?: number;
}

export interface Result {
  outputs: Outputs;
  stats: RunStats;
  plan: string;
  files?: Record<string, string>;
  maxAbsError?: number;
  /** Where states are clipped, if the model has such a bound: what the plaintext result does not do. */
  stateBound?: number;
}

/** Exactly the fields that are promised: whatever else the client knows stays here. */
export function resultJson({ outputs, stats, plan, files, maxAbsError }: Result): ResultJson {
  const { onlineMs, offlineMs, totalMs, rounds, onlineBytes, offlineBytes } = stats;
  return {
    outputs: outputsJson(outputs, files),
    onlineMs: roundMs(onlineMs),
    offlineMs: roundMs(offlineMs),
    totalMs: roundMs(totalMs),
    rounds,
    onlineBytes,
    offlineBytes: { server0: offlineBytes.server0, server1: offlineBytes.server1 },
    plan,
    ...(maxAbsError === undefined ? {} : { maxAbsError }),
  };
}

export function renderResult({ outputs, stats, files, maxAbsError, stateBound }: Result): string {
  const lines = Object.entries(outputs).map(([name, output]) => {
    const file = files?.[name];
    return `${name}  ${preview(output)}${file ? `\n  -> ${file}` : ""}`;
  });
  const { server0, server1 } = stats.offlineBytes;
  lines.push(
    "",
    `online   ${duration(stats.onlineMs)}, ${stats.rounds} rounds, ${bytes(stats.onlineBytes)} each way between the servers`,
    `offline  ${duration(stats.offlineMs)}, ${bytes(server0)} from the dealer to server 0, ${bytes(server1)} to server 1`,
  );
  if (maxAbsError !== undefined) {
    lines.push(`check    largest difference from the plaintext result: ${significant(maxAbsError)}`);
    if (stateBound !== undefined) {
      lines.push(
        `         (privately, states beyond --state-bound ${stateBound} are clipped; sotto inspect --calibrate shows what they reach)`,
      );
    }
  }
  return lines.join("\n");
}
