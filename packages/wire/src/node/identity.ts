/** A party's certificate and key, read and checked before anything is sent. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { SottoError } from "@sotto/core";
import { ROLES, type Role } from "../frame.js";

/** PEM texts. `ca`: an authority, or the certificates of all parties that this one trusts, each its own. */
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
  const trusted = certificates(paths.ca, identity.ca);
  const own = certificate(paths.cert, identity.cert);
  const wrong = (what: string) =>
    new SottoError("tls", `${what}; make a cluster's certificates together (sotto certs)`);
  const issuer = trusted.find(
    (one) => one.raw.equals(own.raw) || (own.checkIssued(one) && own.verify(one.publicKey)),
  );
  if (!issuer) throw wrong(`tls.cert: ${paths.cert} was not issued by the CA of ${paths.ca}`);
  const powerful = trusted.find((one) => one.ca && ROLES.some((r) => r === nameOf(one)));
  if (powerful) {
    throw wrong(
      `tls.ca: the certificate of "${nameOf(powerful)}" in ${paths.ca} could sign others; expected CA:FALSE`,
    );
  }
  if (!own.checkPrivateKey(createPrivateKey(identity.key))) {
    throw wrong(`tls.key: ${paths.key} is not the key of ${paths.cert}`);
  }
  for (const [path, { validFrom, validTo }] of [[paths.ca, issuer] as const, [paths.cert, own] as const]) {
    const now = Date.now();
    if (now < Date.parse(validFrom) || now > Date.parse(validTo)) {
      throw wrong(`${path} is valid from ${validFrom} to ${validTo}, not now`);
    }
  }
  const name = nameOf(own);
  if (role && name !== role)
    throw wrong(`tls.cert: ${paths.cert} is the certificate of "${name}", expected "${role}"`);
  return identity;
}

/** The CA alone, for a client that shows no certificate. @throws SottoError bad-config */
export function readAuthority(path: string): Pick<Identity, "ca"> {
  const ca = read({ ca: path, cert: "", key: "" }, "ca");
  certificate(path, ca);
  return { ca };
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

function nameOf({ subject }: X509Certificate): string | undefined {
  return /^CN=(.*)$/m.exec(subject)?.[1];
}

/** One or several in one file. */
function certificates(path: string, pem: string): X509Certificate[] {
  const texts = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [pem];
  return texts.map((text) => certificate(path, text));
}

function certificate(path: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new SottoError("bad-config", `${path} is not a certificate in PEM`, { cause });
  }
}
