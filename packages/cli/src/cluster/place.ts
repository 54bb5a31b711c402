/** Where a cluster may lie: what is a file, or one of a cluster's own folders, is refused before anything is written. */
import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { SottoError } from "@sotto/core";
import { called, shellWord } from "../called.js";
import { FILES } from "./files.js";

/** @throws SottoError conflict saying what is there, and what was expected. */
export function refusePlace(dir: string): void {
  if (!existsSync(dir)) return;
  if (!statSync(dir).isDirectory()) {
    throw new SottoError(
      "conflict",
      `${dir} is no directory; name the directory of a cluster, or a new one to have a cluster made in it`,
    );
  }
  if (!existsSync(join(dir, "ca.pem"))) return;
  const above = dirname(resolve(dir));
  const what = existsSync(join(above, FILES.dealer))
    ? `those of the cluster in ${above}; \`${called()} up ${shellWord(above)}\` starts it`
    : "not a cluster; name another directory";
  throw new SottoError("conflict", `${dir} holds certificates, ${what}`);
}
