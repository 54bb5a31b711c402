import { SottoError } from "@sotto/core";

/** For messages: quoted, and not longer than a message should be. */
export const quote = (name: string) => JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}...` : name);

/** Throws: the weights' file is damaged, or its weights contradict each other. */
export function badModel(message: string): never {
  throw new SottoError("bad-model", `safetensors: ${message}`);
}

/** Throws: the configuration is missing, can't be read, or contradicts the weights. */
export function badConfig(message: string): never {
  throw new SottoError("bad-config", `configuration: ${message}`);
}

/** Throws: all is in order, but this version does not do it. */
export function unsupported(message: string): never {
  throw new SottoError("unsupported", `PyTorch: ${message}`);
}

/** The first few of many, for messages. */
export function some(names: readonly string[], most = 12): string {
  const rest = names.length - most;
  return names.slice(0, most).map(quote).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

/** A shape as messages show it: [12, 4]. */
export function shown(shape: readonly (number | string)[]): string {
  return `[${shape.slice(0, 10).join(", ")}${shape.length > 10 ? ", ..." : ""}]`;
}
