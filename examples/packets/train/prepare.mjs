/**
 * Writes what train.py reads, with the features of src/features.ts:
 *
 *   node train/prepare.mjs doh DATA FOLDER         (after `tsc -b`; DATA holds CICDOH20's valid.json)
 *   node train/prepare.mjs local RECORDINGS FOLDER (RECORDINGS holds train/ and validation/ as record/record.py wrote them)
 *
 * Never of the test part. Of CICDOH20's valid.json every sixth flow of a class is for validation.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeNpy } from "@sotto/model/npy";
import { FLOW_PACKETS, WINDOW_PACKETS } from "../dist/index.js";
import { dohSamples, local } from "../dist/sets.js";

const [name, data, folder] = process.argv.slice(2);
if (!["doh", "local"].includes(name) || folder === undefined)
  throw new Error("usage: node train/prepare.mjs doh|local DATA FOLDER");
await mkdir(folder, { recursive: true });

/** Flows lie in no order that says anything of them, so each sixth is as good as any. */
async function dohParts() {
  const counts = new Map();
  const result = { train: [], validation: [] };
  for (const sample of await dohSamples(join(data, "valid.json"))) {
    const count = counts.get(sample.label) ?? 0;
    counts.set(sample.label, count + 1);
    result[count % 6 === 5 ? "validation" : "train"].push(sample);
  }
  return result;
}

const result =
  name === "doh"
    ? await dohParts()
    : {
        train: await local.samples(join(data, "train")),
        validation: await local.samples(join(data, "validation")),
      };
const { most } = name === "doh" ? FLOW_PACKETS : WINDOW_PACKETS;
for (const [part, samples] of Object.entries(result)) {
  const features = samples[0].inputs.packets.shape[2];
  const all = new Float32Array(samples.length * most * features);
  for (const [i, { inputs }] of samples.entries()) all.set(inputs.packets.data, i * most * features);
  const write = (what, shape, values) =>
    writeFile(join(folder, `${part}_${what}.npy`), writeNpy(shape, values, "float32"));
  await write("packets", [samples.length, most, features], all);
  const lengths = samples.map(({ inputs }) => inputs.packets.shape[1]);
  await write("lengths", [samples.length], lengths);
  const labels = samples.map(({ label }) => label);
  await write("labels", [samples.length], labels);
  const counts = labels.reduce((list, label) => Object.assign(list, { [label]: (list[label] ?? 0) + 1 }), {});
  console.log(`${part}: ${samples.length} samples, by class ${JSON.stringify(counts)}`);
}
