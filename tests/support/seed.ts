// Seeds the ledger with links.

import { account } from "../../harness/omise.ts";
import type { Database } from "../../harness/stack.ts";

/** A link to insert: its owner, attributes of its account, and the time of its confirmation. */
export interface Seed {
  owner: string;
  account?: Record<string, unknown>;
  confirmed_at?: string | null;
}

/**
 * Inserts links into the ledger, without their attempts: as if those were so old that the Worker had dropped them. Returns the accounts
 * as their owners see them.
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
