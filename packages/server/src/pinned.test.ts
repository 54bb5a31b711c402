/** Parties without a common authority: each has made its own certificate, and lists those of the others. */
import "reflect-metadata";
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
    expect(() => readIdentity({ ...paths("server-0"), ca })).toThrow(/server-0.pem was not issued by the CA/);
    const key = await importKey(readFileSync(at("dealer.key"), "utf8"));
    const { pem } = await forge("dealer", "dealer", key, true);
    writeFileSync(ca, bundle(["server-0"]) + pem);
    expect(() => readIdentity({ ...paths("server-0"), ca })).toThrow(
      /certificate of "dealer" .* could sign others/,
    );
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
    expect(() => readIdentity({ ...own("dealer"), ca: at("ca.pem") })).toThrow(/not issued by the CA/);
  });
});

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

async function importKey(pem: string): Promise<CryptoKey> {
  return crypto.subtle.importKey("pkcs8", x509.PemConverter.decodeFirst(pem), ALGORITHM, true, ["sign"]);
}

/** A certificate of a role, signed with another party's key. */
async function forge(subject: string, issuer: string, signingKey: CryptoKey, ca = false) {
  const keys = (await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"])) as CryptoKeyPair;
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${subject}`,
    issuer: `CN=${issuer}`,
    notAfter: new Date(Date.now() + 86_400_000),
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: ALGORITHM,
    extensions: [new x509.BasicConstraintsExtension(ca, undefined, true)],
  });
  const der = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    pem: `${certificate.toString("pem")}\n`,
    key: `${x509.PemConverter.encode(der, "PRIVATE KEY")}\n`,
  };
}
