// The process that runs the Worker is killed amid the work of many customers; it is started again on the same storage.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { stampIn } from "../../harness/omise.ts";
import { assertError } from "../support/answer.ts";
import { type Customer, register } from "../support/customer.ts";
import { objectName, openStamp } from "../support/stamp.ts";
import { until } from "../support/until.ts";
import { Relayed } from "./relayed.ts";

const FULL = Boolean(process.env.FULL);
const ROUNDS = FULL ? 14 : 3;
const CREATES = 24;
/** Short: an attempt is looked for from its deadline and 15 seconds on. */
const DEADLINE_MS = 1_000;

const statePath = mkdtempSync(join(tmpdir(), "killed-amid-"));
let relayed: Relayed;
/** Every customer of this file. */
const customers: Customer[] = [];

before(async () => {
  relayed = await Relayed.start({ deadlineMs: DEADLINE_MS, statePath });
});
after(async () => {
  await relayed?.dispose();
  rmSync(statePath, { recursive: true, force: true });
});
beforeEach(() => relayed.calm());

function newCustomers(count: number): Customer[] {
  const some = Array.from({ length: count }, () => relayed.customer());
  customers.push(...some);
  return some;
}

/** Starts the Worker again. What it had asked for when it died goes on at Omise, and ends first. */
async function startAgain(): Promise<void> {
  await relayed.relay.idle();
  await relayed.restartWorker();
  relayed.relay.fault = () => undefined;
}

/** An attempt and its alarm, as they are on disk before anybody calls the object. */
async function storedOf(me: Customer) {
  const object = relayed.object(me);
  const at = await object.alarmAt();
  const [table] = await object.sql("SELECT name FROM sqlite_master WHERE name = 'attempts'");
  const sql = "SELECT id, state, look_at FROM attempts";
  const attempts = table ? await object.sql<{ id: string; state: string; look_at: number | null }>(sql) : [];
  return { at, attempts };
}

for (let round = 1; round <= ROUNDS; round++) {
  // from the first to the last
  const nth = 1 + Math.round(((round - 1) * (CREATES - 1)) / (ROUNDS - 1));
  test(`killed as ${CREATES} customers create and POST ${nth} arrives: those that arrived are in the ledgers, with an alarm`, async (t) => {
    const owners = newCustomers(CREATES).map((me) => ({ me, key: randomUUID() }));
    const dead: Promise<void>[] = [];
    relayed.relay.fault = ({ method }) => {
      // once: others are on their way
      if (method === "POST" && relayed.relay.count("POST") >= nth && !dead.length) dead.push(relayed.kill());
      return undefined;
    };
    await Promise.allSettled(owners.map(({ me, key }) => me.create({}, key)));
    assert.equal(dead.length, 1);
    await Promise.all(dead);
    await startAgain();
    const posts = relayed.relay.exchanges.filter(({ method }) => method === "POST");
    const arrived = new Map(
      posts.map(({ body, headers }) => {
        const stamp = openStamp(relayed.secrets.LEDGER_KEY, stampIn(body));
        assert.ok(stamp && stamp.attempt === headers["idempotency-key"]);
        return [stamp.object, stamp.attempt];
      }),
    );
    assert.equal(arrived.size, posts.length, "each customer's is another");
    t.diagnostic(`${posts.length} of ${CREATES} arrived`);

    let earliest = Number.POSITIVE_INFINITY;
    for (const { me } of owners) {
      const { at, attempts } = await storedOf(me);
      const asked = arrived.get(objectName(String(me.claims.sub)));
      const ids = attempts.map(({ id }) => id);
      if (asked !== undefined) assert.deepEqual(ids, [asked]);
      for (const { state, look_at } of attempts) {
        if (state === "asked")
          assert.ok(at !== null && look_at !== null && at <= look_at, `${at}, ${look_at}`);
        else assert.ok(at !== null, "its audit is to be delivered");
        earliest = Math.min(earliest, Number(at));
      }
    }
    for (const { me, key } of owners) {
      const answer = await me.create({}, key);
      const held = await relayed.heldFor(me);
      // where it was written down, but did not leave, that is not known
      if (held.length === 0) assertError(answer, 502, "outcome_unknown");
      else assert.deepEqual([answer.status, answer.body.id], [200, held[0]?.id]);
      assert.ok(held.length <= 1);
    }
    assert.ok(relayed.relay.count("POST") <= CREATES, "none was asked for twice");
  });
}

test("killed with attempts in doubt: their alarms come by themselves once it runs again", async () => {
  const owners = newCustomers(8);
  relayed.relay.fault = ({ method }) => (method === "POST" ? { kind: "reset" } : undefined);
  for (const answer of await Promise.all(owners.map((me) => me.create()))) {
    assertError(answer, 502, "outcome_unknown");
  }
  await relayed.kill();
  await startAgain();
  // nothing but the alarms: reading the rows starts the object, but none of its work
  const stored = await Promise.all(owners.map(async (me) => ({ me, ...(await storedOf(me)) })));
  for (const { me, at } of FULL ? stored : stored.slice(0, 2)) {
    assert.ok(at !== null);
    await setTimeout(Math.max(0, at - Date.now()));
    await until(async () => (await relayed.attempts(me)).every(({ state }) => state === "linked"));
  }
});

/** Creates, registers and deletes until the process is gone. */
async function createAndDelete(me: Customer): Promise<void> {
  try {
    for (;;) {
      const { status, body } = await me.create({ replace_pending: true });
      if (status !== 200) continue;
      // Omise deletes nothing that is not registered
      await register(body.registration_uri, "approve");
      await me.delete(body.id);
    }
  } catch {
    // the process is gone
  }
}

/** Delivers again and again, until the process is gone: it dies in the midst of that too. */
async function deliverAll(some: Customer[]): Promise<void> {
  try {
    for (;;) for (const me of some) await relayed.object(me).runAlarm();
  } catch {
    // the process is gone
  }
}

test("killed amid eight customers who create and delete: the audit log has every entry of theirs once", async (t) => {
  const owners = newCustomers(8);
  for (let round = 1; round <= ROUNDS; round++) {
    relayed.calm();
    const working = [...owners.map(createAndDelete), deliverAll(owners), deliverAll(owners.toReversed())];
    await until(async () => relayed.relay.count("DELETE") >= 40 + 3 * round);
    await relayed.kill();
    await Promise.all(working);
    await startAgain();
  }
  const early = await relayed.audits(customers);
  assert.ok(early.delivered.length > 0, "some were delivered before");
  assert.ok(early.delivered.length < early.written.length, "not all were");
  for (const me of customers) await relayed.alarm(me);
  const { written, delivered } = await relayed.audits(customers);
  assert.deepEqual(delivered, written);
  t.diagnostic(`${early.delivered.length} before the last alarms, ${written.length} after them`);
  // each deletion that was begun has one outcome, be it the alarm's
  const ofDeletions = `SELECT link, group_concat(outcome) AS outcomes FROM audit
                       WHERE action = 'delete' AND link IS NOT NULL GROUP BY link`;
  for (const me of owners) {
    const deletions = await relayed.object(me).sql<{ link: string; outcomes: string }>(ofDeletions);
    assert.ok(deletions.length > 0);
    for (const { link, outcomes } of deletions) {
      const [begun, ...ended] = outcomes.split(",");
      assert.ok(begun === "begun" && ended.length === 1, `${link}: ${outcomes}`);
    }
  }
});

test("a customer's tables are lost and made again: the entries of both are in the audit log", async () => {
  const [me] = newCustomers(1);
  assert.ok(me);
  await me.create();
  await relayed.alarm(me);
  const before = await relayed.audits([me]);
  const object = relayed.object(me);
  for (const table of ["attempts", "links", "events", "audit", "meta"])
    await object.sql(`DROP TABLE ${table}`);
  await object.reset();
  assert.equal((await me.create()).status, 200);
  await relayed.alarm(me);
  const { written, delivered } = await relayed.audits([me]);
  const numbers = (lines: string[]) => lines.map((line) => JSON.parse(line).seq);
  assert.deepEqual(numbers(before.written), numbers(written), "the same numbers, which do not clash");
  for (const line of [...before.written, ...written]) {
    assert.equal(delivered.filter((each) => each === line).length, 1, line);
  }
});
