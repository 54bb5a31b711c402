export { type CertificateOptions, makeCertificates } from "./certificates.js";
export { type DealerConfig, loadDealerConfig, loadServerConfig, type ServerConfig } from "./config.js";
export { type DaemonOptions, type RunningDealer, startDealer } from "./dealer/start.js";
export type { Logger } from "./log.js";
export type { ServerStats } from "./party/session-types.js";
export { type RunningServer, startServer } from "./party/start.js";
