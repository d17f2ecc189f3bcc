// How SQLite carries out every statement of the Worker's: by an index, so that it stays quick as tables grow.
//
// The statements are read out of the source: a statement that this file cannot find there is a failure, not an omission.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { type Database, type Running, randomSecrets, startWorker } from "../../harness/stack.ts";
import { STOREFRONT } from "./support.ts";

const SOURCES = new URL("../../worker/src/", import.meta.url);

/** What stands for a `{hole}` that is filled while the Worker runs. */
const HOLES: Record<string, string[]> = {
  direction: ["ASC", "DESC"],
  limit: ["20"],
  offset: ["40"],
  // LIMIT and OFFSET of the audit
  "": ["20"],
};

/** Functions whose statements may read a table from end to end. */
const SCANS: Record<string, string> = {
  check: "asks for nothing: LIMIT 0",
};

/** Functions whose statements may sort. */
const SORTS: Record<string, string> = {
  unsettled:
    "what is left open within 25 hours, once every five minutes; no index could tell who was looked at last",
};

interface Sql {
  /** The function that it is in. */
  fn: string;
  text: string;
}

/** Rust without its tests and comments. */
const code = (source: string) =>
  source.replace(/^#\[cfg\(test\)\][\s\S]*/m, "").replaceAll(/^\s*\/\/.*$|\s\/\/ .*$/gm, "");

/** A string literal of Rust's, without its quotes. */
const LITERAL = /"((?:[^"\\]|\\[\s\S])*)"/.source;

const unquoted = (literal: string) =>
  literal.replaceAll(/\\(\n\s*|[\s\S])/g, (_, escaped: string) => {
    if (escaped.startsWith("\n")) return "";
    assert.ok(`"\\`.includes(escaped), `an escape that is not known here: \\${escaped}`);
    return escaped;
  });

/** Every statement of a source that is handed to `db.statement` or `db.first`, with its holes filled in every way. */
function statements(source: string): Sql[] {
  const rust = code(source);
  const functions = rust
    .split(/^(?= *(?:pub(?:\(crate\))? )?(?:const )?(?:async )?fn )/m)
    .map((body) => ({ name: /fn (\w+)/.exec(body)?.[1] ?? "", body }));
  const constants = new Map(
    [...rust.matchAll(new RegExp(`const (\\w+): [&\\w]+ = (?:${LITERAL}|(\\d+));`, "g"))].map((found) => [
      found[1],
      found[2] === undefined ? (found[3] ?? "") : unquoted(found[2]),
    ]),
  );

  /** What a name may be in a function: what it was last given before `end`, or what callers hand over. */
  function named(name: string, inside: { name: string; body: string }, end: number): string[] {
    const given = new RegExp(`let ${name} =\\s*(?:(format!)\\(\\s*)?${LITERAL}`, "g");
    const last = [...inside.body.slice(0, end).matchAll(given)].at(-1);
    if (last) return last[1] ? filled(last[2] ?? "", inside, last.index) : [unquoted(last[2] ?? "")];
    const constant = constants.get(name);
    if (constant !== undefined) return [constant];
    if (HOLES[name]) return HOLES[name];
    const parameters = /\(([\s\S]*?)\)/.exec(inside.body)?.[1] ?? "";
    const place = parameters
      .replace(/&(mut )?self,?/, "")
      .split(",")
      .findIndex((parameter) => parameter.trim().startsWith(`${name}:`));
    const handed = functions.flatMap((caller) =>
      [...caller.body.matchAll(new RegExp(`self\\.${inside.name}\\(([\\w, ]+)`, "g"))].flatMap((call) =>
        named(call[1]?.split(",")[place]?.trim() ?? "", caller, call.index),
      ),
    );
    assert.ok(place >= 0 && handed.length > 0, `what is ${name} in ${inside.name}?`);
    return handed;
  }

  /** The text of a format! in every way in which its holes can be filled; a hole that comes twice is filled alike. */
  function filled(literal: string, inside: { name: string; body: string }, end: number): string[] {
    const [start = "", ...rest] = unquoted(literal).split(/[{}]/);
    let texts = [{ text: start, holes: new Map<string, string>() }];
    for (let i = 0; i < rest.length; i += 2) {
      const [hole = "", after = ""] = rest.slice(i, i + 2);
      const ways = HOLES[hole] ?? named(hole, inside, end);
      texts = texts.flatMap(({ text, holes }) => {
        const same = holes.get(hole);
        return (same === undefined ? ways : [same]).map((way) => ({
          text: text + way + after,
          holes: new Map(holes).set(hole, way),
        }));
      });
    }
    return texts.map(({ text }) => text);
  }

  return functions.flatMap((inside) =>
    [...inside.body.matchAll(/\bdb\s*\.(?:statement|first)\(\s*&?/g)].flatMap((call) => {
      const rest = inside.body.slice(call.index + call[0].length);
      const direct = new RegExp(`^(?:(format!)\\(\\s*)?${LITERAL}`).exec(rest);
      const name = /^\w+(?=,)/.exec(rest)?.[0];
      assert.ok(direct || name, `what is asked in ${inside.name}? ${rest.slice(0, 40)}`);
      const texts = direct
        ? direct[1]
          ? filled(direct[2] ?? "", inside, call.index)
          : [unquoted(direct[2] ?? "")]
        : named(name ?? "", inside, call.index);
      for (const text of texts) {
        assert.match(text, /^(SELECT|INSERT|UPDATE|DELETE|WITH)\s/, `${inside.name} asks ${text}`);
      }
      return texts.map((text) => ({ fn: inside.name, text: text.replaceAll(/\s+/g, " ") }));
    }),
  );
}

/** What is wrong with how a statement is carried out. */
async function faults(db: Database, { fn, text }: Sql): Promise<string[]> {
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
        return !/^SCAN (CONSTANT ROW|json_each VIRTUAL)/.test(detail) && !SCANS[fn];
      if (detail.includes("TEMP B-TREE")) return !SORTS[fn];
      return detail.includes("AUTOMATIC");
    })
    .map((detail) => `${fn}: ${detail}: ${text}`);
}

let worker: Running;
let db: Database;

before(async () => {
  const secrets = randomSecrets();
  worker = await startWorker({ omiseUrl: "http://127.0.0.1:2", storefrontUrl: STOREFRONT, secrets });
  db = await worker.db();
});
after(() => worker?.dispose());

const read = (name: string) => readFileSync(new URL(name, SOURCES), "utf8");

test("no statement reads a table from end to end, or sorts what an index could", async () => {
  const found = statements(read("ledger.rs"));
  // each is carried out by SQLite, so that no text is taken for one that is not
  const wrong = [];
  for (const statement of found) wrong.push(...(await faults(db, statement)));
  assert.deepEqual(wrong, []);
  for (const table of HOLES.table ?? []) {
    assert.ok(
      found.some(({ text }) => text.startsWith(`SELECT`) && text.includes(` FROM ${table}`)),
      table,
    );
  }
  for (const fn of [...Object.keys(SCANS), ...Object.keys(SORTS)]) {
    assert.ok(
      found.some((statement) => statement.fn === fn),
      `${fn} is excused, and is not there`,
    );
  }
});

test("every statement was found", () => {
  const ledger = code(read("ledger.rs"));
  const found = statements(read("ledger.rs"));
  for (const [, literal = ""] of ledger.matchAll(new RegExp(LITERAL, "g"))) {
    if (!/^(SELECT|INSERT|UPDATE|DELETE|WITH)\s/.test(literal)) continue;
    const [start = ""] = unquoted(literal).replaceAll(/\s+/g, " ").split("{");
    assert.ok(
      found.some(({ text }) => text.startsWith(start)),
      `nobody asks ${literal}`,
    );
  }
  for (const name of readdirSync(SOURCES)) {
    if (name === "ledger.rs" || name === "db.rs") continue;
    assert.doesNotMatch(
      code(read(name)),
      /\.(statement|prepare)\(|\bdb\s*\.\w+\(/,
      `${name} asks the database by itself`,
    );
  }
});

test("a scan, a sort and a text that is not known are noticed", async () => {
  const rust = (body: string) => `impl Ledger {\n    async fn some(&self) {\n${body}\n    }\n}\n`;
  const judge = async (body: string) => {
    const wrong = [];
    for (const statement of statements(rust(body))) wrong.push(...(await faults(db, statement)));
    return wrong;
  };
  assert.deepEqual(await judge('self.db.first("SELECT id FROM links WHERE id = ?1", &[])'), []);
  const scan = await judge('let sql = "SELECT id FROM links\n WHERE status = ?1"; self.db.first(sql, &[])');
  assert.match(scan.join(), /^some: SCAN links/);
  const sort = await judge(
    'let by = "read_at"; let sql = format!("SELECT id FROM links WHERE owner = ?1 ORDER BY {by} {direction}"); self.db.first(&sql, &[])',
  );
  assert.match(sort.join(), /TEMP B-TREE.* ASC,some: .*TEMP B-TREE.* DESC$/);
  for (const unknown of [
    "self.db.first(&text(), &[])",
    "self.db.first(sql, &[])",
    'self.db.first(&format!("SELECT {what} FROM links"), &[])',
    'self.db.first("VACUUM", &[])',
    'self.db.first("SELECT \\u{31}", &[])',
  ]) {
    await assert.rejects(judge(unknown), assert.AssertionError, unknown);
  }
});
