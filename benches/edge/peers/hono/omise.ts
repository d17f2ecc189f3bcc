// Omise: the calls, and its accounts as their owners see them.

import { env } from "cloudflare:workers";
import { listed } from "./env.ts";
import { Refusal } from "./refusal.ts";
import type { Create } from "./schema.ts";

const DEADLINE_MS = 15_000;
const RESERVED = "linked_accounts_";
/** The metadata that names the attempt which made an account. */
const STAMP = "linked_accounts_stamp";
const REGISTRATION_ORIGINS = listed(env.REGISTRATION_ORIGINS);
const AUTHORIZATION = `Basic ${btoa(`${env.OMISE_SECRET_KEY}:`)}`;

/** The attributes that are looked at; the others are passed on. */
export interface Account {
  object: "linked_account";
  id: string;
  livemode: boolean;
  registration_uri: string | null;
  return_uri: string | null;
  type: string;
  status: string;
  metadata: Record<string, unknown>;
  created_at: string;
}

/** Asks for a new account, once. `null`: whether Omise made it is not known. */
export async function create(
  wanted: Create,
  returnUri: string,
  attempt: string,
  requestId: string,
): Promise<Account | null> {
  const form = new URLSearchParams({ type: wanted.type, return_uri: returnUri });
  if (wanted.citizen_id) form.set("citizen_id", wanted.citizen_id);
  const metadata = { ...wanted.metadata, [STAMP]: attempt };
  for (const [name, value] of Object.entries(metadata)) form.set(`metadata[${name}]`, String(value));
  try {
    const response = await call("POST", "/linked_accounts", requestId, {
      body: form.toString(),
      headers: { "Content-Type": "application/x-www-form-urlencoded", "Idempotency-Key": attempt },
    });
    if (response.status >= 400 && response.status < 500) throw new Refusal("upstream_failed");
    const account = response.ok ? accountOf(await response.json()) : null;
    return account?.metadata[STAMP] === attempt ? tidy(account) : null;
  } catch (error) {
    if (error instanceof Refusal && error.reason === "upstream_failed") throw error;
    return null;
  }
}

export async function retrieve(id: string, requestId: string): Promise<Account> {
  return await one("GET", id, requestId);
}

/** Unlinks an account. Omise's 400 says that it was not linked. */
export async function unlink(id: string, requestId: string): Promise<Account> {
  return await one("DELETE", id, requestId);
}

async function one(method: "GET" | "DELETE", id: string, requestId: string): Promise<Account> {
  const response = await call(method, `/linked_accounts/${id}`, requestId).catch(() => {
    throw new Refusal("upstream_failed");
  });
  if (response.status === 404) throw new Refusal("not_found");
  if (response.status === 400 && method === "DELETE") throw new Refusal("not_registered");
  const account = response.ok ? accountOf(await response.json()) : null;
  if (account?.id !== id) throw new Refusal("upstream_failed");
  return tidy(account);
}

function call(method: string, path: string, requestId: string, init: RequestInit = {}): Promise<Response> {
  return fetch(env.OMISE_API_URL + path, {
    ...init,
    method,
    headers: {
      Accept: "application/json",
      Authorization: AUTHORIZATION,
      "Omise-Version": "2019-05-29",
      "User-Agent": "hono-peer",
      "X-Request-Id": requestId,
      ...init.headers,
    },
    redirect: "manual",
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
}

/** An account of test mode, whose registration page is one to send a customer to. */
function accountOf(json: unknown): Account | null {
  const account = json as Account;
  if (account?.object !== "linked_account" || account.livemode) return null;
  const page = account.registration_uri;
  const safe = page !== null && URL.canParse(page) && REGISTRATION_ORIGINS.includes(new URL(page).origin);
  return { ...account, registration_uri: safe ? page : null };
}

/** An account as its owner sees it: without what is the Worker's own. */
function tidy(account: Account): Account {
  const metadata = Object.fromEntries(
    Object.entries(account.metadata).filter(([name]) => !name.startsWith(RESERVED)),
  );
  return { ...account, metadata, return_uri: withoutLinkState(account.return_uri) };
}

export function withLinkState(returnUri: string, linkState: string): string {
  const url = new URL(returnUri);
  url.searchParams.append("link_state", linkState);
  return url.href;
}

function withoutLinkState(returnUri: string | null): string | null {
  if (returnUri === null || !URL.canParse(returnUri)) return returnUri;
  const url = new URL(returnUri);
  url.searchParams.delete("link_state");
  return url.href;
}
