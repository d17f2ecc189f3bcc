// Key pairs of a shop that signs session tokens with public-key algorithms, and the key sets that publish them.

import { generateKeyPairSync, type KeyObject, type SignKeyObjectInput, sign } from "node:crypto";
import type { Signer } from "../../harness/session.ts";

type Jwk = Record<string, unknown>;

/** A key pair for one algorithm. */
export interface KeyPair {
  alg: "ES256" | "RS256" | "EdDSA";
  kid: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
}

export function keyPair(alg: KeyPair["alg"], kid: string): KeyPair {
  const generate = () => {
    if (alg === "ES256") return generateKeyPairSync("ec", { namedCurve: "P-256" });
    return alg === "RS256"
      ? generateKeyPairSync("rsa", { modulusLength: 2048 })
      : generateKeyPairSync("ed25519");
  };
  return { alg, kid, ...generate() };
}

/** Returns the public key as a JWK, with `members` put over its own. */
export function jwkOf({ alg, kid, publicKey }: KeyPair, members: Jwk = {}): Jwk {
  return { ...publicKey.export({ format: "jwk" }), alg, kid, use: "sig", ...members };
}

/** Returns a JWK set as text. */
export function keySet(...keys: Jwk[]): string {
  return JSON.stringify({ keys });
}

/** Signs with the private key, by the key's algorithm unless `options` or `hash` say otherwise. */
export function signedBy(
  { alg, privateKey }: KeyPair,
  options: Omit<SignKeyObjectInput, "key"> = {},
  hash = "sha256",
): Signer {
  return (message) =>
    sign(alg === "EdDSA" ? null : hash, Buffer.from(message), {
      key: privateKey,
      dsaEncoding: "ieee-p1363",
      ...options,
    });
}
