import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { planHash, Ring, shareTensors } from "@sotto/core";
import { encodeBundle } from "@sotto/wire";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newId } from "../parties.js";
import { testModel } from "../testing/models.js";
import { modelFile } from "./model-file.js";
import { type Model, Models } from "./models.js";
import { StorageKey } from "./storage-key.js";

const { compiled } = testModel();

const plain = (model: Model) => ({ ...model, share: [...model.share], tables: [...model.tables] });

describe("stored models", () => {
  let dir: string;
  let share: Uint8Array;
  let log = "";
  const load = (key?: string) => {
    const options = key === undefined ? {} : { key: StorageKey.parse(key) };
    return Models.load(dir, 0, pino({}, { write: (line: string) => (log += line) }), options);
  };
  const bundle = (deployment = newId()) =>
    encodeBundle({ party: 0, deployment, plan: compiled.plan, tables: new Uint8Array(0), share });
  const fileOf = (model: Model) => modelFile(model.name, model.deployment);

  beforeEach(async () => {
    log = "";
    dir = mkdtempSync(join(tmpdir(), "sotto-models-"));
    [share] = shareTensors(await Ring.create(), compiled.plan, compiled.tensors);
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it("are there after a restart, in files that only their owner reads", async () => {
    const before = await (await load()).put("a", bundle());
    expect(statSync(join(dir, fileOf(before))).mode & 0o777).toBe(0o600);
    expect(plain((await load()).need("a"))).toEqual(plain(before));
    expect(before.hash).toBe(planHash(compiled.plan));
    expect(readdirSync(dir)).toEqual([fileOf(before)]);
  });

  it("that are damaged are reported and skipped; the others are served", async () => {
    const models = await load();
    const stored: Model[] = [];
    for (const name of ["a", "b", "c"]) stored.push(await models.put(name, bundle()));
    const [a, b, c] = stored.map(fileOf) as [string, string, string];
    const bytes = readFileSync(join(dir, b));
    bytes[bytes.length - 5]! ^= 1;
    writeFileSync(join(dir, b), bytes);
    writeFileSync(join(dir, c), bytes.subarray(0, 20));
    writeFileSync(join(dir, "d.model.0123.tmp"), "half a model");
    const again = await load();
    expect(again.names()).toEqual(["a"]);
    expect(log).toMatch(/b@\w+\.model.*digest does not match/);
    expect(log).toMatch(/c@\w+\.model/);
    expect(readdirSync(dir)).toEqual([a, b, c]);
    expect(() => again.need("b")).toThrow(
      /server 0 skipped its stored model b, which is damaged.*deploy it again/,
    );
    expect(() => again.need("d")).toThrow(/holds no model named d; deploy it first/);
    await again.put("b", bundle());
    expect(again.need("b").name).toBe("b");
    // a file in another one's place is not taken for it
    writeFileSync(join(dir, c), readFileSync(join(dir, a)));
    expect((await load()).names()).toEqual(["a", "b"]);
    await again.remove("c");
    expect(readdirSync(dir).some((file) => file.startsWith("c"))).toBe(false);
  });

  it("are not replaced by a bundle that is refused", async () => {
    const models = await load();
    const before = await models.put("a", bundle());
    await expect(models.put("a", bundle().subarray(0, 100))).rejects.toMatchObject({ code: "bad-model" });
    expect(plain((await load()).need("a"))).toEqual(plain(before));
  });

  it("keep a version beside the next until it is settled, in their order also after a restart", async () => {
    const models = await load();
    const first = await models.put("a", bundle());
    const second = await models.put("a", bundle());
    const ids = (list: readonly Model[]) => list.map((m) => m.deployment);
    expect(ids(models.versions("a"))).toEqual(ids([second, first]));
    expect(ids((await load()).versions("a"))).toEqual(ids([second, first]));
    await models.settle(first);
    expect(ids(models.versions("a"))).toEqual(ids([second, first]));
    await models.settle(second);
    expect(ids((await load()).versions("a"))).toEqual(ids([second]));
    // what was deployed to one server again and again does not fill the disk
    for (let i = 0; i < 5; i++) await models.put("a", bundle());
    const kept = models.versions("a");
    expect(kept.length).toBe(3);
    expect(ids(kept)).toContain(second.deployment);
    expect(ids((await load()).versions("a"))).toEqual(ids(kept));
    await models.remove("a");
    expect(readdirSync(dir)).toEqual([]);
    await expect(models.remove("a")).rejects.toMatchObject({ code: "not-found" });
  });

  it("are encrypted where there is a key, which has to be the same at the next start", async () => {
    const [key, other] = ["a1".repeat(32), Buffer.alloc(32, 7).toString("base64")];
    const open = await (await load()).put("open", bundle());
    const needle = share.subarray(0, 16);
    const holds = (model: Model) => readFileSync(join(dir, fileOf(model))).includes(Buffer.from(needle));
    expect(holds(open)).toBe(true);
    const models = await load(key);
    expect(holds(open)).toBe(false);
    const sealed = await models.put("sealed", bundle());
    expect(holds(sealed)).toBe(false);
    const again = await load(key);
    for (const before of [open, sealed]) expect(plain(again.need(before.name))).toEqual(plain(before));

    await expect(load()).rejects.toMatchObject({
      code: "bad-config",
      message: expect.stringMatching(/is encrypted with key \w+, and SOTTO_STORAGE_KEY is not set/),
    });
    await expect(load(other)).rejects.toThrow(/SOTTO_STORAGE_KEY holds another key/);
    expect(() => StorageKey.parse("secret")).toThrow(/SOTTO_STORAGE_KEY: expected 32 bytes.*6 characters/);

    // neither the text nor what it belongs to can be changed
    const path = join(dir, fileOf(sealed));
    const bytes = readFileSync(path);
    for (const at of [bytes.length - 40, bytes.indexOf('"stored":"2') + 12]) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      writeFileSync(path, changed);
      const left = await load(key);
      expect(left.names()).toEqual(["open"]);
      expect(() => left.need("sealed")).toThrow(/damaged/);
    }
  });
});
