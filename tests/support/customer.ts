// A customer: sends the Worker's requests with a session token, and registers an account at the sandbox's bank.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { token } from "../../harness/session.ts";
import type { Session } from "../../harness/stack.ts";
import { type Answer, readAnswer } from "./answer.ts";

/** A customer of one Worker; `claims` go into each session token. */
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
    // workerd closes a connection that was idle, or whose body it did not read to the end, so each request gets its own
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

/** Submits the sandbox's registration page; returns the return URI that the customer is redirected to. */
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
