// Customers as a year of some shop would leave them, in objects of their own.
//
// An ordinary customer has three links. Some have many more, so that what grows with them is seen. Links are spread evenly over 365 days,
// in the order of their creation; what the Worker drops after thirty days is there for the last thirty.

import type { RunningWorker } from "../../harness/stack.ts";
import { each, found, sizeOf } from "../objects.ts";
import { LETTER_AT, STATUSES, seeded } from "./omise.ts";

const DAY = 86_400_000;
/** How many links an ordinary customer has. */
const ORDINARY = 3;
/** How many links a statement writes: a value has 2 MB at most. */
const PART = 1_000;
/** How many customers are filled in one go. */
const CUSTOMERS = 5_000;
/** Of twenty links of these so many are of each status. */
const LETTERS = "ssssssssssssssfeeedd" as const;

/** An ordinary customer's name. */
export const nameOf = (number: number): string => `customer-${number}`;
/** The name of the one with so many links. */
export const ownerOf = (links: number): string => `customer-with-${links}`;

/** A link, as its tables have it. */
interface Row {
  i: number;
  id: string;
  type: string;
  status: string;
  account: string;
  at: number;
  is_recent: boolean;
}

/** The tables, in the order in which they are filled, and what is written to each of them for some links, given as JSON. */
const TABLES = {
  links: `
    INSERT INTO links (id, attempt, type, status, account, read_at, link_state_hash, confirmed_at, created_at)
    SELECT value ->> 'id', printf('attempt-%014d', value ->> 'i'), value ->> 'type', value ->> 'status', value ->> 'account',
      (value ->> 'at') + 60000, substr(lower(hex(randomblob(22))), 1, 43),
      iif(value ->> 'status' = 'successful', (value ->> 'at') + 61000, NULL), value ->> 'at'
    FROM json_each(?1)`,
  // a link has an entry before it is made, one after, one for the bank's decision, and one for its confirmation
  audit: `
    INSERT INTO audit (at, request_id, actor, action, link, outcome)
    SELECT (value ->> 'at') + step * 30000, lower(hex(randomblob(16))), (SELECT subject FROM meta),
      CASE step WHEN 2 THEN 'read' WHEN 3 THEN 'confirm' ELSE 'create' END, iif(step = 0, NULL, value ->> 'id'),
      CASE step WHEN 0 THEN 'begun' WHEN 1 THEN 'pending' WHEN 2 THEN value ->> 'status' ELSE 'ok' END
    FROM json_each(?1), (SELECT column1 AS step FROM (VALUES (0), (1), (2), (3)))
    WHERE step < 3 OR value ->> 'status' IN ('successful', 'deleted')`,
  attempts: `
    INSERT INTO attempts (id, idempotency_key, fingerprint, type, state, current, link, link_state_hash, created_at)
    SELECT printf('attempt-%014d', value ->> 'i'), lower(hex(randomblob(16))), substr(lower(hex(randomblob(22))), 1, 43),
      value ->> 'type', 'linked', 0, value ->> 'id', substr(lower(hex(randomblob(22))), 1, 43), value ->> 'at'
    FROM json_each(?1) WHERE value ->> 'is_recent'`,
  events: `
    INSERT INTO events (id, seen_at)
    SELECT printf('evnt_test_%019d', value ->> 'i'), (value ->> 'at') + 60000 FROM json_each(?1) WHERE value ->> 'is_recent'`,
};
export type Table = keyof typeof TABLES;

/** After all of them: the audit is in the audit log. */
const DELIVERED = "UPDATE meta SET delivered = coalesce((SELECT max(seq) FROM audit), 0)";

/** What a table takes, its indexes included. */
export interface Size {
  rows: number;
  bytes: number;
}

/** Link number `i` of a year with `of` of them, as Omise at `origin` has its account. */
function row(i: number, of: number, now: number, origin: string): Row {
  const at = Math.floor(now - 365 * DAY + (365 * DAY * i) / (of + 1));
  const letter = LETTERS[Math.floor(i / 3) % LETTERS.length] as keyof typeof STATUSES;
  const id = idOf(i, letter);
  const account = JSON.stringify(seeded(id, origin));
  const type = "direct_debit_kbank";
  return { i, id, type, status: STATUSES[letter], account, at, is_recent: at > now - 30 * DAY };
}

function idOf(i: number, letter: string): string {
  const id = `lnac_test_6${String(i).padStart(12, "0")}${letter}${String((i * 7_919) % 100_000).padStart(5, "0")}`;
  if (id[LETTER_AT] !== letter) throw new Error(`${id} has its letter elsewhere`);
  return id;
}

/** Makes so many ordinary customers. */
export async function fill(worker: RunningWorker, customers: number, origin: string): Promise<void> {
  const now = Date.now();
  for (let from = 0; from < customers; from += CUSTOMERS) {
    const numbers = Array.from({ length: Math.min(CUSTOMERS, customers - from) }, (_, i) => from + i);
    await found(worker, numbers.map(nameOf));
    const rows = numbers.map((number): [string, string] => {
      // each customer's are spread over the year by themselves
      const first = number * ORDINARY + 1;
      const own = Array.from({ length: ORDINARY }, (_, i) => {
        const { at } = row(i + 1, ORDINARY, now, origin);
        return { ...row(first + i, customers * ORDINARY, now, origin), at, is_recent: false };
      });
      return [nameOf(number), JSON.stringify(own)];
    });
    for (const insert of [TABLES.links, TABLES.audit]) await each(worker, insert, rows);
    await each(
      worker,
      DELIVERED,
      numbers.map((number) => [nameOf(number)]),
    );
  }
}

/** Makes a customer with so many links; what each table takes. */
export async function fillOne(
  worker: RunningWorker,
  links: number,
  origin: string,
): Promise<Record<Table, Size>> {
  const now = Date.now();
  const owner = ownerOf(links);
  const object = worker.customer(owner);
  await found(worker, [owner]);
  const sizes = {} as Record<Table, Size>;
  let before = await sizeOf(worker, owner);
  for (const [table, insert] of Object.entries(TABLES) as [Table, string][]) {
    for (let first = 1; first <= links; first += PART) {
      const part = Array.from({ length: Math.min(PART, links - first + 1) }, (_, i) =>
        row(first + i, links, now, origin),
      );
      await object.sql(insert, JSON.stringify(part));
    }
    const [counted] = await object.sql<{ rows: number }>(`SELECT count(*) AS rows FROM ${table}`);
    const after = await sizeOf(worker, owner);
    sizes[table] = { rows: counted?.rows ?? 0, bytes: after - before };
    before = after;
  }
  await object.sql(DELIVERED);
  return sizes;
}

/** Adds so many entries to the audit log of today, which has one already. */
export async function fillAudit(worker: RunningWorker, entries: number): Promise<void> {
  const today = new Date().toISOString().slice(0, 10);
  const sql = `
    WITH RECURSIVE number(i) AS (VALUES (CAST(?1 AS INTEGER)) UNION ALL SELECT i + 1 FROM number WHERE i < ?2)
    INSERT INTO entries (customer, subject, incarnation, seq, at, request_id, actor, action, link, outcome)
    SELECT 'customer-' || i, 'customer-' || i, 'seeded-' || i, 1, ?3, lower(hex(randomblob(16))), 'customer-' || i, 'create', NULL, 'begun'
    FROM number`;
  const part = 50_000;
  for (let first = 1; first <= entries; first += part) {
    await worker.auditLog(today).sql(sql, first, Math.min(first + part - 1, entries), Date.now());
  }
}

/** A link of some customer's. */
export interface Sample {
  id: string;
  owner: string;
}

/** So many ordinary customers, each once, with two links each that are neither pending nor deleted. */
export function sample(customers: number, count: number): [Sample, Sample][] {
  const numbers = new Set<number>();
  while (numbers.size < Math.min(count, customers / 2)) {
    const number = Math.floor(Math.random() * customers);
    // of the twenty letters the last two are deleted
    const letters = [1, 2].map((i) => LETTERS[Math.floor((number * ORDINARY + i) / 3) % LETTERS.length]);
    if (!letters.includes("d")) numbers.add(number);
  }
  return [...numbers].map((number) => {
    const [first, second] = [1, 2].map((i): Sample => {
      const link = number * ORDINARY + i;
      const letter = LETTERS[Math.floor(link / 3) % LETTERS.length] ?? "";
      return { id: idOf(link, letter), owner: nameOf(number) };
    });
    return [first as Sample, second as Sample];
  });
}

/** So many links of the customer with many, that are neither pending nor deleted. */
export function sampleOf(links: number, count: number): Sample[] {
  const found: Sample[] = [];
  while (found.length < count) {
    const link = 1 + Math.floor(Math.random() * links);
    const letter = LETTERS[Math.floor(link / 3) % LETTERS.length] ?? "";
    if (letter !== "d") found.push({ id: idOf(link, letter), owner: ownerOf(links) });
  }
  return found;
}
