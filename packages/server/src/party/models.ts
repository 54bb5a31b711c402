/** The models that a server holds its shares of: one file each, loaded at the start. */
import { createHash, randomBytes } from "node:crypto";
import { chmod, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Plan, planHash, SottoError } from "@sotto/core";
import { type Bundle, decodeBundle, modelName } from "@sotto/wire";
import type { Logger } from "../log.js";

export interface Model {
  name: string;
  plan: Plan;
  hash: string;
  /** Says which shares belong together. */
  deployment: string;
  /** Public tables, as bytes. */
  tables: Uint8Array;
  share: Uint8Array;
}

const SUFFIX = ".model";
const TEMPORARY = ".tmp";
const MAGIC = Buffer.from("SOTTO/1\n");
const DIGEST_BYTES = 32;

export class Models {
  private readonly dir: string;
  private readonly party: 0 | 1;
  private readonly log: Logger;
  private readonly models = new Map<string, Model>();
  /** Stored models that could not be read at the start: why. */
  private readonly skipped = new Map<string, string>();
  private writing: Promise<void> = Promise.resolve();

  private constructor(dir: string, party: 0 | 1, log: Logger) {
    this.dir = dir;
    this.party = party;
    this.log = log;
  }

  /**
   * Loads what is stored. A file that is damaged is reported and left alone; the others are served.
   * @throws SottoError bad-config when the folder cannot be used.
   */
  static async load(dir: string, party: 0 | 1, log: Logger): Promise<Models> {
    const models = new Models(dir, party, log);
    let names: string[];
    try {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      names = await readdir(dir);
    } catch (cause) {
      throw new SottoError("bad-config", `data: cannot use the folder ${dir}: ${(cause as Error).message}`, {
        cause,
      });
    }
    for (const file of names.sort()) {
      // left by a process that was killed while it wrote
      if (file.endsWith(TEMPORARY)) await rm(join(dir, file), { force: true });
      if (file.endsWith(SUFFIX)) await models.loadFile(file);
    }
    return models;
  }

  get(name: string): Model | undefined {
    return this.models.get(name);
  }

  /** @throws SottoError not-found */
  need(name: string): Model {
    const model = this.models.get(name);
    if (model) return model;
    const reason = this.skipped.get(name);
    const why = reason
      ? `server ${this.party} skipped its stored model ${name}, which is damaged (${reason}); deploy it again`
      : `server ${this.party} holds no model named ${name}; deploy it first`;
    throw new SottoError("not-found", why);
  }

  list(): Model[] {
    return [...this.models.values()];
  }

  /** Checks a bundle, stores it, and puts it in the place of what had the name. @throws SottoError bad-model, ... */
  async put(name: string, bundle: Uint8Array): Promise<Model> {
    const model = this.read(name, bundle);
    // one after the other, so that memory and disk agree on which came last
    const before = this.writing;
    const written = before.then(() => this.write(name, bundle));
    this.writing = written.catch(() => {});
    await written;
    this.models.set(name, model);
    this.skipped.delete(name);
    return model;
  }

  private read(name: string, bytes: Uint8Array): Model {
    const bundle: Bundle = decodeBundle(bytes);
    if (bundle.party !== this.party) {
      throw new SottoError(
        "bad-model",
        `the bundle is for server ${bundle.party}, this is server ${this.party}; check the order of the cluster's servers`,
      );
    }
    const { plan, deployment, tables, share } = bundle;
    return { name, plan, hash: planHash(plan), deployment, tables, share };
  }

  private async write(name: string, bundle: Uint8Array): Promise<void> {
    const path = join(this.dir, name + SUFFIX);
    const temporary = `${path}.${randomBytes(6).toString("hex")}${TEMPORARY}`;
    try {
      const file = await open(temporary, "wx", 0o600);
      try {
        await file.writev([MAGIC, digest(bundle), bundle]);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (cause) {
      await rm(temporary, { force: true });
      throw new SottoError("internal", `model ${name} cannot be stored: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  private async loadFile(file: string): Promise<void> {
    const path = join(this.dir, file);
    try {
      const name = modelName.parse(file.slice(0, -SUFFIX.length));
      const bytes = await readFile(path);
      const start = MAGIC.length + DIGEST_BYTES;
      const bundle = bytes.subarray(start);
      if (!bytes.subarray(0, MAGIC.length).equals(MAGIC))
        throw new SottoError("bad-model", "not a model file");
      if (!bytes.subarray(MAGIC.length, start).equals(digest(bundle))) {
        throw new SottoError("bad-model", "the file is damaged: its digest does not match");
      }
      await chmod(path, 0o600);
      this.models.set(name, this.read(name, bundle));
    } catch (error) {
      const reason = error instanceof SottoError ? error.message : "it cannot be read";
      this.skipped.set(file.slice(0, -SUFFIX.length), reason);
      this.log.error({ file: path, reason: (error as Error).message }, "model skipped; deploy it again");
    }
  }
}

function digest(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
