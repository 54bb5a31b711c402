/** `npm run screenshots`: pictures of each case for the documentation, light, dark and as wide as a phone. */
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { launchChromium } from "./chromium.js";
import { startDemo } from "./demo.js";

const FOLDER = fileURLToPath(new URL("../../../docs/images/", import.meta.url));
const FORMS = [
  { form: "light", width: 1040, height: 1320, colorScheme: "light" },
  { form: "dark", width: 1040, height: 1320, colorScheme: "dark" },
  { form: "phone", width: 360, height: 780, colorScheme: "light" },
] as const;
/** For what ticks to stand still. */
const REST_MS = 1200;

/** So many fill the strip. */
const BEATS = 9;

/** What to do with each case before the picture is taken. */
const CASES: Record<string, (page: Page) => Promise<void>> = {
  heart: async (page) => {
    await page.getByLabel("Rhythm, generated").selectOption("premature-ventricular");
    await page.waitForFunction(
      (n) => Number(/\d+/.exec(document.querySelector(".answer .soft")?.textContent ?? "")?.[0]) >= n,
      BEATS,
    );
  },
  packets: async (page) => {
    await page.waitForSelector(".answer");
    await page.getByRole("button", { name: "Run the same again" }).click();
    await page.waitForSelector(".same");
  },
  text: async (page) => {
    await page.waitForSelector(".answer");
    await page.getByRole("button", { name: "Compare with plaintext" }).click();
    await page.getByRole("button", { name: "Run the same again" }).click();
    await page.waitForSelector(".same");
    await page.waitForFunction(() => document.querySelectorAll(".answer").length === 2);
  },
};

export async function takeScreenshots(): Promise<void> {
  await mkdir(FOLDER, { recursive: true });
  const [demo, browser] = await Promise.all([
    startDemo(0, (text) => process.stderr.write(`- ${text}\n`)),
    launchChromium(),
  ]);
  try {
    for (const [name, prepare] of Object.entries(CASES)) {
      for (const { form, width, height, colorScheme } of FORMS) {
        const page = await browser.newPage({ viewport: { width, height }, colorScheme });
        await page.goto(`${demo.url}/#${name}`);
        await prepare(page);
        await page.mouse.move(0, 0);
        // of a case that replays its rounds
        await page.waitForFunction(
          () => !/^Replay/.test(document.querySelector(".replay p")?.textContent ?? ""),
        );
        await page.waitForTimeout(REST_MS);
        const path = `${FOLDER}${name}-${form}.png`;
        await page.screenshot({ path });
        process.stdout.write(`${path}\n`);
        await page.close();
      }
    }
  } finally {
    await browser.close();
    await demo.close();
  }
}
