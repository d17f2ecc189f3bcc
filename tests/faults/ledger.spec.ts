// A customer's database fails, before Omise is asked or between its answer and our writing it down: nothing is lost, and nothing is done twice.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { answerOf } from "../../harness/relay.ts";
import { OPERATE } from "../../harness/session.ts";
import type { DurableObject } from "../../harness/stack.ts";
import { type Answer, assertError } from "../support/answer.ts";
import { type Customer, register } from "../support/customer.ts";
import { eventId } from "../support/webhook.ts";
import { type Breakage, breakDatabase, Relayed, repairDatabase } from "./relayed.ts";

let relayed: Relayed;
let me: Customer;
/** My object. */
let object: DurableObject;

before(async () => {
  relayed = await Relayed.start({ deadlineMs: 10_000 });
});
after(() => relayed?.dispose());
beforeEach(async () => {
  relayed.calm();
  me = relayed.customer();
  // its tables are there: a refusal is written down
  assertError(await me.get("x"), 404, "not_found");
  object = relayed.object(me);
});

/** The whole database, and each write that may come after Omise's answer to a create. */
const AFTER_CREATE: Breakage[] = ["all", "INSERT ON links", "INSERT ON audit", "UPDATE ON attempts"];
/** The same for a reading whose status is news. */
const AFTER_READING: Breakage[] = ["all", "UPDATE ON links", "INSERT ON audit"];

const breakNow = (what: Breakage) => breakDatabase(object, what);
const repair = async () => {
  relayed.relay.onAnswer = () => {};
  await repairDatabase(object);
};
/** Breaks the database once Omise has answered. */
function breakAfter(method: string, what: Breakage): void {
  relayed.relay.onAnswer = async (exchange) => {
    if (exchange.method !== method) return;
    relayed.relay.onAnswer = () => {};
    await breakNow(what);
  };
}

function assertUnavailable(answer: Answer): void {
  assertError(answer, 503, "ledger_unavailable");
  assert.equal(answer.headers.get("Retry-After"), "1");
}

function assertUnknown(answer: Answer): void {
  assertError(answer, 502, "outcome_unknown");
  assert.equal(answer.headers.get("Retry-After"), "10");
}

/** The one account that my attempts made, which is mine; Omise was asked once. */
async function assertMine(posts = 1): Promise<string> {
  const held = await relayed.heldFor(me);
  const [account] = held;
  assert.ok(account && held.length === 1, JSON.stringify(held));
  assert.equal((await relayed.link(account.id))?.owner, me.claims.sub);
  assert.equal((await me.get(account.id)).body.id, account.id);
  assert.equal(relayed.relay.count("POST"), posts);
  return account.id;
}

/** An account of mine that I have approved at the bank, though the ledger has not heard of it. */
async function approved(): Promise<{ id: string; linkState: string }> {
  const { body } = await me.create();
  const back = await register(body.registration_uri, "approve");
  relayed.relay.exchanges.length = 0;
  return { id: body.id, linkState: back.searchParams.get("link_state") ?? "" };
}

for (const what of ["all", "INSERT ON attempts"] as const) {
  test(`create, and the attempt cannot be written down (${what}): Omise is not asked`, async () => {
    const key = randomUUID();
    await breakNow(what);
    assertUnavailable(await me.create({}, key));
    await repair();
    assert.equal(relayed.relay.exchanges.length, 0);
    const answer = await me.create({}, key);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.equal(answer.headers.get("Idempotent-Replayed"), null);
    await assertMine();
  });
}

/** How what is in doubt becomes known. */
const WAYS: [name: string, reconcile: (key: string) => Promise<void>][] = [
  [
    "the same key",
    async (key) => {
      const answer = await me.create({}, key);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      assert.equal(answer.headers.get("Idempotent-Replayed"), "true");
    },
  ],
  ["another key", async () => assertError(await me.create(), 409, "already_pending")],
  ["the alarm", () => relayed.alarm(me)],
];

for (const what of AFTER_CREATE) {
  for (const [name, reconcile] of WAYS) {
    test(`create, and Omise's answer cannot be written down (${what}): ${name} finds it`, async () => {
      const key = randomUUID();
      breakAfter("POST", what);
      assertUnknown(await me.create({}, key));
      await repair();
      const [attempt] = await relayed.attempts(me);
      assert.deepEqual([attempt?.state, attempt?.link], ["asked", null]);
      await reconcile(key);
      const id = await assertMine();
      assert.equal(await relayed.audited("adopt", id), 1);
    });
  }
}

for (const what of AFTER_CREATE) {
  test(`the same key, and what was found cannot be written down (${what}): it finds it again`, async () => {
    const key = randomUUID();
    relayed.relay.fault = ({ method }) => (method === "POST" ? { kind: "reset" } : undefined);
    assertUnknown(await me.create({}, key));
    breakAfter("GET", what);
    assertUnknown(await me.create({}, key));
    await repair();
    assert.equal((await me.create({}, key)).status, 200);
    const id = await assertMine();
    assert.equal(await relayed.audited("adopt", id), 1);
  });

  test(`the alarm, and what was found cannot be written down (${what}): the next one finds it again`, async () => {
    relayed.relay.fault = ({ method }) => (method === "POST" ? { kind: "reset" } : undefined);
    assertUnknown(await me.create());
    breakAfter("GET", what);
    await relayed.alarm(me);
    await repair();
    assert.deepEqual((await relayed.attempts(me))[0]?.state, "asked");
    await relayed.alarm(me);
    const id = await assertMine();
    assert.equal(await relayed.audited("adopt", id), 1);
  });
}

test("the alarm, and the database is away: nothing happens, and a later one does it", async () => {
  relayed.relay.fault = ({ method }) => (method === "POST" ? { kind: "reset" } : undefined);
  assertUnknown(await me.create());
  relayed.calm();
  await object.sql("UPDATE attempts SET look_at = 0");
  await breakNow("all");
  await object.runAlarm();
  await repair();
  assert.equal(relayed.relay.exchanges.length, 0);
  assert.ok(Number(await object.alarmAt()) > Date.now(), "it comes again");
  await object.runAlarm();
  await assertMine(0);
});

test("create, and that Omise refused cannot be written down: the key asks nobody twice", async () => {
  const key = randomUUID();
  const refusal = JSON.stringify({ object: "error", location: "x", code: "bad_request", message: "x" });
  relayed.relay.fault = ({ method }) =>
    method === "POST" ? { kind: "answer", bytes: answerOf(400, {}, refusal), forward: false } : undefined;
  await breakNow("UPDATE ON attempts");
  assertUnavailable(await me.create({}, key));
  await repair();
  assertError(await me.create({}, key), 502, "outcome_unknown");
  await relayed.pastQuiet(me);
  assertError(await me.create({}, key), 409, "attempt_abandoned");
  assert.equal(relayed.relay.count("POST"), 1);
  relayed.calm();
  assert.equal((await me.create()).status, 200);
});

for (const what of AFTER_READING) {
  test(`retrieve, and the new status cannot be written down (${what}): the next reading does it`, async () => {
    const { id } = await approved();
    breakAfter("GET", what);
    assertUnavailable(await me.get(id));
    await repair();
    assert.equal((await relayed.link(id))?.status, "pending");
    assert.equal(await relayed.audited("read", id), 0);
    assert.equal((await me.get(id)).body.status, "successful");
    assert.equal((await relayed.link(id))?.status, "successful");
    assert.equal(await relayed.audited("read", id), 1);
  });

  test(`delete, and that it is done cannot be written down (${what}): again is the same answer`, async () => {
    const { id } = await approved();
    breakAfter("DELETE", what);
    assertUnavailable(await me.delete(id));
    await repair();
    assert.equal((await relayed.link(id))?.status, "pending");
    assert.equal(await relayed.audited("delete", id), 0);
    const answer = await me.delete(id);
    assert.equal(answer.body.status, "deleted", JSON.stringify(answer.body));
    assert.equal((await relayed.link(id))?.status, "deleted");
    assert.equal(await relayed.audited("delete", id), 1);
  });

  test(`confirm, and it cannot be written down (${what}): it is not said to be confirmed`, async () => {
    const { id, linkState } = await approved();
    await breakNow(what);
    assertUnavailable(await me.confirm(linkState));
    await repair();
    assert.equal((await relayed.link(id))?.confirmed, 0);
    assert.equal(relayed.relay.exchanges.length, 0);
    const answer = await me.confirm(linkState);
    assert.notEqual(answer.body.confirmed_at, null, JSON.stringify(answer.body));
    assert.equal(answer.body.status, "successful");
    assert.equal(await relayed.audited("confirm", id), 1);
  });

  test(`confirm, and what was read cannot be written down (${what}): confirmed all the same`, async () => {
    const { id, linkState } = await approved();
    breakAfter("GET", what);
    const answer = await me.confirm(linkState);
    await repair();
    if (what === "all") {
      // it cannot be said any more, and is so all the same
      assertUnavailable(answer);
      assert.equal((await relayed.link(id))?.confirmed, 1);
      return;
    }
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.notEqual(answer.body.confirmed_at, null);
    assert.equal(answer.body.status, "pending", "the stored reading");
    assert.deepEqual(await relayed.link(id), { owner: me.claims.sub, status: "pending", confirmed: 1 });
    assert.deepEqual((await me.confirm(linkState)).body, {
      ...(await me.get(id)).body,
      status: "successful",
      confirmed_at: answer.body.confirmed_at,
    });
  });
}

for (const what of [...AFTER_READING, "INSERT ON events"] as const) {
  test(`webhook, and it cannot be written down (${what}): the event is sent again`, async () => {
    const { id } = await approved();
    const event = eventId();
    breakAfter("GET", what);
    assertUnavailable(await relayed.deliver(event, id));
    await repair();
    assert.ok(!(await relayed.isSeen(event, me)));
    assert.equal((await relayed.link(id))?.status, "pending");
    assert.deepEqual((await relayed.deliver(event, id)).body, { object: "webhook", outcome: "updated" });
    assert.ok(await relayed.isSeen(event, me));
    assert.equal((await relayed.link(id))?.status, "successful");
    assert.equal(await relayed.audited("webhook", id), 1);
  });
}

for (const what of ["INSERT ON events", "INSERT ON audit"] as const) {
  test(`webhook about nothing new, and it cannot be written down (${what}): it is sent again`, async () => {
    const { id } = (await me.create()).body;
    const event = eventId();
    await breakNow(what);
    assertUnavailable(await relayed.deliver(event, id));
    await repair();
    assert.ok(!(await relayed.isSeen(event, me)));
    assert.equal(await relayed.audited("webhook", id), 0);
    assert.deepEqual((await relayed.deliver(event, id)).body, { object: "webhook", outcome: "unchanged" });
    assert.ok(await relayed.isSeen(event, me));
  });
}

test("while a customer's database is away that customer is told nothing, and others notice nothing", async () => {
  const { id, linkState } = await approved();
  const other = relayed.customer();
  const theirs = (await other.create()).body.id;
  relayed.relay.exchanges.length = 0;
  const event = eventId();
  const requests: [name: string, ask: () => Promise<Answer>][] = [
    ["retrieve", () => me.get(id)],
    ["delete", () => me.delete(id)],
    ["confirm", () => me.confirm(linkState)],
    ["list", () => me.fetch("GET", "/linked_accounts")],
    ["search", () => me.fetch("GET", "/linked_accounts/search")],
    ["create", () => me.create()],
  ];
  await breakNow("all");
  const answers = [];
  for (const [name, ask] of requests) answers.push([name, await ask()] as const);
  assert.equal(relayed.relay.exchanges.length, 0, "Omise is not asked");
  // its account says whose the event is, so it is read, and no more
  assertUnavailable(await relayed.deliver(event, id));
  const audit = await relayed.customer(OPERATE).fetch("GET", `/audit?subject=${me.claims.sub}`);
  assertUnavailable(audit);
  assert.equal((await other.get(theirs)).status, 200);
  assert.equal((await me.fetch("GET", "/ready")).status, 200);
  await repair();
  for (const [name, answer] of answers) {
    assert.equal(answer.body.reason, "ledger_unavailable", name);
    assertUnavailable(answer);
    assert.ok(!JSON.stringify(answer.body).includes(id));
  }
  for (const [name, ask] of requests.slice(2, 5)) assert.equal((await ask()).status, 200, name);
});

test("a refusal that cannot be written down is a refusal all the same", async () => {
  const other = relayed.customer();
  const { id } = (await other.create()).body;
  await breakNow("INSERT ON audit");
  const answer = await me.get(id);
  await repair();
  assertError(answer, 404, "not_found");
});
