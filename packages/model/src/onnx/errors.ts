import { SottoError } from "@sotto/core";

/** What an error message needs to say about a node. */
export interface NodeLabel {
  name: string;
  opType: string;
}

const quote = (name: string) => JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}...` : name);

/** Throws: the file is damaged or contradicts itself. */
export function badModel(message: string, cause?: unknown): never {
  throw new SottoError("bad-model", `ONNX: ${message}`, { cause });
}

/** Throws: this node of the file is damaged or contradicts another. */
export function badNode(node: NodeLabel, message: string, cause?: Error): never {
  badModel(
    `node ${quote(node.name)} (${node.opType}): ${message}${cause ? ` (${cause.message})` : ""}`,
    cause,
  );
}

/** Throws: the file is in order, but has something that this version does not do. */
export function unsupported(message: string): never {
  throw new SottoError("unsupported", `ONNX: ${message}`);
}

/** Throws: this node asks for something that this version does not do; say also what to do instead. */
export function unsupportedNode(node: NodeLabel, message: string): never {
  unsupported(`node ${quote(node.name)} (${node.opType}): ${message}`);
}

export { quote };
