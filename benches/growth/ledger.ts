// A ledger as a year of some shop's customers would leave it, of any size: written by SQLite itself, in a few statements.
//
// Every owner has three links or so, and one has a hundredth of all. Links are spread evenly over 365 days and in the order of their
// creation; nine tenths of the last day's have their answer. What the Worker drops after thirty days is there for the last thirty.

import type { Database } from "../../harness/stack.ts";
import { LETTER_AT, STATUSES } from "./omise.ts";

/** The owner of a hundredth of all links. */
export const MANY = "customer-with-many";

/** How many links a statement writes: the transaction's log stays small. */
const PART = 50_000;

/** Links number ?1 to ?2 of ?3, as of ?4. D1 takes numbers as doubles, which are made integers first. */
const NUMBERED = `
  WITH RECURSIVE
    number(i) AS (VALUES (CAST(?1 AS INTEGER)) UNION ALL SELECT i + 1 FROM number WHERE i < ?2),
    numbered AS (
      SELECT i, CAST(?4 - 31536000000 + 31536000000.0 * i / ?3 AS INTEGER) AS at,
        CASE WHEN i % 100 = 0 THEN '${MANY}'
          ELSE 'customer-' || (i * 2654435761 % CAST(?3 / 3 + 1 AS INTEGER)) END AS owner,
        'direct_debit_' || CASE i / 7 % 4 WHEN 0 THEN 'bay' WHEN 1 THEN 'kbank' WHEN 2 THEN 'ktb' ELSE 'scb' END AS type
      FROM number
    ),
    lettered AS (
      SELECT *, CASE
          WHEN i % 10 = 3 AND at > ?4 - 86400000 THEN 'p'
          WHEN i / 3 % 20 < 14 THEN 's' WHEN i / 3 % 20 = 14 THEN 'f' WHEN i / 3 % 20 < 18 THEN 'e' ELSE 'd'
        END AS letter
      FROM numbered
    ),
    link AS (
      SELECT *, printf('lnac_test_6%012d%s%05d', i, letter, i * 7919 % 100000) AS id,
        'attempt-' || printf('%014d', i) AS attempt,
        CASE letter ${Object.entries(STATUSES)
          .map(([letter, status]) => `WHEN '${letter}' THEN '${status}'`)
          .join(" ")} END AS status
      FROM lettered
    )
`;

/** A secret's hash and a request's id, which have no order. */
const HASH = "substr(lower(hex(randomblob(22))), 1, 43)";
const REQUEST_ID = "lower(hex(randomblob(16)))";
const TIME = (at: string) => `strftime('%Y-%m-%dT%H:%M:%SZ', (${at}) / 1000, 'unixepoch')`;

/** The tables, in the order in which they are filled, and what is written to each of them for a part of the links. */
const TABLES = {
  links: `
    INSERT INTO links
      (id, owner, attempt, type, status, account, read_at, link_state_hash, confirmed_at, created_at)
    SELECT id, owner, attempt, type, status,
      json_object(
        'object', 'linked_account', 'id', id, 'livemode', json('false'), 'location', '/linked_accounts/' || id,
        'registration_uri', 'https://registration.bank.example/register?ref=' || id,
        'return_uri', 'https://shop.example/account/banks/return?order=A-' || i,
        'type', type, 'status', status, 'last_digits', iif(letter IN ('s', 'd'), printf('%04d', i % 10000), NULL),
        'metadata', json_object('order', 'A-' || i, 'channel', 'web'),
        'failure_code', iif(letter = 'f', 'failed_processing', NULL),
        'failure_message', iif(letter = 'f', 'the bank has refused', NULL),
        'registered_at', iif(letter IN ('s', 'd'), ${TIME("at + 60000")}, NULL),
        'expires_at', ${TIME("at + 86400000")}, 'created_at', ${TIME("at")}),
      at + 60000, ${HASH}, iif(letter = 's', at + 61000, NULL), at
    FROM link`,
  // what is said of a link: that it was made, what became of it, and that it was confirmed
  audit: `
    INSERT INTO audit (at, request_id, actor, action, link, outcome)
    SELECT at + step * 60000, ${REQUEST_ID}, owner,
      CASE step WHEN 0 THEN 'create' WHEN 1 THEN 'read' ELSE 'confirm' END, id,
      CASE step WHEN 0 THEN 'pending' WHEN 1 THEN status ELSE 'ok' END
    FROM link, (SELECT column1 AS step FROM (VALUES (0), (1), (2)))
    WHERE step = 0 OR (step = 1 AND letter <> 'p') OR letter IN ('s', 'd')
    ORDER BY 1`,
  // one in a hundred came to nothing, and is there in place of a link's
  attempts: `
    INSERT OR IGNORE INTO attempts
      (id, owner, idempotency_key, fingerprint, type, state, open, current, link, link_state_hash, looked_at, created_at)
    SELECT iif(i % 100 = 1, 'abandoned-' || i, attempt), owner, printf('%s-%s', ${REQUEST_ID}, i), ${HASH}, type,
      iif(i % 100 = 1, 'abandoned', 'linked'), letter = 'p' AND i % 100 <> 1, letter = 'p' AND i % 100 <> 1,
      iif(i % 100 = 1, NULL, id), ${HASH}, 0, at
    FROM link WHERE at > ?4 - 2592000000`,
  events: `
    INSERT INTO events (id, seen_at)
    SELECT printf('evnt_test_%019d', i), at + 60000 FROM link WHERE at > ?4 - 2592000000 AND letter <> 'p'`,
};
export type Table = keyof typeof TABLES;

/** What a table takes, its indexes included. */
export interface Size {
  rows: number;
  bytes: number;
}

/** Fills an empty ledger with so many links; what each table takes. */
export async function fill(db: Database, links: number): Promise<Record<Table, Size>> {
  const now = Date.now();
  const sizes = {} as Record<Table, Size>;
  let before = await bytes(db);
  for (const [table, insert] of Object.entries(TABLES) as [Table, string][]) {
    for (let first = 1; first <= links; first += PART) {
      const last = Math.min(first + PART - 1, links);
      await db
        .prepare(NUMBERED + insert)
        .bind(first, last, links, now)
        .run();
    }
    const counted = await db.prepare(`SELECT count(*) AS rows FROM ${table}`).first<{ rows: number }>();
    const after = await bytes(db);
    sizes[table] = { rows: counted?.rows ?? 0, bytes: after - before };
    before = after;
  }
  return sizes;
}

/** How large the database is. */
async function bytes(db: Database): Promise<number> {
  const { meta } = (await db.prepare("SELECT 1").all()) as unknown as { meta: { size_after: number } };
  return meta.size_after;
}

/** A link of the ledger. */
export interface Sample {
  id: string;
  owner: string;
}

/** So many links of ordinary owners, from all over the ledger, each owner's once; none is pending or deleted. */
export async function sample(db: Database, links: number, count: number): Promise<Sample[]> {
  const numbers = new Set<number>();
  // more than are needed: some are not as asked for
  while (numbers.size < Math.min(count * 3, links * 0.9)) numbers.add(1 + Math.floor(Math.random() * links));
  const sql = `
    SELECT min(id) AS id, owner FROM links
    WHERE rowid IN (SELECT value FROM json_each(?1)) AND owner <> ?2
      AND substr(id, ${LETTER_AT + 1}, 1) IN ('s', 'f', 'e')
      AND NOT EXISTS (SELECT 1 FROM attempts WHERE attempts.owner = links.owner AND open = 1)
    GROUP BY owner LIMIT ?3`;
  const { results } = await db
    .prepare(sql)
    .bind(JSON.stringify([...numbers]), MANY, count)
    .all<Sample>();
  return results;
}
