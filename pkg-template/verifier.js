// Whether a delivery is Omise's: the same on every host, which finds the module `wasm/webhook_bg.wasm` in its own way.

/** @typedef {import("./webhook.d.ts").WebhookError["reason"]} Reason */
/** @typedef {import("./webhook.d.ts").WebhookEvent} WebhookEvent */

/** No event is as large: what is longer need not be copied to be refused. */
const TOO_LARGE = 1024 * 1024;

/** For the log of the shop; the sender is told nothing but 401. @type {Record<Reason, string>} */
const MESSAGES = {
  header_missing:
    "Omise-Signature or Omise-Signature-Timestamp is missing: Omise signs once the account has a webhook secret",
  timestamp_invalid: "Omise-Signature-Timestamp is not a number of seconds",
  timestamp_outside_window:
    "signed more than 300 seconds from now: an old delivery sent again, or a clock that is wrong",
  signature_mismatch:
    "no signature fits: check the secret, its mode, and that the body is the bytes as they came",
  too_large: "larger than any event",
  event_invalid: "signed, but no event",
};

/** Why a delivery is not believed. */
export class WebhookError extends Error {
  /** @param {Reason} reason */
  constructor(reason) {
    super(MESSAGES[reason]);
    this.reason = reason;
  }
}

// on the prototype, as built-in errors have it
Object.defineProperty(WebhookError.prototype, "name", {
  value: "WebhookError",
  writable: true,
  configurable: true,
});

/**
 * @param {() => Promise<any>} load gives the glue, ready to be called
 * @returns {typeof import("./webhook.d.ts").verifyWebhook}
 */
export function verifier(load) {
  return async function verifyWebhook(rawBody, headers, secrets) {
    const body = bytesOf(rawBody);
    const signature = header(headers, "omise-signature");
    const timestamp = header(headers, "omise-signature-timestamp");
    const keys = typeof secrets === "string" ? [secrets] : secrets;
    if (!Array.isArray(keys) || keys.length === 0 || !keys.every((key) => typeof key === "string")) {
      throw new TypeError("verifyWebhook: expected secrets to be the webhook's secret, or a list of them");
    }
    const glue = await load();
    if (!signature || !timestamp) throw new WebhookError("header_missing");

    const now = Math.floor(Date.now() / 1000);
    const reason = glue.verify(body.subarray(0, TOO_LARGE), signature, timestamp, keys, now);
    if (reason === "secret_invalid") {
      throw new TypeError(
        "verifyWebhook: expected each secret in Base64, at least 16 bytes once decoded, as Omise's dashboard shows it",
      );
    }
    if (reason !== undefined) throw new WebhookError(reason);
    return eventOf(body);
  };
}

/**
 * @param {unknown} body
 * @returns {Uint8Array}
 */
function bytesOf(body) {
  if (typeof body === "string") return new TextEncoder().encode(body);
  // of another realm too, as test runners and sandboxes make them
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  if (Object.prototype.toString.call(body) === "[object ArrayBuffer]") {
    return new Uint8Array(/** @type {ArrayBuffer} */ (body));
  }
  throw new TypeError(
    "verifyWebhook: expected rawBody to be the body as it came, as text or bytes: not parsed, not a stream",
  );
}

/**
 * All values of a header, with commas between them.
 *
 * @param {unknown} headers
 * @param {string} name in lower case
 * @returns {string | null}
 */
function header(headers, name) {
  if (typeof headers !== "object" || headers === null) {
    throw new TypeError("verifyWebhook: expected headers to be those of the request");
  }
  if ("get" in headers && typeof headers.get === "function") return headers.get(name);
  const values = Object.entries(headers).filter(([key]) => key.toLowerCase() === name);
  return values.flatMap(([, value]) => value ?? []).join(",");
}

/**
 * What bytes say that Omise signed.
 *
 * @param {Uint8Array} body
 * @returns {WebhookEvent}
 */
function eventOf(body) {
  let event;
  try {
    event = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body));
  } catch {
    throw new WebhookError("event_invalid");
  }
  // as events of API versions before 2019-05-29 call it
  if (event?.created_at === undefined && event?.created !== undefined) event.created_at = event.created;
  const { object, id, key, livemode, created_at, data } = event ?? {};
  const texts = [id, key, created_at].every((text) => typeof text === "string" && text !== "");
  const about = typeof data === "object" && data !== null && !Array.isArray(data);
  if (object !== "event" || !texts || typeof livemode !== "boolean" || !about) {
    throw new WebhookError("event_invalid");
  }
  return event;
}
