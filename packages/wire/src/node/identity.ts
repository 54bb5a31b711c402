/** A party's certificate and key, read and checked before anything is sent. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { SottoError } from "@sotto/core";
import { ROLES, type Role } from "../frame.js";

/** PEM texts. `ca`: an authority, or the certificates of all parties that this one trusts, each its own. */
export interface Identity extends IdentityPaths {
  /** Where `ca` lists the parties' own certificates: the SHA-256 fingerprints of those. Nobody else is any of them. */
  listed?: ReadonlySet<string>;
}

/** Paths of PEM files. */
export interface IdentityPaths {
  ca: string;
  cert: string;
  key: string;
}

/** What Node says of the other side's certificate. */
export interface Shown {
  subject?: { CN?: string | string[] };
  fingerprint256?: string;
}

/**
 * Reads certificates and key. Checking them here gives the reason; over the network a wrong one looks like a
 * connection that closes.
 * @param role whose certificate it has to be, where that is known.
 * @throws SottoError bad-config for a file that cannot be read; tls naming the certificate that is wrong, and why.
 */
export function readIdentity(paths: IdentityPaths, role?: Role): Identity {
  const own = certificate(paths.cert, read(paths, "cert"));
  const { ca, trusted, listed } = readTrusted(paths.ca);
  const identity = { ca, cert: read(paths, "cert"), key: read(paths, "key"), ...(listed ? { listed } : {}) };
  const issuer = trusted.find(
    (one) => one.raw.equals(own.raw) || (!listed && own.checkIssued(one) && own.verify(one.publicKey)),
  );
  if (!issuer && listed)
    throw new SottoError(
      "tls",
      `tls.cert: ${paths.cert} is not among the certificates of ${paths.ca}; add it`,
    );
  if (!issuer) throw together(`tls.cert: ${paths.cert} was not issued by the CA of ${paths.ca}`);
  if (!own.checkPrivateKey(privateKey(paths.key, identity.key)))
    throw new SottoError(
      "tls",
      `tls.key: ${paths.key} is not the key of ${paths.cert}; both are made together`,
    );
  for (const [path, { validFrom, validTo }] of [[paths.ca, issuer] as const, [paths.cert, own] as const]) {
    const now = Date.now();
    if (now < Date.parse(validFrom) || now > Date.parse(validTo))
      throw new SottoError(
        "tls",
        `${path} is valid from ${validFrom} to ${validTo}, not now; make a new one`,
      );
  }
  const name = nameOf(own);
  if (role && name !== role)
    throw new SottoError(
      "tls",
      `tls.cert: ${paths.cert} is the certificate of "${name}", expected "${role}"`,
    );
  return identity;
}

/** The CA alone, for a client that shows no certificate. @throws SottoError bad-config, tls */
export function readAuthority(path: string): Pick<Identity, "ca" | "listed"> {
  const { ca, listed } = readTrusted(path);
  return listed ? { ca, listed } : { ca };
}

/**
 * The common name of the other side's certificate, which is its role. Undefined where certificates are listed one by one and
 * this is none of them: a certificate on the list may be able to sign others, whatever it says of itself (X.509 of version 1).
 */
export function shownName({ subject, fingerprint256 }: Shown, { listed }: Pick<Identity, "listed">) {
  const name = subject?.CN;
  if (typeof name !== "string" || (listed && !listed.has(fingerprint256 ?? ""))) return undefined;
  return name;
}

/** Authorities, or the parties' own certificates: not both, since an authority could make one for any role. */
function readTrusted(path: string) {
  const ca = read({ ca: path, cert: "", key: "" }, "ca");
  const trusted = certificates(path, ca);
  const isParty = (one: X509Certificate) => ROLES.some((role) => role === nameOf(one));
  if (!trusted.some(isParty)) return { ca, trusted };
  const powerful = trusted.find((one) => one.ca);
  if (powerful) {
    throw new SottoError(
      "tls",
      `tls.ca: the certificate of "${nameOf(powerful)}" in ${path} could sign others; expected CA:FALSE, as of all that ` +
        "are listed beside those of parties",
    );
  }
  return { ca, trusted, listed: new Set(trusted.filter(isParty).map((one) => one.fingerprint256)) };
}

function together(what: string): SottoError {
  return new SottoError("tls", `${what}; make a cluster's certificates together (sotto certs)`);
}

function privateKey(path: string, pem: string) {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new SottoError("bad-config", `tls.key: ${path} is not a private key in PEM`, { cause });
  }
}

function read(paths: IdentityPaths, key: keyof IdentityPaths): string {
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
