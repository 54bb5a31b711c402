export * from "./bundle.js";
export * from "./channel.js";
export * from "./codes.js";
export * from "./frame.js";
export * from "./link.js";
export * from "./messages.js";
export { checkPlan } from "./plan-check.js";
