// Query plans: SQLite carries out every statement of an object by an index, so that it stays quick as tables grow.

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { facts } from "../support/facts.ts";

/** Statements that may read a table from end to end, and why. */
const SCANS: Record<string, string> = {
  FOUND: "one row",
  SUBJECT: "one row",
  SENT: "one row",
  DUE: "one row of meta",
  AUDITED: "one row of meta; the audit by its key",
  UNDELIVERED: "a hundred rows that were read before",
  SEARCH_OLDEST_FIRST: "words are looked for in all of one customer's links",
  SEARCH_NEWEST_FIRST: "the same",
  SEARCH_COUNT: "the same",
  HAS_TABLES: "the list of tables",
  HAS_ENTRIES: "the list of tables",
};

/** Statements that may sort, and why. */
const SORTS: Record<string, string> = {
  UNDELIVERED: "a hundred rows",
};

type Tables = ReturnType<typeof facts<"worker">>["tables"]["customer"];
type Sql = Tables["statements"][number];

const { tables } = facts("worker");

function databaseOf({ schema }: Tables): DatabaseSync {
  const db = new DatabaseSync(":memory:");
  db.exec(schema);
  return db;
}

/** The faults in the plan of a statement. */
function faults(db: DatabaseSync, { name, text }: Sql): string[] {
  const values = [...text.matchAll(/\?(\d+)/g)].map(([, n]) => Number(n));
  const nulls = Array(Math.max(0, ...values)).fill(null);
  const plan = db.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...nulls) as { detail: string }[];
  return plan
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

for (const [kind, of] of Object.entries(tables)) {
  test(`${kind}: no statement reads a table from end to end, or sorts what an index could`, () => {
    const db = databaseOf(of);
    assert.deepEqual(
      of.statements.flatMap((statement) => faults(db, statement)),
      [],
    );
    const own = "type = 'table' AND NOT name GLOB 'sqlite_*'";
    const names = db.prepare(`SELECT name FROM sqlite_master WHERE ${own}`).all() as { name: string }[];
    assert.ok(names.length > 0);
    for (const { name } of names) {
      const reads = new RegExp(`\\bFROM ${name}\\b`);
      assert.ok(
        of.statements.some(({ text }) => reads.test(text)),
        `no statement reads ${name}`,
      );
    }
  });
}

test("what is excused is there", () => {
  const names = Object.values(tables).flatMap(({ statements }) => statements.map(({ name }) => name));
  for (const excused of [...Object.keys(SCANS), ...Object.keys(SORTS)])
    assert.ok(names.includes(excused), `${excused} is excused, and is not there`);
});

test("a scan, a sort and a text that is no statement are noticed", () => {
  const db = databaseOf(tables.customer);
  const judge = (text: string) => faults(db, { name: "SOME", text });
  assert.deepEqual(judge("SELECT id FROM links WHERE id = ?1"), []);
  assert.match(judge("SELECT id FROM links WHERE status = ?1").join(), /^SOME: SCAN links/);
  assert.match(
    judge("SELECT id FROM links WHERE id > ?1 ORDER BY read_at DESC").join(),
    /TEMP B-TREE.* DESC$/,
  );
  assert.throws(() => judge("VACUUMS"), /syntax error/);
});
