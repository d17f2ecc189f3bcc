// The documented life of an account, through the real sandbox: create, register, confirm, retrieve, delete.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { OPERATE } from "../../harness/session.ts";
import { randomSecrets, type Stack, startStack } from "../../harness/stack.ts";
import { ATTRIBUTES, assertError, assertStandardHeaders } from "../support/answer.ts";
import { Customer, register } from "../support/customer.ts";

let stack: Stack;
const lines: string[] = [];
const customer = (sub: string = randomUUID(), more: Record<string, unknown> = {}) =>
  new Customer(stack.workerUrl, stack.env.session, { sub, ...more });

const object = (who: Customer) => stack.customer(String(who.claims.sub));

before(async () => {
  stack = await startStack({
    secrets: randomSecrets(),
    storefront: false,
    // unless it is set
    workerBindings: { CREATES_PER_DAY: undefined },
    log: (line) => lines.push(line),
  });
});
after(() => stack?.dispose());

test("create, approve, confirm, retrieve, delete", async () => {
  const me = customer();
  const created = await me.create({ metadata: { order: 17, gift: true }, citizen_id: "1101700230708" });
  assert.equal(created.status, 200, JSON.stringify(created.body));
  assertStandardHeaders(created);
  const { id, registration_uri, return_uri, metadata, status, last_digits, confirmed_at } = created.body;
  assert.match(id, /^lnac_test_[0-9a-z]{19}$/);
  assert.equal(return_uri, `${stack.storefrontUrl}/return`, "echoed as requested, without link_state");
  assert.deepEqual(metadata, { order: "17", gift: "true" }, "without the Worker's stamp");
  assert.deepEqual(
    { status, last_digits, confirmed_at },
    { status: "pending", last_digits: null, confirmed_at: null },
  );
  assert.deepEqual(Object.keys(created.body), ATTRIBUTES);

  const back = await register(registration_uri, "approve");
  assert.equal(back.origin + back.pathname, `${stack.storefrontUrl}/return`);
  const linkState = back.searchParams.get("link_state");
  assert.match(linkState ?? "", /^[\w-]{22}$/);

  const unconfirmed = await me.get(id);
  assert.equal(unconfirmed.body.status, "successful");
  assert.match(unconfirmed.body.last_digits, /^\d{4}$/);
  assert.equal(unconfirmed.body.confirmed_at, null);

  const confirmed = await me.confirm(linkState);
  assert.equal(confirmed.body.id, id);
  assert.match(confirmed.body.confirmed_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  assert.deepEqual((await me.confirm(linkState)).body, confirmed.body, "again: the same answer");
  assert.deepEqual((await me.get(id)).body, confirmed.body);

  const deleted = await me.delete(id);
  assert.equal(deleted.status, 200);
  assert.deepEqual(deleted.body, { ...confirmed.body, status: "deleted" });
  assert.deepEqual((await me.delete(id)).body, deleted.body, "again: the same answer");
  assert.deepEqual((await me.get(id)).body, deleted.body);
});

test("a declined registration is failed, with Omise's code", async () => {
  const me = customer();
  const { body } = await me.create();
  const back = await register(body.registration_uri, "decline");
  const confirmed = await me.confirm(back.searchParams.get("link_state"));
  assert.equal(confirmed.body.status, "failed");
  assert.equal(confirmed.body.failure_code, "registration_rejected");
  assertError(await me.delete(body.id), 400, "not_registered");
});

test("deleting a pending account is refused", async () => {
  const me = customer();
  const { body } = await me.create();
  assertError(await me.delete(body.id), 400, "not_registered");
});

test("another customer's, an unknown and an ill-formed id get one answer", async () => {
  const mine = (await customer().create()).body.id;
  const stranger = customer();
  const answers = [];
  for (const id of [
    mine,
    "lnac_test_0000000000000000000",
    "lnac_0000000000000000000",
    "searches",
    "..%2f..",
    "%00",
    "x".repeat(10_000),
  ]) {
    for (const answer of [await stranger.get(id), await stranger.delete(id)]) {
      assertError(answer, 404, "not_found");
      answers.push({ ...answer.body, request_id: "" });
    }
  }
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
});

test("an operator sees every account of the key, those of other systems too", async () => {
  const operator = customer("operator", OPERATE);
  const { id } = (await customer().create()).body;
  assert.equal((await operator.get(id)).body.id, id);
  // made by another system on the same key: only Omise knows it
  const authorization = `Basic ${Buffer.from(`${stack.env.omise_secret_key}:`).toString("base64")}`;
  const elsewhere = await fetch(`${stack.sandboxUrl}/linked_accounts`, {
    method: "POST",
    headers: { Authorization: authorization },
    body: new URLSearchParams({ type: "direct_debit_scb", return_uri: "https://other.example/" }),
  });
  const foreign = (await elsewhere.json()) as { id: string };
  assert.equal((await operator.get(foreign.id)).body.return_uri, "https://other.example/");
  assertError(await customer().get(foreign.id), 404, "not_found");
  assertError(await operator.get("lnac_test_0000000000000000000"), 404, "not_found");
  assertError(await operator.get("lnac_0000000000000000000"), 502, "mode_mismatch");
  assertError(await operator.get("nonsense"), 404, "not_found");
});

test("a return belongs to the customer who left, and to no other", async () => {
  const attacker = customer();
  const victim = customer();
  const { body } = await attacker.create();
  const back = await register(body.registration_uri, "approve");
  const linkState = back.searchParams.get("link_state");
  const answers = [];
  for (const state of [linkState, "A".repeat(22), "short", ""]) {
    const answer = await victim.confirm(state);
    assertError(answer, 404, "not_found");
    answers.push({ ...answer.body, request_id: "" });
  }
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
  assert.equal((await attacker.get(body.id)).body.confirmed_at, null);
});

test("one key, one account; another request with it is refused", async () => {
  const me = customer();
  const key = randomUUID();
  const first = await me.create({}, key);
  const again = await me.create({}, key);
  assert.equal(again.status, 200);
  assert.equal(again.body.id, first.body.id);
  assert.equal(again.headers.get("Idempotent-Replayed"), "true");
  assert.equal(first.headers.get("Idempotent-Replayed"), null);
  assertError(await me.create({ type: "direct_debit_scb" }, key), 422, "idempotency_key_reused");
  assertError(await me.create({ citizen_id: "1101700230708" }, key), 422, "idempotency_key_reused");
  const other = await customer().create({}, key);
  assert.notEqual(other.body.id, first.body.id, "another customer's keys are their own");
  // the account in its current state
  await register(first.body.registration_uri, "approve");
  assert.equal((await me.create({}, key)).body.status, "successful");
});

test("fifty requests at once with one key make one account", async () => {
  const me = customer();
  const key = randomUUID();
  const answers = await Promise.all(Array.from({ length: 50 }, () => me.create({}, key)));
  const ids = new Set(answers.filter((answer) => answer.status === 200).map((answer) => answer.body.id));
  assert.equal(ids.size, 1);
  for (const answer of answers) {
    if (answer.status !== 200) assertError(answer, 409, "attempt_in_flight");
  }
  const made = await (await stack.sandboxDb())
    .prepare("SELECT count(*) AS n FROM accounts WHERE id = ?")
    .bind([...ids][0])
    .first<{ n: number }>();
  assert.equal(made?.n, 1);
  assert.equal((await object(me).sql("SELECT * FROM attempts WHERE idempotency_key = ?", key)).length, 1);
});

test("a second pending account of a type is refused, or replaces the first, ten creates a day at most", async () => {
  const me = customer();
  const first = await me.create();
  const second = await me.create();
  assertError(second, 409, "already_pending");
  assert.deepEqual(second.body.linked_account, first.body);
  assert.equal((await me.create({ type: "direct_debit_scb" })).status, 200, "another bank is another matter");
  for (let i = 0; i < 8; i++) assert.equal((await me.create({ replace_pending: true })).status, 200);
  const refused = await me.create({ replace_pending: true });
  assertError(refused, 429, "too_many_creates");
  const seconds = Number(refused.headers.get("Retry-After"));
  assert.ok(seconds > 86_300 && seconds <= 86_400, `${seconds}`);
  assertError(await me.create(), 409, "already_pending");
  assert.equal((await me.get(first.body.id)).status, 200, "a replaced account stays visible");
});

test("an account that the bank has settled no longer stands in the way", async () => {
  const me = customer();
  const first = await me.create();
  // it was not read since: the ledger still believes it to be pending
  await register(first.body.registration_uri, "decline");
  const second = await me.create();
  assert.equal(second.status, 200, JSON.stringify(second.body));
  assert.notEqual(second.body.id, first.body.id);
});

test("no citizen id, token, key or link_state is stored or logged", async () => {
  const me = customer();
  const citizenId = "AA7654321XYZ";
  const { body } = await me.create({ citizen_id: citizenId });
  const back = await register(body.registration_uri, "approve");
  const linkState = back.searchParams.get("link_state") ?? "";
  await me.confirm(linkState);
  const tables = ["meta", "attempts", "links", "events", "audit"];
  const stored = JSON.stringify(
    await Promise.all(tables.map((table) => object(me).sql(`SELECT * FROM ${table}`))),
  );
  assert.ok(
    stored.includes(body.id) && lines.some((line) => line.includes('"route":"confirm"')),
    "both were read",
  );
  for (const secret of [citizenId, linkState, stack.env.omise_secret_key, stack.env.session.secret, "eyJ"]) {
    assert.ok(!stored.includes(secret), `the ledger holds ${secret.slice(0, 4)}…`);
    assert.ok(!lines.join("\n").includes(secret), `the log holds ${secret.slice(0, 4)}…`);
  }
});

test("reads write nothing unless the status changed", async () => {
  const me = customer();
  const { body } = await me.create();
  const row = () => object(me).sql("SELECT read_at, status FROM links WHERE id = ?", body.id);
  const before = await row();
  for (let i = 0; i < 3; i++) await me.get(body.id);
  assert.deepEqual(await row(), before);
  await register(body.registration_uri, "approve");
  // readings are shared for a moment
  while ((await me.get(body.id)).body.status === "pending");
  assert.notDeepEqual(await row(), before);
});
