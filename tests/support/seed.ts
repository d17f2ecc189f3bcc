// Seeds customers' objects with links.

import { readFileSync } from "node:fs";
import { account } from "../../harness/omise.ts";
import type { RunningWorker } from "../../harness/stack.ts";

/** A link to insert: the subject of its owner, attributes of its account, and the time of its confirmation. */
export interface Seed {
  owner: string;
  account?: Record<string, unknown>;
  confirmed_at?: string | null;
}

const SCHEMA = readFileSync(new URL("../../worker/src/customer/schema.sql", import.meta.url), "utf8");

/**
 * Inserts links into the objects of their owners, without their attempts: as if those were so old that the Worker had dropped them.
 * Returns the accounts as their owners see them.
 */
export async function seedLinks(
  worker: Pick<RunningWorker, "customer">,
  seeds: Seed[],
): Promise<Record<string, unknown>[]> {
  const millis = (time: unknown) => Date.parse(String(time));
  const rows = seeds.map(({ owner, account: attributes, confirmed_at = null }) => ({
    owner,
    stored: account(attributes),
    confirmed_at,
  }));
  for (const [owner, own] of Map.groupBy(rows, ({ owner }) => owner)) {
    const object = worker.customer(owner);
    const [table] = await object.sql("SELECT name FROM sqlite_master WHERE name = 'meta'");
    if (!table) {
      await object.sql(SCHEMA);
      await object.sql("INSERT INTO meta VALUES (1, 1, ?, 'seeded', 'seeded', 0)", owner);
    }
    await object.sql(
      `INSERT INTO links (id, attempt, type, status, account, read_at, link_state_hash, confirmed_at, created_at)
       SELECT value ->> 'id', 'attempt-' || (value ->> 'id'), value ->> 'type', value ->> 'status', value ->> 'account',
         value ->> 'created_at', 'hash-' || (value ->> 'id'), value ->> 'confirmed_at', value ->> 'created_at'
       FROM json_each(?)`,
      JSON.stringify(
        own.map(({ stored, confirmed_at }) => ({
          id: stored.id,
          type: stored.type,
          status: stored.status,
          account: JSON.stringify(stored),
          confirmed_at: confirmed_at && millis(confirmed_at),
          created_at: millis(stored.created_at),
        })),
      ),
    );
  }
  return rows.map(({ stored, confirmed_at }) => ({ ...stored, confirmed_at }));
}
