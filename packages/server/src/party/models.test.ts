import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { planHash, Ring, shareTensors } from "@sotto/core";
import { encodeBundle } from "@sotto/wire";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newId } from "../parties.js";
import { testModel } from "../testing/models.js";
import { type Model, Models } from "./models.js";

const { compiled } = testModel();

const plain = (model: Model) => ({ ...model, share: [...model.share], tables: [...model.tables] });

describe("stored models", () => {
  let dir: string;
  let bundle: Uint8Array;
  let log = "";
  const load = () => Models.load(dir, 0, pino({}, { write: (line: string) => (log += line) }));

  beforeEach(async () => {
    log = "";
    dir = mkdtempSync(join(tmpdir(), "sotto-models-"));
    const [share] = shareTensors(await Ring.create(), compiled.plan, compiled.tensors);
    bundle = encodeBundle({
      party: 0,
      deployment: newId(),
      plan: compiled.plan,
      tables: new Uint8Array(0),
      share,
    });
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it("are there after a restart, in files that only their owner reads", async () => {
    const before = await (await load()).put("a", bundle);
    expect(statSync(join(dir, "a.model")).mode & 0o777).toBe(0o600);
    expect(plain((await load()).need("a"))).toEqual(plain(before));
    expect(before.hash).toBe(planHash(compiled.plan));
    expect(readdirSync(dir)).toEqual(["a.model"]);
  });

  it("that are damaged are reported and skipped; the others are served", async () => {
    const models = await load();
    for (const name of ["a", "b", "c"]) await models.put(name, bundle);
    const bytes = readFileSync(join(dir, "b.model"));
    bytes[bytes.length - 5]! ^= 1;
    writeFileSync(join(dir, "b.model"), bytes);
    writeFileSync(join(dir, "c.model"), bytes.subarray(0, 20));
    writeFileSync(join(dir, "d.model.0123.tmp"), "half a model");
    const again = await load();
    expect(again.list().map((m) => m.name)).toEqual(["a"]);
    expect(log).toMatch(/b\.model.*digest does not match/);
    expect(log).toMatch(/c\.model/);
    expect(readdirSync(dir)).toEqual(["a.model", "b.model", "c.model"]);
    expect(() => again.need("b")).toThrow(
      /server 0 skipped its stored model b, which is damaged.*deploy it again/,
    );
    expect(() => again.need("d")).toThrow(/holds no model named d; deploy it first/);
    await again.put("b", bundle);
    expect(again.need("b").name).toBe("b");
  });

  it("are not replaced by a bundle that is refused", async () => {
    const models = await load();
    const before = await models.put("a", bundle);
    await expect(models.put("a", bundle.subarray(0, 100))).rejects.toMatchObject({ code: "bad-model" });
    expect(plain((await load()).need("a"))).toEqual(plain(before));
  });
});
