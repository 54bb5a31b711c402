export { makeDirectory } from "./directory.js";
export { networkError } from "./errors.js";
export {
  type Identity,
  type IdentityPaths,
  readAuthority,
  readIdentity,
  type Shown,
  shownName,
} from "./identity.js";
export { lockedBy, takeLock } from "./process-lock.js";
export { keepConnected, type ReconnectOptions } from "./reconnect.js";
export * from "./tls.js";
export { explain, readYaml } from "./yaml.js";
