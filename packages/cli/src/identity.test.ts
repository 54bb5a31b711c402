import { X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificates, makeOwnCertificate } from "@sotto/server";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkIdentity, type IdentityFiles } from "./identity.js";
import { executeHere } from "./testing/in-process.js";

const dir = mkdtempSync(join(tmpdir(), "sotto-test-"));
afterAll(() => rmSync(dir, { recursive: true }));
const at = (name: string) => join(dir, name);
const own = { ca: at("a/ca.pem"), cert: at("a/client.pem"), key: at("a/client.key") };

beforeAll(async () => {
  await makeCertificates(at("a"));
  await makeCertificates(at("b"), { days: 1 });
});

describe("certificates of a cluster file", () => {
  it("belong together", () => {
    expect(() => checkIdentity(own)).not.toThrow();
  });

  it("may be one's own, listed with those of the others", async () => {
    await makeOwnCertificate(at("own"), "client");
    await makeOwnCertificate(at("own"), "server-0");
    const list = at("own/trusted.pem");
    const pem = (role: string) => readFileSync(at(`own/${role}.pem`), "utf8");
    const files = { ca: list, cert: at("own/client.pem"), key: at("own/client.key") };
    writeFileSync(list, pem("server-0") + pem("client"));
    expect(() => checkIdentity(files)).not.toThrow();
    writeFileSync(list, pem("server-0"));
    expect(() => checkIdentity(files)).toThrow(/was not issued by the authority/);
  });

  it("are made one by one with certs --only, and not twice", async () => {
    const made = await executeHere("certs", at("mine"), "--only", "owner", "--host", "owner.example.org");
    expect(made.code).toBe(0);
    const cert = new X509Certificate(readFileSync(at("mine/owner.pem")));
    expect([cert.subject, cert.issuer, cert.ca]).toEqual(["CN=owner", "CN=owner", false]);
    expect(cert.subjectAltName).toContain("owner.example.org");
    expect(made.stdout).toContain(cert.fingerprint256);
    const again = await executeHere("certs", at("mine"), "--only", "owner");
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(/owner\.key is there already/);
    expect((await executeHere("certs", at("mine"), "--only", "king")).code).toBe(2);
  });

  it.each<[string, Partial<IdentityFiles>, string, RegExp]>([
    [
      "another authority",
      { ca: at("b/ca.pem") },
      "tls",
      /a.client\.pem was not issued by the authority .*b.ca\.pem/,
    ],
    ["another key", { key: at("a/owner.key") }, "tls", /owner\.key is not that of the certificate/],
    ["a missing file", { cert: at("none.pem") }, "bad-config", /tls\.cert: .*none\.pem/],
    ["a key where a certificate is expected", { cert: at("a/client.key") }, "bad-config", /tls\.cert/],
  ])("are refused with %s", (_, files, code, message) => {
    const check = () => checkIdentity({ ...own, ...files });
    expect(check).toThrow(message);
    expect(check).toThrow(expect.objectContaining({ code }));
  });

  it("expire", () => {
    const other = { ca: at("b/ca.pem"), cert: at("b/client.pem"), key: at("b/client.key") };
    const tomorrow = new Date(Date.now() + 2 * 86_400_000);
    expect(() => checkIdentity(other, tomorrow)).toThrow(/b.ca\.pem is valid from .* and not now/);
  });
});
