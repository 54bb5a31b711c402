/** The two runs without servers: floats by ONNX Runtime, and the integers of a private run, computed in one place. */
import { readFile } from "node:fs/promises";
import {
  applyPending,
  type Compiled,
  instantiate,
  type Network,
  prepareInputs,
  runExact,
  sizesOf,
} from "@sotto/core";
import type { Tensor } from "onnxruntime-web";
import { Collector } from "./answers.js";
import type { LoadedSet, Sample } from "./set.js";

/** Told how many samples are done. */
export type OnDone = (done: number) => void;

/** All samples in floats. @param output the output that holds the scores. */
export async function runFloat(set: LoadedSet, output: string, onDone: OnDone): Promise<Collector> {
  const ort = await import("onnxruntime-web");
  // the models are small: threads only cost, and others use the cores as well
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(await readFile(set.model), { logSeverityLevel: 3 });
  const types = new Map(session.inputMetadata.map((m) => [m.name, m.isTensor ? m.type : "float32"]));
  const collector = new Collector(set.classes.length);
  for (const [i, sample] of set.samples.entries()) {
    const feeds: Record<string, Tensor> = {};
    for (const [name, { shape, data }] of Object.entries(sample.inputs)) {
      const type = types.get(name) ?? "float32";
      feeds[name] = new ort.Tensor(type as "float32", arrayOf(type, data) as Float32Array, shape);
    }
    const results = await session.run(feeds);
    collector.add(i, sample, (results[output] as Tensor).data as Float32Array);
    onDone(i + 1);
  }
  await session.release();
  return collector;
}

function arrayOf(type: string, data: ArrayLike<number>): unknown {
  if (type === "int64") return BigInt64Array.from(Array.from(data), BigInt);
  if (type === "int32") return Int32Array.from(data);
  if (type === "float64") return Float64Array.from(data);
  return Float32Array.from(data);
}

/** All samples in fixed point: the integers that a private run computes with, without shares. */
export function runFixed(set: LoadedSet, compiled: Compiled, output: string, onDone: OnDone): Collector {
  const collector = new Collector(set.classes.length);
  const networks = new Map<string, Network>();
  for (const [i, sample] of set.samples.entries()) {
    const network = networkFor(networks, compiled, sample);
    const values = prepareInputs(network, sample.inputs, compiled.publicTensors, { outside: "clip" });
    const results = runExact(network.program, compiled.plan, compiled.tensors, values);
    const about = network.outputs.find((o) => o.name === output)!;
    collector.add(i, sample, applyPending(about, results[output]!));
    onDone(i + 1);
  }
  return collector;
}

/** Samples of one size share a program. */
function networkFor(known: Map<string, Network>, compiled: Compiled, sample: Sample): Network {
  const sizes = sizesOf(compiled.plan, sample.inputs);
  const key = JSON.stringify(sizes);
  const network = known.get(key) ?? instantiate(compiled.plan, sizes);
  known.set(key, network);
  return network;
}
