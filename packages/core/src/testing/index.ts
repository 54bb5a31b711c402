export * from "./models.js";
export * from "./seeded.js";
export * from "./together.js";
