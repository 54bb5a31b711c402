import { readdirSync, readFileSync } from "node:fs";

const FOLDER = new URL("../../fixtures/", import.meta.url);

/** The names of the ONNX files that fixtures/make.py wrote, without extension. */
export function fixtureNames(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(".onnx"))
    .map((file) => file.slice(0, -".onnx".length))
    .sort();
}

/** The bytes of a fixture. */
export function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`${name}.onnx`, FOLDER)));
}
