/**
 * How much longer a process computes while another one does the same: what a machine calls two cores may be one with two
 * threads. Both servers compute at the same time, so their local work takes that much longer than in lock-step.
 */
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { Ring } from "@sotto/core";
import { spread } from "./statistics.js";

const MS = 500;
/** Sizes of the products of `text`. */
const [OUTER, INNER] = [384, 128];

/** The time beside another one, in times of that alone; by the medians. */
export async function sideBySide(): Promise<number> {
  const alone = await products();
  const worker = new Worker(fileURLToPath(import.meta.url));
  try {
    // it says so once it computes
    await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
    return (await products()) / alone;
  } finally {
    await worker.terminate();
  }
}

/** Milliseconds of a product, the median. */
async function products(ms = MS): Promise<number> {
  const ring = await Ring.create();
  const [W, x, out] = [ring.zeros(OUTER * INNER), ring.zeros(INNER), ring.zeros(OUTER)];
  const times: number[] = [];
  const end = performance.now() + ms;
  while (performance.now() < end) {
    const began = performance.now();
    ring.kernels.multiplyAdd(out.ptr, W.ptr, x.ptr, 1, OUTER, INNER);
    times.push(performance.now() - began);
  }
  return spread(times).median;
}

if (!isMainThread && parentPort) {
  await products(MS / 10);
  parentPort.postMessage("computing");
  await products(Number.POSITIVE_INFINITY);
}
