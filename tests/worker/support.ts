// What the Worker's specs share: tokens, requests, and a stand-in for Omise that misbehaves on purpose.

import assert from "node:assert/strict";
import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Database, Running, Secrets, Session } from "../../harness/stack.ts";
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
    // workerd closes a connection that was idle, or whose body it did not read to the end: nothing else may be sent on it
    headers.set("Connection", "close");
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

/** The attributes of an account as the Worker answers with it, in their order. */
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

/** The shop of specs that start no storefront. */
export const STOREFRONT = "http://127.0.0.1:1";

/** The claim that makes an operator. */
export const OPERATE = { scope: "linked_accounts:operate" };

/** How sessions of a Worker are signed that was started with these secrets. */
export function sessionOf(worker: Running, secrets: Secrets): Session {
  return { alg: "HS256", secret: secrets.SESSION_SECRET, iss: STOREFRONT, aud: worker.url };
}

/** An answer of FakeOmise's in JSON: to a create, with the metadata that came. */
export function answering(
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): FakeOmise["answer"] {
  return (request, response, form) =>
    void response
      .writeHead(status, { "Content-Type": "application/json", ...headers })
      .end(JSON.stringify(request.method === "POST" ? stamped(body, form) : body));
}

/** An account with the stamp of the create that asks for it. */
function stamped(body: unknown, form: string): unknown {
  const { object, metadata } = (body ?? {}) as Record<string, unknown>;
  const stamp = new URLSearchParams(form).get("metadata[linked_accounts_attempt]");
  if (object !== "linked_account" || !stamp) return body;
  return { ...(body as object), metadata: { linked_accounts_attempt: stamp, ...(metadata as object) } };
}

/** Omise's list envelope. */
export function listOf(data: unknown[], more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    object: "list",
    data,
    limit: 20,
    offset: 0,
    total: data.length,
    location: "/linked_accounts",
    order: "chronological",
    from: "1970-01-01T00:00:00Z",
    to: "2030-01-01T00:00:00Z",
    ...more,
  };
}

/** Omise's search envelope. */
export function searchOf(data: unknown[], more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    object: "search",
    export: null,
    data,
    page: 1,
    per_page: 30,
    total: data.length,
    total_pages: 1,
    filters: {},
    location: "/search",
    order: "chronological",
    query: "",
    scope: "linked_account",
    aggregate_level: null,
    ...more,
  };
}

/** How Omise can fail a list or a search: its answer, then status and reason of the Worker's, and what else is to be seen. */
export const PAGE_FAULTS: [
  name: string,
  answer: FakeOmise["answer"],
  status: number,
  reason: string,
  /** `requests`: how often Omise is asked. */
  more?: { retryAfter?: string; requests?: number },
][] = [
  [
    "500, the Rails way",
    answering(500, { status: 500, error: "Internal Server Error" }),
    503,
    "upstream_unavailable",
    { retryAfter: "1", requests: 3 },
  ],
  [
    "503, HTML",
    (_, response) => void response.writeHead(503).end("<b>"),
    503,
    "upstream_unavailable",
    { retryAfter: "1", requests: 3 },
  ],
  [
    "501, which is not for now",
    answering(501, { object: "error", code: "x", message: "<b>" }),
    503,
    "upstream_unavailable",
    { retryAfter: "1" },
  ],
  [
    "429 for a minute",
    answering(429, { object: "error", code: "too_many_requests", message: "<b>" }, { "Retry-After": "60" }),
    503,
    "upstream_unavailable",
    { retryAfter: "60" },
  ],
  [
    "429 for longer than the deadline",
    answering(429, {}, { "Retry-After": "5" }),
    503,
    "upstream_unavailable",
    { retryAfter: "5" },
  ],
  [
    "429 for a day",
    (_, response) =>
      void response.writeHead(429, { "Retry-After": new Date(Date.now() + 86_400_000).toUTCString() }).end(),
    503,
    "upstream_unavailable",
    { retryAfter: "3600" },
  ],
  ["401", answering(401, { object: "error", code: "authentication_failure" }), 502, "upstream_misconfigured"],
  ["403", answering(403, { object: "error", code: "not_authorized" }), 502, "upstream_misconfigured"],
  ["404", answering(404, { object: "error", code: "not_found" }), 502, "upstream_misconfigured"],
  ["400", answering(400, { object: "error", code: "bad_request", message: "<b>" }), 400, "upstream_refused"],
  ["HTML", (_, response) => void response.writeHead(200).end("<b>"), 502, "upstream_unreadable"],
  ["another object", answering(200, account()), 502, "upstream_unreadable"],
  ["an array", answering(200, [account()]), 502, "upstream_unreadable"],
  ["204", (_, response) => void response.writeHead(204).end(), 502, "upstream_unreadable"],
  [
    "302",
    (_, response) => void response.writeHead(302, { Location: "/elsewhere" }).end(),
    502,
    "upstream_unreadable",
  ],
  [
    "nothing, and resets",
    (request) => void request.socket.destroy(),
    503,
    "upstream_unavailable",
    { requests: 3 },
  ],
  ["nothing, and hangs", () => {}, 504, "upstream_timeout"],
  [
    "half of it, and hangs",
    (_, response) => void response.writeHead(200, { "Content-Length": "100" }).write("{"),
    504,
    "upstream_timeout",
  ],
];

/** What a link in the ledger is about: attributes of the account, whose it is, and when it was confirmed. */
export interface Seed {
  owner: string;
  account?: Record<string, unknown>;
  confirmed_at?: string | null;
}

/**
 * Puts links straight into the ledger, as if their attempts were so old that they have been dropped; the accounts as their
 * owners will see them.
 */
export async function seedLinks(db: Database, seeds: Seed[]): Promise<Record<string, unknown>[]> {
  const millis = (time: unknown) => Date.parse(String(time));
  const rows = seeds.map((seed) => ({
    owner: seed.owner,
    stored: account(seed.account),
    confirmed_at: seed.confirmed_at ?? null,
  }));
  const insert = db.prepare(
    `INSERT INTO links
       (id, owner, attempt, type, status, account, read_at, link_state_hash, confirmed_at, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  await db.batch(
    rows.map(({ owner, stored, confirmed_at }) =>
      insert.bind(
        stored.id,
        owner,
        `attempt-${stored.id}`,
        stored.type,
        stored.status,
        JSON.stringify(stored),
        millis(stored.created_at),
        `hash-${stored.id}`,
        confirmed_at && millis(confirmed_at),
        millis(stored.created_at),
      ),
    ),
  );
  return rows.map(({ stored, confirmed_at }) => ({ ...stored, confirmed_at }));
}

/** Asks again and again until there is an answer: for what happens off the request's path. Half a minute is never needed. */
export async function until<T>(ask: () => Promise<T | null | undefined | false>): Promise<T> {
  const patience = Date.now() + 30_000;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    assert.ok(Date.now() < patience, `in vain: ${ask}`);
    // lets the Worker go on
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
