// Looks for the secret key in every byte that left a part of the stack.

import { gunzipSync } from "node:zlib";

/** Everything that was seen, by where it was seen. */
export class Canary {
  readonly #seen: { where: string; bytes: Buffer }[] = [];

  add(where: string, bytes: Buffer | string): void {
    this.#seen.push({ where, bytes: typeof bytes === "string" ? Buffer.from(bytes) : bytes });
  }

  /** A gzipped file, as it is and unpacked. */
  addGzip(where: string, bytes: Buffer): void {
    this.add(where, bytes);
    this.add(`${where} (unpacked)`, gunzipSync(bytes));
  }

  /** What was seen under each name, in bytes: a canary that saw nothing proves nothing. */
  sizes(): Map<string, number> {
    const sizes = new Map<string, number>();
    for (const { where, bytes } of this.#seen) {
      const part = where.split(" ", 1)[0] ?? "";
      sizes.set(part, (sizes.get(part) ?? 0) + bytes.length);
    }
    return sizes;
  }

  /** Where a secret was seen: as it is, or in the Base64 of a Basic `Authorization` header. */
  find(secret: string): string[] {
    const forms = [secret, Buffer.from(`${secret}:`).toString("base64").replace(/=+$/, "")];
    const leaks = this.#seen.filter(({ bytes }) => forms.some((form) => bytes.includes(form)));
    return leaks.map(({ where }) => where);
  }
}
