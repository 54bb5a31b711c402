/** A model file and the client's inputs for it, checked before any process is started. */
import {
  type Compiled,
  compile,
  instantiate,
  type Network,
  type NumberTensor,
  prepareInputs,
  type Values,
} from "@sotto/core";
import { loadModel } from "@sotto/model";
import { compileOptions, type ModelOptions } from "./compile-options.js";
import { readInputs } from "./inputs.js";
import { note, onNote } from "./terminal.js";

export interface LocalModel {
  compiled: Compiled;
  network: Network;
  inputs: Record<string, NumberTensor>;
  /** The inputs as the network takes them. */
  values: Values;
}

/** @throws SottoError for anything wrong with the model, the files, or how they fit together. */
export async function loadLocalModel(
  path: string,
  specs: readonly string[],
  options: ModelOptions & { clip?: boolean },
): Promise<LocalModel> {
  const model = await loadModel(path, { config: options.config, onNote });
  const { values: inputs, sizes } = await readInputs(specs, model.inputs);
  const compiled = compile(model, { ...(await compileOptions(model, options)), sizes });
  const network = instantiate(compiled.plan, sizes);
  const outside = options.clip ? "clip" : "refuse";
  const values = prepareInputs(network, inputs, compiled.publicTensors, { outside });
  if (options.clip) warnOfClipping(network, inputs);
  return { compiled, network, inputs, values };
}

/** Says how many elements are clipped, not which: that would tell something of the input. */
export function warnOfClipping(network: Network, inputs: Record<string, NumberTensor>): void {
  for (const { name, kind, range } of network.inputs) {
    if (kind !== "real") continue;
    const most = (i: number) => (typeof range === "number" ? range : range[i % range.length]!);
    const outside = Array.from(inputs[name]!.data).filter((v, i) => Math.abs(v) > most(i)).length;
    const declared =
      typeof range === "number" || range.length === 1 ? `|x| <= ${range}` : "its features' ranges";
    if (outside > 0) {
      note(
        `sotto: warning: input ${name}: ${outside} ${outside === 1 ? "element" : "elements"} outside ${declared} ${outside === 1 ? "was" : "were"} clipped`,
      );
    }
  }
}
