// The database fails, before Omise is asked or between its answer and our writing it down: nothing is lost, and nothing is done twice.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { answerOf } from "../../harness/relay.ts";
import { OPERATE } from "../../harness/session.ts";
import { type Answer, assertError } from "../support/answer.ts";
import { type Customer, register } from "../support/customer.ts";
import { eventId } from "../support/webhook.ts";
import { type Breakage, breakDatabase, Relayed, repairDatabase } from "./relayed.ts";

let relayed: Relayed;
let me: Customer;

before(async () => {
  relayed = await Relayed.start({ deadlineMs: 10_000 });
});
after(() => relayed?.dispose());
beforeEach(async () => {
  relayed.calm();
  // a run of the cron is about this test's alone
  await (await relayed.db()).prepare("DELETE FROM attempts").run();
  me = relayed.customer();
});

/** The whole database, and each write that may come after Omise's answer to a create. */
const AFTER_CREATE: Breakage[] = ["all", "INSERT ON links", "INSERT ON audit", "UPDATE ON attempts"];
/** The same for a reading whose status is news. */
const AFTER_READING: Breakage[] = ["all", "UPDATE ON links", "INSERT ON audit"];

const breakNow = async (what: Breakage) => breakDatabase(await relayed.db(), what);
const repair = async () => {
  relayed.relay.onAnswer = () => {};
  await repairDatabase(await relayed.db());
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
  ["the cron", () => relayed.worker.cron()],
];

for (const what of AFTER_CREATE) {
  for (const [name, reconcile] of WAYS) {
    test(`create, and Omise's answer cannot be written down (${what}): ${name} finds it`, async () => {
      const key = randomUUID();
      breakAfter("POST", what);
      assertUnknown(await me.create({}, key));
      await repair();
      const doubted = what !== "all" && what !== "UPDATE ON attempts";
      const [attempt] = await relayed.attempts(me);
      assert.deepEqual([attempt?.state, attempt?.link], [doubted ? "unknown" : "in_flight", null]);
      if (!doubted) {
        assertError(await me.create({}, key), 409, "attempt_in_flight");
        await relayed.pastInFlight(me);
      }
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

  test(`the cron, and what was found cannot be written down (${what}): the next run finds it again`, async () => {
    relayed.relay.fault = ({ method }) => (method === "POST" ? { kind: "reset" } : undefined);
    assertUnknown(await me.create());
    breakAfter("GET", what);
    await relayed.worker.cron();
    await repair();
    assert.deepEqual((await relayed.attempts(me))[0]?.state, "unknown");
    await relayed.worker.cron();
    const id = await assertMine();
    assert.equal(await relayed.audited("adopt", id), 1);
  });
}

test("the cron, and the database is away: nothing happens, and the next run does it", async () => {
  relayed.relay.fault = ({ method }) => (method === "POST" ? { kind: "reset" } : undefined);
  assertUnknown(await me.create());
  relayed.calm();
  await breakNow("all");
  await relayed.worker.cron();
  await repair();
  assert.equal(relayed.relay.exchanges.length, 0);
  await relayed.worker.cron();
  await assertMine(0);
});

test("create, and that Omise refused cannot be written down: the key asks nobody twice", async () => {
  const key = randomUUID();
  const refusal = JSON.stringify({ object: "error", location: "x", code: "bad_request", message: "x" });
  relayed.relay.fault = ({ method }) =>
    method === "POST" ? { kind: "answer", bytes: answerOf(400, {}, refusal), forward: false } : undefined;
  const db = await relayed.db();
  await breakDatabase(db, "DELETE ON attempts");
  assertUnavailable(await me.create({}, key));
  await repair();
  assertError(await me.create({}, key), 409, "attempt_in_flight");
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
    assert.ok(!(await relayed.isSeen(event)));
    assert.equal((await relayed.link(id))?.status, "pending");
    assert.deepEqual((await relayed.deliver(event, id)).body, { object: "webhook", outcome: "updated" });
    assert.ok(await relayed.isSeen(event));
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
    assert.ok(!(await relayed.isSeen(event)));
    assert.equal(await relayed.audited("webhook", id), 0);
    assert.deepEqual((await relayed.deliver(event, id)).body, { object: "webhook", outcome: "unchanged" });
    assert.ok(await relayed.isSeen(event));
  });
}

test("while the database is away nobody is told anything, and Omise is not asked", async () => {
  const { id, linkState } = await approved();
  const operator = relayed.customer(OPERATE);
  const event = eventId();
  const requests: [name: string, ask: () => Promise<Answer>][] = [
    ["retrieve", () => me.get(id)],
    ["delete", () => me.delete(id)],
    ["confirm", () => me.confirm(linkState)],
    ["list", () => me.fetch("GET", "/linked_accounts")],
    ["search", () => me.fetch("GET", "/linked_accounts/search")],
    ["webhook", () => relayed.deliver(event, id)],
    ["an operator's reading", () => operator.get(id)],
    ["audit", () => operator.fetch("GET", "/audit")],
    ["ready", () => me.fetch("GET", "/ready")],
  ];
  await breakNow("all");
  const answers = [];
  for (const [name, ask] of requests) answers.push([name, await ask()] as const);
  await repair();
  for (const [name, answer] of answers) {
    assert.equal(answer.body.reason, "ledger_unavailable", name);
    assertUnavailable(answer);
    assert.ok(!JSON.stringify(answer.body).includes(id));
  }
  assert.equal(relayed.relay.exchanges.length, 0);
  for (const [name, ask] of requests) assert.equal((await ask()).status, 200, name);
});

test("an operator's list and search, and what is confirmed cannot be read: neither is shown", async () => {
  const word = randomUUID();
  const { id } = (await me.create({ metadata: { word } })).body;
  const operator = relayed.customer(OPERATE);
  for (const path of [
    "/linked_accounts?order=reverse_chronological",
    `/linked_accounts/search?query=${word}`,
  ]) {
    breakAfter("GET", "all");
    assertUnavailable(await operator.fetch("GET", path));
    await repair();
    const { body } = await operator.fetch("GET", path);
    assert.equal(body.data[0].id, id);
  }
});

test("a refusal that cannot be written down is a refusal all the same", async () => {
  const other = relayed.customer();
  const { id } = (await other.create()).body;
  await breakNow("INSERT ON audit");
  const answer = await me.get(id);
  await repair();
  assertError(answer, 404, "not_found");
});
