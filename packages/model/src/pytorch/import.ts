import type { ModelDescription } from "@sotto/core";
import { readConfig } from "./config.js";
import { badConfig } from "./errors.js";
import { guess } from "./infer.js";
import { readPrint } from "./print.js";
import { readSafetensors } from "./safetensors.js";
import type { Chain } from "./steps.js";
import { Weights } from "./weights.js";
import { wire } from "./wiring.js";

export interface PytorchOptions {
  /** How the modules are wired: JSON, or what print(model) writes in Python (docs/pytorch.md). */
  config?: string;
  /** The model's name. */
  name?: string;
  /** Gets what was assumed, in words. */
  onNote?: (text: string) => void;
}

/** Longer ones are no configurations. */
const MAX_CONFIG = 2 ** 20;

/**
 * Reads PyTorch weights (a state_dict) from a safetensors file into a model description. A file has weights and
 * no network: that comes from the configuration, or, for one GRU between an embedding and a linear layer, from
 * the weights' names and shapes.
 * @throws SottoError `bad-model` if the file is damaged; `bad-config` if the configuration is missing, malformed
 *   or does not fit the weights; `unsupported` for modules that this version does not do.
 */
export function importPytorch(bytes: Uint8Array, options: PytorchOptions = {}): ModelDescription {
  const weights = new Weights(readSafetensors(bytes));
  const note = options.onNote ?? (() => {});
  const { chain, about } = read(options.config, weights);
  const { description, reading, assumed } = wire(options.name ?? "model", chain, weights);
  const advice = "If forward() does otherwise, give a JSON configuration with --config (docs/pytorch.md)";
  if (about) note(`${about}: ${reading}. ${advice}`);
  else if (assumed) note(`no "take" after a GRU, so that its last state is read: ${reading}`);
  return description;
}

function read(config: string | undefined, weights: Weights): { chain: Chain; about?: string } {
  if (config === undefined)
    return {
      chain: guess(weights),
      about:
        "no configuration; from the weights' names and shapes, without activations, the model is read as",
    };
  if (config.length > MAX_CONFIG)
    badConfig(`it has ${config.length} characters; expected are at most ${MAX_CONFIG}`);
  const text = config.replace(/^\uFEFF/, "").trim();
  if (text === "") badConfig("it is empty");
  if (text.startsWith("{")) return { chain: readConfig(text) };
  return {
    chain: readPrint(text),
    about: "a printed model does not say what forward() does; its modules are run in printed order",
  };
}
