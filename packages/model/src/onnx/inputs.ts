import type { Dimension, ModelInput } from "@sotto/core";
import { badModel, quote, unsupported } from "./errors.js";
import type { Node } from "./graph.js";
import type { GraphProto, TensorShapeProto_Dimension, ValueInfoProto } from "./onnx_pb.js";
import { elementType } from "./tensor.js";

/** The inputs that are not initialisers with a second name (as files before IR version 4 have them). */
export function modelInputs(graph: GraphProto, nodes: readonly Node[]): ModelInput[] {
  const initialisers = new Set(graph.initializer.map((t) => t.name));
  const lengths = lengthNames(nodes);
  return graph.input
    .filter((input) => !initialisers.has(input.name))
    .map((input) => modelInput(input, lengths.has(input.name)));
}

/** Values that are read, directly, converted or sorted, as the sequences' lengths of a GRU. */
function lengthNames(nodes: readonly Node[]): Set<string> {
  const lengths = new Set<string>();
  // From the end, so that what a converted value is used for is known before its source is met.
  for (const { opType, inputs, outputs } of [...nodes].reverse()) {
    if (opType === "GRU" && inputs[4]) lengths.add(inputs[4]);
    if (PASSING.has(opType) && inputs[0] && lengths.has(outputs[0] ?? "")) lengths.add(inputs[0]);
  }
  return lengths;
}

const PASSING: ReadonlySet<string> = new Set(["Cast", "Identity", "TopK"]);

function modelInput(info: ValueInfoProto, isLength: boolean): ModelInput {
  const { name } = info;
  const tensor = info.type?.tensorType;
  if (!tensor?.shape)
    unsupported(`model input ${quote(name)} declares no tensor shape; export the model with shapes`);
  const type = elementType(tensor.elemType);
  if (type !== "float" && type !== "integer")
    unsupported(
      `model input ${quote(name)} has ONNX element type ${tensor.elemType}; supported are reals, and integers as indices of an embedding`,
    );
  const shape = tensor.shape.dim.map((dim, axis) => dimension(dim, name, axis));
  if (type === "integer" && isLength) {
    if (shape.length !== 1)
      badModel(
        `model input ${quote(name)} is sequence_lens of a GRU, and has shape [${shape}]; expected [batch]`,
      );
    return { name, shape, kind: "length" };
  }
  return { name, shape, kind: type === "float" ? "real" : "token" };
}

/** A size; one that the file leaves open (also written as 0 or -1) gets a name of its own. */
function dimension({ value }: TensorShapeProto_Dimension, input: string, axis: number): Dimension {
  if (value.case === "dimParam" && value.value !== "") return value.value;
  if (value.case !== "dimValue" || value.value <= 0n) return `${input}.${axis}`;
  if (value.value > 2n ** 31n) badModel(`model input ${quote(input)} has the impossible size ${value.value}`);
  return Number(value.value);
}

/** The number of axes of the model's outputs, for those whose shape is declared. */
export function outputRanks(graph: GraphProto): Map<string, number> {
  const ranks = new Map<string, number>();
  for (const { name, type } of graph.output) {
    const shape = type?.tensorType?.shape;
    if (shape) ranks.set(name, shape.dim.length);
  }
  return ranks;
}
