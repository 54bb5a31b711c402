/** `metrics` of a daemon's configuration. */
import { z } from "zod";

const LISTEN = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/;

const listen = z.string().refine((text) => Number(LISTEN.exec(text)?.[3] ?? 65536) < 65536, {
  error: 'expected "host:port", for example "127.0.0.1:9464"',
});

const path = z.string().min(1);

/**
 * Where metrics and health are answered. Without `tls` over plain HTTP; with `tls.ca`, callers must show a certificate
 * of that authority.
 */
export const metricsConfig = z.strictObject({
  listen,
  tls: z.strictObject({ cert: path, key: path, ca: path.optional() }).optional(),
});

export type MetricsConfig = z.output<typeof metricsConfig>;

/** "host:port" or "[address]:port", as the schema takes it. */
export function addressOf(listen: string): { host: string; port: number } {
  const [, v6, name, port] = LISTEN.exec(listen) ?? [];
  return { host: (v6 ?? name)!, port: Number(port) };
}

/** With paths made absolute. */
export function absoluteMetrics(metrics: MetricsConfig, at: (path: string) => string): MetricsConfig {
  if (!metrics.tls) return metrics;
  const { cert, key, ca } = metrics.tls;
  return { ...metrics, tls: { cert: at(cert), key: at(key), ...(ca ? { ca: at(ca) } : {}) } };
}
