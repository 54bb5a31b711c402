/** A real browser for tests and pictures: the Chromium of the operating system. */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { SottoError } from "@sotto/core";
import { type Browser, chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** Its path: that of SOTTO_CHROMIUM, or where PATH has one. */
export function findChromium(): string | undefined {
  const given = process.env.SOTTO_CHROMIUM;
  if (given) return given;
  const directories = (process.env.PATH ?? "").split(delimiter);
  const paths = NAMES.flatMap((name) => directories.map((directory) => join(directory, name)));
  return paths.find((path) => existsSync(path));
}

/** @throws SottoError not-found */
export async function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (!executablePath) {
    throw new SottoError(
      "not-found",
      "no Chromium in PATH: install Debian's package chromium, or set SOTTO_CHROMIUM to its path",
    );
  }
  // containers have neither a sandbox for it nor much shared memory
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
}
