// Errors, in the shape that ours have.

import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";

/** For each reason: status, Omise's code, whether to try again, and what to tell developers. */
const REASONS = {
  invalid_request: [400, "bad_request", false, "some fields are missing or wrong; see issues"],
  idempotency_key_invalid: [400, "bad_request", false, "expected one Idempotency-Key header"],
  not_registered: [400, "bad_request", false, "the linked account is not registered"],
  unauthenticated: [401, "authentication_failure", false, "expected a valid session token"],
  not_found: [404, "not_found", false, "the linked account was not found"],
  route_not_found: [404, "not_found", false, "there is nothing at this path"],
  already_pending: [409, "bad_request", false, "an account of this type is already waiting for the bank"],
  attempt_in_flight: [409, "bad_request", true, "the request with this Idempotency-Key is being worked on"],
  body_too_large: [413, "bad_request", false, "the body is larger than 256 KiB"],
  idempotency_key_reused: [422, "bad_request", false, "this Idempotency-Key was used with another request"],
  too_many_creates: [429, "too_many_requests", true, "too many creates in a day; wait as Retry-After says"],
  rate_limited: [429, "too_many_requests", true, "too many requests; wait as Retry-After says"],
  internal: [500, "internal_error", true, "something went wrong here"],
  outcome_unknown: [502, "internal_error", true, "it is not known yet whether the account was created"],
  upstream_failed: [502, "internal_error", true, "the payment provider did not answer as it should"],
} as const satisfies Record<string, readonly [ContentfulStatusCode, string, boolean, string]>;

export type Reason = keyof typeof REASONS;

export interface Issue {
  field: string;
  code: string;
  message: string;
}

/** What more an error may tell. */
interface More {
  issues?: Issue[];
  retryAfter?: number;
  linkedAccount?: unknown;
}

/** A request that is answered with an error. */
export class Refusal extends HTTPException {
  readonly reason: Reason;
  readonly more: More;

  constructor(reason: Reason, more: More = {}) {
    super(REASONS[reason][0], { message: reason });
    this.reason = reason;
    this.more = more;
  }
}

/** For `app.onError`. */
export function answerError(error: Error, c: Context): Response {
  const refusal = error instanceof Refusal ? error : new Refusal(reasonOf(error));
  const { reason, more } = refusal;
  const [status, code, retryable, message] = REASONS[reason];
  if (reason === "internal") console.error(error.name);
  if (more.retryAfter !== undefined) c.header("Retry-After", String(more.retryAfter));
  if (reason === "unauthenticated") c.header("WWW-Authenticate", "Bearer");
  const body = {
    object: "error",
    location: `https://www.omise.co/api-errors#${code.replaceAll("_", "-")}`,
    code,
    message,
    reason,
    request_id: c.get("requestId"),
    retryable,
    issues: more.issues ?? [],
    ...(more.linkedAccount !== undefined && { linked_account: more.linkedAccount }),
  };
  return c.json(body, status);
}

/** Hono's validator throws its own where the body is no JSON. */
function reasonOf(error: Error): Reason {
  return error instanceof HTTPException && error.status === 400 ? "invalid_request" : "internal";
}
