import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { createToken, hashToken, isToken, readTokens, revokeToken } from "./token-file.js";

const dir = mkdtempSync(join(tmpdir(), "sotto-tokens-"));
const [a, b] = [join(dir, "a.yaml"), join(dir, "b.yaml")] as const;
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("a file of tokens", () => {
  it("holds the hash of a token that is given out once, in files that only their owner reads", () => {
    const token = createToken([a, b], { name: "clinic", role: "client", limits: { concurrent: 2 } });
    expect(isToken(token)).toBe(true);
    for (const path of [a, b]) {
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(readFileSync(path, "utf8")).not.toContain(token.slice(6));
      const [entry] = readTokens(path);
      expect(entry).toMatchObject({ name: "clinic", role: "client", limits: { concurrent: 2 } });
      // what is not stated is the server's to say
      expect(Object.keys(entry!.limits!)).toEqual(["concurrent"]);
      expect(entry!.sha256).toBe(hashToken(token).toString("hex"));
    }
    const other = createToken([a], { name: "other", role: "owner" });
    expect(other).not.toBe(token);
    expect(() => createToken([b, a], { name: "other", role: "client" })).toThrow(
      /a token named other already/,
    );
    expect(readTokens(b).map((t) => t.name)).toEqual(["clinic"]);
    revokeToken([a, b], "clinic");
    expect([readTokens(a).map((t) => t.name), readTokens(b)]).toEqual([["other"], []]);
    expect(() => revokeToken([a, b], "clinic")).toThrow(/no token named clinic in/);
    expect(readdirSync(dir).sort()).toEqual(["a.yaml", "b.yaml"]);
  });

  it("that is wrong is refused with what was expected", () => {
    const cases: [string, RegExp][] = [
      ["tokens: 3", /tokens: expected array, found 3/],
      ["tokens: [{name: a, sha256: 12}]", /tokens.0.sha256: expected string/],
      [`tokens: [{name: a b, sha256: ${"ab".repeat(32)}}]`, /tokens.0.name: expected 1 to 100 letters/],
      [`tokens: [${`{name: a, sha256: ${"ab".repeat(32)}},`.repeat(2)}]`, /name a occurs twice/],
    ];
    for (const [text, message] of cases) {
      writeFileSync(a, text);
      expect(() => readTokens(a)).toThrow(message);
    }
  });
});
