/** `npm run demo:load`: how long the page takes to load, in a browser that has not seen it. Its figures are in apps/demo/README.md. */
import { cpus, loadavg } from "node:os";
import type { Browser } from "playwright-core";
import { launchChromium } from "./chromium.js";
import { startDemo } from "./demo.js";

const LOADS = 11;

/** Milliseconds since the navigation began. */
interface Load {
  /** Something is on the screen. */
  painted: number;
  /** A control of the first case can be used. */
  usable: number;
  /** The first private answer is shown. */
  answered: number;
}

export async function measureLoads(): Promise<void> {
  const [demo, browser] = await Promise.all([
    startDemo(0, (text) => process.stderr.write(`- ${text}\n`)),
    launchChromium(),
  ]);
  try {
    // the first run after a start sets more up than the page
    await load(browser, demo.url);
    const loads: Load[] = [];
    for (let i = 0; i < LOADS; i++) loads.push(await load(browser, demo.url));
    const average = loadavg()[0]!.toFixed(1);
    process.stdout.write(
      `${LOADS} loads on ${cpus().length} cores of ${cpus()[0]?.model}; load average at the end ${average}\n`,
    );
    for (const key of ["painted", "usable", "answered"] as const) {
      const sorted = loads.map((one) => Math.round(one[key])).sort((a, b) => a - b);
      const [least, median, most] = [sorted[0], sorted[LOADS >> 1], sorted.at(-1)];
      process.stdout.write(`${key}: median ${median} ms, from ${least} to ${most} ms\n`);
    }
  } finally {
    await browser.close();
    await demo.close();
  }
}

/** In a context of its own: nothing is cached. */
async function load(browser: Browser, url: string): Promise<Load> {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 } });
  const page = await context.newPage();
  await page.addInitScript(() => {
    const seen: Record<string, number> = {};
    Object.assign(globalThis, { seen });
    new MutationObserver(() => {
      if (document.querySelector("#panel textarea")) seen.usable ??= performance.now();
      if (document.querySelector(".answer")) seen.answered ??= performance.now();
    }).observe(document, { childList: true, subtree: true });
  });
  await page.goto(url);
  await page.waitForSelector(".answer");
  const found = await page.evaluate(() => ({
    painted: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Number.NaN,
    ...(globalThis as unknown as { seen: { usable: number; answered: number } }).seen,
  }));
  await context.close();
  return found;
}
