// In the place of Omise, in a process of its own: keeps accounts in memory, answers at once, or after a delay. Started by run.ts.
//
// It takes the JSON that a pass-through leaves as it is, and the form that Omise documents. Lists are of everybody's accounts: it does
// not know who asks.

import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { FakeOmise, listOf } from "../../harness/omise.ts";
import { ACCOUNTS, type Account, pendingAccount, seed } from "./seeds.ts";

/** What run.ts tells. Each is answered with `null` once it holds. */
export interface Told {
  /** How long every answer takes, in milliseconds. */
  delay?: number;
  /** Forget what was created and deleted. */
  restore?: true;
}

const authorization = `Basic ${btoa(`${process.env.OMISE_SECRET_KEY}:`)}`;
let accounts = new Map<string, Account>();
let delay = 0;
let created = 0;

// A connection stays open while other peers are measured, so that the next request on it does not find it closing.
const server = new FakeOmise({ keepRequests: false, keepAliveTimeout: 3_600_000, requestTimeout: 0 });
server.answer = (request, response, text) =>
  void respond(request, response, text).catch(() => response.destroy());
const origin = await server.start();
restore();

process.on("message", (told: Told) => {
  if (told.delay !== undefined) delay = told.delay;
  if (told.restore) restore();
  process.send?.(null);
});
process.on("disconnect", () => process.exit());
process.send?.({ url: origin });

function restore(): void {
  const numbers = Array.from({ length: ACCOUNTS + 1 }, (_, number) => number);
  accounts = new Map(numbers.map((number) => seed(number, origin)).map((account) => [account.id, account]));
}

async function respond(request: IncomingMessage, response: ServerResponse, text: string): Promise<void> {
  const { status, body } = answer(request, text);
  if (delay > 0) await sleep(delay);
  const json = JSON.stringify(body);
  const headers = { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(json) };
  response.writeHead(status, headers).end(json);
}

function answer(request: IncomingMessage, text: string): { status: number; body: unknown } {
  const { method, url = "/", headers } = request;
  if (headers.authorization !== authorization) return refusal(401, "authentication_failure");
  const [path = "", query = ""] = url.split("?");
  if (path === "/linked_accounts") {
    if (method === "POST")
      return { status: 200, body: create(text, headers["content-type"]?.startsWith("application/json")) };
    return { status: 200, body: list(new URLSearchParams(query)) };
  }
  const id = path.slice("/linked_accounts/".length);
  const account = accounts.get(id);
  if (!account) return refusal(404, "not_found");
  if (method !== "DELETE") return { status: 200, body: account };
  const deleted = { ...account, status: "deleted" };
  accounts.set(id, deleted);
  return { status: 200, body: deleted };
}

function create(text: string, json?: boolean): Account {
  const form = json ? formOf(JSON.parse(text)) : new URLSearchParams(text);
  const metadata: Record<string, unknown> = {};
  for (const [name, value] of form) {
    const [, entry] = /^metadata\[(.+)\]$/.exec(name) ?? [];
    if (entry) metadata[entry] = value;
  }
  const id = `lnac_test_new${(created++).toString(36).padStart(16, "0")}`;
  const account = pendingAccount(id, form.get("type") ?? "", form.get("return_uri") ?? "", metadata, origin);
  accounts.set(id, account);
  return account;
}

function formOf({ metadata = {}, ...fields }: Record<string, unknown>): URLSearchParams {
  const entries = Object.entries(metadata as object).map(([name, value]) => [`metadata[${name}]`, value]);
  return new URLSearchParams({ ...fields, ...Object.fromEntries(entries) } as Record<string, string>);
}

function list(query: URLSearchParams): unknown {
  const limit = Number(query.get("limit") ?? 20);
  const data: Account[] = [];
  for (const account of accounts.values()) {
    if (data.length === limit) break;
    data.push(account);
  }
  return listOf(data, { limit, total: accounts.size });
}

function refusal(status: number, code: string): { status: number; body: unknown } {
  return {
    status,
    body: { object: "error", location: "https://www.omise.co/api-errors", code, message: code },
  };
}
