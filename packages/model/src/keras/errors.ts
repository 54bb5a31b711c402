import { SottoError } from "@sotto/core";

/** A name of the file for a message, kept short. */
export function quote(name: unknown): string {
  const text = typeof name === "string" ? name : (JSON.stringify(name) ?? String(name));
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}...` : text);
}

/** Throws: the file is damaged or contradicts itself. */
export function badModel(message: string, cause?: unknown): never {
  throw new SottoError("bad-model", `Keras: ${message}`, { cause });
}

/** Throws: the file is in order, but has something that this version does not do. */
export function unsupported(message: string): never {
  throw new SottoError("unsupported", `Keras: ${message}`);
}
