/** `sotto inspect MODEL`: the plan before anything runs. */
import { compile, instantiate, type Sizes } from "@sotto/core";
import { loadModel } from "@sotto/model";
import type { Command } from "commander";
import { bytes, duration, significant, table } from "../format.js";
import { configOption, type Ranges, rangeOption, rangesOf, size } from "../options.js";
import { type PlanReport, planReport } from "../plan-report.js";
import { chooseSizes, sizesFrom } from "../sizes.js";
import { onNote, print } from "../terminal.js";

interface InspectOptions {
  config?: string;
  inputRange?: Ranges;
  size?: Sizes;
  json?: boolean;
}

export function addInspect(program: Command): void {
  program
    .command("inspect")
    .description(
      "show the plan of a private run before anything runs: layers, bounds, rounds, bytes, latency",
    )
    .argument("<model>", "model file (ONNX, or PyTorch weights in safetensors)")
    .addOption(configOption())
    .addOption(rangeOption())
    .option("--size <name=N>", "a size that the model leaves open, e.g. time=50", size)
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nExample:\n  sotto inspect model.onnx --input-range 4 --size time=50")
    .action(async (model: string, options: InspectOptions) => {
      const report = await inspect(model, options);
      await print(options.json ? JSON.stringify(report) : render(report, options.inputRange));
    });
}

export async function inspect(path: string, options: InspectOptions): Promise<PlanReport> {
  const model = await loadModel(path, { config: options.config, onNote });
  const compiled = compile(model, { range: rangesOf(model.inputs, options.inputRange) });
  const sizes = chooseSizes(compiled, options.size ?? {});
  return planReport(compiled, instantiate(compiled.plan, sizesFrom(sizes)), sizes);
}

/** The report for people. @param declared the ranges that the user gave. */
export function render(r: PlanReport, declared: Ranges = {}): string {
  const shape = (s: readonly (number | string)[]) => `[${s.join(", ")}]`;
  const parts = [`${r.model}\n  plan ${r.plan}`];
  parts.push(
    section(
      "Inputs (private; only the client sees them)",
      r.inputs.map((i) => [
        i.name,
        shape(i.declared),
        i.kind === "token"
          ? "tokens, looked up by the client"
          : `|x| <= ${rangeText(i.range)} ${[i.name, ""].some((n) => Object.hasOwn(declared, n)) ? "declared" : "by default; --input-range declares another"}`,
      ]),
    ),
    section(
      "Outputs (private; only the client sees them)",
      r.outputs.map((o) => [o.name, shape(o.shape), o.client ? `${o.client} is computed by the client` : ""]),
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
    `  ${l.name}`,
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
    `bounds of ${layer}`,
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
      `${t.nodes} nodes (${bytes(t.nodes / 8)} of correction each), looked up ${t.lookUps} times`,
    ]),
    [
      "moduli",
      r.moduli.most > 0
        ? `what is opened has ${r.moduli.least} to ${r.moduli.most} bits`
        : "nothing is opened",
    ],
    ["rounds", String(r.rounds)],
    ["online", `${bytes(r.onlineBytes)} each way between the servers (frames of 16 bytes included)`],
    ["offline", `${bytes(r.offlineBytes)} from the dealer to server 1; server 0 gets a seed`],
    ["client", `sends ${bytes(r.inputBytes)} to and gets ${bytes(r.outputBytes)} from each server`],
    [
      "deployment",
      `${bytes(r.deployBytes)} to each server, then ${bytes(r.setupBytes)} each way between them, once`,
    ],
  ]);
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

function section(title: string, rows: string[][], note?: string): string {
  const columns = (rows[0] ?? []).map(() => ({ title: "" }));
  const body = table(
    columns,
    rows.map(([first, ...rest]) => [`  ${first}`, ...rest]),
  )
    .split("\n")
    .filter((line) => line !== "")
    .join("\n");
  return `${title}\n${body}${note ? `\n  (${note})` : ""}`;
}

function rangeText(range: number | number[]): string {
  if (typeof range === "number") return significant(range);
  return `${significant(Math.min(...range))} to ${significant(Math.max(...range))}, by feature,`;
}
