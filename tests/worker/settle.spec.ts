// A create whose answer was lost: the account is found by its stamp, or the attempt is given up; Omise is never asked twice.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { account, FakeOmise, listOf, stampIn } from "../../harness/omise.ts";
import { STOREFRONT, sessionOf } from "../../harness/session.ts";
import { type DurableObject, type RunningWorker, randomSecrets, startWorker } from "../../harness/stack.ts";
import { assertError } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";
import { Ledgers } from "../support/ledgers.ts";
import { objectName, openStamp, STAMP } from "../support/stamp.ts";
import { until } from "../support/until.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

const omise = new FakeOmise();
const secrets = randomSecrets();
const lines: string[] = [];
let worker: RunningWorker;
let omiseUrl: string;
let me: Customer;

/** What Omise has, and how it treats the next create. */
let accounts: Record<string, unknown>[] = [];
let onCreate: "answer" | "lose the answer" | "lose the request" | "never answer" = "answer";
/** How Omise treats a list. */
let listStatus = 200;

omise.answer = (request, response, body) => {
  const url = new URL(request.url ?? "", omiseUrl);
  const json = (status: number, value: unknown) =>
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));
  if (request.method === "POST") {
    const form = new URLSearchParams(body);
    const made = account({
      type: form.get("type"),
      return_uri: form.get("return_uri"),
      registration_uri: `${omiseUrl}/register`,
      created_at: seconds(Date.now()),
      metadata: { [STAMP]: stampIn(body), order: "17" },
    });
    if (onCreate !== "lose the request") accounts.push(made);
    if (onCreate === "answer") json(200, made);
    else if (onCreate !== "never answer") request.socket.destroy();
  } else if (url.pathname === "/linked_accounts") {
    if (listStatus !== 200) {
      json(listStatus, { status: listStatus, error: "Internal Server Error" });
      return;
    }
    const time = (name: string) => Date.parse(url.searchParams.get(name) ?? "");
    const [limit, offset] = [Number(url.searchParams.get("limit")), Number(url.searchParams.get("offset"))];
    assert.equal(url.searchParams.get("order"), "chronological");
    const found = accounts.filter(({ created_at }) => {
      const at = Date.parse(created_at as string);
      return at >= time("from") && at <= time("to");
    });
    const data = found.slice(offset, offset + limit);
    json(200, listOf(data, { limit, offset, total: found.length }));
  } else {
    const found = accounts.find(({ location }) => location === url.pathname);
    if (found) json(200, found);
    else json(404, { object: "error", location: "x", code: "not_found", message: "was not found" });
  }
};

before(async () => {
  omiseUrl = await omise.start();
  worker = await startWorker({
    omiseUrl,
    storefrontUrl: STOREFRONT,
    secrets,
    log: (line) => lines.push(line),
  });
});
after(async () => {
  await worker?.dispose();
  await omise.stop();
});
beforeEach(() => {
  omise.requests.length = 0;
  lines.length = 0;
  accounts = [];
  onCreate = "answer";
  listStatus = 200;
  me = customer();
});
// its alarm asks for nothing in the tests to come
afterEach(async () => {
  await new Ledgers(worker).of(me.claims.sub, "UPDATE attempts SET look_at = NULL");
});

function customer(): Customer {
  return new Customer(worker.url, sessionOf(worker, secrets), { sub: randomUUID() });
}

/** A time as Omise writes it. */
function seconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z/, "Z");
}

const object = (who = me): DurableObject => worker.customer(String(who.claims.sub));

const posts = () => omise.requests.filter(({ method }) => method === "POST").length;
const lists = () => omise.requests.filter(({ path }) => path.startsWith("/linked_accounts?")).length;

/** Makes everything that happened so far happen earlier. */
async function age(ms: number): Promise<void> {
  await object().sql("UPDATE attempts SET created_at = created_at - ?", ms);
  for (const made of accounts) made.created_at = seconds(Date.parse(made.created_at as string) - ms);
}

/** Runs the alarm as if the time for every look that is to come had come. */
async function look(who = me): Promise<void> {
  await object(who).sql("UPDATE attempts SET look_at = 0 WHERE look_at IS NOT NULL");
  await object(who).runAlarm();
}

/** Runs the alarm as if the time for every reading that is to come had come. */
async function read(): Promise<void> {
  await object().sql("UPDATE links SET due_at = 0 WHERE due_at IS NOT NULL");
  await object().runAlarm();
}

const attempts = (who = me) =>
  object(who).sql("SELECT state, current, link FROM attempts ORDER BY created_at");

/** The line that the alarm wrote last. */
function alarmLine(): Record<string, unknown> {
  const line = lines.map((text) => text.match(/\{.*"route":"alarm".*\}/)?.[0]).findLast(Boolean);
  return JSON.parse(line ?? "{}");
}

test("the same key finds the account that was made, and its return confirms it", async () => {
  onCreate = "lose the answer";
  const key = randomUUID();
  assertError(await me.create({}, key), 502, "outcome_unknown");
  const again = await me.create({}, key);
  assert.equal(again.status, 200, JSON.stringify(again.body));
  assert.equal(again.headers.get("Idempotent-Replayed"), "true");
  assert.equal(again.body.id, accounts[0]?.id);
  assert.deepEqual(again.body.metadata, { order: "17" }, "without the stamp");
  assert.equal(again.body.return_uri, `${STOREFRONT}/return`);
  assert.equal(posts(), 1);
  assert.deepEqual(await attempts(), [{ state: "linked", current: 1, link: again.body.id }]);

  const linkState = new URL(accounts[0]?.return_uri as string).searchParams.get("link_state");
  assert.notEqual((await me.confirm(linkState)).body.confirmed_at, null);
  assertError(await customer().confirm(linkState), 404, "not_found");
});

test("the stamp names the customer's object and the attempt, whose id is the key sent to Omise", async () => {
  assert.equal((await me.create()).status, 200);
  const [row] = await object().sql("SELECT id FROM attempts");
  const sent = omise.requests[0];
  const text = stampIn(sent?.body ?? "");
  assert.match(text, /^[\w-]{102}$/);
  const stamp = { object: objectName(String(me.claims.sub)), attempt: row?.id };
  assert.deepEqual(openStamp(secrets.LEDGER_KEY, text), stamp);
  assert.equal(sent?.headers["idempotency-key"], row?.id);
});

test("what is not found stays unknown for the quiet period, then it is abandoned for good", async () => {
  onCreate = "lose the request";
  const key = randomUUID();
  assertError(await me.create({}, key), 502, "outcome_unknown");
  const again = await me.create({}, key);
  assertError(again, 502, "outcome_unknown");
  assert.ok(Number(again.headers.get("Retry-After")) > 0);
  const other = await me.create();
  assertError(other, 409, "already_pending");
  assert.equal(other.body.linked_account, undefined);
  assert.ok(Number(other.headers.get("Retry-After")) > 0);
  await age(9 * MINUTE);
  assertError(await me.create({}, key), 502, "outcome_unknown");
  await age(2 * MINUTE);
  const over = await me.create({}, key);
  assertError(over, 409, "attempt_abandoned");
  assert.equal(over.body.retryable, false);
  assertError(await me.create({}, key), 409, "attempt_abandoned");
  assert.deepEqual(await attempts(), [{ state: "abandoned", current: 0, link: null }]);
  assert.equal(posts(), 1);
  onCreate = "answer";
  assert.equal((await me.create()).status, 200, "a new key is free to try");
});

test("an attempt that came to nothing does not stand in the way of a new one", async () => {
  onCreate = "lose the request";
  assertError(await me.create(), 502, "outcome_unknown");
  await age(11 * MINUTE);
  onCreate = "answer";
  assert.equal((await me.create()).status, 200);
});

test("while Omise cannot be asked nothing is concluded within the quiet period, after it the customer is free", async () => {
  onCreate = "lose the answer";
  const key = randomUUID();
  assertError(await me.create({}, key), 502, "outcome_unknown");
  listStatus = 500;
  assertError(await me.create({}, key), 502, "outcome_unknown");
  await look();
  assert.deepEqual(await attempts(), [{ state: "asked", current: 1, link: null }]);
  await age(HOUR);
  assertError(await me.create({}, key), 409, "attempt_abandoned");
  const second = await me.create({ type: "direct_debit_kbank" });
  assertError(second, 502, "outcome_unknown");
  assert.equal(posts(), 2, "Omise is asked for the new one");
  // and the account is still looked for
  listStatus = 200;
  await look();
  assert.equal((await me.get(accounts[0]?.id as string)).status, 200);
});

test("the alarm frees the customer after the quiet period, though Omise cannot be asked", async () => {
  onCreate = "lose the request";
  assertError(await me.create(), 502, "outcome_unknown");
  listStatus = 500;
  await age(HOUR);
  await look();
  assert.deepEqual(await attempts(), [{ state: "abandoned", current: 0, link: null }]);
  const [row] = await object().sql("SELECT look_at FROM attempts");
  assert.ok(Number(row?.look_at) > Date.now(), "it is looked for again");
});

test("the stamp is found amid hundreds of accounts of one second, a page a request", async () => {
  onCreate = "lose the answer";
  const key = randomUUID();
  assertError(await me.create({}, key), 502, "outcome_unknown");
  const mine = accounts.pop();
  assert.ok(mine);
  const others = (n: number) => Array.from({ length: n }, () => account({ created_at: mine.created_at }));
  accounts = [...others(450), mine, ...others(20)];
  for (let page = 1; page <= 4; page++) {
    assertError(await me.create({}, key), 502, "outcome_unknown");
    assert.equal(lists(), page);
    const [row] = await object().sql("SELECT look_at FROM attempts");
    const wait = Number(row?.look_at) - Date.now();
    assert.ok(wait < 3 * SECOND, `the alarm looks on, in ${wait} ms`);
    // not in this test
    await object().sql("UPDATE attempts SET look_at = ?", Date.now() + HOUR);
  }
  assert.equal((await me.create({}, key)).body.id, mine.id);
  assert.equal(posts(), 1);
});

test("the attempt's own seconds are looked at first, then those before, for a clock that is behind", async () => {
  onCreate = "lose the answer";
  const key = randomUUID();
  assertError(await me.create({}, key), 502, "outcome_unknown");
  const mine = accounts.pop();
  assert.ok(mine);
  const earlier = (n: number) => seconds(Date.parse(mine.created_at as string) - n * SECOND);
  const many = Array.from({ length: 2_000 }, () => account({ created_at: earlier(10) }));
  accounts = [...many, mine];
  omise.requests.length = 0;
  assert.equal((await me.create({}, key)).body.id, mine.id);
  assert.equal(lists(), 1);

  const other = randomUUID();
  me = customer();
  assertError(await me.create({}, other), 502, "outcome_unknown");
  const behind = { ...accounts.pop(), created_at: earlier(250) };
  accounts = [behind];
  assertError(await me.create({}, other), 502, "outcome_unknown");
  assert.equal((await me.create({}, other)).body.id, (behind as { id?: string }).id);
});

test("amid thousands of accounts it is looked for over several alarms, and rarely once all were looked at", async () => {
  const other = customer();
  onCreate = "lose the request";
  const key = randomUUID();
  assertError(await me.create({}, key), 502, "outcome_unknown");
  onCreate = "lose the answer";
  assertError(await other.create(), 502, "outcome_unknown");
  const orphan = accounts.pop();
  assert.ok(orphan);
  const began = Date.now() - HOUR;
  for (const who of [me, other]) await object(who).sql("UPDATE attempts SET created_at = ?", began);
  // 60 in twenty seconds, from ten minutes before to ten after
  for (let step = -30; step < 30; step++) {
    const created_at = seconds(began + step * 20 * SECOND);
    for (let i = 0; i < 60; i++) accounts.push(account({ created_at }));
  }
  // as if Omise had taken five minutes
  accounts.splice(2_700, 0, { ...orphan, created_at: accounts[2_700]?.created_at });

  const isAdopted = async () => (await attempts(other))[0]?.state === "linked";
  let runs = 0;
  for (; !(await isAdopted()) && runs < 40; runs++) await look(other);
  assert.ok(runs > 5 && runs < 15, `adopted by run ${runs}`);
  assert.equal((await other.get(orphan.id as string)).status, 200);

  // the other looks through it all, in vain; its customer is free from the first run on
  const state = async () => (await object().sql("SELECT state, look_from, look_at FROM attempts"))[0];
  lines.length = 0;
  await look();
  assert.equal((await state())?.state, "abandoned");
  for (runs = 1; (await state())?.look_from !== null || runs < 3; runs++) {
    assert.ok(runs < 60, "there is no end to it");
    await look();
  }
  assert.ok(runs > 20, `${runs} runs`);
  // those that the runtime made in between too
  for (const line of lines.filter((text) => text.includes('"route":"alarm"')))
    assert.ok(line.includes('"upstream_calls":1'), `one page a run: ${line}`);
  assert.ok(Number((await state())?.look_at) > Date.now() + 10 * MINUTE);
  assertError(await me.create({}, key), 409, "attempt_abandoned");
});

test("an account that cannot be read is stepped over", async () => {
  onCreate = "lose the answer";
  assertError(await me.create(), 502, "outcome_unknown");
  const mine = accounts.pop();
  assert.ok(mine);
  accounts = [account({ created_at: mine.created_at, object: "customer" }), mine];
  for (let run = 0; run < 5; run++) await look();
  assert.deepEqual(await attempts(), [{ state: "linked", current: 1, link: mine.id }]);
});

test("the object died between Omise's answer and its record: the same key finds the account at once", async () => {
  onCreate = "never answer";
  const key = randomUUID();
  const first = me.create({}, key);
  await until(async () => accounts.length > 0);
  assertError(await me.create({}, key), 409, "attempt_in_flight");
  const other = await me.create();
  assertError(other, 409, "already_pending");
  assert.ok(Number(other.headers.get("Retry-After")) > 0);
  await object().reset();
  assertError(await first, 502, "outcome_unknown");
  assert.equal((await me.create({}, key)).body.id, accounts[0]?.id);
  assert.equal(posts(), 1);
});

test("the alarm adopts an orphan that its customer does not ask for", async () => {
  onCreate = "lose the answer";
  const before = Date.now();
  assertError(await me.create(), 502, "outcome_unknown");
  const alarmAt = await object().alarmAt();
  assert.ok(alarmAt && alarmAt <= before + 46 * SECOND, "the alarm that looks for it is set");
  const [orphan] = accounts;
  assertError(await me.get(orphan?.id as string), 404, "not_found");
  await look();
  const found = await me.get(orphan?.id as string);
  assert.equal(found.status, 200);
  assert.equal(found.body.confirmed_at, null);
  assertError(await me.create(), 409, "already_pending");
  const { request_id, ms, upstream_ms, ledger_ms, ...rest } = alarmLine();
  assert.match(String(request_id), /^[0-9a-f]{32}$/);
  for (const time of [ms, upstream_ms, ledger_ms]) assert.ok(Number.isInteger(time));
  assert.deepEqual(rest, {
    part: "customer",
    route: "alarm",
    status: 200,
    reason: null,
    ledger: "adopt",
    detail: null,
    upstream_calls: 1,
  });
  const audit = "SELECT actor, action, outcome FROM audit WHERE link = ?";
  assert.deepEqual(await object().sql(audit, orphan?.id), [
    { actor: me.claims.sub, action: "retrieve", outcome: "not_found" },
    { actor: null, action: "adopt", outcome: "pending" },
  ]);
});

test("an alarm that is lost is set again by the next request, and comes by itself", async () => {
  onCreate = "lose the answer";
  assertError(await me.create(), 502, "outcome_unknown");
  await object().sql("UPDATE attempts SET look_at = 0");
  // a new object has set no alarm yet, as far as it knows
  await object().reset();
  await me.fetch("GET", "/linked_accounts");
  await until(async () => (await attempts())[0]?.state === "linked");
});

test("an orphan that turns up after its attempt was abandoned is its owner's, but not current", async () => {
  onCreate = "lose the answer";
  const key = randomUUID();
  assertError(await me.create({}, key), 502, "outcome_unknown");
  const [orphan] = accounts.splice(0);
  await age(HOUR);
  assertError(await me.create({}, key), 409, "attempt_abandoned");
  onCreate = "answer";
  const second = await me.create();
  assert.equal(second.status, 200);
  accounts.push({ ...orphan, created_at: seconds(Date.now() - HOUR) });
  await look();
  assert.deepEqual(await attempts(), [
    { state: "linked", current: 0, link: orphan?.id },
    { state: "linked", current: 1, link: second.body.id },
  ]);
  assert.equal((await me.get(orphan?.id as string)).status, 200, "visible to its owner");
  const replayed = await me.create({}, key);
  assert.equal(replayed.body.id, orphan?.id, "and the old key knows it");
  assertError(await customer().get(orphan?.id as string), 404, "not_found");
  const third = await me.create();
  assertError(third, 409, "already_pending");
  assert.equal(third.body.linked_account.id, second.body.id, "the newer one is current");
});

test("a refused attempt leaves its key free, and is not looked for", async () => {
  const answer = omise.answer;
  const refusal = { object: "error", location: "x", code: "bad_request", message: "type is not supported" };
  omise.answer = (request, response, body) => {
    if (request.method !== "POST") return answer(request, response, body);
    response.writeHead(400, { "Content-Type": "application/json" }).end(JSON.stringify(refusal));
  };
  const key = randomUUID();
  try {
    assert.equal((await me.create({}, key)).status, 400);
  } finally {
    omise.answer = answer;
  }
  assert.deepEqual(await object().sql("SELECT state, current, idempotency_key, look_at FROM attempts"), [
    { state: "refused", current: 0, idempotency_key: null, look_at: null },
  ]);
  assert.equal((await me.create({ type: "direct_debit_scb" }, key)).status, 200, "even for another request");
});

test("an orphan is looked for during 25 hours, and its key is kept for 30 days", async () => {
  onCreate = "lose the request";
  const key = randomUUID();
  assertError(await me.create({}, key), 502, "outcome_unknown");
  await age(HOUR);
  await look();
  assert.equal((await attempts())[0]?.state, "abandoned");
  omise.requests.length = 0;
  await look();
  assert.equal(omise.requests.length, 1, "an orphan may still turn up");
  await age(25 * HOUR);
  await look();
  omise.requests.length = 0;
  await look();
  assert.equal(omise.requests.length, 0, "that was the last look");
  assertError(await me.create({}, key), 409, "attempt_abandoned");
  assert.equal(omise.requests.length, 0);
  await age(28 * 24 * HOUR);
  await look();
  assertError(await me.create({}, key), 409, "attempt_abandoned");
  await age(24 * HOUR);
  await look();
  assert.deepEqual(await attempts(), []);
  onCreate = "answer";
  assert.equal((await me.create({}, key)).status, 200);
});

test("the alarm reads a pending account once, after its registration is over", async () => {
  const { body } = await me.create();
  const [row] = await object().sql("SELECT due_at FROM links");
  const late = Number(row?.due_at) - Date.parse(body.expires_at);
  assert.ok(late >= MINUTE && late <= 2 * MINUTE, `${late} ms after expires_at`);
  Object.assign(accounts[0] ?? {}, { status: "expired" });
  await read();
  assert.deepEqual(await object().sql("SELECT id, status, due_at FROM links"), [
    { id: body.id, status: "expired", due_at: null },
  ]);
  assert.deepEqual(await attempts(), [{ state: "linked", current: 0, link: body.id }]);
  omise.requests.length = 0;
  await object().runAlarm();
  assert.equal(omise.requests.length, 0, "what is settled is left alone");
});

test("an account that cannot be read keeps neither the others nor a later alarm from their turn", async () => {
  assert.equal((await me.create()).status, 200);
  Object.assign(accounts[0] ?? {}, { object: "customer" });
  assert.equal((await me.create({ type: "direct_debit_scb" })).status, 200);
  Object.assign(accounts[1] ?? {}, { status: "failed" });
  await read();
  const rows = await object().sql("SELECT status, due_at FROM links ORDER BY type");
  assert.deepEqual(
    rows.map(({ status }) => status),
    ["pending", "failed"],
  );
  const [broken, settled] = rows.map(({ due_at }) => due_at);
  assert.ok(Number(broken) > Date.now(), "it is read again");
  assert.equal(settled, null);
  const alarmAt = await object().alarmAt();
  assert.ok(alarmAt && alarmAt <= Number(broken));
  assert.equal(alarmLine().status, 200);
  assert.notEqual(alarmLine().detail, null);

  accounts[0] = { ...accounts[0], object: "linked_account", status: "expired" };
  await read();
  const [mended] = await object().sql("SELECT status FROM links WHERE type = 'direct_debit_kbank'");
  assert.deepEqual(mended, { status: "expired" });
});

test("a deletion whose outcome is not known is settled by a later alarm, however old the account is", async () => {
  const { body } = await me.create();
  const old = seconds(Date.now() - 30 * 24 * HOUR);
  accounts[0] = { ...accounts[0], status: "successful", created_at: old };
  await object().sql(
    "UPDATE links SET status = 'successful', created_at = ?, account = json_set(account, '$.status', 'successful', '$.created_at', ?)",
    Date.parse(old),
    old,
  );
  const answer = omise.answer;
  omise.answer = (request) => void request.socket.destroy();
  try {
    assert.ok((await me.delete(body.id)).status >= 500);
    // while Omise cannot be asked nothing is known
    await read();
    const [row] = await object().sql("SELECT due_at FROM links WHERE deleting IS NOT NULL");
    assert.ok(Number(row?.due_at) > Date.now(), `the alarm asks again: ${row?.due_at}`);
  } finally {
    omise.answer = answer;
  }
  accounts[0] = { ...accounts[0], status: "deleted" };
  await read();
  assert.deepEqual(await object().sql("SELECT status, deleting, due_at FROM links"), [
    { status: "deleted", deleting: null, due_at: null },
  ]);
  assert.deepEqual(await object().sql("SELECT actor, outcome FROM audit WHERE action = 'delete'"), [
    { actor: me.claims.sub, outcome: "begun" },
    { actor: me.claims.sub, outcome: "deleted" },
  ]);
});

test("fifty repetitions at once of a lost create make nothing twice", async () => {
  onCreate = "lose the answer";
  const key = randomUUID();
  assertError(await me.create({}, key), 502, "outcome_unknown");
  const answers = await Promise.all(Array.from({ length: 50 }, () => me.create({}, key)));
  for (const answer of answers) assert.equal(answer.body.id, accounts[0]?.id, JSON.stringify(answer.body));
  assert.equal(posts(), 1);
  assert.deepEqual(await object().sql("SELECT id FROM links"), [{ id: accounts[0]?.id }]);
  assert.equal((await object().sql("SELECT 1 FROM audit WHERE action = 'adopt'")).length, 1);
});
