// A database of any earlier version is brought to the newest with all that is in it.

import assert from "node:assert/strict";
import { createHash, createHmac, randomBytes } from "node:crypto";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { account, answering, FakeOmise, listOf } from "../../harness/omise.ts";
import { STOREFRONT, sessionOf } from "../../harness/session.ts";
import { type Database, migrate, type Running, randomSecrets, startWorker } from "../../harness/stack.ts";
import { assertError } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";

const FOLDER = fileURLToPath(new URL("../../worker/migrations", import.meta.url));
const FILES = readdirSync(FOLDER).sort();
const omise = new FakeOmise();
const secrets = randomSecrets();
/** What Omise knows. */
const accounts = new Map<string, Record<string, unknown>>();
const temporary: string[] = [];
let omiseUrl: string;

before(async () => {
  omiseUrl = await omise.start();
});
after(async () => {
  await omise.stop();
  for (const folder of temporary) rmSync(folder, { recursive: true });
});
beforeEach(() => {
  accounts.clear();
  omise.answer = (request, response, body) => {
    const id = request.url?.split(/[/?]/)[2] ?? "";
    const found = request.url?.startsWith("/linked_accounts?")
      ? listOf([...accounts.values()])
      : accounts.get(id);
    if (found && request.method !== "POST") return answering(200, found)(request, response, body);
    return answering(404, { object: "error", code: "not_found" })(request, response, body);
  };
});

/** A folder with the first migrations only. */
function first(count: number): string {
  const folder = mkdtempSync(join(tmpdir(), "migrations-"));
  temporary.push(folder);
  for (const name of FILES.slice(0, count)) copyFileSync(join(FOLDER, name), join(folder, name));
  return folder;
}

/** Runs the newest Worker on a database of an earlier version, for as long as `use` takes. */
async function withVersion(count: number, use: (worker: Running, db: Database) => Promise<void>) {
  const worker = await startWorker({
    omiseUrl,
    storefrontUrl: STOREFRONT,
    secrets,
    migrations: first(count),
  });
  try {
    await use(worker, await worker.db());
  } finally {
    await worker.dispose();
  }
}

/** Every table, index and trigger of ours, as it was made. */
async function schema(db: Database): Promise<string[]> {
  const { results } = await db
    .prepare(
      `SELECT type || ' ' || name || ': ' || sql AS made FROM sqlite_master
       WHERE sql IS NOT NULL AND tbl_name NOT LIKE 'sqlite_%' AND tbl_name NOT LIKE '_cf_%' ORDER BY 1`,
    )
    .all<{ made: string }>();
  return results.map(({ made }) => made.replaceAll(/\s+/g, " "));
}

/** Everything that is in the tables. */
async function contents(db: Database): Promise<Record<string, unknown[]>> {
  const tables = await db
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE TABLE%'")
    .all<{ name: string }>();
  const found: Record<string, unknown[]> = {};
  for (const { name } of tables.results) {
    if (!name.startsWith("sqlite_") && !name.startsWith("_cf_")) {
      found[name] = (await db.prepare(`SELECT * FROM "${name}" ORDER BY 1`).all()).results;
    }
  }
  return found;
}

interface AttemptRow {
  owner: string;
  /** Of its link, or none. */
  link?: Record<string, unknown>;
  type?: string;
  state?: string;
  open?: number;
  current?: number;
  link_state?: string;
  confirmed_at?: number;
}

/** Rows of every kind. Names of owners say what their rows are about. */
const ROWS: AttemptRow[] = [
  { owner: "in-flight", state: "in_flight", open: 1, current: 1 },
  { owner: "in-flight", state: "in_flight", open: 1, current: 0 },
  { owner: "unknown", state: "unknown", open: 1, current: 1 },
  { owner: "unknown", state: "unknown", open: 1, current: 0 },
  { owner: "pending", link: { status: "pending" }, open: 1, current: 1 },
  { owner: "pending", link: { status: "pending" }, open: 1, current: 0 },
  {
    owner: "pending-confirmed",
    link: { status: "pending", type: "direct_debit_scb" },
    open: 1,
    current: 1,
    confirmed_at: Date.UTC(2024, 5, 3, 4, 11, 14, 567),
  },
  {
    owner: "successful",
    link: { status: "successful", last_digits: "4321", created_at: "2024-06-03T04:11:14Z" },
  },
  {
    owner: "successful",
    link: { status: "successful", last_digits: "0000", created_at: "2024-06-01T04:11:14Z" },
    confirmed_at: Date.UTC(2024, 5, 2),
  },
  { owner: "deleted", link: { status: "deleted", type: "direct_debit_bay" } },
  { owner: "deleted", link: { status: "deleted" }, confirmed_at: Date.UTC(2024, 5, 2) },
  {
    owner: "failed",
    link: { status: "failed", failure_code: "registration_rejected", metadata: { a: "ก'\"" } },
  },
  { owner: "expired", link: { status: "expired", type: "direct_debit_ktb", return_uri: null } },
];

/** A row as a customer knows it. */
interface Filled extends AttemptRow {
  id: string;
  key: string;
  link_state: string;
  type: string;
  /** As the owner is shown the link. */
  shown: Record<string, unknown> | undefined;
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("base64url");

/** What a request is recognised by, so that its key can be replayed. */
function fingerprint(type: string): string {
  const form = new URLSearchParams({ type, return_uri: `${STOREFRONT}/return` });
  return createHmac("sha256", secrets.FINGERPRINT_KEY).update(`0${form}`).digest("base64url");
}

function fill(row: AttemptRow, i: number): Filled {
  const type = String(row.link?.type ?? row.type ?? "direct_debit_kbank");
  const shown = row.link && account({ registration_uri: `${omiseUrl}/register`, type, ...row.link });
  const link_state = randomBytes(16).toString("base64url");
  return { ...row, id: `attempt-${i}`, key: `key-${i}`, link_state, type, shown };
}

/** How a database of each version is filled, by its number. */
const FILL: Record<number, (db: Database, rows: Filled[], now: number) => Promise<unknown>> = {
  1: (db, rows, now) => {
    const attempt = db.prepare(
      `INSERT INTO attempts (id, owner, idempotency_key, fingerprint, type, state, open, current, link, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    const link = db.prepare(
      `INSERT INTO links (id, owner, attempt, status, account, read_at, link_state_hash, confirmed_at, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    return db.batch(
      rows.flatMap(({ id, owner, key, type, state, open, current, shown, link_state, confirmed_at }) => [
        attempt.bind(
          id,
          owner,
          key,
          fingerprint(type),
          type,
          state ?? "linked",
          open ?? 0,
          current ?? 0,
          shown?.id ?? null,
          now,
        ),
        ...(shown
          ? [
              link.bind(
                shown.id,
                owner,
                id,
                shown.status,
                JSON.stringify(shown),
                now - 1,
                sha256(link_state),
                confirmed_at ?? null,
                now,
              ),
            ]
          : []),
      ]),
    );
  },
  2: (db, rows, now) => {
    const attempt = db.prepare(
      `INSERT INTO attempts (id, owner, idempotency_key, fingerprint, type, state, open, current, link,
         link_state_hash, looked_at, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)`,
    );
    const insert = rows.map(({ id, owner, key, type, state, open, current, shown, link_state }) =>
      attempt.bind(
        id,
        owner,
        key,
        fingerprint(type),
        type,
        state ?? "linked",
        open ?? 0,
        current ?? 0,
        shown?.id ?? null,
        sha256(link_state),
        now,
      ),
    );
    const link = db.prepare(
      `INSERT INTO links (id, owner, attempt, type, status, account, read_at, link_state_hash, confirmed_at, created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    for (const { id, owner, type, shown, link_state, confirmed_at } of rows) {
      if (!shown) continue;
      const { status, created_at } = shown;
      const [account, hash] = [JSON.stringify(shown), sha256(link_state)];
      const made = Date.parse(String(created_at));
      insert.push(
        link.bind(shown.id, owner, id, type, status, account, now - 1, hash, confirmed_at ?? null, made),
      );
    }
    return db.batch(insert);
  },
};

for (let version = 1; version < FILES.length; version++) {
  test(`a database of version ${version} becomes one of version ${FILES.length}, and serves`, async () => {
    const filling = FILL[version];
    assert.ok(filling, `say in FILL what a database of version ${version} holds`);
    await withVersion(version, async (worker, db) => {
      const rows = ROWS.map(fill);
      // long enough ago that nothing is in flight any more
      const now = Date.now() - 120_000;
      await filling(db, rows, now);
      for (const { shown } of rows) if (shown) accounts.set(String(shown.id), shown);
      const before = await contents(db);
      const me = (owner: string) => new Customer(worker.url, sessionOf(worker, secrets), { sub: owner });
      assertError(await me("x").fetch("GET", "/ready"), 503, "ledger_unavailable");

      await migrate(db, FOLDER);

      // what was there is there, and what is new is right
      const after = await contents(db);
      assert.equal(after.attempts?.length, rows.length);
      const links = rows.filter(({ shown }) => shown);
      assert.equal(after.links?.length, links.length);
      for (const table of ["attempts", "links"]) {
        for (const [i, row] of (before[table] ?? []).entries()) {
          const { created_at, ...kept } = row as Record<string, unknown>;
          const { created_at: since, ...found } = (after[table]?.[i] ?? {}) as Record<string, unknown>;
          assert.deepEqual(found, { ...found, ...kept }, "no column is lost or changed");
          if (table === "attempts") assert.equal(since, created_at);
        }
      }
      const attempts = new Map((after.attempts as Record<string, unknown>[]).map((row) => [row.id, row]));
      const byId = new Map((after.links as Record<string, unknown>[]).map((row) => [row.id, row]));
      for (const { id, shown, link_state, type } of rows) {
        const row = attempts.get(id);
        // an orphan's was not kept at first
        const lost = version === 1 && !shown;
        assert.equal(row?.link_state_hash, lost ? `lost:${id}` : sha256(link_state));
        assert.equal(row?.looked_at, 0);
        if (!shown) continue;
        const link = byId.get(shown.id);
        assert.deepEqual(
          [link?.type, link?.created_at],
          [type, Date.parse(String(shown.created_at))],
          "as Omise says",
        );
      }
      assert.equal((await me("x").fetch("GET", "/ready")).status, 200);

      // every owner sees what they saw
      const inUtc = (time: unknown) => new Date(String(time)).toISOString().replace(".000Z", "Z");
      const seen = ({ shown, confirmed_at }: Filled) => ({
        ...shown,
        created_at: inUtc(shown?.created_at),
        confirmed_at: confirmed_at ? inUtc(new Date(confirmed_at - (confirmed_at % 1000))) : null,
      });
      for (const owner of new Set(ROWS.map(({ owner }) => owner))) {
        const own = links.filter((row) => row.owner === owner);
        const listed = await me(owner).fetch("GET", "/linked_accounts");
        assert.equal(listed.status, 200, JSON.stringify(listed.body));
        const order = (row: Record<string, unknown>) => `${row.created_at} ${row.id}`;
        const expected = own.map(seen).sort((a, b) => (order(a) < order(b) ? -1 : 1));
        assert.deepEqual(listed.body.data, expected);
        const searched = await me(owner).fetch("GET", "/linked_accounts/search?query=lnac");
        assert.deepEqual(searched.body.data, expected);
        for (const row of own) {
          assert.deepEqual((await me(owner).get(String(row.shown?.id))).body, seen(row));
        }
      }

      // keys are remembered, and so is where each return belongs
      for (const row of links) {
        const replayed = await me(row.owner).create({ type: row.type }, row.key);
        assert.deepEqual(replayed.body, seen(row));
        assert.equal(replayed.headers.get("Idempotent-Replayed"), "true");
        assertError(
          await me(row.owner).create({ type: row.type, replace_pending: true }, row.key),
          422,
          "idempotency_key_reused",
        );
        const confirmed = await me(row.owner).confirm(row.link_state);
        assert.equal(confirmed.body.id, row.shown?.id);
        const never = row.shown?.status === "deleted" && !row.confirmed_at;
        assert.equal(confirmed.body.confirmed_at === null, never);
      }
      assertError(await me("pending").create(), 409, "already_pending");
      assertError(await me("unknown").create(), 409, "already_pending");

      // what was in doubt stays so until it is found, and is then its owner's
      for (const row of rows.filter(({ shown }) => !shown)) {
        assertError(await me(row.owner).create({ type: row.type }, row.key), 502, "outcome_unknown");
        const orphan = account({
          registration_uri: `${omiseUrl}/register`,
          type: row.type,
          metadata: { linked_accounts_attempt: row.id },
        });
        accounts.set(String(orphan.id), orphan);
        const adopted = await me(row.owner).create({ type: row.type }, row.key);
        assert.equal(adopted.body.id, orphan.id, JSON.stringify(adopted.body));
      }
      await worker.cron();
    });
  });
}

test("a database that grew has the schema of one that is new", async () => {
  const schemas: string[][] = [];
  for (let version = 0; version < FILES.length; version++) {
    await withVersion(version, async (_, db) => {
      await FILL[version]?.(db, ROWS.map(fill), Date.now());
      await migrate(db, FOLDER);
      schemas.push(await schema(db));
      await migrate(db, FOLDER);
      assert.deepEqual(await schema(db), schemas.at(-1), "again: nothing");
    });
  }
  const [fresh = [], ...grown] = schemas;
  assert.ok(fresh.some((made) => made.startsWith("trigger audit_is_not_deleted")));
  for (const found of grown) assert.deepEqual(found, fresh);
});

for (const [i, name] of FILES.entries()) {
  test(`${name} is applied as a whole or not at all`, async () => {
    await withVersion(i, async (_, db) => {
      await FILL[i]?.(db, ROWS.map(fill), Date.now());
      const before = [await schema(db), await contents(db)];
      const broken = first(i + 1);
      const sql = readFileSync(join(FOLDER, name), "utf8");
      writeFileSync(join(broken, name), `${sql}\nINSERT INTO nowhere VALUES (1);\n`);
      await assert.rejects(migrate(db, broken), (error: Error) => {
        assert.match(error.message, new RegExp(`${name} cannot be applied`));
        assert.match(String(error.cause), /nowhere/);
        return true;
      });
      assert.deepEqual([await schema(db), await contents(db)], before);
      // and once it is mended it is applied
      await migrate(db, FOLDER);
      assert.notDeepEqual(await schema(db), before[0]);
    });
  });
}
