// What the ledgers and the upstream hold before anything is measured: the same accounts, of many customers, linked long ago. One is pending,
// for those who poll.

import { account } from "../../harness/omise.ts";
import type { Database, RunningWorker } from "../../harness/stack.ts";
import { each, found } from "../objects.ts";

const CUSTOMERS = 2_000;
/** How many accounts each has; what a list is of. */
export const PER_CUSTOMER = 5;
export const ACCOUNTS = CUSTOMERS * PER_CUSTOMER;
/** The number of the pending account. */
export const PENDING = ACCOUNTS;
/** The shop: where customers return to, and whose pages ask. */
export const SHOP = "https://shop.example";
/** The metadata by which the Worker knows its own accounts. */
export const STAMP = "linked_accounts_stamp";

const LINKED_AT = "2025-01-01T00:00:00Z";
/** Rows a statement. */
const CHUNK = 1_000;

/** An account as Omise has it. */
export type Account = Record<string, unknown> & { id: string; metadata: Record<string, unknown> };

export function ownerOf(number: number): string {
  return number === PENDING ? "customer-pending" : `customer-${number % CUSTOMERS}`;
}

export function idOf(number: number): string {
  return `lnac_test_${number.toString(36).padStart(19, "0")}`;
}

/** A new account as Omise answers with it. */
export function pendingAccount(
  id: string,
  type: string,
  returnUri: string,
  metadata: Record<string, unknown>,
  origin: string,
): Account {
  return account({
    id,
    registration_uri: `${origin}/register?ref=${id}`,
    return_uri: returnUri,
    type,
    metadata,
    created_at: LINKED_AT,
  }) as Account;
}

/** The account of this number, as the upstream at `origin` has it. */
export function seed(number: number, origin: string): Account {
  const metadata = { order: `A-${number}`, channel: "web", [STAMP]: attemptOf(number) };
  const returnUri = `${SHOP}/return?link_state=${attemptOf(number)}`;
  const pending = pendingAccount(idOf(number), "direct_debit_kbank", returnUri, metadata, origin);
  if (number === PENDING) return pending;
  return { ...pending, status: "successful", last_digits: "1234", registered_at: LINKED_AT };
}

/** The accounts as their owners see them, with whose each is. */
function owned(origin: string): { owner: string; attempt: string; account: Account }[] {
  return Array.from({ length: ACCOUNTS + 1 }, (_, number) => {
    const { [STAMP]: _stamp, ...metadata } = seed(number, origin).metadata;
    const account = { ...seed(number, origin), return_uri: `${SHOP}/return`, metadata };
    return { owner: ownerOf(number), attempt: attemptOf(number), account };
  });
}

/** Puts all of them into the objects of their owners. */
export async function fillObjects(worker: RunningWorker, origin: string): Promise<void> {
  const owners = Map.groupBy(owned(origin), ({ owner }) => owner);
  await found(worker, [...owners.keys()]);
  await each(
    worker,
    `INSERT INTO links (id, attempt, type, status, account, read_at, link_state_hash, confirmed_at, created_at)
     SELECT value ->> '$.account.id', value ->> 'attempt', value ->> '$.account.type', value ->> '$.account.status',
       value -> 'account', ?2, 'hash of ' || (value ->> '$.account.id'), ?2, ?2
     FROM json_each(?1)`,
    [...owners].map(([owner, own]) => [owner, JSON.stringify(own), Date.parse(LINKED_AT)]),
  );
}

/** Takes back what was deleted since. What was created is in objects of customers who do not come again. */
export async function restoreObjects(worker: RunningWorker): Promise<void> {
  await each(
    worker,
    `UPDATE links SET status = 'successful', account = json_set(account, '$.status', 'successful'), deleting = NULL, due_at = NULL
     WHERE status = 'deleted';
     UPDATE meta SET delivered = coalesce((SELECT max(seq) FROM audit), 0)`,
    Array.from({ length: CUSTOMERS }, (_, number) => [ownerOf(number)]),
  );
}

/** Puts all of them into the ledger of a peer, as their owners see them. */
export async function fill(db: Database, origin: string): Promise<void> {
  const insert = db.prepare(
    `INSERT INTO links (id, owner, attempt, type, status, account, read_at, link_state_hash, confirmed_at, created_at)
     SELECT value ->> 'id', value ->> 'owner', value ->> 'attempt', value ->> '$.account.type',
       value ->> '$.account.status', value -> 'account', ?2, 'hash of ' || (value ->> 'id'), ?2, ?2
     FROM json_each(?1)`,
  );
  const rows = owned(origin).map((row) => ({ ...row, id: row.account.id }));
  for (let from = 0; from < rows.length; from += CHUNK) {
    await insert.bind(JSON.stringify(rows.slice(from, from + CHUNK)), Date.parse(LINKED_AT)).run();
  }
}

/** Takes back what was created and deleted since. */
export async function restore(db: Database): Promise<void> {
  await db.batch([
    db.prepare("DELETE FROM attempts"),
    db.prepare("DELETE FROM links WHERE attempt NOT LIKE 'seed-%'"),
    db.prepare(
      `UPDATE links SET status = 'successful', account = json_set(account, '$.status', 'successful')
       WHERE status = 'deleted'`,
    ),
  ]);
}

function attemptOf(number: number): string {
  return `seed-${String(number).padStart(17, "0")}`;
}
