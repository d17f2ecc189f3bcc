// Query plans: SQLite carries out every statement of an object by an index, so that it stays quick as tables grow.

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { facts } from "../support/facts.ts";

/** What any statement may read from end to end: one row, the list of tables, and what was asked for. */
const SHORT = ["meta", "sqlite_master", "CONSTANT ROW", "json_each VIRTUAL TABLE"];

/** What a statement may read from end to end besides, and why. */
const SCANS: Record<string, { of: string[]; why: string }> = {
  DUE: { of: ["(subquery-4)"], why: "one row" },
  UNDELIVERED: { of: ["next", "day", "other"], why: "at most a hundred rows that were read by key" },
  SEARCH_OLDEST_FIRST: { of: ["links"], why: "words are looked for in all of one customer's links" },
  SEARCH_NEWEST_FIRST: { of: ["links"], why: "the same" },
  SEARCH_COUNT: { of: ["links"], why: "the same" },
};

type Tables = ReturnType<typeof facts<"worker">>["tables"]["customer"];
type Sql = Tables["statements"][number];

const { tables } = facts("worker");

function databaseOf({ schema }: Tables): DatabaseSync {
  const db = new DatabaseSync(":memory:");
  db.exec(schema);
  return db;
}

/** The steps of a statement's plan. */
function planOf(db: DatabaseSync, { text }: Sql): string[] {
  const values = [...text.matchAll(/\?(\d+)/g)].map(([, n]) => Number(n));
  const nulls = Array(Math.max(0, ...values)).fill(null);
  const plan = db.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...nulls) as { detail: string }[];
  return plan.map(({ detail }) => detail);
}

/** Whether a step reads one of these from end to end: the table, or an index of it. */
const scans = (detail: string, names: string[]) =>
  names.some((name) => detail === `SCAN ${name}` || detail.startsWith(`SCAN ${name} `));

/** The faults in the plan of a statement: tables read from end to end, sorts, and indexes made for one statement. */
function faults(db: DatabaseSync, statement: Sql): string[] {
  const allowed = [...SHORT, ...(SCANS[statement.name]?.of ?? [])];
  return planOf(db, statement)
    .filter((detail) =>
      detail.startsWith("SCAN") ? !scans(detail, allowed) : /TEMP B-TREE|AUTOMATIC/.test(detail),
    )
    .map((detail) => `${statement.name}: ${detail}: ${statement.text}`);
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

test("every excuse is needed", () => {
  const plans = new Map(
    Object.values(tables).flatMap((of) => {
      const db = databaseOf(of);
      return of.statements.map((statement) => [statement.name, planOf(db, statement)] as const);
    }),
  );
  for (const [name, { of }] of Object.entries(SCANS)) {
    const plan = plans.get(name) ?? [];
    for (const scanned of of)
      assert.ok(
        plan.some((detail) => scans(detail, [scanned])),
        `${name} does not scan ${scanned}: ${plan}`,
      );
  }
});

test("a scan, a sort and a text that is no statement are noticed", () => {
  const db = databaseOf(tables.customer);
  const judge = (text: string, name = "SOME") => faults(db, { name, text });
  assert.deepEqual(judge("SELECT id FROM links WHERE id = ?1"), []);
  const scan = "SELECT id FROM links WHERE status = ?1";
  assert.match(judge(scan).join(), /^SOME: SCAN links/);
  assert.deepEqual(judge(scan, "SEARCH_COUNT"), [], "an excuse is for one statement and what it names");
  assert.match(judge("SELECT at FROM audit WHERE outcome = ?1", "SEARCH_COUNT").join(), /SCAN audit/);
  assert.match(
    judge("SELECT id FROM links WHERE id > ?1 ORDER BY read_at DESC").join(),
    /TEMP B-TREE.* DESC$/,
  );
  assert.match(
    judge(
      "SELECT count(*) FROM links, attempts WHERE links.status = attempts.state AND links.id > ?1",
    ).join(),
    /AUTOMATIC/,
  );
  assert.throws(() => judge("VACUUMS"), /syntax error/);
});
