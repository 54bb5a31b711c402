export * from "./errors.js";
export {
  type Cost,
  cost,
  costByLayer,
  expandedBytes,
  preparedBytes,
  stageCorrectionBytes,
} from "./interpret/cost.js";
export { Dealer } from "./interpret/dealer.js";
export { CorrectedMaterial, type Material, outputStream, SeedMaterial } from "./interpret/material.js";
export { isView, type Observation, observeClear } from "./interpret/observe.js";
export { type Carried, dropCarried, Party } from "./interpret/party.js";
export { type Observer, runClear, runExact, type Values } from "./interpret/plain.js";
export { DealerSetup, PartyModel, PartySetup, setupBytes, type TensorShares } from "./interpret/setup.js";
export * from "./plan/compile.js";
export * from "./plan/description.js";
export * from "./plan/fold.js";
export { instantiate, type Network, type NetworkInput, type NetworkOutput } from "./plan/instantiate.js";
export * from "./plan/plan.js";
export { fasterProfile } from "./plan/profile.js";
export { leastNumbers, sizesOf } from "./plan/sizes.js";
export { type ChunkKind, Streaming, type StreamShape } from "./plan/stream.js";
export type { ClientFunction, GroupFunction } from "./plan/values.js";
export { gruFunctions } from "./plan/walk/gru.js";
export { inputBytesOpened } from "./program/first-opening.js";
export { type Program, roundBytes, rounds } from "./program/program.js";
export { SEED_BYTES, Stream } from "./random/stream.js";
export { type RandomBytes, systemRandom } from "./random/system.js";
export { packedBytes } from "./ring/packed.js";
export { Ring, Vector } from "./ring/ring.js";
export { tensorsOf } from "./share/given.js";
export { applyPending } from "./share/pending.js";
export * from "./share/share.js";
