export { readRegularFile } from "./file.js";
export { loadModel } from "./load.js";
export { type NpyArray, readNpy, writeNpy } from "./npy.js";
export { type ImportOptions, importOnnx } from "./onnx/import.js";
