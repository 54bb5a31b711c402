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
