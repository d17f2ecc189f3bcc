// Query plans: SQLite carries out every statement of the Worker by an index, so that it stays quick as tables grow.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { STOREFRONT } from "../../harness/session.ts";
import { type Database, type Running, randomSecrets, startWorker } from "../../harness/stack.ts";
import { facts } from "../support/facts.ts";

/** Statements that may read a table from end to end. */
const SCANS: Record<string, string> = {
  CHECK_ATTEMPTS: "LIMIT 0",
  CHECK_LINKS: "LIMIT 0",
  CHECK_EVENTS: "LIMIT 0",
  CHECK_AUDIT: "LIMIT 0",
};

/** Statements that may sort. */
const SORTS: Record<string, string> = {
  UNSETTLED:
    "what is left open within 25 hours, once every five minutes; no index could tell who was looked at last",
};

type Sql = ReturnType<typeof facts<"worker">>["statements"][number];

const { statements } = facts("worker");

/** Returns the faults in the plan of a statement. */
async function faults(db: Database, { name, text }: Sql): Promise<string[]> {
  const values = [...text.matchAll(/\?(\d+)/g)].map(([, n]) => Number(n));
  const nulls = Array(Math.max(0, ...values)).fill(null);
  const { results } = await db
    .prepare(`EXPLAIN QUERY PLAN ${text}`)
    .bind(...nulls)
    .all<{ detail: string }>();
  return results
    .map(({ detail }) => detail)
    .filter((detail) => {
      // a table, or an index of one, from end to end; json_each is as long as what was asked for
      if (detail.startsWith("SCAN"))
        return !/^SCAN (CONSTANT ROW|json_each VIRTUAL)/.test(detail) && !SCANS[name];
      if (detail.includes("TEMP B-TREE")) return !SORTS[name];
      return detail.includes("AUTOMATIC");
    })
    .map((detail) => `${name}: ${detail}: ${text}`);
}

let worker: Running;
let db: Database;

before(async () => {
  const secrets = randomSecrets();
  worker = await startWorker({ omiseUrl: "http://127.0.0.1:2", storefrontUrl: STOREFRONT, secrets });
  db = await worker.db();
});
after(() => worker?.dispose());

test("no statement reads a table from end to end, or sorts what an index could", async () => {
  const wrong = [];
  for (const statement of statements) wrong.push(...(await faults(db, statement)));
  assert.deepEqual(wrong, []);
  const own =
    "type = 'table' AND NOT name GLOB '_cf_*' AND NOT name GLOB 'd1_*' AND NOT name GLOB 'sqlite_*'";
  const { results } = await db.prepare(`SELECT name FROM sqlite_master WHERE ${own}`).all<{ name: string }>();
  assert.ok(results.length >= 4);
  for (const { name: table } of results) {
    const reads = new RegExp(`^SELECT .* FROM ${table}\\b`, "s");
    assert.ok(
      statements.some(({ name, text }) => reads.test(text) && !SCANS[name]),
      `no statement reads ${table}`,
    );
  }
  for (const excused of [...Object.keys(SCANS), ...Object.keys(SORTS)]) {
    assert.ok(
      statements.some(({ name }) => name === excused),
      `${excused} is excused, and is not there`,
    );
  }
});

test("a scan, a sort and a text that is no statement are noticed", async () => {
  const judge = (text: string) => faults(db, { name: "SOME", text });
  assert.deepEqual(await judge("SELECT id FROM links WHERE id = ?1"), []);
  assert.match((await judge("SELECT id FROM links WHERE status = ?1")).join(), /^SOME: SCAN links/);
  const sort = await judge("SELECT id FROM links WHERE owner = ?1 ORDER BY read_at DESC");
  assert.match(sort.join(), /TEMP B-TREE.* DESC$/);
  await assert.rejects(judge("VACUUMS"), /syntax error/);
});
