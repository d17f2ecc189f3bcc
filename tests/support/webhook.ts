// Webhook events: builds, signs and delivers them as Omise does.

import { createHmac, randomUUID } from "node:crypto";
import { type Answer, readAnswer } from "./answer.ts";

/** Returns the current time as a signature timestamp: seconds since 1970, in digits. */
export function timestampNow(): string {
  return String(Math.floor(Date.now() / 1_000));
}

/**
 * Signs a delivery by Omise's documented recipe: HMAC-SHA256 of timestamp, dot and raw body, in hex. A secret given as text is
 * base64, as in Omise's dashboard.
 */
export function sign(secret: string | Buffer, timestamp: string, body: string | Uint8Array): string {
  const key = typeof secret === "string" ? Buffer.from(secret, "base64") : secret;
  return createHmac("sha256", key).update(`${timestamp}.`).update(body).digest("hex");
}

/** Returns the two headers of a signed delivery. */
export function signedHeaders(
  secret: string | Buffer,
  body: string | Uint8Array,
  timestamp: string = timestampNow(),
): Record<"Omise-Signature" | "Omise-Signature-Timestamp", string> {
  return { "Omise-Signature": sign(secret, timestamp, body), "Omise-Signature-Timestamp": timestamp };
}

/** Delivers a body to a Worker's webhook, signed now unless other `headers` are given. */
export async function deliver(
  workerUrl: string,
  secret: string,
  body: string,
  headers: Record<string, string> = signedHeaders(secret, body),
): Promise<Answer> {
  return readAnswer(
    "POST",
    await fetch(`${workerUrl}/webhooks/omise`, {
      method: "POST",
      body,
      // a connection of its own, as in Customer.fetch
      headers: { ...headers, Connection: "close" },
    }),
  );
}

/** Returns a random event id. */
export function eventId(): string {
  return `evnt_test_${randomUUID().replaceAll("-", "").slice(0, 19)}`;
}

/** Returns an event: that the registration of the account `data` is complete, unless `overrides` say otherwise. */
export function eventOf(
  data: unknown,
  overrides: Record<string, unknown> & { id?: string } = {},
): Record<string, unknown> & { id: string } {
  return {
    object: "event",
    id: eventId(),
    livemode: false,
    location: "/events/x",
    webhook_deliveries: [],
    data,
    key: "linked_account.complete",
    created_at: "2030-01-01T00:00:00Z",
    ...overrides,
  };
}
