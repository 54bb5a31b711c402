/** Logs: JSON lines on standard error. Ids, names, sizes and durations; never a value, a share or a seed. */
import { destination, type Level, type Logger, pino } from "pino";

export type { Logger };

export function makeLog(name: string, level: Level | "silent" = "info"): Logger {
  return pino({ name, level, base: { pid: process.pid } }, destination({ fd: 2, sync: true }));
}
