/**
 * The models that a server holds its shares of: one file for each version, loaded at the start. A version is a
 * deployment. A new one lies beside the one before until both servers have set it up; settle() then removes the old.
 */
import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Plan, planHash, SottoError } from "@sotto/core";
import { type Bundle, decodeBundle } from "@sotto/wire";
import { makeDirectory } from "@sotto/wire/node";
import type { Logger } from "../log.js";
import { newId } from "../parties.js";
import {
  MODEL_SUFFIX,
  modelFile,
  ofModelFile,
  readModelFile,
  TEMPORARY_SUFFIX,
  writeModelFile,
} from "./model-file.js";
import type { StorageKey } from "./storage-key.js";

/** Versions of a model: the newest, the one that is served, and one on its way. */
const MAX_VERSIONS = 3;

export interface Model {
  name: string;
  plan: Plan;
  hash: string;
  /** The version: says which shares belong together. */
  deployment: string;
  /** When it was stored here, ISO 8601. */
  stored: string;
  /** Public tables, as bytes. */
  tables: Uint8Array;
  share: Uint8Array;
}

export interface ModelsOptions {
  /** Encrypts what is stored. */
  key?: StorageKey | undefined;
}

export class Models {
  private readonly dir: string;
  readonly party: 0 | 1;
  private readonly log: Logger;
  private readonly key: StorageKey | undefined;
  /** By name, newest first. */
  private readonly models = new Map<string, Model[]>();
  /** Stored models that could not be read at the start: why. */
  private readonly skipped = new Map<string, string>();
  private writing: Promise<void> = Promise.resolve();
  private last = 0;

  private constructor(dir: string, party: 0 | 1, log: Logger, { key }: ModelsOptions) {
    this.dir = dir;
    this.party = party;
    this.log = log;
    this.key = key;
  }

  /**
   * Loads what is stored. A file that is damaged is reported and left alone; the others are served. What is stored
   * in the clear is encrypted when there is a key.
   * @throws SottoError bad-config when the folder cannot be used, or the key is not the one of a stored model.
   */
  static async load(dir: string, party: 0 | 1, log: Logger, options: ModelsOptions = {}): Promise<Models> {
    const models = new Models(dir, party, log, options);
    let names: string[];
    try {
      makeDirectory(dir, 0o700);
      names = await readdir(dir);
    } catch (cause) {
      throw new SottoError("bad-config", `data: cannot use the folder ${dir}: ${(cause as Error).message}`, {
        cause,
      });
    }
    for (const file of names.sort()) {
      // left by a process that was killed while it wrote
      if (file.endsWith(TEMPORARY_SUFFIX)) await rm(join(dir, file), { force: true });
      if (file.endsWith(MODEL_SUFFIX)) await models.loadFile(file);
    }
    return models;
  }

  /** The versions of a model, newest first; none when there is no such model. */
  versions(name: string): readonly Model[] {
    return this.models.get(name) ?? [];
  }

  /** Whether a version is still there. */
  holds(model: Model): boolean {
    return this.versions(model.name).includes(model);
  }

  /** The newest version. @throws SottoError not-found */
  need(name: string): Model {
    const [newest] = this.versions(name);
    if (newest) return newest;
    const reason = this.skipped.get(name);
    const why = reason
      ? `server ${this.party} skipped its stored model ${name}, which is damaged (${reason}); deploy it again`
      : `server ${this.party} holds no model named ${name}; deploy it first`;
    throw new SottoError("not-found", why);
  }

  /** Names of all models, sorted. */
  names(): string[] {
    return [...this.models.keys()].sort();
  }

  /** Checks a bundle and stores it as the newest version of its model. @throws SottoError bad-model, ... */
  async put(name: string, bundle: Uint8Array): Promise<Model> {
    // strictly later than the one before, whatever the clock does: the order decides which is the newest
    this.last = Math.max(Date.now(), this.last + 1);
    const model = this.read(name, bundle, new Date(this.last).toISOString());
    const { deployment: version, stored } = model;
    await this.inTurn(() =>
      writeModelFile(this.dir, { name, version, party: this.party, stored, bundle }, this.key),
    );
    this.insert(model);
    this.skipped.delete(name);
    const versions = this.versions(name);
    // the oldest may be the one that is served; those between were deployed to one server, and superseded
    const superseded = versions.slice(MAX_VERSIONS - 1, -1);
    this.models.set(
      name,
      versions.filter((m) => !superseded.includes(m)),
    );
    await this.erase(superseded);
    return model;
  }

  /** A version is set up at both servers: the older ones are not needed any more. */
  async settle(model: Model): Promise<void> {
    const versions = this.versions(model.name);
    const at = versions.indexOf(model);
    if (at < 0 || at === versions.length - 1) return;
    this.models.set(model.name, versions.slice(0, at + 1));
    await this.erase(versions.slice(at + 1));
  }

  /** A version as it lies on the disk, for the party's other workers. */
  async fileOf({ name, deployment }: Model): Promise<{ file: string; bytes: Uint8Array }> {
    const file = modelFile(name, deployment);
    return { file, bytes: await readFile(join(this.dir, file)) };
  }

  /** Takes over a version as another worker has stored it. @throws SottoError bad-config: another storage key. */
  async adopt(file: string, bytes: Uint8Array): Promise<void> {
    const path = join(this.dir, file);
    await this.inTurn(async () => {
      const temporary = `${path}.${newId()}${TEMPORARY_SUFFIX}`;
      await writeFile(temporary, bytes, { mode: 0o600 });
      await rename(temporary, path);
    });
    await this.loadFile(file);
  }

  /** Another worker has removed this version. */
  async discard(model: Model): Promise<void> {
    const rest = this.versions(model.name).filter((m) => m !== model);
    if (rest.length > 0) this.models.set(model.name, rest);
    else this.models.delete(model.name);
    await this.erase([model]);
  }

  /** Removes all versions of a model, and files of it that could not be read. @throws SottoError not-found */
  async remove(name: string): Promise<readonly Model[]> {
    const versions = this.versions(name);
    if (versions.length === 0 && !this.skipped.has(name)) {
      throw new SottoError(
        "not-found",
        `server ${this.party} holds no model named ${name}; nothing was removed`,
      );
    }
    this.models.delete(name);
    this.skipped.delete(name);
    await this.erase(versions);
    for (const file of await readdir(this.dir)) {
      if (nameOf(file) === name && file.endsWith(MODEL_SUFFIX)) await rm(join(this.dir, file));
    }
    return versions;
  }

  private async erase(versions: readonly Model[]): Promise<void> {
    await this.inTurn(async () => {
      for (const { name, deployment } of versions) {
        await rm(join(this.dir, modelFile(name, deployment)), { force: true });
        this.log.info({ model: name, version: deployment }, "version removed");
      }
    });
  }

  /** One after the other, so that memory and disk agree on which came last. */
  private async inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.writing.then(work);
    this.writing = done.catch(() => {});
    await done;
  }

  private insert(model: Model): void {
    const others = this.versions(model.name).filter((m) => m.deployment !== model.deployment);
    const sorted = [model, ...others].sort((a, b) => (a.stored < b.stored ? 1 : -1));
    this.models.set(model.name, sorted);
  }

  private read(name: string, bytes: Uint8Array, stored: string): Model {
    const bundle: Bundle = decodeBundle(bytes);
    if (bundle.party !== this.party) {
      throw new SottoError(
        "bad-model",
        `the bundle is for server ${bundle.party}, this is server ${this.party}; check the order of the cluster's servers`,
      );
    }
    const { plan, deployment, tables, share } = bundle;
    return { name, plan, hash: planHash(plan), deployment, stored, tables, share };
  }

  private async loadFile(file: string): Promise<void> {
    try {
      const { encrypted, ...found } = await readModelFile(this.dir, file, this.key);
      this.insert(this.read(found.name, found.bundle, found.stored));
      this.last = Math.max(this.last, Date.parse(found.stored));
      if (encrypted || !this.key) return;
      await writeModelFile(this.dir, found, this.key);
      this.log.info({ model: found.name, version: found.version }, "stored model encrypted");
    } catch (error) {
      if (error instanceof SottoError && error.code === "bad-config") throw error;
      const reason = error instanceof SottoError ? error.message : "it cannot be read";
      this.skipped.set(nameOf(file), reason);
      const path = join(this.dir, file);
      this.log.error({ file: path, reason: (error as Error).message }, "model skipped; deploy it again");
    }
  }
}

function nameOf(file: string): string {
  return ofModelFile(file)?.name ?? file.slice(0, -MODEL_SUFFIX.length);
}
