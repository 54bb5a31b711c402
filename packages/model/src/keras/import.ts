import type { ModelDescription } from "@sotto/core";
import { importArchive } from "./archive.js";
import { unsupported } from "./errors.js";
import { importH5 } from "./h5.js";
import { isHdf5 } from "./hdf5/reader.js";
import { isZip } from "./zip.js";

export interface KerasOptions {
  /** The model's name, instead of its own. */
  name?: string;
}

/**
 * Reads a Keras model: an archive (.keras) of Keras 3 or 2.12 and newer, or a whole model in HDF5 (.h5) of Keras 2
 * or 3. Sequential and functional models. Sequences are [batch, time, features], as in Keras.
 *
 * Where layers have masks (mask_zero, Masking), the description has inputs of kind `length` that the client finds by
 * itself: the steps from the first to the last that is not padding.
 * @throws SottoError `bad-model` if the file is damaged or contradicts itself, `unsupported` if it has a layer or
 *   option that this version does not do; the message names it.
 */
export function importKeras(bytes: Uint8Array, options: KerasOptions = {}): ModelDescription {
  if (isHdf5(bytes)) return importH5(bytes, options.name);
  if (isZip(bytes)) return importArchive(bytes, options.name);
  unsupported("this is neither a Keras archive (.keras) nor an HDF5 file (.h5)");
}
