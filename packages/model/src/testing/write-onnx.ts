import { create, toBinary } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "../onnx/onnx_pb.js";

/** ONNX's TensorProto.DataType, of what the writer writes. */
const TYPES = { float: 1, int32: 6, int64: 7, bool: 9 };

export interface TensorSpec {
  shape: number[];
  data: ArrayLike<number>;
  /** "float" (32 bits) unless said otherwise. */
  type?: keyof typeof TYPES;
}

export interface ValueSpec {
  name: string;
  /** Numbers, or names of sizes left open; nothing is declared if absent. */
  shape?: (number | string)[];
  type?: keyof typeof TYPES;
}

/** {float: 1} is a float attribute, 1 an integer; lists of numbers are integers; {floats: [1]} is a list of floats. */
export type AttributeValue =
  | number
  | string
  | number[]
  | string[]
  | { float: number }
  | { floats: number[] }
  | { tensor: TensorSpec }
  | { graph: GraphSpec };

export interface NodeSpec {
  op: string;
  name?: string;
  inputs: string[];
  outputs: string[];
  attributes?: Record<string, AttributeValue>;
  domain?: string;
}

/** A graph, or the body of a loop. */
export interface GraphSpec {
  name?: string;
  inputs: ValueSpec[];
  outputs: ValueSpec[];
  nodes: NodeSpec[];
  initialisers?: Record<string, TensorSpec>;
}

export interface OnnxModel extends GraphSpec {
  opset?: number;
}

/** The bytes of an ONNX file; nothing is checked, so that tests can write wrong ones too. */
export function writeOnnx(model: OnnxModel): Uint8Array {
  const message = create(ModelProtoSchema, {
    irVersion: 8n,
    producerName: "sotto-testing",
    opsetImport: [{ domain: "", version: BigInt(model.opset ?? 17) }],
    graph: graphProto(model),
  });
  return toBinary(ModelProtoSchema, message);
}

function graphProto(graph: GraphSpec): GraphProto {
  return create(GraphProtoSchema, {
    name: graph.name ?? "test",
    input: graph.inputs.map(valueInfo),
    output: graph.outputs.map(valueInfo),
    initializer: Object.entries(graph.initialisers ?? {}).map(([name, spec]) => tensorProto(name, spec)),
    node: graph.nodes.map((node) => ({
      name: node.name ?? "",
      opType: node.op,
      domain: node.domain ?? "",
      input: node.inputs,
      output: node.outputs,
      attribute: Object.entries(node.attributes ?? {}).map(([name, value]) => attribute(name, value)),
    })),
  });
}

function valueInfo({ name, shape, type }: ValueSpec): ValueInfoProto {
  const dim = shape?.map((d) =>
    typeof d === "number"
      ? { value: { case: "dimValue" as const, value: BigInt(d) } }
      : { value: { case: "dimParam" as const, value: d } },
  );
  return create(ValueInfoProtoSchema, {
    name,
    type: { tensorType: { elemType: TYPES[type ?? "float"], ...(dim && { shape: { dim } }) } },
  });
}

function tensorProto(name: string, { shape, data, type }: TensorSpec): TensorProto {
  const numbers = Array.from(data);
  const arrays = {
    float: () => Float32Array.from(numbers),
    int32: () => Int32Array.from(numbers),
    int64: () => BigInt64Array.from(numbers, (v) => BigInt(v)),
    bool: () => Uint8Array.from(numbers),
  };
  const array = arrays[type ?? "float"]();
  return create(TensorProtoSchema, {
    name,
    dims: shape.map((d) => BigInt(d)),
    dataType: TYPES[type ?? "float"],
    rawData: new Uint8Array(array.buffer),
  });
}

function attribute(name: string, value: AttributeValue): AttributeProto {
  const text = (s: string) => new TextEncoder().encode(s);
  if (typeof value === "number") return create(AttributeProtoSchema, { name, type: 2, i: BigInt(value) });
  if (typeof value === "string") return create(AttributeProtoSchema, { name, type: 3, s: text(value) });
  if (Array.isArray(value)) {
    const strings = value.filter((v) => typeof v === "string");
    if (strings.length > 0)
      return create(AttributeProtoSchema, { name, type: 8, strings: strings.map(text) });
    return create(AttributeProtoSchema, { name, type: 7, ints: value.map((v) => BigInt(v)) });
  }
  if ("float" in value) return create(AttributeProtoSchema, { name, type: 1, f: value.float });
  if ("floats" in value) return create(AttributeProtoSchema, { name, type: 6, floats: value.floats });
  if ("graph" in value) {
    const g = toBinary(GraphProtoSchema, graphProto(value.graph));
    return create(AttributeProtoSchema, { name, type: 5, g });
  }
  return create(AttributeProtoSchema, { name, type: 4, t: tensorProto("", value.tensor) });
}
