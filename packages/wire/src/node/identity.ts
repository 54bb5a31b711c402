/** A party's certificate and key, read and checked before anything is sent. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { SottoError } from "@sotto/core";
import type { Role } from "../frame.js";

/** PEM texts. */
export interface Identity {
  ca: string;
  cert: string;
  key: string;
}

/** Paths of PEM files. */
export type IdentityPaths = Identity;

/**
 * Reads certificates and key. Checking them here gives the reason; over the network a wrong one looks like a
 * connection that closes.
 * @param role whose certificate it has to be, where that is known.
 * @throws SottoError bad-config for a file that cannot be read; tls naming the certificate that is wrong, and why.
 */
export function readIdentity(paths: IdentityPaths, role?: Role): Identity {
  const identity = { ca: read(paths, "ca"), cert: read(paths, "cert"), key: read(paths, "key") };
  const ca = certificate(paths.ca, identity.ca);
  const own = certificate(paths.cert, identity.cert);
  const wrong = (what: string) =>
    new SottoError("tls", `${what}; make a cluster's certificates together (sotto certs)`);
  if (!own.checkIssued(ca) || !own.verify(ca.publicKey)) {
    throw wrong(`tls.cert: ${paths.cert} was not issued by the CA of ${paths.ca}`);
  }
  if (!own.checkPrivateKey(createPrivateKey(identity.key))) {
    throw wrong(`tls.key: ${paths.key} is not the key of ${paths.cert}`);
  }
  for (const [path, { validFrom, validTo }] of [[paths.ca, ca] as const, [paths.cert, own] as const]) {
    const now = Date.now();
    if (now < Date.parse(validFrom) || now > Date.parse(validTo)) {
      throw wrong(`${path} is valid from ${validFrom} to ${validTo}, not now`);
    }
  }
  const name = /^CN=(.*)$/m.exec(own.subject)?.[1];
  if (role && name !== role)
    throw wrong(`tls.cert: ${paths.cert} is the certificate of "${name}", expected "${role}"`);
  return identity;
}

function read(paths: IdentityPaths, key: keyof Identity): string {
  try {
    return readFileSync(paths[key], "utf8");
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code;
    throw new SottoError(
      "bad-config",
      `tls.${key}: cannot read ${paths[key]} (${why}); expected a PEM file`,
      { cause },
    );
  }
}

function certificate(path: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new SottoError("bad-config", `${path} is not a certificate in PEM`, { cause });
  }
}
