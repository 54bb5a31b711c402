/**
 * A version of a model as a file, NAME@VERSION.model, readable by the service alone (mode 0600):
 *
 *   "SOTTO/2\n" | u32 length, little-endian | JSON {name, version, party, stored, ...} | bundle
 *
 * As it is (`sha256` of the bundle in the header), or encrypted (`key`, the name of the key, and `nonce` in it):
 * AES-256-GCM with everything before the bundle as associated data, so that no file can take another one's place.
 */
import { createHash, randomBytes } from "node:crypto";
import { chmod, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { SottoError } from "@sotto/core";
import { hex32, id, modelName } from "@sotto/wire";
import { z } from "zod";
import { NONCE_BYTES, newNonce, STORAGE_KEY_VARIABLE, type StorageKey } from "./storage-key.js";

export const MODEL_SUFFIX = ".model";
export const TEMPORARY_SUFFIX = ".tmp";

const MAGIC = Buffer.from("SOTTO/2\n");
const LENGTH_BYTES = 4;
const MODE = 0o600;

export interface StoredBundle {
  name: string;
  /** The deployment's id. */
  version: string;
  party: 0 | 1;
  /** ISO 8601. */
  stored: string;
  bundle: Uint8Array;
}

const header = z
  .object({ name: modelName, version: id, party: z.literal([0, 1]), stored: z.iso.datetime() })
  .and(
    z.union([
      z.object({ sha256: hex32 }),
      z.object({ key: z.string(), nonce: z.string().length(NONCE_BYTES * 2) }),
    ]),
  );

export function modelFile(name: string, version: string): string {
  return `${name}@${version}${MODEL_SUFFIX}`;
}

/** Name and version of a file; undefined when it is no such file. */
export function ofModelFile(file: string): { name: string; version: string } | undefined {
  const found = /^([^@]+)@([0-9a-f]{32})\.model$/.exec(file);
  return found ? { name: found[1]!, version: found[2]! } : undefined;
}

/** Writes a file whole or not at all, and has it on the disk when it returns. @throws SottoError internal */
export async function writeModelFile(dir: string, stored: StoredBundle, key?: StorageKey): Promise<void> {
  const { bundle, ...about } = stored;
  const nonce = newNonce();
  const protection = key
    ? { key: key.id, nonce: Buffer.from(nonce).toString("hex") }
    : { sha256: sha256(bundle) };
  const json = Buffer.from(JSON.stringify({ ...about, ...protection }));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(json.length);
  const head = Buffer.concat([MAGIC, length, json]);
  const path = join(dir, modelFile(stored.name, stored.version));
  const temporary = `${path}.${randomBytes(6).toString("hex")}${TEMPORARY_SUFFIX}`;
  try {
    const file = await open(temporary, "wx", MODE);
    try {
      await file.writev([head, ...(key ? key.seal(nonce, head, bundle) : [bundle])]);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new SottoError("internal", `model ${stored.name} cannot be stored: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/**
 * Reads a file and checks that it is what its name says.
 * @returns encrypted: whether it lay there encrypted.
 * @throws SottoError bad-model for a file that is damaged or another's; bad-config where the key is wrong or missing.
 */
export async function readModelFile(
  dir: string,
  file: string,
  key?: StorageKey,
): Promise<StoredBundle & { encrypted: boolean }> {
  const path = join(dir, file);
  const bytes = await readFile(path);
  const start = MAGIC.length + LENGTH_BYTES;
  if (bytes.length < start || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new SottoError("bad-model", "not a model file of this version of Sotto");
  }
  const end = start + bytes.readUInt32LE(MAGIC.length);
  const { name, version, party, stored, ...protection } = parseHeader(bytes.subarray(start, end));
  const body = bytes.subarray(end);
  if (file !== modelFile(name, version)) throw new SottoError("bad-model", "the file is another model's");
  await chmod(path, MODE);
  const about = { name, version, party, stored };
  if ("sha256" in protection) {
    if (sha256(body) === protection.sha256) return { ...about, bundle: body, encrypted: false };
    throw new SottoError("bad-model", "the file is damaged: its digest does not match");
  }
  if (protection.key !== key?.id) {
    const found = key ? "holds another key" : "is not set";
    throw new SottoError(
      "bad-config",
      `${path} is encrypted with key ${protection.key}, and ${STORAGE_KEY_VARIABLE} ${found}` +
        `${key ? ` (${key.id})` : ""}; set it to the key that the model was stored with, ` +
        "or remove the file and deploy the model again",
    );
  }
  const nonce = Buffer.from(protection.nonce, "hex");
  return { ...about, bundle: key.open(nonce, bytes.subarray(0, end), body), encrypted: true };
}

function parseHeader(bytes: Uint8Array): z.infer<typeof header> {
  try {
    return header.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
  } catch {
    throw new SottoError("bad-model", "the file is damaged: its header cannot be read");
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
