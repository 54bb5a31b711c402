/** What is the same in Node and in a browser. */
export * from "./cluster.js";
export { Client } from "./connect.js";
export type { DeployOptions } from "./deploy.js";
export * from "./model.js";
export type { InferStats, Saw } from "./stats.js";
