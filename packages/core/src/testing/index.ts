export { type AnyModel, anyModel } from "./layers.js";
export * from "./lockstep.js";
export * from "./models.js";
export * from "./programs.js";
export * from "./seeded.js";
export * from "./together.js";
export * from "./witness.js";
