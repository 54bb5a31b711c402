/** What a workload costs each party to compute, without processes, TLS and waiting; and which operations it goes into. */
import { compile, instantiate, prepareInputs, Ring, shareInputs, systemRandom } from "@sotto/core";
import { deployTogether } from "@sotto/core/testing";
import { importOnnx } from "@sotto/model/onnx";
import { lockStep } from "./lock-step.js";
import { medianTimes, OperationClock, type OperationTimes, type Phase } from "./operation-clock.js";
import { type Spread, spread } from "./statistics.js";
import { INPUT_RANGE, type Material, type Workload } from "./workloads.js";

export interface LocalWork {
  dealMs: Spread;
  /** Of server 0 and server 1. */
  prepareMs: [Spread, Spread];
  onlineMs: [Spread, Spread];
  /** Done while a message is on the way, and not in onlineMs. */
  waitingMs: [Spread, Spread];
  /** Medians of milliseconds by operation, of one server (the mean of both) and of the dealer. */
  operations: Record<string, { deal: number; prepare: number; evaluate: number }>;
}

/** What is in no operation: packing and unpacking of messages, walking the program, freeing, the clocks. */
const REST = "messages and the rest";

export async function localWork({ onnx, x }: Material, w: Workload): Promise<LocalWork> {
  const ring = await Ring.create();
  const compiled = compile(importOnnx(onnx), { range: INPUT_RANGE });
  const network = instantiate(compiled.plan, {});
  const deployment = deployTogether(ring, compiled, systemRandom);
  const inputs = { x: { shape: [w.steps, w.batch, w.inputSize], data: x } };
  const values = prepareInputs(network, inputs, {});
  const run = () => lockStep(ring, network, deployment, shareInputs(ring, network, values));
  for (let i = 0; i < w.warmUp; i++) run();
  const times = Array.from({ length: w.runs }, run);
  // the clocks cost something themselves, so these are other runs
  const clock = new OperationClock(network.program);
  const split: OperationTimes[] = [];
  for (let i = 0; i < Math.min(w.runs, 5); i++) {
    const { deal, prepare, online, waiting } = run();
    const times = clock.take();
    const within = (phase: Phase) => [...times.values()].reduce((sum, t) => sum + t[phase], 0);
    split.push(
      new Map([
        ...times,
        [
          REST,
          {
            deal: deal - within("deal"),
            prepare: prepare[0] + prepare[1] - within("prepare"),
            evaluate: online[0] + online[1] + waiting[0] + waiting[1] - within("evaluate"),
          },
        ],
      ]),
    );
  }
  clock.stop();
  const operations = [...medianTimes(split)].map(
    ([kind, t]) => [kind, { deal: t.deal, prepare: t.prepare / 2, evaluate: t.evaluate / 2 }] as const,
  );
  const both = (of: "prepare" | "online" | "waiting"): [Spread, Spread] => [
    spread(times.map((t) => t[of][0])),
    spread(times.map((t) => t[of][1])),
  ];
  return {
    dealMs: spread(times.map((t) => t.deal)),
    prepareMs: both("prepare"),
    onlineMs: both("online"),
    waitingMs: both("waiting"),
    operations: Object.fromEntries(operations),
  };
}
