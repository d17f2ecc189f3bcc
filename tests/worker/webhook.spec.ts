// Omise's events: believed only when signed, taken as a hint, dealt with once.

import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { account, answering, FakeOmise, stampIn } from "../../harness/omise.ts";
import { STOREFRONT, sessionOf } from "../../harness/session.ts";
import { type DurableObject, type RunningWorker, randomSecrets, startWorker } from "../../harness/stack.ts";
import { type Answer, assertError, assertStandardHeaders } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";
import { objectName, openStamp, STAMP, sealStamp } from "../support/stamp.ts";
import { deliver as deliverTo, eventOf, sign } from "../support/webhook.ts";

const omise = new FakeOmise();
const secrets = randomSecrets();
/** The secret that takes over from the other. */
const nextSecret = randomBytes(32).toString("base64");
const lines: string[] = [];
/** The key of the ledger that comes after the other. */
const nextLedgerKey = randomBytes(32).toString("base64");
let worker: RunningWorker;
let omiseUrl: string;
/** My object. */
let object: DurableObject;
let me: Customer;
/** The one account, as Omise has it. */
let mine: Record<string, unknown>;

before(async () => {
  omiseUrl = await omise.start();
  worker = await startWorker({
    omiseUrl,
    storefrontUrl: STOREFRONT,
    secrets,
    alarms: false,
    bindings: { UPSTREAM_DEADLINE_MS: "500", WEBHOOK_SECRET: `${secrets.WEBHOOK_SECRET}, ${nextSecret}` },
    log: (line) => lines.push(line),
  });
});
after(async () => {
  await worker?.dispose();
  await omise.stop();
});
beforeEach(async () => {
  me = new Customer(worker.url, sessionOf(worker, secrets), { sub: randomUUID() });
  mine = account({ registration_uri: `${omiseUrl}/register` });
  answerWith(200, mine);
  assert.equal((await me.create()).status, 200);
  mine.metadata = { [STAMP]: stampIn(omise.requests.at(-1)?.body ?? "") };
  object = worker.customer(String(me.claims.sub));
  omise.requests.length = 0;
});

function answerWith(status: number, body: unknown): void {
  omise.answer = answering(status, body);
}

const now = () => Math.floor(Date.now() / 1_000);

/** An event about the one account, as if the customer had registered. */
const event = (overrides: Record<string, unknown> = {}) =>
  eventOf({ ...mine, status: "successful" }, overrides);

interface Delivery {
  timestamp?: string;
  secret?: string;
  /** In place of the signature. */
  signature?: string | null;
}

async function deliver(body: string, delivery: Delivery = {}): Promise<Answer> {
  const { timestamp = String(now()), secret = secrets.WEBHOOK_SECRET } = delivery;
  const { signature = sign(secret, timestamp, body) } = delivery;
  return deliverTo(worker.url, secret, body, {
    "Omise-Signature-Timestamp": timestamp,
    ...(signature !== null && { "Omise-Signature": signature }),
  });
}

const send = (value: unknown, delivery?: Delivery) => deliver(JSON.stringify(value, null, 2), delivery);

function assertOutcome(answer: Answer, outcome: string): void {
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.deepEqual(answer.body, { object: "webhook", outcome });
  assertStandardHeaders(answer);
}

const stored = async () => (await object.sql("SELECT status FROM links WHERE id = ?", mine.id))[0]?.status;
const isSeen = async (id: unknown) =>
  (await object.sql("SELECT 1 AS seen FROM events WHERE id = ?", id)).length > 0;

test("an event is seen at once by those who poll", async () => {
  answerWith(200, mine);
  assert.equal((await me.get(mine.id as string)).body.status, "pending");
  answerWith(200, { ...mine, status: "successful" });
  assertOutcome(await send(event()), "updated");
  assert.equal((await me.get(mine.id as string)).body.status, "successful");
});

test("an event makes the Worker read the account again, once", async () => {
  answerWith(200, { ...mine, status: "successful", last_digits: "7890" });
  const complete = event();
  assertOutcome(await send(complete), "updated");
  assert.equal(omise.requests.length, 1);
  assert.equal(omise.requests[0]?.method, "GET");
  assert.equal(await stored(), "successful");
  assert.ok(await isSeen(complete.id));
  assertOutcome(await send(complete), "seen");
  assert.equal(omise.requests.length, 1, "nothing is read for an event that was dealt with");
  const audited = await object.sql(
    "SELECT actor, action, link, outcome FROM audit WHERE link = ? AND action = 'webhook'",
    mine.id,
  );
  assert.deepEqual(audited, [{ actor: null, action: "webhook", link: mine.id, outcome: "successful" }]);
});

test("what the event says of the account is not believed", async () => {
  const lie = event({ data: { ...mine, status: "successful" } });
  assertOutcome(await send(lie), "unchanged");
  assert.equal(await stored(), "pending");
  assert.ok(await isSeen(lie.id));
});

test("any of the secrets may have signed, among up to ten signatures", async () => {
  const timestamp = String(now());
  const body = JSON.stringify(event());
  const good = sign(nextSecret, timestamp, body);
  assertOutcome(await deliver(body, { timestamp, signature: good }), "unchanged");
  const other = JSON.stringify(event());
  const both = [secrets.WEBHOOK_SECRET, nextSecret].map((secret) => sign(secret, timestamp, other));
  assertOutcome(await deliver(other, { timestamp, signature: both.join(",") }), "unchanged");
  const third = JSON.stringify(event());
  const listed = [...Array.from({ length: 9 }, () => "0".repeat(64)), sign(nextSecret, timestamp, third)];
  assertOutcome(await deliver(third, { timestamp, signature: listed.join(", ") }), "unchanged");
  assertError(await deliver(third, { timestamp, signature: `${listed}, x` }), 401, "unauthenticated");
});

test("what is not signed, or not now, is refused, and Omise is not asked", async () => {
  const body = JSON.stringify(event());
  const timestamp = String(now());
  const good = sign(secrets.WEBHOOK_SECRET, timestamp, body);
  const at = (seconds: number): Delivery => ({ timestamp: String(now() + seconds) });
  for (const delivery of [
    { signature: null },
    { signature: "" },
    { signature: "," },
    { signature: "0".repeat(64) },
    { timestamp, signature: good.toUpperCase() },
    { timestamp, signature: good.slice(0, -1) },
    { timestamp, signature: `sha256=${good}` },
    { timestamp: String(Number(timestamp) + 1), signature: good },
    { secret: randomBytes(32).toString("base64") },
    { secret: Buffer.from(secrets.WEBHOOK_SECRET).toString("base64") },
    { secret: "" },
    at(-310),
    at(310),
    { timestamp: `${now()}000` },
    { timestamp: "" },
    { timestamp: "-1" },
    { timestamp: `+${now()}` },
    { timestamp: `${now()}.5` },
    { timestamp: "0x10" },
    { timestamp: "now" },
    { timestamp: "9".repeat(40) },
  ]) {
    const answer = await deliver(body, delivery);
    assertError(answer, 401, "unauthenticated");
  }
  assertError(await deliver(`${body} `, { timestamp, signature: good }), 401, "unauthenticated");
  assertError(
    await deliver(body.replace("successful", "failed"), { signature: good }),
    401,
    "unauthenticated",
  );
  assert.equal(omise.requests.length, 0);
  for (const seconds of [-290, 290]) {
    assertOutcome(await send(event(), at(seconds)), "unchanged");
  }
});

test("a body of another form is signed all the same, byte by byte", async () => {
  const text = JSON.stringify(event(), null, 7).replaceAll("\n", "\r\n");
  assertOutcome(await deliver(text), "unchanged");
});

test("events that are about nothing of ours leave no row", async () => {
  const rows = async () => [
    await object.sql("SELECT * FROM events"),
    await object.sql("SELECT * FROM audit"),
  ];
  const before = await rows();
  const unstamped = account();
  const ofAnotherKey = account({
    metadata: {
      [STAMP]: sealStamp("another key", {
        object: objectName(String(me.claims.sub)),
        attempt: "A".repeat(22),
      }),
    },
  });
  // those of linked accounts alone are read, since an event need not show metadata
  for (const foreign of [unstamped, ofAnotherKey]) {
    answerWith(200, foreign);
    assertOutcome(await send(event({ data: foreign })), "ignored");
  }
  answerWith(404, { object: "error", location: "x", code: "not_found", message: "was not found" });
  assertOutcome(await send(event({ data: account() })), "ignored");
  assert.equal(omise.requests.length, 3);
  for (const ignored of [
    event({ data: { object: "charge", id: "chrg_test_1" }, key: "charge.complete" }),
    event({ data: { object: "linked_account", id: "lnac_5zylnmmt2kl9chq3ip1" } }),
    event({ data: { object: "linked_account", id: "../../customers" } }),
    event({ data: {}, key: "brand_new.key" }),
  ]) {
    assertOutcome(await send(ignored), "ignored");
  }
  assert.equal(omise.requests.length, 3);
  assert.deepEqual(await rows(), before);
});

test("a stamp that names an attempt that its object does not know wakes nothing", async () => {
  for (const subject of [String(me.claims.sub), "never seen"]) {
    const stamp = sealStamp(secrets.LEDGER_KEY, { object: objectName(subject), attempt: "A".repeat(22) });
    const foreign = account({ metadata: { [STAMP]: stamp } });
    assertOutcome(await send(event({ data: foreign })), "ignored");
  }
  assert.equal(omise.requests.length, 0);
  await assert.rejects(worker.customer("never seen").sql("SELECT * FROM meta"), /no such table/);
});

test("an event without the account's metadata finds the customer all the same", async () => {
  answerWith(200, { ...mine, status: "successful" });
  const { metadata: _, ...bare } = mine;
  assertOutcome(await send(event({ data: bare })), "updated");
  assert.equal(await stored(), "successful");
});

test("an event adopts the account of a create whose answer was lost", async () => {
  omise.answer = (request) => request.socket.destroy();
  const key = randomUUID();
  assertError(await me.create({ type: "direct_debit_scb" }, key), 502, "outcome_unknown");
  const lost = account({
    type: "direct_debit_scb",
    registration_uri: `${omiseUrl}/register`,
    metadata: { [STAMP]: stampIn(omise.requests.at(-1)?.body ?? "") },
  });
  // first one that says it is another's: what Omise has is another stamp
  const other = account({ metadata: mine.metadata });
  answerWith(200, other);
  const wrong = event({ data: { ...other, metadata: lost.metadata } });
  assertError(await send(wrong), 502, "upstream_unreadable");
  assert.ok(!(await isSeen(wrong.id)));

  answerWith(200, { ...lost, status: "successful" });
  const complete = event({ data: lost });
  assertOutcome(await send(complete), "updated");
  assertOutcome(await send(complete), "seen");
  const [attempt] = await object.sql("SELECT state, current FROM attempts WHERE link = ?", lost.id);
  assert.deepEqual(attempt, { state: "linked", current: 0 });
  const audited = await object.sql("SELECT actor, action, outcome FROM audit WHERE link = ?", lost.id);
  assert.deepEqual(audited, [{ actor: null, action: "adopt", outcome: "successful" }]);
  const replayed = await me.create({ type: "direct_debit_scb" }, key);
  assert.deepEqual([replayed.status, replayed.body.id], [200, lost.id], JSON.stringify(replayed.body));
  assert.equal(omise.requests.filter(({ method }) => method === "POST").length, 1);
});

test("another account with the stamp of an attempt that has its account is refused", async () => {
  const twin = account({ metadata: mine.metadata });
  answerWith(200, twin);
  const answer = await send(event({ data: twin }));
  assertError(answer, 502, "upstream_unreadable");
  assert.deepEqual(await object.sql("SELECT id FROM links"), [{ id: mine.id }]);
});

test("while the key of the ledger changes, stamps of both keys open", async () => {
  const changing = await startWorker({
    omiseUrl,
    storefrontUrl: STOREFRONT,
    secrets,
    alarms: false,
    bindings: { LEDGER_KEY: `${nextLedgerKey}, ${secrets.LEDGER_KEY}` },
  });
  try {
    const customer = new Customer(changing.url, sessionOf(changing, secrets), { sub: randomUUID() });
    const made = account({ registration_uri: `${omiseUrl}/register` });
    answerWith(200, made);
    assert.equal((await customer.create()).status, 200);
    const text = stampIn(omise.requests.at(-1)?.body ?? "");
    const stamp = openStamp(nextLedgerKey, text) ?? assert.fail("the first key seals");
    for (const [key, status] of [
      [secrets.LEDGER_KEY, "successful"],
      [nextLedgerKey, "deleted"],
    ] as const) {
      const now = { ...made, status, metadata: { [STAMP]: sealStamp(key, stamp) } };
      answerWith(200, now);
      const body = JSON.stringify(event({ data: now }));
      assertOutcome(await deliverTo(changing.url, secrets.WEBHOOK_SECRET, body), "updated");
    }
  } finally {
    await changing.dispose();
  }
});

test("an unknown event about an account of ours is a hint like any other", async () => {
  answerWith(200, { ...mine, status: "failed", failure_code: "registration_rejected" });
  assertOutcome(await send(event({ key: "brand_new.key" })), "updated");
  assert.equal(await stored(), "failed");
});

test("while the account cannot be read the event is not remembered, so that it is sent again", async () => {
  const late = event();
  for (const [status, body] of [
    [500, { status: 500, error: "Internal Server Error" }],
    [404, { object: "error", location: "x", code: "not_found", message: "was not found" }],
    [401, { object: "error", location: "x", code: "authentication_failure", message: "no" }],
    [200, { object: "customer" }],
  ] as const) {
    answerWith(status, body);
    const answer = await send(late);
    assert.ok(answer.status >= 500 && answer.status < 600, `${status}: ${answer.status}`);
    assertError(answer, answer.status, answer.body.reason);
    assert.ok(!(await isSeen(late.id)));
  }
  answerWith(200, { ...mine, status: "successful" });
  assertOutcome(await send(late), "updated");
});

test("the newest reading stays, and deleted is final", async () => {
  const put = (status: string, readAt: number) =>
    object.sql(
      "UPDATE links SET read_at = ?2, status = ?3, account = json_set(account, '$.status', ?3) WHERE id = ?1",
      mine.id,
      readAt,
      status,
    );
  await put("successful", Date.now() + 3_600_000);
  answerWith(200, mine);
  assertOutcome(await send(event()), "unchanged");
  assert.equal(await stored(), "successful", "read an hour later than now");
  answerWith(200, { ...mine, status: "deleted" });
  assertOutcome(await send(event()), "updated");
  assert.equal(await stored(), "deleted", "although a reading began later");
  await put("deleted", 0);
  answerWith(200, { ...mine, status: "successful" });
  assertOutcome(await send(event()), "unchanged");
  assert.equal(await stored(), "deleted");
});

test("signed bodies that are no events are refused", async () => {
  for (const body of [
    "",
    "{}",
    "[]",
    "null",
    "x",
    JSON.stringify({ ...event(), object: "charge" }),
    JSON.stringify(event({ id: "" })),
    JSON.stringify(event({ id: "e".repeat(65) })),
    JSON.stringify(event({ id: 7 })),
    JSON.stringify(event()).replace('{"object"', '{"object":"event","object"'),
  ]) {
    assertError(await deliver(body), 400, "malformed_json");
  }
  assertError(await deliver("x".repeat(300_000)), 413, "body_too_large");
  assert.equal(omise.requests.length, 0);
});

test("twenty deliveries of one event at once are one update", async () => {
  answerWith(200, { ...mine, status: "successful" });
  const complete = event();
  const answers = await Promise.all(Array.from({ length: 20 }, () => send(complete)));
  const outcomes = answers.map(({ status, body }) => `${status} ${body.outcome}`).sort();
  assert.deepEqual(outcomes, [...Array(19).fill("200 seen"), "200 updated"]);
  assert.equal(await stored(), "successful");
  const audited = await object.sql("SELECT outcome FROM audit WHERE action = 'webhook'");
  assert.deepEqual(audited, [{ outcome: "successful" }]);
});

test("no secret is in the log or the ledger", async () => {
  await deliver(JSON.stringify(event()), { signature: "0".repeat(64) });
  await send(event());
  const rows = JSON.stringify([
    await object.sql("SELECT * FROM events"),
    await object.sql("SELECT * FROM audit"),
  ]);
  for (const secret of [secrets.WEBHOOK_SECRET, nextSecret, secrets.OMISE_SECRET_KEY]) {
    assert.ok(!lines.join("\n").includes(secret));
    assert.ok(!rows.includes(secret));
  }
  assert.ok(lines.some((line) => line.includes('"route":"webhook"')));
});
