/** PyTorch's modules that are supported, by their names in lower case without "_": relu, grucell, batchnorm1d. */
import type { Activation } from "@sotto/core";
import { LARGEST_WINDOW } from "../parts.js";
import type { Arguments } from "./arguments.js";
import { unsupported } from "./errors.js";
import { isTake, type Step, TAKES } from "./steps.js";

interface Module {
  /** The names of the arguments that Python prints without name. */
  positional?: string[];
  /** In a JSON configuration, what the module's own value is: the name of its weights, or this argument. */
  value: "weights" | string;
  /** @param name of the weights. @returns nothing for what does nothing in inference. */
  make: (args: Arguments, name: string) => Step | undefined;
}

const nothing: Module = {
  positional: ["p"],
  value: "p",
  make: (args) => {
    args.ignore("p", "inplace");
    return undefined;
  },
};

const gru: Module = {
  positional: ["input_size", "hidden_size"],
  value: "weights",
  make: (args, name) => {
    const sizes = args.sizes("hidden_size", "input_size");
    args.ignore("dropout", "batch_first");
    return {
      ...weighted(args, name, sizes && [3 * sizes[0]!, sizes[1]!]),
      op: "gru",
      cell: false,
      batchFirst: args.boolean("batch_first") ?? false,
      layers: args.count("num_layers") ?? (args.printed ? 1 : undefined),
      bidirectional: args.boolean("bidirectional") ?? (args.printed ? false : undefined),
      initial: args.text("initial"),
    };
  },
};

const gruCell: Module = {
  positional: ["input_size", "hidden_size"],
  value: "weights",
  make: (args, name) => {
    const sizes = args.sizes("hidden_size", "input_size");
    const batchFirst = args.boolean("batch_first") ?? false;
    const expected = sizes && [3 * sizes[0]!, sizes[1]!];
    const initial = args.text("initial");
    return { ...weighted(args, name, expected), op: "gru", cell: true, batchFirst, layers: 1, initial };
  },
};

const linear: Module = {
  positional: ["in_features", "out_features"],
  value: "weights",
  make: (args, name) => ({
    op: "linear",
    ...weighted(args, name, args.sizes("out_features", "in_features")),
  }),
};

const embedding: Module = {
  positional: ["num_embeddings", "embedding_dim"],
  value: "weights",
  make: (args, name) => {
    args.ignore("padding_idx", "sparse", "scale_grad_by_freq");
    if ((args.get("max_norm") ?? null) !== null)
      unsupported(`${args.where}: max_norm is not supported. In Python, scale the table's rows down once`);
    return { op: "embedding", name, expected: args.sizes("num_embeddings", "embedding_dim") };
  },
};

const conv1d: Module = {
  positional: ["in_channels", "out_channels"],
  value: "weights",
  make: (args, name) => {
    if ((args.get("padding_mode") ?? "zeros") !== "zeros")
      unsupported(`${args.where}: padding_mode is not "zeros", which alone is supported`);
    const groups = args.count("groups") ?? 1;
    const sizes = args.sizes("out_channels", "in_channels", "kernel_size");
    const same = args.get("padding") === "same";
    const padding = args.get("padding") === "valid" || same ? 0 : (args.integer("padding") ?? 0);
    if (padding < 0) args.bad("padding", 'a whole number from 0, "same" or "valid"');
    return {
      ...weighted(args, name, sizes && [sizes[0]!, sizes[1]! / groups, sizes[2]!]),
      op: "conv1d",
      stride: args.count("stride") ?? 1,
      dilation: args.count("dilation") ?? 1,
      groups,
      padding: same ? "same" : padding,
    };
  },
};

const batchNorm: Module = {
  positional: ["num_features"],
  value: "weights",
  make: (args, name) => {
    args.ignore("momentum", "affine");
    if (args.boolean("track_running_stats") === false)
      unsupported(`${args.where}: it has no running statistics, so that it would depend on the batch`);
    return {
      op: "batchNorm",
      name,
      expected: args.sizes("num_features"),
      eps: args.number("eps", 1e-5),
    };
  },
};

const softmax = (op: "softmax" | "logSoftmax"): Module => ({
  value: "axis",
  make: (args) => {
    const [axis, dim] = ["axis", "dim"].map((name) =>
      args.get(name) === null ? undefined : args.integer(name),
    );
    return { op, axis: axis ?? dim ?? (args.printed ? undefined : -1) };
  },
});

const activation = (make: (args: Arguments) => Activation): Module => ({
  value: "",
  make: (args) => {
    args.ignore("inplace");
    return { op: "activation", activation: make(args) };
  },
});

const pool = (fn: "mean" | "max"): Module => ({
  value: "output_size",
  make: (args) => {
    const size = args.integer("output_size") ?? 1;
    return size === 1
      ? { op: "pool", fn }
      : unsupported(`${args.where}: output_size ${size} is not supported; 1 is`);
  },
});

const windows = (fn: "mean" | "max"): Module => ({
  value: "kernel_size",
  make: (args) => {
    const size = args.count("kernel_size") ?? args.bad("kernel_size", "a whole number above 0");
    if (size > LARGEST_WINDOW)
      unsupported(`${args.where}: windows of ${size} steps; supported are ${LARGEST_WINDOW}, or all steps`);
    if ((args.integer("padding") ?? 0) !== 0)
      unsupported(`${args.where}: padding is not 0, which alone is supported`);
    if (args.boolean("ceil_mode")) unsupported(`${args.where}: ceil_mode is on; supported are whole windows`);
    args.ignore("count_include_pad", "return_indices");
    const stride = args.get("stride") === null ? size : (args.count("stride") ?? size);
    return { op: "windows", fn, size, stride, dilation: fn === "max" ? (args.count("dilation") ?? 1) : 1 };
  },
});

const softplus = activation((args) => {
  if (args.number("beta", 1) !== 1) unsupported(`${args.where}: beta is not 1, which alone is supported`);
  args.ignore("threshold");
  return { name: "softplus" };
});

const threshold = activation((args) => {
  if (args.number("value", 0) !== 0) unsupported(`${args.where}: value is not 0, which alone is supported`);
  return { name: "thresholdedRelu", alpha: args.number("threshold", 0) };
});

const transpose: Module = {
  value: "axes",
  make: (args) => {
    const axes = args.get("axes");
    if (!Array.isArray(axes) || axes.length !== 2 || !axes.every((a) => Number.isSafeInteger(a)))
      args.bad("axes", "two axes to exchange, as in [1, 2]");
    return { op: "transpose", axes: axes as [number, number] };
  },
};

const take: Module = {
  value: "what",
  make: (args) => {
    const what = args.get("what");
    return isTake(what) ? { op: "take", what } : args.bad("take", `one of ${TAKES.join(", ")}`);
  },
};

const flatten: Module = {
  value: "",
  make: (args) => ({
    op: "flatten",
    start: args.integer("start_dim") ?? 1,
    end: args.integer("end_dim") ?? -1,
  }),
};

export const MODULES: ReadonlyMap<string, Module> = new Map([
  ["embedding", embedding],
  ["gru", gru],
  ["grucell", gruCell],
  ["linear", linear],
  ["conv1d", conv1d],
  ["batchnorm", batchNorm],
  ["batchnorm1d", batchNorm],
  ["take", take],
  ["transpose", transpose],
  ["flatten", flatten],
  ["dropout", nothing],
  ["identity", nothing],
  ["relu", activation(() => ({ name: "relu" }))],
  ["tanh", activation(() => ({ name: "tanh" }))],
  ["sigmoid", activation(() => ({ name: "sigmoid" }))],
  ["softsign", activation(() => ({ name: "softsign" }))],
  ["softplus", softplus],
  ["leakyrelu", activation((a) => ({ name: "leakyRelu", alpha: a.number("negative_slope", 0.01) }))],
  ["elu", activation((a) => ({ name: "elu", alpha: a.number("alpha", 1) }))],
  [
    "relu6",
    activation((a) => ({ name: "clip", alpha: a.number("min_val", 0), beta: a.number("max_val", 6) })),
  ],
  [
    "hardtanh",
    activation((a) => ({ name: "clip", alpha: a.number("min_val", -1), beta: a.number("max_val", 1) })),
  ],
  ["hardsigmoid", activation(() => ({ name: "hardSigmoid", alpha: 1 / 6, beta: 0.5 }))],
  ["threshold", threshold],
  ["softmax", softmax("softmax")],
  ["logsoftmax", softmax("logSoftmax")],
  ["adaptiveavgpool1d", pool("mean")],
  ["adaptivemaxpool1d", pool("max")],
  ["avgpool1d", windows("mean")],
  ["maxpool1d", windows("max")],
]);

/** The key of a module in MODULES: "GRUCell" and "gru_cell" are the same. */
export function moduleKey(name: string): string {
  return name.toLowerCase().replaceAll("_", "");
}

/** How modules are called in a JSON configuration. */
export const CONFIGURABLE =
  "embedding, gru, gru_cell, take, linear, conv1d, batch_norm, transpose, flatten, dropout, identity, relu, tanh, " +
  "sigmoid, softsign, softplus, leaky_relu, elu, relu6, hardtanh, hardsigmoid, threshold, softmax, log_softmax, " +
  "avg_pool1d, max_pool1d, adaptive_avg_pool1d, adaptive_max_pool1d";

function weighted(args: Arguments, name: string, expected: number[] | undefined) {
  return { name, expected, bias: args.boolean("bias") ?? (args.printed ? true : undefined) };
}
