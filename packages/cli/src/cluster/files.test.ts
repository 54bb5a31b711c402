/** What `sotto up` writes, refuses, and takes back. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { HOST, holdsCluster, type Ports, writeCluster } from "./files.js";

const root = mkdtempSync(join(tmpdir(), "sotto-test-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Whatever is free. */
const ANY: Ports = { dealer: 0, peer: 0, http: [0, 0] };
const mode = (path: string) => statSync(path).mode & 0o777;
let count = 0;
let dir: string;
beforeEach(() => {
  dir = join(root, `case-${count++}`, "cluster");
});

describe("a cluster's directory", () => {
  it("is private if it was made, keeps its mode if it was there, and its keys are private in any case", async () => {
    await writeCluster(dir, ANY);
    expect(mode(dir)).toBe(0o700);
    const other = join(root, "shared");
    mkdirSync(other);
    chmodSync(other, 0o755);
    await writeCluster(other, ANY);
    expect(mode(other)).toBe(0o755);
    expect(mode(join(other, "certificates"))).toBe(0o700);
    expect(mode(join(other, "certificates", "owner.key"))).toBe(0o600);
    expect(mode(join(other, "dealer.yaml"))).toBe(0o600);
    expect(readFileSync(join(other, "certificates", ".gitignore"), "utf8")).toBe("*\n");
    expect(await holdsCluster(other)).toBe(true);
  });

  it("is refused if it holds a part of a cluster, with what is missing", async () => {
    expect(await holdsCluster(dir)).toBe(false);
    await writeCluster(dir, ANY);
    rmSync(join(dir, "server-1.yaml"));
    rmSync(join(dir, "certificates", "dealer.key"));
    await expect(holdsCluster(dir)).rejects.toThrow(
      /part of a cluster; missing: server-1\.yaml, certificates\/dealer\.key\. Restore .* delete/,
    );
  });

  it("is not written while a port is busy, and the error says which", async () => {
    const busy: Server = createServer();
    const port = await new Promise<number>((resolve) =>
      busy.listen(0, HOST, () => resolve((busy.address() as AddressInfo).port)),
    );
    try {
      await expect(writeCluster(dir, { ...ANY, peer: port })).rejects.toThrow(
        new RegExp(`port ${port} \\(in use\\); nothing was written.*--port`),
      );
      expect(existsSync(dir)).toBe(false);
    } finally {
      busy.close();
    }
  });

  it("is as it was after undo", async () => {
    const { undo } = await writeCluster(dir, ANY);
    writeFileSync(join(dir, "dealer.log"), "");
    mkdirSync(join(dir, "data-0"));
    undo();
    expect(readdirSync(root)).not.toContain(`case-${count - 1}`);

    mkdirSync(join(dir, "certificates"), { recursive: true });
    writeFileSync(join(dir, "mine.txt"), "");
    writeFileSync(join(dir, "server-0.log"), "");
    (await writeCluster(dir, ANY)).undo();
    expect(readdirSync(dir, { recursive: true }).sort()).toEqual([
      "certificates",
      "mine.txt",
      "server-0.log",
    ]);
  });

  it("can't be a file", async () => {
    writeFileSync(join(root, "file"), "");
    await expect(writeCluster(join(root, "file"), ANY)).rejects.toThrow(/file can't be written/);
    await expect(writeCluster(join(root, "file", "x"), ANY)).rejects.toThrow(/file.x can't be written/);
    expect(existsSync(join(root, "file"))).toBe(true);
  });
});
