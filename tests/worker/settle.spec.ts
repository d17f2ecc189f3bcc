// A create whose answer was lost: the account is found by its stamp, or the attempt is given up; Omise is never asked twice.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { account, FakeOmise, listOf } from "../../harness/omise.ts";
import { STOREFRONT, sessionOf } from "../../harness/session.ts";
import { type Database, type Running, randomSecrets, startWorker } from "../../harness/stack.ts";
import { assertError } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const omise = new FakeOmise();
const secrets = randomSecrets();
const lines: string[] = [];
let worker: Running;
let omiseUrl: string;
let db: Database;
let me: Customer;

/** What Omise has, and how it treats the next create. */
let accounts: Record<string, unknown>[] = [];
let onCreate: "answer" | "lose the answer" | "lose the request" = "answer";
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
      created_at: `${new Date().toISOString().slice(0, 19)}Z`,
      metadata: { linked_accounts_attempt: form.get("metadata[linked_accounts_attempt]"), order: "17" },
    });
    if (onCreate !== "lose the request") accounts.push(made);
    if (onCreate === "answer") json(200, made);
    else request.socket.destroy();
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
  db = await worker.db();
});
after(async () => {
  await worker?.dispose();
  await omise.stop();
});
beforeEach(async () => {
  omise.requests.length = 0;
  lines.length = 0;
  accounts = [];
  onCreate = "answer";
  listStatus = 200;
  await db.prepare("DELETE FROM attempts").run();
  me = customer();
});

function customer(): Customer {
  return new Customer(worker.url, sessionOf(worker, secrets), { sub: randomUUID() });
}

const posts = () => omise.requests.filter(({ method }) => method === "POST").length;

/** Makes everything that happened so far happen earlier. */
async function age(ms: number): Promise<void> {
  await db.prepare("UPDATE attempts SET created_at = created_at - ?").bind(ms).run();
  for (const made of accounts) {
    made.created_at = new Date(Date.parse(made.created_at as string) - ms).toISOString().replace(".000", "");
  }
}

const attempts = async () =>
  (await db.prepare("SELECT state, open, current, link FROM attempts ORDER BY created_at").all()).results;

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
  assert.deepEqual(await attempts(), [{ state: "linked", open: 1, current: 1, link: again.body.id }]);

  const linkState = new URL(accounts[0]?.return_uri as string).searchParams.get("link_state");
  assert.notEqual((await me.confirm(linkState)).body.confirmed_at, null);
  assertError(await customer().confirm(linkState), 404, "not_found");
});

test("what is not found stays unknown for the quiet period, then it is abandoned for good", async () => {
  onCreate = "lose the request";
  const key = randomUUID();
  assertError(await me.create({}, key), 502, "outcome_unknown");
  const again = await me.create({}, key);
  assertError(again, 502, "outcome_unknown");
  assert.ok(Number(again.headers.get("Retry-After")) > 0);
  assertError(await me.create(), 409, "already_pending");
  await age(9 * MINUTE);
  assertError(await me.create({}, key), 502, "outcome_unknown");
  await age(2 * MINUTE);
  const over = await me.create({}, key);
  assertError(over, 409, "attempt_abandoned");
  assert.equal(over.body.retryable, false);
  assertError(await me.create({}, key), 409, "attempt_abandoned");
  assert.deepEqual(await attempts(), [{ state: "abandoned", open: 0, current: 0, link: null }]);
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

test("while Omise cannot be asked nothing is concluded", async () => {
  onCreate = "lose the request";
  const key = randomUUID();
  assertError(await me.create({}, key), 502, "outcome_unknown");
  await age(HOUR);
  listStatus = 500;
  assertError(await me.create({}, key), 502, "outcome_unknown");
  await assert.doesNotReject(worker.cron());
  assert.deepEqual((await attempts())[0]?.state, "unknown");
  listStatus = 200;
  assertError(await me.create({}, key), 409, "attempt_abandoned");
});

test("the stamp is found amid hundreds of accounts, and what was not looked through is not nothing", async () => {
  onCreate = "lose the answer";
  const key = randomUUID();
  assertError(await me.create({}, key), 502, "outcome_unknown");
  const mine = accounts.pop();
  assert.ok(mine);
  const others = (n: number) => Array.from({ length: n }, () => account({ created_at: mine.created_at }));
  accounts = [...others(600), mine];
  await age(HOUR);
  assertError(await me.create({}, key), 502, "outcome_unknown");
  accounts = [...others(450), { ...mine }, ...others(20)];
  assert.equal((await me.create({}, key)).body.id, mine.id);
  assert.equal(posts(), 1);
});

test("the attempt's own seconds are looked at first, then those before, for a clock that is behind", async () => {
  onCreate = "lose the answer";
  const key = randomUUID();
  assertError(await me.create({}, key), 502, "outcome_unknown");
  const mine = accounts.pop();
  assert.ok(mine);
  const secondsBefore = (n: number) =>
    new Date(Date.parse(mine.created_at as string) - n * 1_000).toISOString().replace(".000Z", "Z");
  const many = Array.from({ length: 2_000 }, () => account({ created_at: secondsBefore(10) }));
  accounts = [...many, mine];
  omise.requests.length = 0;
  assert.equal((await me.create({}, key)).body.id, mine.id);
  assert.equal(omise.requests.filter(({ path }) => path.startsWith("/linked_accounts?")).length, 1);

  const other = randomUUID();
  me = customer();
  assertError(await me.create({}, other), 502, "outcome_unknown");
  const behind = { ...accounts.pop(), created_at: secondsBefore(250) };
  accounts = [behind];
  assert.equal((await me.create({}, other)).body.id, (behind as { id?: string }).id);
});

test("amid thousands of accounts it is looked for over several runs, and given up once all were looked at", async () => {
  onCreate = "lose the request";
  const key = randomUUID();
  assertError(await me.create({}, key), 502, "outcome_unknown");
  await age(HOUR);
  const began = Date.now() - HOUR;
  // 120 a second, from five minutes before to eleven after
  accounts = [];
  for (let second = -30; second < 30; second++) {
    const created_at = new Date(began + second * 20_000).toISOString().replace(/\.\d+Z/, "Z");
    for (let i = 0; i < 120; i++) accounts.push(account({ created_at }));
  }
  const late = randomUUID();
  const other = customer();
  onCreate = "lose the answer";
  assertError(await other.create({}, late), 502, "outcome_unknown");
  const orphan = accounts.pop();
  assert.ok(orphan);
  await db.prepare("UPDATE attempts SET created_at = ? WHERE idempotency_key = ?").bind(began, late).run();
  // as if Omise had taken nine minutes
  accounts.push({ ...orphan, created_at: accounts[5_000]?.created_at });
  accounts.sort((a, b) => Date.parse(a.created_at as string) - Date.parse(b.created_at as string));

  const runs = { abandoned: 0, adopted: 0 };
  for (let run = 1; run <= 20 && !(runs.abandoned && runs.adopted); run++) {
    await worker.cron();
    const states = await db.prepare("SELECT idempotency_key AS key, state FROM attempts").all<{
      key: string;
      state: string;
    }>();
    const of = (wanted: string) => states.results.find((attempt) => attempt.key === wanted)?.state;
    if (of(key) === "abandoned") runs.abandoned ||= run;
    if (of(late) === "linked") runs.adopted ||= run;
  }
  assert.ok(runs.adopted > 1, "not in the first run");
  assert.ok(runs.abandoned > runs.adopted, JSON.stringify(runs));
  assertError(await me.create({}, key), 409, "attempt_abandoned");
  assert.equal((await other.get(orphan.id as string)).status, 200);
});

test("the isolate died between Omise's answer and our record: the same key finds it", async () => {
  onCreate = "lose the answer";
  const key = randomUUID();
  assertError(await me.create({}, key), 502, "outcome_unknown");
  await db.prepare("UPDATE attempts SET state = 'in_flight'").run();
  assertError(await me.create({}, key), 409, "attempt_in_flight");
  await age(MINUTE);
  assert.equal((await me.create({}, key)).body.id, accounts[0]?.id);
  assert.equal(posts(), 1);
});

test("the cron adopts an orphan that nobody asks for", async () => {
  onCreate = "lose the answer";
  assertError(await me.create(), 502, "outcome_unknown");
  const [orphan] = accounts;
  assertError(await me.get(orphan?.id as string), 404, "not_found");
  await worker.cron();
  const found = await me.get(orphan?.id as string);
  assert.equal(found.status, 200);
  assert.equal(found.body.confirmed_at, null);
  assertError(await me.create(), 409, "already_pending");
  const report = lines.map((line) => line.match(/\{"cron".*\}/)?.[0]).find(Boolean);
  const { run_id, ms, ...rest } = JSON.parse(report ?? "{}");
  assert.match(run_id, /^[0-9a-f]{32}$/);
  assert.ok(ms >= 0);
  assert.deepEqual(rest, {
    cron: "settle",
    looked: 1,
    adopted: 1,
    abandoned: 0,
    settled: 0,
    failed: 0,
    detail: null,
    stopped: null,
    upstream_calls: 1,
  });
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
  accounts.push({
    ...orphan,
    created_at: new Date(Date.now() - HOUR).toISOString().replace(/\.\d+Z/, "Z"),
  });
  await worker.cron();
  assert.equal((await me.get(orphan?.id as string)).status, 200, "visible to its owner");
  const replayed = await me.create({}, key);
  assert.equal(replayed.body.id, orphan?.id, "and the old key knows it");
  assertError(await customer().get(orphan?.id as string), 404, "not_found");
  const third = await me.create();
  assertError(third, 409, "already_pending");
  assert.equal(third.body.linked_account.id, second.body.id, "the newer one is current");
});

test("after 25 hours nobody looks any more, after 30 days the key is free", async () => {
  onCreate = "lose the request";
  const key = randomUUID();
  assertError(await me.create({}, key), 502, "outcome_unknown");
  await age(HOUR);
  await worker.cron();
  assert.equal((await attempts())[0]?.state, "abandoned");
  omise.requests.length = 0;
  await worker.cron();
  assert.equal(omise.requests.length, 2, "an orphan may still turn up");
  await age(25 * HOUR);
  omise.requests.length = 0;
  await worker.cron();
  assert.equal(omise.requests.length, 0);
  assertError(await me.create({}, key), 409, "attempt_abandoned");
  await age(30 * 24 * HOUR);
  await worker.cron();
  assert.deepEqual(await attempts(), []);
  onCreate = "answer";
  assert.equal((await me.create({}, key)).status, 200);
});

test("the cron reads pending accounts whose customers did not come back", async () => {
  const { body } = await me.create();
  Object.assign(accounts[0] ?? {}, { status: "expired" });
  await worker.cron();
  const row = await db.prepare("SELECT status FROM links WHERE id = ?").bind(body.id).first();
  assert.deepEqual(row, { status: "expired" });
  assert.deepEqual(await attempts(), [{ state: "linked", open: 0, current: 0, link: body.id }]);
  omise.requests.length = 0;
  await worker.cron();
  assert.equal(omise.requests.length, 0, "what is settled is left alone");
});

test("a run looks at those first that were not looked at for longest", async () => {
  for (let i = 0; i < 20; i++) assert.equal((await customer().create()).status, 200);
  const seen = new Set<string>();
  for (let run = 0; run < 2; run++) {
    omise.requests.length = 0;
    await worker.cron();
    assert.ok(omise.requests.length <= 15);
    for (const { path } of omise.requests) seen.add(path);
  }
  assert.equal(seen.size, 20);
});

test("an attempt that always fails does not keep the others from their turn", async () => {
  assert.equal((await me.create()).status, 200);
  const broken = accounts[0];
  Object.assign(broken ?? {}, { object: "customer" });
  const other = customer();
  assert.equal((await other.create()).status, 200);
  Object.assign(accounts[1] ?? {}, { status: "failed" });
  await worker.cron();
  const row = await db.prepare("SELECT status FROM links WHERE id = ?").bind(accounts[1]?.id).first();
  assert.deepEqual(row, { status: "failed" });
  assert.ok(lines.some((line) => line.includes('"settled":1,"failed":1')));
});

test("fifty repetitions at once of a lost create make nothing twice", async () => {
  onCreate = "lose the answer";
  const key = randomUUID();
  assertError(await me.create({}, key), 502, "outcome_unknown");
  const answers = await Promise.all(Array.from({ length: 50 }, () => me.create({}, key)));
  for (const answer of answers) assert.equal(answer.body.id, accounts[0]?.id, JSON.stringify(answer.body));
  assert.equal(posts(), 1);
  const links = await db
    .prepare("SELECT count(*) AS n FROM links WHERE id = ?")
    .bind(accounts[0]?.id)
    .first();
  assert.deepEqual(links, { n: 1 });
});
