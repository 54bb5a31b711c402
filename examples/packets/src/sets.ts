/** The sets behind the models, for training and for the experiments (Node only). */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SottoError } from "@sotto/core";
import { type Features, flowFeatures, RANGE, windowFeatures } from "./features.js";
import type { Flow } from "./flows.js";
import { windowsOf } from "./flows.js";
import { dohClasses, localClasses } from "./index.js";
import { readCapture } from "./pcap.js";

export interface Sample {
  inputs: Record<string, Features>;
  /** Position in the classes. */
  label: number;
}

export interface DataSet {
  name: string;
  /** The set as others know it, and where to have it. */
  origin: string;
  classes: readonly string[];
  /** Path of the model file (ONNX): packets [batch, time, features] to logits [batch, classes]. */
  model: string;
  /** What to declare for the inputs: |x| <= range. */
  range: number;
  /** The samples of the split on which figures are reported. */
  samples(folder: string): Promise<Sample[]>;
}

const INPUT = "packets";

/** CICDOH20: signed packet lengths and times of DNS over HTTPS, benign and three tunnels; `folder` holds test.json. */
export const doh: DataSet = {
  name: "cicdoh20",
  origin:
    "CICDOH20, prepared by CertTA from CIRA-CIC-DoHBrw-2020 (https://www.unb.ca/cic/datasets/dohbrw-2020.html)",
  classes: dohClasses,
  model: model("doh.onnx"),
  range: RANGE,
  samples: (folder) => dohSamples(join(folder, "test.json")),
};

/** Windows of this project's own recordings; `folder` holds captures named CLASS-*.pcap, such as those of `samples/`. */
export const local: DataSet = {
  name: "local",
  origin: "recorded by record/record.py on the loopback interface; some in examples/packets/samples",
  classes: localClasses,
  model: model("local.onnx"),
  range: RANGE,
  samples: localSamples,
};

/** Folder of the captures that the repository carries. */
export const samplesFolder = fileURLToPath(new URL("../samples", import.meta.url));

function model(file: string): string {
  return fileURLToPath(new URL(`../model/${file}`, import.meta.url));
}

/**
 * The flows of one file of CICDOH20 (a JSON list with `timestamp`, `direction_length` and `label`).
 *
 * @throws SottoError bad-input for a file that is something else
 */
export async function dohSamples(path: string): Promise<Sample[]> {
  const list: unknown = JSON.parse(await readFile(path, "utf8"));
  if (!Array.isArray(list)) throw new SottoError("bad-input", `${path} is no list of flows`);
  return list.map((entry: { timestamp?: unknown; direction_length?: unknown; label?: unknown }, i) => {
    const { timestamp, direction_length: lengths, label } = entry;
    const known = typeof label === "number" && label in dohClasses;
    if (!areNumbers(timestamp) || !areNumbers(lengths) || timestamp.length !== lengths.length || !known)
      throw new SottoError("bad-input", `${path}: flow ${i} lacks timestamp, direction_length or label`);
    const flow: Flow = { name: "", times: timestamp, lengths };
    return { inputs: { [INPUT]: flowFeatures(flow) }, label };
  });
}

function areNumbers(list: unknown): list is number[] {
  return Array.isArray(list) && list.every((v) => typeof v === "number");
}

/**
 * Attackers of a recording have addresses in 127.66.0.0/16, so a window's class is known packet by packet: an attack's when
 * half of the packets are the attacker's, normal when at most a tenth is, and else unclear.
 */
const ATTACKER = "127.66.";

/** The windows of the captures in a folder, by the names of the files. Unclear windows are left out. */
async function localSamples(folder: string): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const file of (await readdir(folder)).filter((f) => f.endsWith(".pcap")).sort()) {
    samples.push(...windowSamples(await readFile(join(folder, file)), file));
  }
  return samples;
}

/** The windows of one recording, whose name begins with its class. */
export function windowSamples(capture: Uint8Array, file: string): Sample[] {
  const kind = localClasses.findIndex((name) => file.startsWith(`${name}-`));
  if (kind < 0)
    throw new SottoError(
      "bad-input",
      `${file}: the name of a recording begins with one of ${localClasses.join(", ")}`,
    );
  const samples: Sample[] = [];
  for (const window of windowsOf(readCapture(capture).packets)) {
    const share = window.others.filter((a) => a.startsWith(ATTACKER)).length / window.others.length;
    if (share > 0.1 && share < 0.5) continue;
    samples.push({ inputs: { [INPUT]: windowFeatures(window) }, label: share >= 0.5 ? kind : 0 });
  }
  return samples;
}
