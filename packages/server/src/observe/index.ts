/** Metrics of a daemon: loaded only where the configuration asks for them. */
import type { Role } from "@sotto/wire";
import type { MetricsConfig } from "./config.js";
import type { MetricsListener } from "./listener.js";
import type { Gauges } from "./registry.js";
import type { Tally } from "./tally.js";

export interface ObserveOptions {
  party: Role;
  tally: Tally;
  gauges: Gauges;
  /** @throws SottoError why this party cannot serve now. */
  checkReady: () => void;
}

/** @returns undefined where no metrics are configured. @throws SottoError bad-config. */
export async function observe(
  config: MetricsConfig | undefined,
  { party, tally, gauges, checkReady }: ObserveOptions,
): Promise<MetricsListener | undefined> {
  if (!config) return undefined;
  const [{ makeRegistry }, { listenForMetrics }] = await Promise.all([
    import("./registry.js"),
    import("./listener.js"),
  ]);
  return listenForMetrics(config, makeRegistry(party, tally, gauges), checkReady);
}
