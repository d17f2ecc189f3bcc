// The alarm of a customer's object comes twice, late, or is cut off by the death of the process or the object: each thing is done once.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import type { Exchange } from "../../harness/relay.ts";
import { assertError } from "../support/answer.ts";
import { type Customer, register } from "../support/customer.ts";
import { Relayed } from "./relayed.ts";

const HOUR = 3_600_000;
/** What the alarm asks Omise where all goes well: a page for each attempt in doubt, and both links. */
const STEPS = 4;

const statePath = mkdtempSync(join(tmpdir(), "alarm-"));
let relayed: Relayed;
let me: Customer;

before(async () => {
  relayed = await Relayed.start({ deadlineMs: 1_000, statePath });
});
after(async () => {
  await relayed?.dispose();
  rmSync(statePath, { recursive: true, force: true });
});
beforeEach(() => {
  relayed.calm();
  me = relayed.customer();
});

/** What the alarm has to do, by account. */
interface Due {
  /** Made by an attempt whose answer was lost. */
  orphan: string;
  /** Approved at the bank; the ledger has not heard of it. */
  decided: string;
  /** Deleted at Omise; the outcome was lost. */
  deleted: string;
}

/** Leaves one of each for the alarm: also an attempt that made nothing, whose time is over. */
async function leaveAll(): Promise<Due> {
  const approved = async (type: string) => {
    const { body } = await me.create({ type });
    await register(body.registration_uri, "approve");
    return body.id as string;
  };
  const decided = await approved("direct_debit_ktb");
  const deleted = await approved("direct_debit_scb");
  relayed.relay.fault = () => ({ kind: "reset" });
  assertError(await me.delete(deleted), 503, "upstream_unavailable");
  const before = await relayed.held();
  assertError(await me.create({ type: "direct_debit_bay" }), 502, "outcome_unknown");
  const made = (await relayed.held()).filter(({ id }) => before.every((each) => each.id !== id));
  const [orphan] = made;
  assert.ok(orphan && made.length === 1);
  relayed.relay.fault = () => ({ kind: "reset", forward: false });
  assertError(await me.create({ type: "direct_debit_kbank" }), 502, "outcome_unknown");
  const long = "UPDATE attempts SET created_at = created_at - ? WHERE type = 'direct_debit_kbank'";
  await relayed.object(me).sql(long, HOUR);
  relayed.calm();
  return { orphan: orphan.id, decided, deleted };
}

/** Each thing was done, and once. */
async function assertDoneOnce({ orphan, decided, deleted }: Due): Promise<void> {
  const object = relayed.object(me);
  const done = `SELECT action, link, count(*) AS times FROM audit
                WHERE actor IS NULL OR action = 'delete' AND outcome <> 'begun' GROUP BY 1, 2 ORDER BY 1`;
  assert.deepEqual(await object.sql(done), [
    { action: "abandon", link: null, times: 1 },
    { action: "adopt", link: orphan, times: 1 },
    { action: "delete", link: deleted, times: 1 },
    { action: "read", link: decided, times: 1 },
  ]);
  assert.equal((await relayed.link(decided))?.status, "successful");
  assert.equal((await relayed.link(deleted))?.status, "deleted");
  const attempts =
    "SELECT type, state, link FROM attempts WHERE type IN ('direct_debit_bay', 'direct_debit_kbank')";
  assert.deepEqual(await object.sql(`${attempts} ORDER BY type`), [
    { type: "direct_debit_bay", state: "linked", link: orphan },
    { type: "direct_debit_kbank", state: "abandoned", link: null },
  ]);
  const due = `SELECT (SELECT count(*) FROM links WHERE due_at < ?1) + (SELECT count(*) FROM links WHERE deleting IS NOT NULL)
                 + (SELECT count(*) FROM attempts WHERE state = 'asked') AS due`;
  assert.deepEqual(await object.sql(due, Date.now()), [{ due: 0 }]);
  assert.equal(relayed.relay.count("POST") + relayed.relay.count("DELETE"), 0);

  const { written, delivered } = await relayed.audits([me]);
  const { customer } = JSON.parse(written[0] ?? "{}");
  assert.deepEqual(
    delivered.filter((line) => JSON.parse(line).customer === customer),
    written,
  );
  assert.ok(Number(await object.alarmAt()) > Date.now(), "the next is set");
}

/** How often Omise was asked for an account. */
const readings = (id: string) => relayed.relay.exchanges.filter(({ path }) => path.endsWith(id)).length;

test("run twice, it does each thing once, and asks Omise for nothing that it knows", async () => {
  const due = await leaveAll();
  await relayed.alarm(me);
  await assertDoneOnce(due);
  assert.equal(relayed.relay.exchanges.length, STEPS);
  // with what was due, not what is
  await relayed.object(me).runAlarm();
  assert.equal(relayed.relay.exchanges.length, STEPS);
  await relayed.alarm(me);
  await assertDoneOnce(due);
  assert.deepEqual([readings(due.decided), readings(due.deleted)], [1, 1]);
});

for (const [name, ms] of [
  ["a day", 24.5 * HOUR],
  ["a week", 168 * HOUR],
] as const) {
  test(`late by ${name}, it does each thing once, and an orphan is still its owner's`, async () => {
    const due = await leaveAll();
    await relayed.age(me, ms);
    const object = relayed.object(me);
    await object.sql("UPDATE links SET due_at = due_at - ?1, due_since = due_since - ?1", ms);
    await object.sql("UPDATE attempts SET look_at = look_at - ?", ms);
    await object.runAlarm();
    await assertDoneOnce(due);
    await object.runAlarm();
    await assertDoneOnce(due);
  });
}

/** Runs the alarm, which `cutOff` ends once Omise has answered it for the nth time. */
async function cut(nth: number, cutOff: () => Promise<void>): Promise<void> {
  let answered = 0;
  const { promise: isCut, resolve, reject } = Promise.withResolvers<void>();
  relayed.relay.onAnswer = async (_: Exchange) => {
    if (++answered !== nth) return;
    relayed.relay.onAnswer = () => {};
    await cutOff().then(resolve, reject);
  };
  await assert.rejects(relayed.alarm(me));
  await isCut;
  await relayed.relay.idle();
}

for (let nth = 1; nth <= STEPS; nth++) {
  test(`killed in the alarm's step ${nth}, and started again: the next one does each thing once`, async () => {
    const due = await leaveAll();
    await cut(nth, () => relayed.kill());
    await relayed.restartWorker();
    await relayed.alarm(me);
    await assertDoneOnce(due);
    await relayed.alarm(me);
    await assertDoneOnce(due);
  });

  test(`the object reset in the alarm's step ${nth}: the next one does each thing once`, async () => {
    const due = await leaveAll();
    await cut(nth, () => relayed.object(me).reset());
    await relayed.alarm(me);
    await assertDoneOnce(due);
    await relayed.alarm(me);
    await assertDoneOnce(due);
  });
}
