import { badModel, quote } from "./errors.js";
import type { Layer } from "./graph.js";
import type { NumberArray } from "./hdf5/reader.js";

/** Where a model file keeps the weights of its layers. */
export interface WeightSource {
  /**
   * The weights of a layer, or of a part of it ("cell", "forward_layer/cell").
   * @param count as many as these; parts are asked for in the order of Keras's `layer.weights`.
   */
  read(layer: Layer, part: string, count: number): NumberArray[];
  /** After all calls of a layer. @throws SottoError `bad-model` if the file has more weights for it. */
  done?(layer: Layer): void;
}

/**
 * Files that have one list of weights for each layer, in Keras's order: HDF5 of Keras 2, TensorFlow.js. A layer is
 * asked for all of its weights before another one, so that parts are stretches of its list.
 */
export class ListedWeights implements WeightSource {
  private readonly parts = new Map<string, NumberArray[]>();
  private readonly used = new Map<string, number>();

  constructor(private readonly list: (layer: string) => NumberArray[]) {}

  read(layer: Layer, part: string, count: number): NumberArray[] {
    const key = JSON.stringify([layer.name, part]);
    const known = this.parts.get(key);
    if (known) return known;
    const all = this.list(layer.name);
    const from = this.used.get(layer.name) ?? 0;
    const found = all.slice(from, from + count);
    if (found.length < count)
      badModel(
        `layer ${quote(layer.name)} has ${all.length} weights in the file, expected at least ${from + count}`,
      );
    this.used.set(layer.name, from + count);
    this.parts.set(key, found);
    return found;
  }

  done({ name }: Layer): void {
    const [used, there] = [this.used.get(name) ?? 0, this.list(name).length];
    if (used !== there) badModel(`layer ${quote(name)} has ${there} weights in the file, expected ${used}`);
  }
}
