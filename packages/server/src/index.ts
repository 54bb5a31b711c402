import type { Role } from "@sotto/wire";
import type { CertificateOptions } from "./certificates.js";

export {
  createToken,
  newToken,
  readTokens,
  revokeToken,
  type TokenEntry,
} from "./clients/token-file.js";
export {
  type DealerConfig,
  type FrontConfig,
  loadDealerConfig,
  loadFrontConfig,
  loadServerConfig,
  type ServerConfig,
} from "./config.js";
export { type DaemonOptions, type RunningDealer, startDealer } from "./dealer/start.js";
export type { Logger } from "./log.js";
export type { ServerStats } from "./party/session-types.js";
export { type RunningServer, startServer } from "./party/start.js";
export { type RunningFront, startFront } from "./workers/front.js";
export type { CertificateOptions };

/** See certificates.ts, which daemons need not load: what it imports is the largest part of their start. */
export async function makeCertificates(dir: string, options: CertificateOptions = {}): Promise<void> {
  const certificates = await import("./certificates.js");
  return certificates.makeCertificates(dir, options);
}

/** The same for one party's own. */
export async function makeOwnCertificate(
  dir: string,
  role: Role,
  options: CertificateOptions = {},
): Promise<void> {
  const certificates = await import("./certificates.js");
  return certificates.makeOwnCertificate(dir, role, options);
}
