// The stamp in an account's metadata, opened and sealed without the Worker's code: AES-256-GCM of object name and attempt id.

import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";

/** The attribute of an account's metadata that holds the stamp. */
export const STAMP = "linked_accounts_stamp";

const NONCE = 12;
const TAG = 16;
const NAME = 32;

/** What a stamp says, in base64url. */
export interface Stamp {
  object: string;
  attempt: string;
}

const keyOf = (ledgerKey: string) =>
  createHmac("sha256", ledgerKey).update("linked_accounts_stamp 1").digest();

/** The name of a customer's object. */
export const objectName = (subject: string): string =>
  createHash("sha256").update(subject).digest("base64url");

/** What a stamp says; `null` where the key did not make it. */
export function openStamp(ledgerKey: string, text: string): Stamp | null {
  const bytes = Buffer.from(text, "base64url");
  const decipher = createDecipheriv("aes-256-gcm", keyOf(ledgerKey), bytes.subarray(0, NONCE));
  decipher.setAuthTag(bytes.subarray(-TAG));
  try {
    const plain = Buffer.concat([decipher.update(bytes.subarray(NONCE, -TAG)), decipher.final()]);
    return {
      object: plain.subarray(0, NAME).toString("base64url"),
      attempt: plain.subarray(NAME).toString("base64url"),
    };
  } catch {
    return null;
  }
}

/** A stamp as the Worker makes it. */
export function sealStamp(ledgerKey: string, { object, attempt }: Stamp): string {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv("aes-256-gcm", keyOf(ledgerKey), nonce);
  const plain = Buffer.concat([Buffer.from(object, "base64url"), Buffer.from(attempt, "base64url")]);
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString("base64url");
}
