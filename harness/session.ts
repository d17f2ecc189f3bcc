// Session tokens: mints them as a shop's backend does, for tests and benches.

import { createHmac } from "node:crypto";
import type { Running, Secrets, Session } from "./stack.ts";

/** The shop's origin where no storefront is started. */
export const STOREFRONT = "http://127.0.0.1:1";

/** The claim that makes the subject an operator. */
export const OPERATE = { scope: "linked_accounts:operate" };

/** Signs a token's first two parts. */
export type Signer = (message: string) => Buffer;

/** Returns the session settings of a Worker that was started with these secrets. */
export function sessionOf(worker: Running, secrets: Secrets): Session {
  return { alg: "HS256", secret: secrets.SESSION_SECRET, iss: STOREFRONT, aud: worker.url };
}

/** Returns the claims that the Worker accepts, for five minutes, with `claims` put over them. */
export function claimsFor(
  { iss, aud }: Pick<Session, "iss" | "aud">,
  claims: Record<string, unknown> = {},
): Record<string, unknown> {
  return { iss, aud, sub: "customer-1", exp: Math.floor(Date.now() / 1_000) + 300, ...claims };
}

/** Builds a token in the compact form. A header or claims given as text are kept as they are, valid JSON or not. */
export function jwt(header: object | string, claims: object | string, signer: Signer): string {
  const [head, body] = [header, claims].map((part) =>
    Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url"),
  );
  const message = `${head}.${body}`;
  return `${message}.${signer(message).toString("base64url")}`;
}

/** Signs with HMAC. */
export function hmac(secret: string | Buffer, hash = "sha256"): Signer {
  return (message) => createHmac(hash, secret).update(message).digest();
}

/** Mints an HS256 session token. */
export function token(
  session: Pick<Session, "secret" | "iss" | "aud">,
  claims: Record<string, unknown> = {},
): string {
  return jwt({ alg: "HS256", typ: "JWT" }, claimsFor(session, claims), hmac(session.secret));
}
