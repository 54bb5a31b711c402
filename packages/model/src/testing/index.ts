/** Helpers for tests, also of other packages: makes ONNX models and runs them with ONNX Runtime. */
export { evaluate, interpretations } from "./evaluate.js";
export { fixture, fixtureNames } from "./fixtures.js";
export { GraphWriter } from "./graph-writer.js";
export { type GruModel, makeGruModel } from "./gru-model.js";
export { activate, interpret } from "./interpret.js";
export {
  type PytorchFixture,
  pytorchFile,
  pytorchFixture,
  pytorchFixtures,
  writeSafetensors,
} from "./pytorch.js";
export { uniform } from "./random.js";
export {
  type ActivationSpec,
  type LayerSpec,
  type ModelSpec,
  randomFeeds,
  randomModel,
  writeRandomModel,
} from "./random-model.js";
export { type Feed, type OnnxResult, runOnnx } from "./run-onnx.js";
export {
  type AttributeValue,
  type GraphSpec,
  type NodeSpec,
  type OnnxModel,
  type TensorSpec,
  type ValueSpec,
  writeOnnx,
} from "./write-onnx.js";
