/** Where the parties' metrics are: in a file, or in a cluster's directory. */
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { SottoError } from "@sotto/core";
import { readYaml } from "@sotto/wire/node";
import { z } from "zod";
import { FILES } from "../cluster/files.js";

export const PARTIES = ["dealer", "server-0", "server-1"] as const;
export type Party = (typeof PARTIES)[number];

export interface Source {
  party: Party;
  /** Base address, such as http://127.0.0.1:9464. */
  url: string;
  /** PEM texts, for https. */
  tls?: { ca: Buffer; cert?: Buffer; key?: Buffer };
}

const url = z.url({
  protocol: /^https?$/,
  error: "expected an address http://host:port or https://host:port",
});
const path = z.string().min(1);
const topConfig = z.strictObject({
  parties: z.strictObject({ dealer: url, "server-0": url, "server-1": url }).partial(),
  /** Whom to trust for https, and the certificate to show where one is asked for. */
  tls: z.strictObject({ ca: path, cert: path.optional(), key: path.optional() }).optional(),
});

/** What matters here of a daemon's own configuration. */
const daemonConfig = z.looseObject({
  metrics: z.looseObject({ listen: z.string(), tls: z.unknown().optional() }).optional(),
});

/** @throws SottoError bad-config naming the file and what is wrong. */
export function sourcesOf(file: string): Source[] {
  const { parties, tls } = readYaml(file, topConfig);
  const at = (p: string, key: string) => pem(resolve(dirname(file), p), `${file}: tls.${key}`);
  const identity = tls && {
    ca: at(tls.ca, "ca"),
    ...(tls.cert ? { cert: at(tls.cert, "cert") } : {}),
    ...(tls.key ? { key: at(tls.key, "key") } : {}),
  };
  const sources = PARTIES.flatMap((party) => {
    const at = parties[party];
    return at ? [{ party, url: at.replace(/\/+$/, ""), ...(identity ? { tls: identity } : {}) }] : [];
  });
  if (sources.length > 0) return sources;
  throw new SottoError("bad-config", `${file}: parties: expected one at least of ${PARTIES.join(", ")}`);
}

/** Of a cluster that `sotto up` has written. @throws SottoError bad-config. */
export function sourcesIn(dir: string): Source[] {
  const files = { dealer: FILES.dealer, "server-0": FILES.server[0], "server-1": FILES.server[1] };
  return PARTIES.map((party) => {
    const file = join(dir, files[party]);
    const { metrics } = readYaml(file, daemonConfig);
    if (!metrics) {
      throw new SottoError(
        "bad-config",
        `${file}: this party shows no metrics; add \`metrics: { listen: "127.0.0.1:9464" }\`, on a port of its own`,
      );
    }
    if (metrics.tls) {
      throw new SottoError(
        "bad-config",
        `${file}: its metrics take TLS; name addresses and certificates with --config`,
      );
    }
    return { party, url: `http://${metrics.listen}` };
  });
}

function pem(path: string, key: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code;
    throw new SottoError("bad-config", `${key}: cannot read ${path} (${why}); expected a PEM file`, {
      cause,
    });
  }
}
