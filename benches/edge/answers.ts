// Whether those who are measured do the same: each is asked the same, and what they answer has to mean the same.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { type Operation, type Session, tokenOf, wantedOf } from "./requests.ts";
import { idOf, ownerOf, PENDING, PER_CUSTOMER, SHOP } from "./seeds.ts";

/** Status, the headers that matter, and the body. */
interface Answer {
  status: number;
  headers: Record<string, string | null>;
  // biome-ignore lint/suspicious/noExplicitAny: whatever JSON came
  body: any;
}

interface Asked {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
}

/** Headers that everybody of equal features has to send alike. */
const HEADERS = [
  "Access-Control-Allow-Origin",
  "Cache-Control",
  "Idempotent-Replayed",
  "Referrer-Policy",
  "Vary",
  "X-Content-Type-Options",
];

/** What a Worker of equal features answers to everything that is measured, and to what it has to refuse. */
export async function answersOf(url: string, session: Session): Promise<Record<string, unknown>> {
  const answers: Record<string, unknown> = {};
  const ask = async (name: string, { method, path, headers, body }: Asked, subject?: string) => {
    const token = subject === undefined ? {} : { Authorization: `Bearer ${tokenOf(session, subject)}` };
    const answer = await send(url + path, {
      method,
      headers: { ...headers, ...token },
      ...(body && { body }),
    });
    answers[name] = meaningOf(answer);
    return answer;
  };
  const own = (operation: Operation, number: number) => {
    const wanted = wantedOf(operation, number);
    return ask(operation, wanted, wanted.subject);
  };

  await own("retrieve", 1);
  await own("list", 1);
  await own("poll", PENDING);
  const create = wantedOf("create", 1);
  const created = await ask("create", create, create.subject);
  const again = await ask("the same create again", create, create.subject);
  assert.equal(again.body.id, created.body.id);
  const other = { ...create, body: JSON.stringify({ ...JSON.parse(create.body ?? ""), metadata: {} }) };
  await ask("another create with its key", other, create.subject);
  const headers = { ...create.headers, "Idempotency-Key": randomUUID() };
  await ask("another create of its type", { ...create, headers }, create.subject);
  await ask("a create without a key", { ...create, headers: { ...headers, "Idempotency-Key": "" } }, "new");
  const wrong = {
    type: "direct_debit_uob",
    return_uri: `${SHOP}.example/return`,
    metadata: { linked_accounts_a: "x" },
    citizen_id: "1101700230709",
    livemode: true,
  };
  await ask("a create that is wrong throughout", { ...create, body: JSON.stringify(wrong) }, "new");

  const retrieve = wantedOf("retrieve", 2);
  await ask("another's account", retrieve, ownerOf(3));
  await ask("an account that is none", { ...retrieve, path: "/linked_accounts/lnac_test_0x" }, ownerOf(3));
  await ask("nobody's request", retrieve);
  const forged = `Bearer ${tokenOf({ ...session, secret: randomUUID() }, ownerOf(2))}`;
  await ask("a forged token", { ...retrieve, headers: { ...retrieve.headers, Authorization: forged } });
  await ask("another's deletion", { ...retrieve, method: "DELETE" }, ownerOf(3));
  await own("delete", 2);
  await ask("the same deletion again", wantedOf("delete", 2), ownerOf(2));
  await ask("a deleted account", retrieve, ownerOf(2));
  return answers;
}

/** A pass-through answers as Omise does: with the right accounts. */
export async function checkPassThrough(url: string): Promise<void> {
  const retrieved = await send(url + wantedOf("retrieve", 4).path);
  assert.deepEqual([retrieved.status, retrieved.body.id], [200, idOf(4)]);
  const { path } = wantedOf("list", 4);
  const list = await send(url + path);
  assert.equal(list.body.data.length, PER_CUSTOMER);
  const { method, headers, body = "" } = wantedOf("create", 4);
  const created = await send(`${url}/linked_accounts`, { method, headers, body });
  assert.deepEqual([created.status, created.body.status], [200, "pending"]);
  const deleted = await send(url + wantedOf("delete", 4).path, { method: "DELETE" });
  assert.deepEqual([deleted.body.id, deleted.body.status], [idOf(4), "deleted"]);
}

async function send(url: string, init: RequestInit = {}): Promise<Answer> {
  const headers = { ...(init.headers as Record<string, string>), Connection: "close" };
  const response = await fetch(url, { ...init, headers });
  const seen = Object.fromEntries(HEADERS.map((name) => [name, response.headers.get(name)]));
  return { status: response.status, headers: seen, body: JSON.parse(await response.text()) };
}

/** Without what differs from one Worker to the next, and without words. */
function meaningOf({ status, headers, body }: Answer): unknown {
  if (body.object === "error") {
    const fields = body.issues.map(({ field }: { field: string }) => field).sort();
    const of = body.linked_account ? "with the account" : "";
    return { status, headers, reason: body.reason, retryable: body.retryable, fields, of };
  }
  // when it was asked for, and by whom an account was made
  const { to: _, ...rest } = body;
  if (body.object === "list" || !body.id.includes("new")) return { status, headers, body: rest };
  const { id, location, registration_uri, ...same } = rest;
  assert.ok(location.endsWith(id) && registration_uri.endsWith(id));
  return { status, headers, body: same };
}
