// The Worker's responses: reads them, and checks what all of them have in common.

import assert from "node:assert/strict";
import { assertContract } from "./contract.ts";

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads any JSON that was answered
  body: any;
}

/** Reads a response of the Worker and checks it against the contract. */
export async function readAnswer(method: string, response: Response): Promise<Answer> {
  const { status, headers, url } = response;
  const text = await response.text();
  const answer = { status, headers, body: text ? JSON.parse(text) : undefined };
  assertContract(method, new URL(url).pathname, answer);
  return answer;
}

/** Checks the status, the reason and every member of an error body. */
export function assertError(answer: Answer, status: number, reason: string): void {
  assert.equal(answer.body?.reason, reason, JSON.stringify(answer.body));
  assert.equal(answer.status, status);
  const { object, location, code, message, request_id, retryable, issues } = answer.body;
  assert.equal(object, "error");
  assert.equal(location, `https://www.omise.co/api-errors#${code.replaceAll("_", "-")}`);
  assert.equal(typeof message, "string");
  assert.match(request_id, /^[0-9a-f]{32}$/);
  assert.equal(request_id, answer.headers.get("X-Request-Id"));
  assert.equal(typeof retryable, "boolean");
  assert.ok(Array.isArray(issues));
  assertStandardHeaders(answer);
}

/** Checks the headers that every response has. */
export function assertStandardHeaders(answer: Answer): void {
  assert.equal(answer.headers.get("Cache-Control"), "no-store");
  assert.equal(answer.headers.get("X-Content-Type-Options"), "nosniff");
  assert.equal(answer.headers.get("Referrer-Policy"), "no-referrer");
  assert.equal(answer.headers.get("Vary"), "Origin");
  assert.match(answer.headers.get("X-Request-Id") ?? "", /^[0-9a-f]{32}$/);
  if (answer.body !== undefined) {
    assert.equal(answer.headers.get("Content-Type"), "application/json; charset=utf-8");
  }
}

/** Returns the issues of an error body, each as `field code`. */
export function issuesOf(answer: Answer): string[] {
  return answer.body.issues.map((issue: { field: string; code: string }) => `${issue.field} ${issue.code}`);
}

/** The attributes of an account that the Worker answers with, in order. */
export const ATTRIBUTES = [
  "object",
  "id",
  "livemode",
  "location",
  "registration_uri",
  "return_uri",
  "type",
  "status",
  "last_digits",
  "metadata",
  "failure_code",
  "failure_message",
  "registered_at",
  "expires_at",
  "created_at",
  "confirmed_at",
];
