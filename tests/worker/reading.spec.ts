// Reading an account: held answers, readings that requests share, and what is tried again.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { account, answering, FakeOmise } from "../../harness/omise.ts";
import { STOREFRONT, sessionOf } from "../../harness/session.ts";
import { type DurableObject, type RunningWorker, randomSecrets, startWorker } from "../../harness/stack.ts";
import { type Answer, assertError } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";
import { until } from "../support/until.ts";

const omise = new FakeOmise();
const secrets = randomSecrets();
const lines: string[] = [];
let worker: RunningWorker;
let omiseUrl: string;
let me: Customer;
let mine: Record<string, unknown>;

before(async () => {
  omiseUrl = await omise.start();
  worker = await startWorker({
    omiseUrl,
    storefrontUrl: STOREFRONT,
    secrets,
    alarms: false,
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
  omise.answer = json(200, () => mine);
  assert.equal((await me.create()).status, 200);
  omise.requests.length = 0;
});

function json(status: number, body: () => unknown, headers = {}): FakeOmise["answer"] {
  return (...args) => answering(status, body(), headers)(...args);
}

/** One answer after the other; the last one stays. */
function inTurn(...answers: FakeOmise["answer"][]): FakeOmise["answer"] {
  let next = 0;
  return (...args) => answers[Math.min(next++, answers.length - 1)]?.(...args);
}

const object = (who = me): DurableObject => worker.customer(String(who.claims.sub));

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const get = (prefer?: string, who = me): Promise<Answer> =>
  who.fetch("GET", `/linked_accounts/${mine.id}`, prefer ? { headers: { Prefer: prefer } } : {});

test("fifty polls at once are one request to Omise", async () => {
  const answers = await Promise.all(Array.from({ length: 50 }, () => get()));
  for (const answer of answers) assert.equal(answer.body.id, mine.id, JSON.stringify(answer.body));
  assert.equal(omise.requests.length, 1);
});

test("fifty polls at once are one request to Omise where it says something new", async () => {
  mine = { ...mine, status: "successful" };
  const answers = await Promise.all(Array.from({ length: 50 }, () => get()));
  for (const answer of answers) assert.equal(answer.body.status, "successful", JSON.stringify(answer.body));
  assert.equal(omise.requests.length, 1);
});

test("a shared reading is for its owner alone", async () => {
  assert.equal((await get()).body.status, "pending");
  const stranger = new Customer(worker.url, me.session, { sub: randomUUID() });
  assertError(await get(undefined, stranger), 404, "not_found");
  assert.deepEqual((await get()).body, { ...mine, confirmed_at: null });
  assert.equal(omise.requests.length, 1);
});

test("a ledger that cannot be read is unavailable to its own customer alone", async () => {
  const first = mine;
  const other = new Customer(worker.url, me.session, { sub: randomUUID() });
  mine = account({ registration_uri: `${omiseUrl}/register` });
  assert.equal((await other.create()).status, 200);
  await object().sql("ALTER TABLE links RENAME TO elsewhere");
  try {
    assertError(await me.get(String(first.id)), 503, "ledger_unavailable");
    assert.equal((await get(undefined, other)).body.id, mine.id);
  } finally {
    await object().sql("ALTER TABLE elsewhere RENAME TO links");
  }
  mine = first;
  assert.equal((await get()).body.id, first.id);
});

test("an account that has been pending for long is read more rarely, but each ten seconds for those who wait", async () => {
  const customers = Object.entries({ "one minute": 1, "six minutes": 6, "an hour": 61 }).map(
    ([name, minutes]) => {
      const created_at = new Date(Date.now() - minutes * 60_000).toISOString().replace(/\.\d+Z/, "Z");
      const who = new Customer(worker.url, me.session, { sub: randomUUID() });
      return { name, who, made: account({ created_at, registration_uri: `${omiseUrl}/register` }) };
    },
  );
  for (const { who, made } of customers) {
    mine = made;
    assert.equal((await who.create()).status, 200);
  }
  omise.answer = (request, ...rest) => {
    const found = customers.find(({ made }) => made.location === request.url);
    answering(200, found?.made)(request, ...rest);
  };
  omise.requests.length = 0;
  const readings = async (prefer?: string) => {
    for (const { who, made } of customers) {
      const init = prefer ? { headers: { Prefer: prefer } } : {};
      const answer = await who.fetch("GET", String(made.location), init);
      assert.equal(answer.body.status, "pending", JSON.stringify(answer.body));
    }
    return customers.map(({ name, made }) => {
      const times = omise.requests.filter(({ path }) => path === made.location).length;
      return `${name}: ${times}`;
    });
  };
  assert.deepEqual(await readings(), ["one minute: 1", "six minutes: 1", "an hour: 1"]);
  await pause(3_100);
  assert.deepEqual(await readings(), ["one minute: 2", "six minutes: 1", "an hour: 1"]);
  await pause(7_100);
  assert.deepEqual(await readings(), ["one minute: 3", "six minutes: 2", "an hour: 1"]);
  assert.deepEqual(await readings("wait=1"), ["one minute: 3", "six minutes: 2", "an hour: 2"]);
});

test("new words about an account are taken without an entry in the audit, where its status is the same", async () => {
  const audit = () => object().sql("SELECT action, outcome FROM audit ORDER BY seq");
  const entries = await audit();
  mine = { ...mine, metadata: { order: "18" } };
  assert.deepEqual((await get()).body.metadata, { order: "18" });
  const kept = await object().sql("SELECT account ->> '$.metadata.order' AS kept FROM links");
  assert.deepEqual(kept, [{ kept: "18" }]);
  assert.deepEqual(await audit(), entries);
});

test("confirming is seen at once by those who poll", async () => {
  const other = new Customer(worker.url, me.session, { sub: randomUUID() });
  mine = account({ registration_uri: `${omiseUrl}/register` });
  omise.answer = json(200, () => mine);
  assert.equal((await other.create()).status, 200);
  const sent = new URLSearchParams(omise.requests.at(-1)?.body);
  const linkState = new URL(sent.get("return_uri") ?? "").searchParams.get("link_state");
  assert.equal((await get(undefined, other)).body.confirmed_at, null);
  // Omise does not answer, so nothing is read that would replace the reading
  omise.answer = json(503, () => ({}), { "Retry-After": "3600" });
  const { confirmed_at } = (await other.confirm(linkState)).body;
  omise.answer = json(200, () => mine);
  assert.equal(typeof confirmed_at, "string");
  assert.equal((await get(undefined, other)).body.confirmed_at, confirmed_at);
});

test("what is kept of an account is held to be JSON before it is shown", async () => {
  const deleted = "UPDATE links SET status = 'deleted', account = ?1 WHERE id = ?2";
  for (const kept of ["{", "", "[]", '{"object":}', '{"object":1}}']) {
    await object().sql(deleted, kept, mine.id);
    for (const path of [`/linked_accounts/${mine.id}`, "/linked_accounts"])
      assertError(await me.fetch("GET", path), 500, "internal");
  }
});

test("a reading is never older than what the ledger knows", async () => {
  assert.equal((await get()).body.status, "pending");
  mine = { ...mine, status: "successful" };
  // read by the alarm, and written down
  await object().sql("UPDATE links SET due_at = 0");
  await object().runAlarm();
  assert.equal((await get()).body.status, "successful");
});

test("deleting is seen at once by those who share readings", async () => {
  mine = { ...mine, status: "successful" };
  const status = async () => (await get()).body.status;
  for (let i = 0; (await status()) !== "successful"; i++)
    assert.ok(i < 1_000, "the reading is shared for ever");
  omise.answer = json(200, () => ({ ...mine, status: "deleted" }));
  assert.equal((await me.delete(mine.id as string)).body.status, "deleted");
  assert.equal(await status(), "deleted");
  const rows = await object().sql("SELECT status FROM links WHERE id = ?", mine.id);
  assert.deepEqual(rows, [{ status: "deleted" }]);
});

test("deleting is seen at once by those who poll", async () => {
  assert.equal((await get()).body.status, "pending");
  omise.answer = json(200, () => ({ ...mine, status: "deleted" }));
  assert.equal((await me.delete(mine.id as string)).body.status, "deleted");
  assert.equal((await get()).body.status, "deleted");
});

test("a held answer comes when the bank has decided", async () => {
  let seen = 0;
  omise.answer = json(200, () => ({ ...mine, status: ++seen < 2 ? "pending" : "successful" }));
  const answer = await get("wait=25");
  assert.equal(answer.status, 200);
  assert.equal(answer.body.status, "successful");
  assert.equal(omise.requests.length, 2);
});

test("a held answer comes at once where another reading brings the news", async () => {
  // one that was made an hour ago is read each ten seconds
  await object().sql("UPDATE links SET created_at = 0");
  const held = get("wait=25");
  await until(async () => omise.requests.length > 0);
  // the held request has taken its reading
  await pause(200);
  mine = { ...mine, status: "successful" };
  await object().sql("UPDATE links SET due_at = 0");
  const began = Date.now();
  await object().runAlarm();
  assert.equal((await held).body.status, "successful");
  const took = Date.now() - began;
  assert.ok(took < 2_000, `${took} ms`);
  assert.equal(omise.requests.length, 2, "the alarm's reading is the only other");
});

test("a held answer comes at once where the account is deleted", async () => {
  await object().sql("UPDATE links SET created_at = 0");
  const held = get("wait=25");
  await until(async () => omise.requests.length > 0);
  await pause(200);
  omise.answer = json(200, () => ({ ...mine, status: "deleted" }));
  const began = Date.now();
  assert.equal((await me.delete(mine.id as string)).body.status, "deleted");
  assert.equal((await held).body.status, "deleted");
  const took = Date.now() - began;
  assert.ok(took < 2_000, `${took} ms`);
});

test("fifty held answers are one reading in three seconds", async () => {
  const answers = await Promise.all(Array.from({ length: 50 }, () => get("wait=4")));
  for (const answer of answers) assert.equal(answer.body.status, "pending", JSON.stringify(answer.body));
  assert.equal(omise.requests.length, 2);
});

test("a held answer comes when its time is over", async () => {
  const answer = await get("wait=1");
  assert.equal(answer.status, 200);
  assert.equal(answer.body.status, "pending");
});

test("an answer is not held where there is nothing to wait for", async () => {
  mine = { ...mine, status: "failed" };
  assert.equal((await get("wait=25")).body.status, "failed");
  assert.equal(omise.requests.length, 1);
});

test("while an answer is held Omise may fail: the last reading is an answer", async () => {
  omise.answer = inTurn(
    json(200, () => mine),
    json(500, () => ({ status: 500, error: "Internal Server Error" })),
  );
  const answer = await get("wait=25");
  assert.equal(answer.status, 200);
  assert.equal(answer.body.status, "pending");
});

test("another customer's account is not waited for", async () => {
  const stranger = new Customer(worker.url, me.session, { sub: randomUUID() });
  assertError(await get("wait=25", stranger), 404, "not_found");
  assert.equal(omise.requests.length, 0);
});

test("a reading is tried again, a create never", async () => {
  const failing: [string, FakeOmise["answer"]][] = [
    ["503", json(503, () => ({}))],
    ["500", json(500, () => ({}))],
    [
      "429",
      json(429, () => ({ object: "error", location: "x", code: "too_many_requests", message: "slow" })),
    ],
    ["reset", (request) => void request.socket.destroy()],
  ];
  for (const [name, fail] of failing) {
    const other = new Customer(worker.url, me.session, { sub: randomUUID() });
    mine = account({ registration_uri: `${omiseUrl}/register` });
    omise.answer = json(200, () => mine);
    assert.equal((await other.create()).status, 200);
    omise.requests.length = 0;
    omise.answer = inTurn(
      fail,
      fail,
      json(200, () => mine),
    );
    assert.equal((await get(undefined, other)).status, 200, name);
    assert.equal(omise.requests.length, 3, name);
    omise.requests.length = 0;
    omise.answer = inTurn(
      fail,
      json(200, () => mine),
    );
    assert.notEqual((await other.create({ type: "direct_debit_scb" })).status, 200, name);
    assert.equal(omise.requests.length, 1, name);
  }
});

test("Retry-After is honoured where it is short, and passed on where it is not", async () => {
  omise.answer = inTurn(
    json(503, () => ({}), { "Retry-After": "1" }),
    json(200, () => mine),
  );
  assert.equal((await get()).status, 200);
  assert.equal(omise.requests.length, 2);

  const date = new Date(Date.now() + 120_000).toUTCString();
  for (const [value, least, most] of [
    ["60", 60, 60],
    ["99999", 3_600, 3_600],
    [date, 60, 120],
    ["soon", 1, 1],
  ] as const) {
    const other = new Customer(worker.url, me.session, { sub: randomUUID() });
    mine = account({ registration_uri: `${omiseUrl}/register` });
    omise.answer = json(200, () => mine);
    assert.equal((await other.create()).status, 200);
    omise.answer = json(503, () => ({}), { "Retry-After": value });
    const answer = await get(undefined, other);
    assertError(answer, 503, "upstream_unavailable");
    const seconds = Number(answer.headers.get("Retry-After"));
    assert.ok(seconds >= least && seconds <= most, `${value}: ${seconds}`);
  }
});

test("an answer says where its time went, and the log has the same", async () => {
  const answer = await get();
  assert.match(
    answer.headers.get("Server-Timing") ?? "",
    /^total;dur=\d+, upstream;dur=\d+, ledger;dur=\d+$/,
  );
  const id = answer.headers.get("X-Request-Id");
  assert.equal(omise.requests[0]?.headers["x-request-id"], id);
  const found = lines.filter((line) => line.includes(`"request_id":"${id}"`));
  const parts = found.map((line) => {
    const { ms, upstream_ms, ledger_ms, part, ...rest } = JSON.parse(line);
    for (const time of [ms, upstream_ms, ledger_ms]) assert.ok(Number.isInteger(time));
    return [part, rest];
  });
  assert.deepEqual(
    parts.map(([part]) => part),
    ["customer", "edge"],
    "a line of the object's, and one of the edge's",
  );
  for (const [, rest] of parts)
    assert.deepEqual(rest, {
      request_id: id,
      route: "retrieve",
      status: 200,
      reason: null,
      ledger: null,
      detail: null,
      upstream_calls: 1,
    });
});

test("a status that no account is known to go to is taken, and logged", async () => {
  await object().sql(
    "UPDATE links SET status = 'expired', account = json_set(account, '$.status', 'expired') WHERE id = ?",
    mine.id,
  );
  mine = { ...mine, status: "successful" };
  assert.equal((await get()).body.status, "successful");
  assert.ok(lines.some((line) => line.includes("unexpected: expired became successful")));
});
