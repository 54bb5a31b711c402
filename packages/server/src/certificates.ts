/** Certificates of a cluster: one CA, one certificate for each role. */
import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import { writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { ROLES, type Role } from "@sotto/wire";
import { makeDirectory } from "@sotto/wire/node";

export interface CertificateOptions {
  /** Names and addresses under which the parties are reached, besides localhost and 127.0.0.1. */
  hosts?: string[];
  /** How long the certificates are valid; default 365. */
  days?: number;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 86_400_000;
/** Clocks of a cluster differ. */
const SKEW_MS = 3_600_000;

/**
 * Writes ca.pem and, for each role, ROLE.pem and ROLE.key (readable by the owner alone) into `dir`, replacing
 * what is there. The CA's own key is not kept: nobody can add a party later, a new cluster gets a new CA.
 */
export async function makeCertificates(dir: string, options: CertificateOptions = {}): Promise<void> {
  const { validity, names } = prepare(dir, options);

  const caKeys = await makeKeys();
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    // two clusters' CAs must not share a name, or errors speak of bad signatures instead of unknown issuers
    name: `CN=sotto cluster ${randomBytes(4).toString("hex")}`,
    serialNumber: serial(),
    ...validity,
    keys: caKeys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(caKeys.publicKey),
    ],
  });
  writeFileSync(join(dir, "ca.pem"), `${ca.toString("pem")}\n`);
  for (const role of ROLES) {
    const keys = await makeKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      subject: `CN=${role}`,
      issuer: ca.subject,
      serialNumber: serial(),
      ...validity,
      publicKey: keys.publicKey,
      signingKey: caKeys.privateKey,
      signingAlgorithm: ALGORITHM,
      extensions: [
        ...partyExtensions(names),
        await x509.AuthorityKeyIdentifierExtension.create(ca),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    await write(dir, role, certificate, keys);
  }
}

/**
 * Writes ROLE.pem and ROLE.key: a certificate that its own key has signed, for parties that trust no common authority.
 * Each party makes its own, and gives ROLE.pem to the others, who list it in the file that `tls.ca` names. It cannot
 * sign others (CA:FALSE), so nobody can make one for another role.
 */
export async function makeOwnCertificate(
  dir: string,
  role: Role,
  options: CertificateOptions = {},
): Promise<void> {
  const { validity, names } = prepare(dir, options);
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${role}`,
    serialNumber: serial(),
    ...validity,
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      ...partyExtensions(names),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      // of two with one name, as in a rotation, OpenSSL would else take the first in the list for the other's issuer
      await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  await write(dir, role, certificate, keys);
}

/** The folder, and what certificates made at one time have in common. */
function prepare(dir: string, options: CertificateOptions) {
  x509.cryptoProvider.set(webcrypto as Crypto);
  makeDirectory(dir, 0o700);
  const days = options.days ?? 365;
  const validity = {
    notBefore: new Date(Date.now() - SKEW_MS),
    notAfter: new Date(Date.now() + days * DAY_MS),
  };
  const hosts = [...new Set(["localhost", "127.0.0.1", ...(options.hosts ?? [])])];
  const names = hosts.map((h) => ({ type: isIP(h) ? ("ip" as const) : ("dns" as const), value: h }));
  return { validity, names };
}

function partyExtensions(names: x509.JsonGeneralNames): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
    new x509.SubjectAlternativeNameExtension(names),
  ];
}

async function write(
  dir: string,
  role: Role,
  certificate: x509.X509Certificate,
  keys: CryptoKeyPair,
): Promise<void> {
  writeFileSync(join(dir, `${role}.pem`), `${certificate.toString("pem")}\n`);
  writeFileSync(join(dir, `${role}.key`), `${await privatePem(keys.privateKey)}\n`, { mode: 0o600 });
}

function makeKeys(): Promise<CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]) as Promise<CryptoKeyPair>;
}

async function privatePem(key: CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey("pkcs8", key);
  return x509.PemConverter.encode(der, "PRIVATE KEY");
}

/** Positive, as X.509 demands. */
function serial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString("hex");
}
