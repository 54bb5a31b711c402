/** The calls of layers in a model, in an order in which they can be made. */
import { badModel, quote, unsupported } from "./errors.js";
import type { LayerJson, ModelJson } from "./json.js";

/** One output of one call of a layer. */
export interface Ref {
  layer: string;
  call: number;
  output: number;
}

export interface Layer {
  /** Unique in the model. */
  name: string;
  json: LayerJson;
}

export interface Call {
  layer: Layer;
  index: number;
  /** The tensors that it is called with: its inputs, then initial states. */
  inputs: Ref[];
  /** A mask that it is called with by name, as Keras 3 writes. */
  mask?: Ref;
  /** Other arguments that are not tensors (of operations like x != 0). */
  values: unknown[];
}

export interface Graph {
  layers: Layer[];
  inputs: Ref[];
  outputs: Ref[];
  /** Those that the outputs depend on, each after what it depends on. */
  calls: Call[];
}

/** @throws SottoError `bad-model` if references lead nowhere or in circles. */
export function readGraph(model: ModelJson): Graph {
  const layers = model.layers.map((json) => ({ name: layerName(json), json }));
  const names = new Set<string>();
  for (const { name } of layers) {
    if (names.has(name)) badModel(`two layers have the name ${quote(name)}`);
    names.add(name);
  }
  return model.kind === "sequential" ? sequential(model, layers) : functional(model, layers);
}

function layerName(json: LayerJson): string {
  const name = json.name ?? json.config.name;
  if (typeof name !== "string" || name === "")
    badModel(`a layer of class ${quote(json.class_name)} has no name`);
  return name;
}

function sequential(model: ModelJson, layers: Layer[]): Graph {
  const [first] = layers;
  if (!first) badModel("the model has no layers");
  const all =
    first.json.class_name === "InputLayer" ? layers : [implicitInput(first, model.inputShape), ...layers];
  const ref = (layer: Layer): Ref => ({ layer: layer.name, call: 0, output: 0 });
  const calls = all.map((layer, i) => ({
    layer,
    index: 0,
    inputs: i === 0 ? [] : [ref(all[i - 1]!)],
    values: [],
  }));
  return { layers: all, inputs: [ref(all[0]!)], outputs: [ref(all[all.length - 1]!)], calls };
}

/** Without an InputLayer the first layer (or, in Keras 3, the model) knows the input's shape. */
function implicitInput(first: Layer, built: unknown): Layer {
  const { config } = first.json;
  const shape =
    config.batch_input_shape ??
    config.batch_shape ??
    built ??
    (first.json.class_name === "Embedding" ? [null, config.input_length ?? null] : undefined);
  if (shape === undefined)
    unsupported("the model has no input shape; call it on data (or build it) before you save it");
  const name = `${first.name}_input`;
  const json = { class_name: "InputLayer", config: { name, batch_input_shape: shape }, inbound_nodes: [] };
  return { name, json };
}

function functional(model: ModelJson, layers: Layer[]): Graph {
  const calls = new Map<string, Call>();
  for (const layer of layers) {
    const nodes = layer.json.inbound_nodes;
    if (nodes.length === 0)
      calls.set(key({ layer: layer.name, call: 0 }), { layer, index: 0, inputs: [], values: [] });
    nodes.forEach((node, index) => {
      calls.set(key({ layer: layer.name, call: index }), { layer, index, ...readNode(layer, node) });
    });
  }
  const inputs = refs(model.inputLayers, "input_layers");
  const outputs = refs(model.outputLayers, "output_layers");
  if (inputs.length === 0 || outputs.length === 0) badModel("the model has no inputs or no outputs");
  return { layers, inputs, outputs, calls: order(calls, [...inputs, ...outputs]) };
}

function order(calls: ReadonlyMap<string, Call>, wanted: readonly Ref[]): Call[] {
  const ordered: Call[] = [];
  const state = new Map<string, "open" | "done">();
  // Depth first without recursion: chains may be long.
  const stack = wanted.map(key).reverse();
  while (stack.length > 0) {
    const id = stack[stack.length - 1]!;
    const call = calls.get(id) ?? badModel(`the output ${quote(id)} of a layer does not exist`);
    if (state.get(id) === "done") {
      stack.pop();
      continue;
    }
    const before = [...call.inputs, ...(call.mask ? [call.mask] : [])].map(key);
    if (state.get(id) === "open") {
      stack.pop();
      state.set(id, "done");
      ordered.push(call);
      continue;
    }
    state.set(id, "open");
    for (const next of before.reverse()) {
      if (state.get(next) === "open") badModel(`the layer ${quote(call.layer.name)} depends on itself`);
      if (!state.has(next)) stack.push(next);
    }
  }
  return ordered;
}

function key({ layer, call }: Pick<Ref, "layer" | "call">): string {
  return `${layer} (call ${call})`;
}

type Arguments = Pick<Call, "inputs" | "mask" | "values">;

/**
 * Keras 2 has a list [["x", 0, 0, {...}], ...] of input tensors (also one without the outer list), with further
 * arguments in the last place; Keras 3 the call's arguments, with tensors as objects.
 * Sources: keras-team/keras, src/models/functional.py (deserialize_node) and, of Keras 2, engine/functional.py.
 */
function readNode(layer: Layer, node: unknown): Arguments {
  if (isRecord(node)) return keras3(layer, node);
  if (!Array.isArray(node)) badModel(`the layer ${quote(layer.name)} has an unreadable connection`);
  const entries: unknown[] = typeof node[0] === "string" ? [node] : node;
  const result: Arguments = { inputs: entries.map((entry) => refOf(entry, layer.name)), values: [] };
  for (const entry of entries as unknown[][]) if (isRecord(entry[3])) keywords(layer, entry[3], refs, result);
  return result;
}

function keras3(layer: Layer, node: Record<string, unknown>): Arguments {
  const args = Array.isArray(node.args) ? node.args : [];
  const result: Arguments = { inputs: args.flatMap((arg) => tensors(arg)), values: [] };
  for (const arg of args) if (arg !== null && tensors(arg).length === 0) result.values.push(arg);
  if (isRecord(node.kwargs)) keywords(layer, node.kwargs, tensors, result);
  return result;
}

function keywords(
  layer: Layer,
  kwargs: Record<string, unknown>,
  read: (json: unknown, what: string) => Ref[],
  result: Arguments,
): void {
  for (const [name, value] of Object.entries(kwargs)) {
    if (value === null || value === undefined || name === "training") continue;
    if (name === "initial_state") result.inputs.push(...read(value, name));
    else if (name === "mask") {
      const masks = read(value, name);
      if (masks.length > 1) unsupported(`layer ${quote(layer.name)}: several masks`);
      [result.mask] = masks;
    } else
      unsupported(
        `layer ${quote(layer.name)} is called with the argument ${quote(name)}, which is not supported`,
      );
  }
}

/** The tensors of a Keras 3 argument, in order. */
function tensors(json: unknown, _what?: string, depth = 0): Ref[] {
  if (depth > 20) badModel("arguments are nested too deeply");
  if (Array.isArray(json)) return json.flatMap((item) => tensors(item, "", depth + 1));
  if (!isRecord(json)) return [];
  if (json.class_name !== "__keras_tensor__")
    return Object.values(json).flatMap((item) => tensors(item, "", depth + 1));
  const history = isRecord(json.config) ? json.config.keras_history : undefined;
  return [refOf(history, "a layer")];
}

/** ["x", 0, 0], a list of such, or an object of them. */
function refs(json: unknown, what: string, depth = 0): Ref[] {
  if (depth > 20) badModel(`${what}: nested too deeply`);
  if (Array.isArray(json))
    return typeof json[0] === "string"
      ? [refOf(json, what)]
      : json.flatMap((item) => refs(item, what, depth + 1));
  if (isRecord(json)) return Object.values(json).flatMap((item) => refs(item, what, depth + 1));
  badModel(`${what} should be a list of tensors`);
}

function refOf(json: unknown, what: string): Ref {
  const [layer, call, output] = Array.isArray(json) ? json : [];
  if (typeof layer !== "string" || !isIndex(call) || !isIndex(output))
    badModel(`${quote(what)} refers to a tensor by ${quote(json)}; expected a layer's name and two numbers`);
  return { layer, call, output };
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
