/** Nodes that the recogniser writes itself, in the form of opset 17, for the ordinary converters. */
import { create } from "@bufbuild/protobuf";
import { Attributes } from "../attributes.js";
import type { Context } from "../context.js";
import type { Node } from "../graph.js";
import { AttributeProtoSchema } from "../onnx_pb.js";

type AttributeSpec = Record<string, number | readonly number[]>;

export function makeNode(
  opType: string,
  name: string,
  inputs: string[],
  outputs: string[],
  attributes: AttributeSpec = {},
): Node {
  const protos = Object.entries(attributes).map(([key, value]) =>
    typeof value === "number"
      ? create(AttributeProtoSchema, { name: key, type: 2, i: BigInt(value) })
      : create(AttributeProtoSchema, { name: key, type: 7, ints: value.map((v) => BigInt(v)) }),
  );
  const attributesOf = new Attributes({ name, opType }, protos);
  return { name, opType, domain: "", inputs, outputs, attributes: attributesOf, opset: 17 };
}

/** Writes nodes one after another; each has one output, whose name it returns. */
export class Writer {
  readonly nodes: Node[] = [];
  private readonly constants = new Map<string, string>();

  /** @param name of the nodes, which is what messages to the user point at. */
  constructor(
    private readonly ctx: Context,
    readonly name: string,
  ) {}

  write(opType: string, inputs: string[], attributes: AttributeSpec = {}, output?: string): string {
    const result = output ?? this.ctx.fresh(`${this.name}.${opType.toLowerCase()}`);
    this.nodes.push(makeNode(opType, this.name, inputs, [result], attributes));
    return result;
  }

  gru(inputs: string[], outputs: string[], attributes: AttributeSpec): void {
    this.nodes.push(makeNode("GRU", this.name, inputs, outputs, attributes));
  }

  integers(...values: number[]): string {
    const known = this.constants.get(`${values}`);
    if (known !== undefined) return known;
    const name = this.ctx.addIntegers(`${this.name}.axes`, values);
    this.constants.set(`${values}`, name);
    return name;
  }

  squeeze(x: string, axis: number, output?: string): string {
    return this.write("Squeeze", [x, this.integers(axis)], {}, output);
  }

  unsqueeze(x: string, axis: number): string {
    return this.write("Unsqueeze", [x, this.integers(axis)]);
  }

  /** x[start : end : step] along an axis; an end of undefined is the axis's own, in the step's direction. */
  slice(
    x: string,
    axis: number,
    start: number,
    end: number | undefined,
    step: number,
    output?: string,
  ): string {
    const last = end ?? (step > 0 ? 2 ** 31 - 1 : -(2 ** 31));
    const parameters = [start, last, axis, step].map((v) => this.integers(v));
    return this.write("Slice", [x, ...parameters], {}, output);
  }

  /** One step along an axis, which goes. */
  pick(x: string, axis: number, index: number, output?: string): string {
    return this.squeeze(this.slice(x, axis, index, index + 1, 1), axis, output);
  }

  /** Axis `axis` becomes the first one. */
  toFront(x: string, axis: number, rank: number): string {
    if (axis === 0) return x;
    const others = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis);
    return this.write("Transpose", [x], { perm: [axis, ...others] });
  }
}
