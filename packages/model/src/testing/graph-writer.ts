import {
  type AttributeValue,
  type NodeSpec,
  type TensorSpec,
  type ValueSpec,
  writeOnnx,
} from "./write-onnx.js";

/** Puts an ONNX model together node by node; names are made up. */
export class GraphWriter {
  private readonly nodeList: NodeSpec[] = [];
  private readonly initialisers: Record<string, TensorSpec> = {};
  private readonly inputs: ValueSpec[] = [];
  private readonly outputs: ValueSpec[] = [];
  private count = 0;

  /** @param random gives the weights. */
  constructor(
    private readonly opset: number,
    private readonly random: () => number,
  ) {}

  input(name: string, shape: ValueSpec["shape"], type?: ValueSpec["type"]): string {
    this.inputs.push({ name, shape, ...(type && { type }) });
    return name;
  }

  /** An output whose shape is not declared. */
  output(name: string): void {
    this.outputs.push({ name });
  }

  numbers(length: number, bound: number): number[] {
    return Array.from({ length }, () => Math.fround(bound * this.random()));
  }

  weights(shape: number[], bound: number): string {
    return this.constant(`w${this.count++}`, shape, this.numbers(size(shape), bound));
  }

  constant(name: string, shape: number[], data: number[], type?: TensorSpec["type"]): string {
    this.initialisers[name] = { shape, data, ...(type && { type }) };
    return name;
  }

  /** @returns the names of `count` outputs. */
  nodes(
    op: string,
    inputs: string[],
    count: number,
    attributes: Record<string, AttributeValue> = {},
  ): string[] {
    const name = `${op.toLowerCase()}${this.count++}`;
    const outputs = Array.from({ length: count }, (_, i) => `${name}_out${i}`);
    this.nodeList.push({ op, name, inputs, outputs, attributes });
    return outputs;
  }

  node(op: string, inputs: string[], attributes: Record<string, AttributeValue> = {}): string {
    return this.nodes(op, inputs, 1, attributes)[0]!;
  }

  transpose(x: string, perm: number[]): string {
    return this.node("Transpose", [x], { perm });
  }

  reshape(x: string, shape: number[]): string {
    return this.node("Reshape", [x, this.constant(`shape${this.count++}`, [shape.length], shape, "int64")]);
  }

  /** Axes are an input of ReduceSum from opset 13, of the others from opset 18. */
  reduce(
    op: "ReduceSum" | "ReduceMean" | "ReduceMax" | "ReduceMin",
    x: string,
    axes: number[],
    keepdims = 0,
  ): string {
    if (this.opset < (op === "ReduceSum" ? 13 : 18)) return this.node(op, [x], { axes, keepdims });
    const name = this.constant(`axes${this.count++}`, [axes.length], axes, "int64");
    return this.node(op, [x, name], { keepdims });
  }

  /** With the variances of nobody's data. */
  batchNorm(x: string, channels: number): string {
    const positive = this.numbers(channels, 0.5).map((v) => Math.fround(1 + v));
    const [scale, offset, mean] = [0, 1, 2].map(() => this.weights([channels], 0.8)) as [
      string,
      string,
      string,
    ];
    return this.node("BatchNormalization", [
      x,
      scale,
      offset,
      mean,
      this.constant(`variance${this.count++}`, [channels], positive),
    ]);
  }

  bytes(): Uint8Array {
    const { opset, inputs, outputs, nodeList: nodes, initialisers } = this;
    return writeOnnx({ opset, inputs, outputs, nodes, initialisers });
  }
}

function size(shape: number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
