import { readFileSync } from "node:fs";
import type { Constant } from "@sotto/core";

const FOLDER = new URL("../../fixtures/pytorch/", import.meta.url);

/** What fixtures/pytorch/make.py wrote of a model: what PyTorch prints of it, and computes. */
export interface PytorchFixture {
  name: string;
  print: string;
  inputs: Record<string, Constant>;
  outputs: Record<string, Constant>;
}

/** All of them; the file of each is pytorchFile(name). */
export function pytorchFixtures(): PytorchFixture[] {
  const lines = readFileSync(new URL("expected.jsonl", FOLDER), "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as PytorchFixture);
}

export function pytorchFixture(name: string): PytorchFixture {
  const found = pytorchFixtures().find((f) => f.name === name);
  if (!found) throw new Error(`there is no fixture ${name}`);
  return found;
}

/** A file of that folder; without an ending, the state_dict of that name. */
export function pytorchFile(name: string): Uint8Array {
  const file = name.includes(".") ? name : `${name}.safetensors`;
  return new Uint8Array(readFileSync(new URL(file, FOLDER)));
}

/** A safetensors file of single precision numbers. */
export function writeSafetensors(
  tensors: Record<string, { shape: number[]; data: ArrayLike<number> }>,
): Uint8Array {
  let end = 0;
  const header = Object.entries(tensors).map(([name, { shape, data }]) => {
    const begin = end;
    end += 4 * data.length;
    return [name, { dtype: "F32", shape, data_offsets: [begin, end] }];
  });
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const bytes = new Uint8Array(8 + text.length + end);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  Object.values(tensors)
    .flatMap(({ data }) => Array.from(data))
    .forEach((v, i) => {
      view.setFloat32(8 + text.length + 4 * i, v, true);
    });
  return bytes;
}
