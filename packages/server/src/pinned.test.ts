/** Parties without a common authority: each has made its own certificate, and lists those of the others. */
import "reflect-metadata";
import { KeyObject, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import { connect, deploy } from "@sotto/client";
import { ROLES } from "@sotto/wire";
import { readIdentity } from "@sotto/wire/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeCertificates, makeOwnCertificate } from "./certificates.js";
import { TestCluster, tlsPaths } from "./testing/cluster.js";
import { testModel } from "./testing/models.js";

const dir = mkdtempSync(join(tmpdir(), "sotto-pinned-"));
const at = (file: string) => join(dir, "certs", file);
const paths = (role: string) => tlsPaths(dir, role);
const bundle = (roles: readonly string[]) =>
  roles.map((role) => readFileSync(at(`${role}.pem`), "utf8")).join("");

beforeAll(async () => {
  for (const role of ROLES) await makeOwnCertificate(join(dir, "certs"), role);
  writeFileSync(at("ca.pem"), bundle(ROLES));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("pinned certificates", () => {
  it("let a cluster work", async () => {
    const model = testModel();
    const cluster = await TestCluster.start(dir);
    await deploy(cluster.as("owner"), "m", model.compiled);
    const { stats } = await (await cluster.client().model("m")).infer(model.input(1));
    expect(stats.rounds).toBeGreaterThan(0);
    await cluster.stop();
  });

  it("let nobody in who is not listed, not even with a certificate that a listed party has signed", async () => {
    const cluster = await TestCluster.start(dir);
    const key = await importKey(readFileSync(at("server-1.key"), "utf8"));
    const forged = await forge("client", "server-1", key);
    writeFileSync(at("forged.pem"), forged.pem);
    writeFileSync(at("forged.key"), forged.key, { mode: 0o600 });
    const stranger = mkdtempSync(join(tmpdir(), "sotto-stranger-"));
    await makeOwnCertificate(stranger, "client");
    for (const [cert, secret] of [
      [at("forged.pem"), at("forged.key")],
      [join(stranger, "client.pem"), join(stranger, "client.key")],
    ] as const) {
      const ca = join(stranger, "trusted.pem");
      writeFileSync(ca, readFileSync(cert, "utf8") + bundle(["server-0", "server-1"]));
      const as = { ...cluster.as("client"), tls: { ca, cert, key: secret } };
      const client = connect(as);
      // one that is let in is told that there is no such model
      await expect(client.model("m")).rejects.toMatchObject({
        code: expect.stringMatching(/^(tls|unreachable)$/),
      });
      client.close();
    }
    rmSync(stranger, { recursive: true });
    await cluster.stop();
  });

  it("are refused where one could sign others, or one's own is missing", async () => {
    expect(readIdentity(paths("server-0"), "server-0").cert).toContain("BEGIN CERTIFICATE");
    const ca = at("without.pem");
    writeFileSync(ca, bundle(["server-1", "dealer"]));
    expect(() => readIdentity({ ...paths("server-0"), ca })).toThrow(
      /server-0.pem is not among the certificates of/,
    );
    const key = await importKey(readFileSync(at("dealer.key"), "utf8"));
    const { pem } = await forge("dealer", "dealer", key, { ca: true });
    writeFileSync(ca, bundle(["server-0"]) + pem);
    expect(() => readIdentity({ ...paths("server-0"), ca })).toThrow(
      /certificate of "dealer" .* could sign others/,
    );
  });

  it("are refused beside an authority, whatever its name", async () => {
    const { publicKey, privateKey } = await makePair();
    const { pem } = await forge("clinic seven", "clinic seven", privateKey, { ca: true, publicKey });
    const ca = at("mixed.pem");
    writeFileSync(ca, bundle(["server-0", "client"]) + pem);
    expect(() => readIdentity({ ...paths("server-0"), ca })).toThrow(/"clinic seven" .* could sign others/);
  });

  it("let nobody in for another role with what a listed certificate of version 1 has signed", async () => {
    const { publicKey, privateKey } = await makePair();
    const listed = await firstVersion("client", publicKey, privateKey);
    const before = readFileSync(at("ca.pem"), "utf8");
    writeFileSync(at("ca.pem"), listed + bundle(ROLES.filter((role) => role !== "client")));
    const cluster = await TestCluster.start(dir);
    const owner = await forge("owner", "client", privateKey);
    const files = { ca: at("evil-ca.pem"), cert: at("evil.pem"), key: at("evil.key") };
    writeFileSync(files.ca, owner.pem + bundle(["server-0", "server-1"]));
    writeFileSync(files.cert, owner.pem);
    writeFileSync(files.key, owner.key, { mode: 0o600 });
    const evil = connect({ ...cluster.as("owner"), tls: files });
    await expect(evil.remove("m", { retries: 0 })).rejects.toMatchObject({
      code: expect.stringMatching(/^(unauthorized|tls|unreachable)$/),
    });
    evil.close();
    await cluster.stop();
    writeFileSync(at("ca.pem"), before);
  });

  it("may be two of one role, in whatever order: a rotation, and clients with their own", async () => {
    const before = readFileSync(at("ca.pem"), "utf8");
    await makeOwnCertificate(join(dir, "second"), "client");
    const second = join(dir, "second", "client.pem");
    for (const all of [before + readFileSync(second, "utf8"), readFileSync(second, "utf8") + before]) {
      writeFileSync(at("ca.pem"), all);
      const cluster = await TestCluster.start(dir);
      const key = join(dir, "second", "client.key");
      for (const tls of [
        { cert: second, key },
        { cert: at("client.pem"), key: at("client.key") },
      ]) {
        const client = connect({ ...cluster.as("client"), tls: { ca: at("ca.pem"), ...tls } });
        await expect(client.model("none")).rejects.toMatchObject({ code: "not-found" });
        client.close();
      }
      await cluster.stop();
    }
    writeFileSync(at("ca.pem"), before);
  });

  it("do not change what an authority issues", async () => {
    const other = join(dir, "authority");
    await makeCertificates(other);
    const own = (role: string) => ({
      ca: join(other, "ca.pem"),
      cert: join(other, `${role}.pem`),
      key: join(other, `${role}.key`),
    });
    expect(readIdentity(own("dealer"), "dealer").ca).toContain("BEGIN CERTIFICATE");
    expect(() => readIdentity({ ...own("dealer"), ca: at("ca.pem") })).toThrow(/dealer.pem is not among/);
  });
});

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

async function importKey(pem: string): Promise<CryptoKey> {
  return crypto.subtle.importKey("pkcs8", x509.PemConverter.decodeFirst(pem), ALGORITHM, true, ["sign"]);
}

function makePair(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]) as Promise<CryptoKeyPair>;
}

/** A certificate of a role, signed with another party's key; for a new key where none is given. */
async function forge(
  subject: string,
  issuer: string,
  signingKey: CryptoKey,
  options: { ca?: boolean; publicKey?: CryptoKey } = {},
) {
  const keys = await makePair();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${subject}`,
    issuer: `CN=${issuer}`,
    notAfter: new Date(Date.now() + 86_400_000),
    publicKey: options.publicKey ?? keys.publicKey,
    signingKey,
    signingAlgorithm: ALGORITHM,
    extensions: [new x509.BasicConstraintsExtension(options.ca ?? false, undefined, true)],
  });
  const der = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    pem: `${certificate.toString("pem")}\n`,
    key: `${x509.PemConverter.encode(der, "PRIVATE KEY")}\n`,
  };
}

/** PEM. A certificate of X.509's first version has no extensions, and OpenSSL takes it for an authority. */
async function firstVersion(name: string, publicKey: CryptoKey, privateKey: CryptoKey): Promise<string> {
  const der = (tag: number, ...parts: Uint8Array[]) => {
    const body = Buffer.concat(parts);
    const length = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 255];
    return Buffer.concat([Buffer.from([tag, ...length]), body]);
  };
  const SEQUENCE = 0x30;
  const algorithm = der(SEQUENCE, Buffer.from("06082a8648ce3d040302", "hex"));
  const commonName = der(SEQUENCE, Buffer.from("0603550403", "hex"), der(0x0c, Buffer.from(name)));
  const subject = der(SEQUENCE, der(0x31, commonName));
  const times = ["200101000000Z", "491231235959Z"].map((time) => der(0x17, Buffer.from(time)));
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
  const serial = Buffer.from([2, 1, 1]);
  const signed = der(SEQUENCE, serial, algorithm, subject, der(SEQUENCE, ...times), subject, spki);
  const signature = sign("sha256", signed, KeyObject.from(privateKey));
  const whole = der(SEQUENCE, signed, algorithm, der(0x03, Buffer.from([0]), signature));
  return `${x509.PemConverter.encode(whole, "CERTIFICATE")}\n`;
}
