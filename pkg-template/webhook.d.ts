/** An event of Omise's, once its signature holds. It is a hint: read the account again before you act on it. */
export interface WebhookEvent {
  object: "event";
  /** Such as `evnt_test_…`. The same event may come more than once: remember the ids. */
  id: string;
  /** Such as `charge.complete`. */
  key: string;
  livemode: boolean;
  created_at: string;
  data: Record<string, unknown>;
  [attribute: string]: unknown;
}

/** Why a delivery is not believed. */
export class WebhookError extends Error {
  readonly name: "WebhookError";
  readonly reason:
    | "header_missing"
    | "timestamp_invalid"
    | "timestamp_outside_window"
    | "signature_mismatch"
    | "too_large"
    | "event_invalid";
}

/** Headers as a `Request` or Node's `IncomingMessage` has them, in whatever case. */
export type WebhookHeaders = Headers | Record<string, string | readonly string[] | undefined>;

/**
 * Verifies a delivery: `Omise-Signature` over `Omise-Signature-Timestamp` and the body as it came, and the time within 300 seconds
 * of now, both ways.
 *
 * @param rawBody The bytes as they came, or as text; never parsed and written again.
 * @param secrets The webhook's secret as Omise's dashboard shows it (Base64), or two while one takes over.
 * @throws {WebhookError} The delivery is not to be believed: answer 401.
 * @throws {TypeError} A secret is not one.
 */
export function verifyWebhook(
  rawBody: string | Uint8Array | ArrayBuffer,
  headers: WebhookHeaders,
  secrets: string | readonly string[],
): Promise<WebhookEvent>;
