/**
 * The certificates that a cluster file names, checked against each other before they are used. A server that
 * refuses a certificate just closes the connection, and cannot say why (TLS 1.3: after the handshake).
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { SottoError } from "@sotto/core";

/** Paths of PEM files. */
export interface IdentityFiles {
  ca: string;
  cert: string;
  key: string;
}

/** @throws SottoError bad-config for a file that cannot be read; tls for files that do not belong together. */
export function checkIdentity(files: IdentityFiles, now = new Date()): void {
  const trusted = read("ca", files.ca, certificates);
  const cert = read("cert", files.cert, (pem) => new X509Certificate(pem));
  const key = read("key", files.key, (pem) => createPrivateKey(pem));
  // without an authority, a party's own certificate is listed with the others
  const ca = trusted.find(
    (one) => one.raw.equals(cert.raw) || (cert.checkIssued(one) && cert.verify(one.publicKey)),
  );
  if (!ca) {
    throw new SottoError("tls", `the certificate ${files.cert} was not issued by the authority ${files.ca}`);
  }
  if (!cert.checkPrivateKey(key)) {
    throw new SottoError("tls", `the key ${files.key} is not that of the certificate ${files.cert}`);
  }
  for (const [path, { validFrom, validTo }] of [
    [files.ca, ca],
    [files.cert, cert],
  ] as const) {
    if (now < new Date(validFrom) || now > new Date(validTo)) {
      throw new SottoError(
        "tls",
        `the certificate ${path} is valid from ${validFrom} to ${validTo}, and not now`,
      );
    }
  }
}

function certificates(pem: Buffer): X509Certificate[] {
  const texts = pem.toString().match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [pem];
  return texts.map((text) => new X509Certificate(text));
}

function read<T>(what: string, path: string, parse: (pem: Buffer) => T): T {
  try {
    return parse(readFileSync(path));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SottoError("bad-config", `tls.${what}: ${path} is no PEM file that can be used: ${reason}`, {
      cause,
    });
  }
}
