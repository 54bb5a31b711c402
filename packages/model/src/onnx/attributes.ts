import { isFieldSet } from "@bufbuild/protobuf";
import { badNode, type NodeLabel, quote, unsupportedNode } from "./errors.js";
import { type AttributeProto, AttributeProtoSchema } from "./onnx_pb.js";
import { type Literal, readTensor } from "./tensor.js";

/** ONNX's AttributeProto.AttributeType; 0 in files of before it was introduced. */
const TYPES = { float: 1, integer: 2, string: 3, tensor: 4, graph: 5, floats: 6, integers: 7, strings: 8 };
const FIELDS = {
  float: AttributeProtoSchema.field.f,
  integer: AttributeProtoSchema.field.i,
  string: AttributeProtoSchema.field.s,
  tensor: AttributeProtoSchema.field.t,
  graph: AttributeProtoSchema.field.g,
  floats: AttributeProtoSchema.field.floats,
  integers: AttributeProtoSchema.field.ints,
  strings: AttributeProtoSchema.field.strings,
};
type Kind = keyof typeof TYPES;

/**
 * A node's attributes. Getters check the type and return undefined for what is absent; an
 * attribute that nobody asked for is reported by `refuseRest`, so that none is silently ignored.
 */
export class Attributes {
  private readonly byName = new Map<string, AttributeProto>();
  private readonly read = new Set<string>();

  constructor(
    private readonly node: NodeLabel,
    attributes: readonly AttributeProto[],
  ) {
    for (const attribute of attributes) {
      if (this.byName.has(attribute.name)) badNode(node, `attribute ${quote(attribute.name)} occurs twice`);
      this.byName.set(attribute.name, attribute);
    }
  }

  integer(name: string): number | undefined {
    const attribute = this.get(name, "integer");
    return attribute && Number(attribute.i);
  }

  float(name: string): number | undefined {
    return this.get(name, "float")?.f;
  }

  integers(name: string): number[] | undefined {
    return this.get(name, "integers")?.ints.map(Number);
  }

  floats(name: string): number[] | undefined {
    return this.get(name, "floats")?.floats;
  }

  string(name: string): string | undefined {
    const attribute = this.get(name, "string");
    return attribute && text(attribute.s);
  }

  strings(name: string): string[] | undefined {
    return this.get(name, "strings")?.strings.map(text);
  }

  tensor(name: string): Literal | undefined {
    const attribute = this.get(name, "tensor");
    return attribute?.t && readTensor(attribute.t, `${this.node.name}.${name}`);
  }

  /** A subgraph's bytes. */
  graph(name: string): Uint8Array | undefined {
    return this.get(name, "graph")?.g;
  }

  /** The names of all that are there. */
  names(): Iterable<string> {
    return this.byName.keys();
  }

  /** Attributes that don't change what inference computes. */
  ignore(...names: string[]): void {
    for (const name of names) this.read.add(name);
  }

  /** Call last: reports what was not asked for. */
  refuseRest(): void {
    for (const name of this.byName.keys())
      if (!this.read.has(name))
        unsupportedNode(
          this.node,
          `attribute ${quote(name)} is not supported; supported are ${this.known()}`,
        );
  }

  private known(): string {
    return this.read.size > 0 ? [...this.read].join(", ") : "none";
  }

  private get(name: string, kind: Kind): AttributeProto | undefined {
    this.read.add(name);
    const attribute = this.byName.get(name);
    if (!attribute) return undefined;
    if (attribute.refAttrName !== "")
      badNode(this.node, `attribute ${quote(name)} refers to a function's parameter outside a function`);
    const list = kind === "floats" || kind === "integers" || kind === "strings";
    // An empty list leaves no trace but its declared type.
    const present = list || isFieldSet(attribute, FIELDS[kind]);
    if (!present || (attribute.type !== 0 && attribute.type !== TYPES[kind]))
      badNode(this.node, `attribute ${quote(name)} should be of type ${kind}`);
    return attribute;
  }
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
