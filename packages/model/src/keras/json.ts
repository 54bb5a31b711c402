/** The JSON of a Keras model at the edge: what is read of it has these types, whatever the file says. */
import { z } from "zod";
import { badModel, unsupported } from "./errors.js";

const Config = z.record(z.string(), z.unknown());
export type Config = z.infer<typeof Config>;

const LayerJson = z.object({
  class_name: z.string(),
  config: Config.default({}),
  /** Only functional models name their layers here; others in the config. */
  name: z.string().optional(),
  /** Keras 3 and 2.12+: where the class is defined. */
  module: z.string().nullish(),
  registered_name: z.string().nullish(),
  inbound_nodes: z.array(z.unknown()).default([]),
});
export type LayerJson = z.infer<typeof LayerJson>;

const ModelJson = z.object({ class_name: z.string(), config: z.union([Config, z.array(z.unknown())]) });
const ModelConfig = z.object({
  name: z.string().optional(),
  layers: z.array(LayerJson),
  input_layers: z.unknown().optional(),
  output_layers: z.unknown().optional(),
  build_input_shape: z.unknown().optional(),
});

export interface ModelJson {
  kind: "sequential" | "functional";
  name: string;
  layers: LayerJson[];
  inputLayers: unknown;
  outputLayers: unknown;
  /** Sequential models of Keras 3 without an InputLayer. */
  inputShape: unknown;
}

/** Names of functional models in the versions of Keras. */
const FUNCTIONAL = ["Functional", "Model"];

/** @throws SottoError `bad-model` if it isn't the topology of a model. */
export function parseModel(json: unknown): ModelJson {
  const { class_name: kind, config } = check(ModelJson, json, "the model's configuration");
  // Before Keras 2.2.3 a sequential model's configuration was the list of its layers.
  const parsed = check(
    ModelConfig,
    Array.isArray(config) ? { layers: config } : config,
    "the model's configuration",
  );
  if (kind !== "Sequential" && !FUNCTIONAL.includes(kind))
    unsupported(
      `the model is of class ${JSON.stringify(kind.slice(0, 100))}; supported are Sequential and Functional models, ` +
        "whose files say how their layers are connected",
    );
  return {
    kind: kind === "Sequential" ? "sequential" : "functional",
    name: parsed.name ?? "model",
    layers: parsed.layers,
    inputLayers: parsed.input_layers,
    outputLayers: parsed.output_layers,
    inputShape: parsed.build_input_shape,
  };
}

/** A layer inside of another's configuration. */
export function parseLayer(json: unknown, what: string): LayerJson {
  return check(LayerJson, json, what);
}

/** @throws SottoError `bad-model` if the text is no JSON. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    badModel(`${what} is not JSON; the file is damaged`, cause);
  }
}

export function check<T>(schema: z.ZodType<T>, json: unknown, what: string): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = issue?.path.map(String).join(".").slice(0, 200);
  badModel(`${what} is not as Keras writes it${path ? ` at ${path}` : ""}: ${issue?.message.slice(0, 200)}`);
}
