// What the Worker's specs share: tokens, requests, and a stand-in for Omise that misbehaves on purpose.

import assert from "node:assert/strict";
import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Session } from "../../xtask/stack.ts";
import { assertContract } from "./contract.ts";

/** A session token as a shop's backend would mint it. */
export function token(session: Session, claims: Record<string, unknown> = {}): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 300;
  const payload = { iss: session.iss, aud: session.aud, sub: "customer-1", exp, ...claims };
  const message = `${part({ alg: "HS256", typ: "JWT" })}.${part(payload)}`;
  return `${message}.${createHmac("sha256", session.secret).update(message).digest("base64url")}`;
}

export interface Answer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever JSON came
  body: any;
}

/** Reads an answer of the Worker's, which has to keep the contract. */
export async function readAnswer(method: string, response: Response): Promise<Answer> {
  const { status, headers, url } = response;
  const text = await response.text();
  const answer = { status, headers, body: text ? JSON.parse(text) : undefined };
  assertContract(method, new URL(url).pathname, answer);
  return answer;
}

/** One customer of one Worker. */
export class Customer {
  readonly url: string;
  readonly session: Session;
  readonly claims: Record<string, unknown>;

  constructor(url: string, session: Session, claims: Record<string, unknown> = {}) {
    this.url = url;
    this.session = session;
    this.claims = claims;
  }

  async fetch(method: string, path: string, init: RequestInit = {}): Promise<Answer> {
    const headers = new Headers(init.headers);
    if (!headers.has("Authorization"))
      headers.set("Authorization", `Bearer ${token(this.session, this.claims)}`);
    return readAnswer(method, await fetch(this.url + path, { redirect: "manual", ...init, method, headers }));
  }

  json(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.fetch("POST", path, {
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json", ...headers },
    });
  }

  create(params: Record<string, unknown> = {}, key: string = randomUUID()): Promise<Answer> {
    const body = { type: "direct_debit_kbank", return_uri: `${this.session.iss}/return`, ...params };
    return this.json("/linked_accounts", body, { "Idempotency-Key": key });
  }

  get(id: string): Promise<Answer> {
    return this.fetch("GET", `/linked_accounts/${id}`);
  }

  delete(id: string): Promise<Answer> {
    return this.fetch("DELETE", `/linked_accounts/${id}`);
  }

  confirm(linkState: unknown): Promise<Answer> {
    return this.json("/linked_accounts/confirm", { link_state: linkState });
  }
}

/** Registers an account at the sandbox's bank page; returns the address that the customer is sent back to. */
export async function register(registrationUri: string, action: "approve" | "decline"): Promise<URL> {
  const page = await (await fetch(registrationUri)).text();
  const account = /name="account"[^>]*value="([^"]+)"/.exec(page)?.[1] ?? "";
  const ref = new URL(registrationUri).searchParams.get("ref") ?? "";
  const response = await fetch(new URL("/register", registrationUri), {
    method: "POST",
    redirect: "manual",
    body: new URLSearchParams({ ref, account, action }),
  });
  assert.equal(response.status, 303);
  return new URL(response.headers.get("Location") ?? "");
}

/** The one error shape, and nothing else. */
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

export function issuesOf(answer: Answer): string[] {
  return answer.body.issues.map((issue: { field: string; code: string }) => `${issue.field} ${issue.code}`);
}

/** A server in Omise's place, which does what the test says and remembers what it was asked. */
export class FakeOmise {
  readonly requests: { method: string; path: string; headers: IncomingMessage["headers"]; body: string }[] =
    [];
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void = (_, response) => {
    response.writeHead(500).end();
  };
  readonly #server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => {
      body += chunk;
    });
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      this.requests.push({ method, path: url, headers, body });
      this.answer(request, response, body);
    });
  });

  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await once(this.#server.close(), "close");
  }
}

/** A linked account as Omise would answer with it. */
export function account(overrides: Record<string, unknown> = {}): Record<string, unknown> {
  const id =
    (overrides.id as string | undefined) ?? `lnac_test_${randomUUID().replaceAll("-", "").slice(0, 19)}`;
  return {
    object: "linked_account",
    id,
    livemode: false,
    location: `/linked_accounts/${id}`,
    registration_uri: "http://127.0.0.1:1/register",
    return_uri: "http://127.0.0.1:1/return",
    type: "direct_debit_kbank",
    status: "pending",
    last_digits: null,
    metadata: {},
    failure_code: null,
    failure_message: null,
    registered_at: null,
    expires_at: "2030-01-02T00:00:00Z",
    created_at: "2030-01-01T00:00:00Z",
    ...overrides,
  };
}
