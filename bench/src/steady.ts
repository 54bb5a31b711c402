/**
 * One client that asks again as soon as it has its answer, of servers that prepare ahead of demand as they do by default:
 * how much of that time goes into waiting for the dealer.
 */
import { clientOf, withModel } from "./private.js";
import { type Spread, spread } from "./statistics.js";
import { material, type Workload } from "./workloads.js";

/** Sessions prepared ahead of demand: the servers' default. */
const POOL = 2;

export interface Steady {
  totalMs: Spread;
  /** On the slower server: from the request's arrival until its randomness is there, as in `Result`. */
  waitMs: Spread;
  onlineMs: Spread;
}

export function measureSteady(w: Workload): Promise<Steady> {
  return withModel(
    material(w),
    w,
    undefined,
    async (deployed) => {
      const { infer, close } = await clientOf(deployed);
      for (let run = 0; run < w.warmUp; run++) await infer();
      const stats = [];
      for (let run = 0; run < 2 * w.runs; run++) stats.push((await infer()).stats);
      close();
      return {
        totalMs: spread(stats.map((s) => s.totalMs)),
        waitMs: spread(stats.map((s) => s.offlineMs)),
        onlineMs: spread(stats.map((s) => s.onlineMs)),
      };
    },
    { pool: POOL },
  );
}
