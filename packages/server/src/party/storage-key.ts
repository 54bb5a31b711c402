/** The key under which a server keeps its shares on disk: AES-256-GCM, from the environment. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { SottoError } from "@sotto/core";

/** Name of the environment variable: 32 bytes, as 64 hex digits or in base64. */
export const STORAGE_KEY_VARIABLE = "SOTTO_STORAGE_KEY";

const ALGORITHM = "aes-256-gcm";
const KEY_BYTES = 32;
const ID_BYTES = 8;
export const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export class StorageKey {
  /** Tells keys apart, and nothing about them. */
  readonly id: string;
  private readonly key: Buffer;

  /** @param secret 32 bytes. */
  constructor(secret: Uint8Array) {
    this.key = derive(secret, "sotto storage: encryption", KEY_BYTES);
    this.id = derive(secret, "sotto storage: name of the key", ID_BYTES).toString("hex");
  }

  /** @throws SottoError bad-config for a key of another form; the text is not quoted. */
  static parse(text: string): StorageKey {
    const trimmed = text.trim();
    const bytes = /^[0-9a-fA-F]{64}$/.test(trimmed)
      ? Buffer.from(trimmed, "hex")
      : /^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed)
        ? Buffer.from(trimmed, "base64")
        : undefined;
    if (bytes?.length === KEY_BYTES) return new StorageKey(bytes);
    throw new SottoError(
      "bad-config",
      `${STORAGE_KEY_VARIABLE}: expected ${KEY_BYTES} bytes, as 64 hex digits or in base64 ` +
        `(openssl rand -hex ${KEY_BYTES}); found a text of ${trimmed.length} characters`,
    );
  }

  /** @returns undefined where the variable is not set: shares are stored as they are. */
  static fromEnvironment(env: NodeJS.ProcessEnv = process.env): StorageKey | undefined {
    const text = env[STORAGE_KEY_VARIABLE];
    return text ? StorageKey.parse(text) : undefined;
  }

  /** @param about associated data: what the text belongs to. @returns the encrypted text, its tag at the end. */
  seal(nonce: Uint8Array, about: Uint8Array, text: Uint8Array): Uint8Array[] {
    const cipher = createCipheriv(ALGORITHM, this.key, nonce).setAAD(about);
    return [cipher.update(text), cipher.final(), cipher.getAuthTag()];
  }

  /** @throws SottoError bad-model when text, tag or `about` have been changed. */
  open(nonce: Uint8Array, about: Uint8Array, sealed: Uint8Array): Uint8Array {
    try {
      const end = sealed.length - TAG_BYTES;
      const decipher = createDecipheriv(ALGORITHM, this.key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(about).setAuthTag(sealed.subarray(end));
      return Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]);
    } catch {
      throw new SottoError("bad-model", "the file is damaged: it cannot be decrypted");
    }
  }
}

export function newNonce(): Uint8Array {
  return randomBytes(NONCE_BYTES);
}

function derive(secret: Uint8Array, purpose: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "", purpose, bytes));
}
