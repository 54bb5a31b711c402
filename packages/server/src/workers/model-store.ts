/**
 * Model shares of a party's workers: each has them in its own folder, and the party's object store has them for workers
 * that come later. What lies there is what lies on a worker's disk, encrypted where the workers have a key.
 */
import { type ObjectStore, Objm } from "@nats-io/obj";
import { SottoError } from "@sotto/core";
import { asSottoError } from "@sotto/wire";
import type { Logger } from "../log.js";
import { modelFile, ofModelFile } from "../party/model-file.js";
import type { Model, Models } from "../party/models.js";
import { nothing } from "./messages.js";
import type { Nats } from "./nats.js";

/** Looked at without being told to, too. */
const LOOK_MS = 30_000;
const CHANGED = "models-changed";

export interface ModelStoreOptions {
  nats: Nats;
  models: Models;
  log: Logger;
  onModel: () => void;
  onRemoved: (name: string) => void;
}

interface Stored {
  file: string;
  name: string;
  version: string;
  at: string;
}

export class ModelStore {
  private readonly options: ModelStoreOptions;
  private readonly timer: NodeJS.Timeout;
  private working: Promise<void> = Promise.resolve();

  constructor(options: ModelStoreOptions) {
    this.options = options;
    const { nats } = options;
    const look = () => void this.reconcile();
    nats.subscribe(CHANGED, nothing, look);
    nats.onChange(look);
    this.timer = setInterval(look, LOOK_MS);
  }

  /** Stores a version that this worker was given, and tells the others. @throws SottoError unreachable */
  async put(model: Model): Promise<void> {
    const { nats, models } = this.options;
    await this.inTurn(async () => {
      const store = await this.store();
      const { file, bytes } = await models.fileOf(model);
      const before = (await list(store)).filter((s) => s.name === model.name && s.file !== file);
      await store.putBlob({ name: file }, bytes);
      for (const old of before) await store.delete(old.file);
    });
    nats.publish(CHANGED, null);
  }

  /** Removes all versions of a model. @throws SottoError unreachable */
  async remove(name: string): Promise<void> {
    await this.inTurn(async () => {
      const store = await this.store();
      for (const stored of await list(store)) if (stored.name === name) await store.delete(stored.file);
    });
    this.options.nats.publish(CHANGED, null);
  }

  /** Brings this worker's folder to what the store has. It does not throw: there is a next time. */
  async reconcile(): Promise<void> {
    const { nats, log } = this.options;
    if (!nats.up) return;
    await this.inTurn(() => this.bring()).catch((error: unknown) => {
      log.warn(
        { reason: asSottoError(error).message },
        "the party's models cannot be looked at; later again",
      );
    });
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async bring(): Promise<void> {
    const { models, onModel, onRemoved } = this.options;
    const store = await this.store();
    const stored = await list(store);
    for (const { file, name, version } of stored) {
      if (models.versions(name).some((m) => m.deployment === version)) continue;
      const bytes = await store.getBlob(file);
      if (!bytes) continue;
      await models.adopt(file, bytes);
      onModel();
    }
    for (const name of models.names()) {
      for (const model of [...models.versions(name)]) {
        const file = modelFile(name, model.deployment);
        if (stored.some((s) => s.file === file)) continue;
        const about = await store.info(file);
        if (!about) {
          // the store has lost it, or has never had it
          await store.putBlob({ name: file }, (await models.fileOf(model)).bytes);
        } else if (!stored.some((s) => s.name === name)) {
          await models.discard(model);
          onRemoved(name);
        }
        // an older version is removed when the newer one is set up
      }
    }
  }

  private async store(): Promise<ObjectStore> {
    const { nats } = this.options;
    nats.need();
    try {
      const { replicas } = nats;
      const name = `${nats.prefix}-models`;
      const store = await new Objm(nats.js).create(name, { storage: "file" as never, replicas });
      await nats.copy(`OBJ_${name}`);
      return store;
    } catch (cause) {
      const why = (cause as Error).message;
      throw new SottoError("unreachable", `the party's store of models does not answer: ${why}; try again`, {
        cause,
      });
    }
  }

  /** One after the other. */
  private async inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.working.then(work);
    this.working = done.catch(() => {});
    await done;
  }
}

async function list(store: ObjectStore): Promise<Stored[]> {
  const found: Stored[] = [];
  for (const { name: file, mtime, deleted } of await store.list()) {
    const of = ofModelFile(file);
    if (of && !deleted) found.push({ file, ...of, at: mtime });
  }
  return found;
}
