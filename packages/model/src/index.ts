export { readRegularFile } from "./file.js";
export { importKeras, type KerasOptions } from "./keras/import.js";
export { importTfjs, tfjsWeightPaths } from "./keras/tfjs.js";
export { type LoadOptions, loadModel } from "./load.js";
export { type NpyArray, readNpy, writeNpy } from "./npy.js";
export { type ImportOptions, importOnnx } from "./onnx/import.js";
export { importPytorch, type PytorchOptions } from "./pytorch/index.js";
