/** What is the same in Node and in a browser. */
export { type ErrorCode, SottoError } from "@sotto/core";
export * from "./cluster.js";
export { Client } from "./connect.js";
export type { Deployed, DeployOptions, Version } from "./deploy.js";
export type { ListedModel, ListedVersion } from "./manage.js";
export * from "./model.js";
export type { ModelOptions } from "./public-part.js";
export type { Retry, RetryOptions } from "./retry.js";
export type { InferStats, RoundTimes, Saw, ServerStats } from "./stats.js";
export { ModelStream, type StepResult, type StreamOptions } from "./stream.js";
