/** PyTorch weights in safetensors, with a configuration that wires them. */
export { importPytorch, type PytorchOptions } from "./import.js";
export { isSafetensors, type RawTensor, readSafetensors } from "./safetensors.js";
