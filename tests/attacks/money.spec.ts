// Nothing is made twice and nothing is lost: keys that are reused, races, an Omise that fails in every way, polls in crowds, and
// an instance that dies at the worst moment.

import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { account, answering, FakeOmise, listOf } from "../../harness/omise.ts";
import { OPERATE, STOREFRONT, sessionOf } from "../../harness/session.ts";
import { type RunningWorker, randomSecrets, startWorker } from "../../harness/stack.ts";
import { type Answer, assertError } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";
import { Ledgers } from "../support/ledgers.ts";
import { objectName, sealStamp } from "../support/stamp.ts";
import { until } from "../support/until.ts";

const omise = new FakeOmise();
const secrets = randomSecrets();
const lines: string[] = [];
let worker: RunningWorker;
let db: Ledgers;
/** With a deadline that tests can wait for. */
let hasty: RunningWorker;
/** The build that dies where a request asks for it. */
let mortal: RunningWorker;
let omiseUrl: string;
let me: Customer;

before(async () => {
  omiseUrl = await omise.start();
  const common = {
    omiseUrl,
    storefrontUrl: STOREFRONT,
    secrets,
    alarms: false,
    log: (line: string) => lines.push(line),
  };
  [worker, hasty, mortal] = await Promise.all([
    // of the creates of a day, those of C37 alone are near the limit
    startWorker({ ...common, bindings: { CREATES_PER_DAY: "10" } }),
    startWorker({ ...common, bindings: { UPSTREAM_DEADLINE_MS: "2000" } }),
    // longer than any test: what waits for the deadline hangs
    startWorker({ ...common, fault: true, bindings: { UPSTREAM_DEADLINE_MS: "20000" } }),
  ]);
  db = new Ledgers(worker);
});
after(async () => {
  await worker?.dispose();
  await hasty?.dispose();
  await mortal?.dispose();
  await omise.stop();
});
beforeEach(async () => {
  omise.answer = works;
  omise.requests.length = 0;
  lines.length = 0;
  made.clear();
  me = customer();
});

const customer = (claims: Record<string, unknown> = {}, of = worker) =>
  new Customer(of.url, sessionOf(of, secrets), { sub: randomUUID(), ...claims });

/** The accounts that Omise has, by id. */
const made = new Map<string, Record<string, unknown>>();

/** An Omise that remembers what it made. */
const works: FakeOmise["answer"] = (request, response, body) => {
  const [id = ""] = /lnac_\w+/.exec(request.url ?? "") ?? [];
  if (request.method === "POST") {
    const one = make(body);
    answering(200, one)(request, response, body);
  } else if (id === "") answering(200, listOf([...made.values()]))(request, response, body);
  else {
    const found = made.get(id);
    if (found && request.method === "DELETE") found.status = "deleted";
    const missing = { object: "error", location: "x", code: "not_found", message: "was not found" };
    answering(found ? 200 : 404, found ?? missing)(request, response, body);
  }
};

function make(body: string): Record<string, unknown> {
  const form = new URLSearchParams(body);
  const one = account({
    type: form.get("type"),
    return_uri: form.get("return_uri"),
    registration_uri: `${omiseUrl}/register`,
    metadata: { linked_accounts_stamp: form.get("metadata[linked_accounts_stamp]") },
  });
  made.set(one.id as string, one);
  return one;
}

/** Has Omise make what it is asked for, and hold its answers; gives what lets them go. */
function hold(): () => void {
  const held: (() => void)[] = [];
  omise.answer = (request, response, body) => {
    const one = request.method === "POST" ? make(body) : undefined;
    held.push(() => (one ? answering(200, one) : works)(request, response, body));
  };
  return () => {
    omise.answer = works;
    for (const answer of held) answer();
  };
}

const posts = () => omise.requests.filter(({ method }) => method === "POST").length;
const gets = () => omise.requests.filter(({ method }) => method === "GET").length;
/** The readings of an account. */
const readings = (id: string) =>
  omise.requests.filter(({ method, path }) => method === "GET" && path.endsWith(id)).length;
const asked = (n: number) => until(async () => omise.requests.length >= n);
const attemptsOf = async (who: Customer, of: Ledgers = db) =>
  of.of<{ id: string; state: string; current: number; link: string | null }>(
    who.claims.sub,
    "SELECT id, state, current, link FROM attempts ORDER BY created_at, rowid",
  );
/** Makes what this customer began happen earlier. */
const age = (who: Customer, ms: number, of: Ledgers = db) =>
  of.of(who.claims.sub, "UPDATE attempts SET created_at = created_at - ?", ms);

/** An answer that must come, however Omise hangs. */
async function answered(asking: Promise<Answer>): Promise<Answer> {
  const over = new AbortController();
  const patience = setTimeout(20_000, undefined, { signal: over.signal }).catch(() => undefined);
  try {
    return (await Promise.race([asking, patience])) ?? assert.fail("there is no answer");
  } catch (error) {
    // the runtime's own words
    if (error instanceof SyntaxError) assert.fail("the answer is not JSON");
    throw error;
  } finally {
    over.abort();
  }
}

// ------------------------------------------------------------------------------------------------------------ keys

test("C35: a key is of one request: any other with it is refused, and nothing is asked", async () => {
  const key = randomUUID();
  const params = { metadata: { order: "1", n: 1 }, citizen_id: "1101700230708" };
  const first = await me.create(params, key);
  assert.equal(first.status, 200);
  for (const other of [
    {},
    { ...params, type: "direct_debit_scb" },
    { ...params, return_uri: `${STOREFRONT}/return/` },
    { ...params, return_uri: `${STOREFRONT}/return?x=1` },
    { ...params, citizen_id: "AA7654321" },
    { ...params, citizen_id: null },
    { ...params, metadata: {} },
    { ...params, metadata: { order: "2", n: 1 } },
    { ...params, metadata: { order: "1", n: 1, more: "" } },
    { ...params, replace_pending: true },
  ]) {
    assertError(await me.create(other, key), 422, "idempotency_key_reused");
  }
  assert.equal(omise.requests.length, 1);
  // the same request, in another order and form
  const { metadata, citizen_id } = params;
  const again = await me.create({ citizen_id, replace_pending: false, metadata }, key);
  assert.equal(again.body.id, first.body.id);
  assert.equal(again.headers.get("Idempotent-Replayed"), "true");
  assert.equal(first.headers.get("Idempotent-Replayed"), null);
  assert.equal(posts(), 1);
  // the table says so itself
  const copy = `INSERT INTO attempts (id, idempotency_key, fingerprint, type, state, current, link_state_hash, created_at)
    SELECT ?2, idempotency_key, fingerprint, type, 'abandoned', 0, ?2, created_at FROM attempts WHERE idempotency_key = ?1`;
  await assert.rejects(db.of(me.claims.sub, copy, key, randomUUID()), /UNIQUE/);
});

test("C35: a key is one customer's: with another's it makes another account, and tells nothing", async () => {
  const key = randomUUID();
  const first = (await me.create({}, key)).body;
  for (const sub of [randomUUID(), `${me.claims.sub} `, String(me.claims.sub).toUpperCase(), "%", "\u0000"]) {
    const answer = await customer({ sub }).create({}, key);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.notEqual(answer.body.id, first.id);
    assert.equal(answer.headers.get("Idempotent-Replayed"), null);
  }
  assert.equal(
    (await customer({ ...OPERATE, sub: "operator" }).create({}, key)).body.metadata.order,
    undefined,
  );
  assert.equal(posts(), 7);
  const sent = omise.requests.map(({ headers }) => headers["idempotency-key"]);
  assert.equal(new Set(sent).size, 7, "Omise gets the attempt's own key");
  assert.ok(!sent.includes(key));
});

test("C35: while the first request is in flight the second is told to wait", async () => {
  const letGo = hold();
  const key = randomUUID();
  const first = me.create({}, key);
  await asked(1);
  for (let i = 0; i < 3; i++) {
    const answer = await me.create({}, key);
    assertError(answer, 409, "attempt_in_flight");
    assert.ok(Number(answer.headers.get("Retry-After")) > 0);
    assert.equal(answer.body.retryable, true);
  }
  assertError(await me.create({ metadata: { x: "y" } }, key), 422, "idempotency_key_reused");
  letGo();
  assert.equal((await first).status, 200);
  assert.equal((await me.create({}, key)).body.id, (await first).body.id);
  assert.equal(posts(), 1);
});

test("C35: a key whose attempt was given up stays so, even where the account turns up late", async () => {
  omise.answer = (request) => void request.socket.destroy();
  const key = randomUUID();
  assertError(await me.create({}, key), 502, "outcome_unknown");
  const lost = omise.requests[0]?.body ?? "";
  omise.answer = works;
  await age(me, 11 * 60_000);
  for (let i = 0; i < 2; i++) {
    const answer = await me.create({}, key);
    assertError(answer, 409, "attempt_abandoned");
    assert.equal(answer.body.retryable, false);
  }
  assertError(await me.create({ replace_pending: true }, key), 422, "idempotency_key_reused");
  made.clear();
  make(lost);
  assertError(await me.create({}, key), 409, "attempt_abandoned");
  assert.equal((await me.create({})).status, 200, "a new key is free");
  assert.equal(posts(), 2);
});

test("C35: a key is 1 to 255 visible ASCII characters, in one header", async () => {
  const body = { type: "direct_debit_kbank", return_uri: `${STOREFRONT}/return` };
  for (const key of [
    "",
    " ",
    "a b",
    "\t",
    "k".repeat(256),
    "k".repeat(4_000),
    "k\u00e9",
    "\u00a0",
    "one, two",
  ]) {
    assertError(
      await me.json("/linked_accounts", body, { "Idempotency-Key": key }),
      400,
      "idempotency_key_invalid",
    );
  }
  assertError(await me.json("/linked_accounts", body), 400, "idempotency_key_invalid");
  assert.equal(omise.requests.length, 0);
  assert.deepEqual(await attemptsOf(me), []);
  for (const key of [
    "k",
    "~".repeat(255),
    "'; DROP TABLE attempts; --".replaceAll(" ", "+"),
    '{"$ne":null}',
    "%00",
  ]) {
    const who = customer();
    const first = await who.create({}, key);
    assert.equal(first.status, 200);
    assert.equal((await who.create({}, key)).body.id, first.body.id);
  }
});

// ----------------------------------------------------------------------------------------------------------- races

test("C36: fifty requests at once with one key are one create", async () => {
  const letGo = hold();
  const key = randomUUID();
  const all = Array.from({ length: 50 }, () => me.create({}, key));
  await asked(1);
  letGo();
  const answers = await Promise.all(all);
  assert.equal(posts(), 1);
  const [id] = made.keys();
  for (const answer of answers) {
    if (answer.status === 200) assert.equal(answer.body.id, id);
    else assertError(answer, 409, "attempt_in_flight");
  }
  assert.ok(answers.some(({ status }) => status === 200));
  const [attempt, ...more] = await attemptsOf(me);
  assert.deepEqual([attempt?.state, attempt?.link, more], ["linked", id, []]);
  assert.equal((await me.create({}, key)).body.id, id);
  assert.equal(posts(), 1);
});

test("C36: two tabs, or twenty, with a key each are one create of a type", async () => {
  for (const tabs of [2, 20]) {
    me = customer();
    omise.requests.length = 0;
    const letGo = hold();
    const all = Array.from({ length: tabs }, () => me.create());
    await asked(1);
    letGo();
    const answers = await Promise.all(all);
    assert.equal(posts(), 1, `${tabs} tabs`);
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
    for (const answer of answers.filter(({ status }) => status !== 200))
      assertError(answer, 409, "already_pending");
    assert.deepEqual((await attemptsOf(me)).filter(({ current }) => current === 1).length, 1);
  }
  // the database says so itself, whoever writes to it
  const [{ id } = assert.fail("there is no attempt")] = await attemptsOf(me);
  const columns = "fingerprint, type, state, current, link, created_at";
  const copy = `INSERT INTO attempts (id, idempotency_key, link_state_hash, ${columns})
    SELECT ?1, ?1, ?1, ${columns} FROM attempts WHERE id = ?2`;
  await assert.rejects(db.all(copy, randomUUID(), id), /UNIQUE/);
});

test("C36: twenty replacements at once are ten at most, of which one is current", async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => me.create({ replace_pending: true })));
  assert.equal(answers.filter(({ status }) => status === 200).length, 10);
  for (const answer of answers.filter(({ status }) => status !== 200))
    assertError(answer, 429, "too_many_creates");
  assert.equal(posts(), 10);
  const attempts = await attemptsOf(me);
  assert.equal(attempts.length, 10);
  assert.equal(attempts.filter(({ current }) => current === 1).length, 1);
});

test("C36: an answer that was lost is found by its stamp, and no other customer's account is taken for it", async () => {
  for (const lose of [
    (response: ServerResponse) => void response.destroy(),
    (response: ServerResponse) => {
      response.writeHead(200, { "Content-Length": "999" }).write("{");
      setImmediate(() => response.destroy());
    },
    (response: ServerResponse) => void response.writeHead(504).end(),
  ]) {
    me = customer();
    omise.requests.length = 0;
    omise.answer = (_, response, body) => {
      make(body);
      lose(response);
    };
    const key = randomUUID();
    assertError(await answered(me.create({}, key)), 502, "outcome_unknown");
    const [found = ""] = [...made.keys()].slice(-1);
    // accounts without a stamp, with what is none, and with another customer's, or another attempt's
    const [object, attempt] = [objectName(String(me.claims.sub)), randomBytes(16).toString("base64url")];
    const others = [
      "AAAAAAAAAAAAAAAAAAAAAA",
      sealStamp(secrets.LEDGER_KEY, { object: objectName(randomUUID()), attempt }),
      sealStamp(secrets.LEDGER_KEY, { object, attempt }),
      sealStamp(randomBytes(32).toString("base64url"), {
        object,
        attempt: String((await attemptsOf(me))[0]?.id),
      }),
    ];
    const right = made.get(found);
    made.clear();
    for (const stamp of others) make(`type=direct_debit_kbank&metadata[linked_accounts_stamp]=${stamp}`);
    make("type=direct_debit_kbank");
    if (right) made.set(found, right);
    omise.answer = works;
    const again = await Promise.all(Array.from({ length: 10 }, () => me.create({}, key)));
    for (const answer of again)
      assert.equal(answer.body.id, found, `${JSON.stringify(answer.body)} ${lines.join(" ")}`);
    assert.equal(posts(), 1);
    assert.deepEqual(
      (await attemptsOf(me)).map(({ state, link }) => [state, link]),
      [["linked", found]],
    );
  }
});

/** How an instance dies, and what else a page may have under way. */
const DEATHS = [
  "panic",
  "unreachable",
  "out-of-memory",
  "stack-overflow",
  "shadow-stack-overflow",
  "js-throw",
];

/** Begins a create whose instance dies once Omise has answered it. */
const createAndDie = (who: Customer, way: string, key: string) =>
  who.fetch("POST", "/linked_accounts", {
    body: JSON.stringify({ type: "direct_debit_kbank", return_uri: `${STOREFRONT}/return` }),
    headers: {
      "Content-Type": "application/json",
      "Idempotency-Key": key,
      "X-Fault": `${way}-after-upstream`,
    },
  });

test("C36: the instance dies between Omise's 200 and the record: the account is found, and made once", async () => {
  const theirs = new Ledgers(mortal);
  for (const way of DEATHS) {
    const [who, key] = [customer({}, mortal), randomUUID()];
    omise.requests.length = 0;
    assertError(await answered(createAndDie(who, way, key)), 500, "internal");
    const [found = ""] = [...made.keys()].slice(-1);
    const states = async () => (await attemptsOf(who, theirs)).map(({ state, link }) => [state, link]);
    assert.deepEqual(await states(), [["asked", null]], "it was written before Omise was asked");
    const again = await Promise.all([who.create({}, key), who.create({}, key)]);
    for (const answer of again)
      assert.equal(answer.body.id, found, `${JSON.stringify(answer.body)} ${lines.join(" ")}`);
    assert.deepEqual(await states(), [["linked", found]]);
    assert.equal(posts(), 1, way);
  }
});

test("C36: the alarm finds what is not asked for again", async () => {
  const theirs = new Ledgers(mortal);
  await theirs.all("DELETE FROM attempts");
  const who = customer({}, mortal);
  assertError(await answered(createAndDie(who, "panic", randomUUID())), 500, "internal");
  const [found = ""] = [...made.keys()].slice(-1);
  await theirs.alarms();
  assert.equal((await who.get(found)).body.id, found);
  assert.equal(posts(), 1);
});

// --------------------------------------------------------------------------------------------------------- pending

test("C37: a second create of a type is refused with the one that is pending", async () => {
  const first = (await me.create({ metadata: { order: "1" } })).body;
  for (let i = 0; i < 3; i++) {
    const answer = await me.create();
    assertError(answer, 409, "already_pending");
    assert.deepEqual(answer.body.linked_account, first);
    assert.ok(!JSON.stringify(answer.body).includes("link_state"));
  }
  assert.equal(posts(), 1);
  assert.equal((await me.create({ type: "direct_debit_scb" })).status, 200, "another bank is another matter");
  assert.equal((await customer().create()).status, 200, "and so is another customer");
});

test("C37: while the first is in flight or in doubt the second is told to wait, and learns nothing", async () => {
  const letGo = hold();
  const first = me.create();
  await asked(1);
  const during = await me.create();
  assertError(during, 409, "already_pending");
  assert.equal(during.body.linked_account, undefined);
  assert.ok(Number(during.headers.get("Retry-After")) > 0);
  letGo();
  await first;
  const other = customer();
  omise.answer = (request) => void request.socket.destroy();
  assertError(await other.create(), 502, "outcome_unknown");
  assertError(await other.create(), 409, "already_pending");
});

test("C37: a replacement leaves the old one its owner's, but no longer in the way", async () => {
  const old = (await me.create()).body;
  const next = (await me.create({ replace_pending: true })).body;
  assert.notEqual(next.id, old.id);
  const answer = await me.create();
  assertError(answer, 409, "already_pending");
  assert.equal(answer.body.linked_account.id, next.id);
  assert.equal((await me.get(old.id)).body.status, "pending");
  const current = (await attemptsOf(me)).filter(({ current }) => current === 1);
  assert.deepEqual(
    current.map(({ link }) => link),
    [next.id],
  );
});

test("C37: an account that is over at Omise does not stand in the way, though the ledger says that it is pending", async () => {
  for (const status of ["expired", "failed", "successful", "deleted"]) {
    const who = customer();
    const old = (await who.create()).body;
    Object.assign(made.get(old.id) ?? {}, { status });
    const next = await who.create();
    assert.equal(next.status, 200, `${status}: ${JSON.stringify(next.body)}`);
    assert.notEqual(next.body.id, old.id);
  }
});

test("C37: ten creates in a day at most, in all banks and by whatever way, and a day later there is room", async () => {
  const types = ["direct_debit_kbank", "direct_debit_scb", "direct_debit_bay", "direct_debit_ktb"];
  for (const type of types) assert.equal((await me.create({ type })).status, 200);
  for (let n = 0; n < 6; n++) assert.equal((await me.create({ replace_pending: true })).status, 200);
  const before = await attemptsOf(me);
  for (const type of types) {
    const answer = await me.create({ type, replace_pending: true });
    assertError(answer, 429, "too_many_creates");
    const seconds = Number(answer.headers.get("Retry-After"));
    assert.ok(seconds > 86_000 && seconds <= 86_400, `${seconds}`);
  }
  assert.deepEqual(await attemptsOf(me), before, "the refusal has replaced nothing");
  assert.equal(posts(), 10);
  assert.equal((await customer().create()).status, 200, "another customer is another matter");
  await age(me, 24 * 3_600_000);
  assert.equal((await me.create({ replace_pending: true })).status, 200);
});

// ------------------------------------------------------------------------------------------------- a failing Omise

/** Answers with a body that has no end, as fast as it is read. */
const endless: FakeOmise["answer"] = (_, response) => {
  response.writeHead(200, { "Content-Type": "application/json" });
  const chunk = `"${"x".repeat(64 * 1024)}`;
  const more = () => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on("drain", more).on("error", () => {});
  more();
};
const html = "<html><b>Bad gateway</b></html>";
const redirect =
  (status: number, location: string): FakeOmise["answer"] =>
  (_, response) =>
    void response.writeHead(status, { Location: location }).end();

/** What Omise does; what a read and an unlinking are answered with, and how often Omise is asked for a read. */
const FAULTS: [string, FakeOmise["answer"], number, string, number][] = [
  ["hangs", () => {}, 504, "upstream_timeout", 1],
  [
    "hangs amid the headers' body",
    (_, response) => void response.writeHead(200, { "Content-Length": "99" }).write('{"object"'),
    504,
    "upstream_timeout",
    1,
  ],
  ["resets", (request) => void request.socket.destroy(), 503, "upstream_unavailable", 3],
  [
    "resets amid the body",
    (_, response) => {
      response.writeHead(200, { "Content-Length": "99" }).write("{");
      setImmediate(() => response.destroy());
    },
    503,
    "upstream_unavailable",
    3,
  ],
  ...[500, 502, 503, 504].map((status): (typeof FAULTS)[number] => [
    `${status}`,
    (_, response) => void response.writeHead(status, { "Content-Type": "text/html" }).end(html),
    503,
    "upstream_unavailable",
    3,
  ]),
  ["500, the Rails way", answering(500, { status: 500, error: "x" }), 503, "upstream_unavailable", 3],
  ["429", answering(429, {}), 503, "upstream_unavailable", 3],
  ["429, for a minute", answering(429, {}, { "Retry-After": "60" }), 503, "upstream_unavailable", 1],
  ...[301, 302, 303, 307, 308].map((status): (typeof FAULTS)[number] => [
    `${status}`,
    (...args) => redirect(status, `${omiseUrl}/stolen`)(...args),
    502,
    "upstream_unreadable",
    1,
  ]),
  ["302 elsewhere", redirect(302, "http://169.254.169.254/"), 502, "upstream_unreadable", 1],
  ["200, HTML", (_, response) => void response.writeHead(200).end(html), 502, "upstream_unreadable", 1],
  ["200, HTML that says it is JSON", answering(200, html), 502, "upstream_unreadable", 1],
  ["200, nothing", (_, response) => void response.writeHead(200).end(), 502, "upstream_unreadable", 1],
  ["201", answering(201, account()), 502, "upstream_unreadable", 1],
  ["204", (_, response) => void response.writeHead(204).end(), 502, "upstream_unreadable", 1],
  [
    "cut JSON",
    (_, response) => void response.end('{"object":"linked_account"'),
    502,
    "upstream_unreadable",
    1,
  ],
  ["two objects", (_, response) => void response.end("{}{}"), 502, "upstream_unreadable", 1],
  ["no end", endless, 502, "upstream_unreadable", 1],
  [
    "another object",
    answering(200, { object: "customer", id: "cust_test_1" }),
    502,
    "upstream_unreadable",
    1,
  ],
  [
    "what has all of an account but the name",
    (request, response, body) => {
      const [id] = /lnac_\w+/.exec(request.url ?? "") ?? [];
      answering(200, account({ object: "recipient", ...(id && { id }) }))(request, response, body);
    },
    502,
    "upstream_unreadable",
    1,
  ],
  [
    "somebody else's account",
    (_, response) =>
      void response.end(
        JSON.stringify(account({ metadata: { linked_accounts_stamp: "AAAAAAAAAAAAAAAAAAAAAA" } })),
      ),
    502,
    "upstream_unreadable",
    1,
  ],
  [
    "an account without a stamp",
    (_, response) => void response.end(JSON.stringify(account())),
    502,
    "upstream_unreadable",
    1,
  ],
  [
    "an error with 200",
    answering(200, { object: "error", code: "x", message: "x" }),
    502,
    "upstream_unreadable",
    1,
  ],
  ["an array", answering(200, [account()]), 502, "upstream_unreadable", 1],
  ["an id that is none", answering(200, account({ id: "lnac_test_../x" })), 502, "upstream_unreadable", 1],
  ["a status that is none", answering(200, account({ status: 7 })), 502, "upstream_unreadable", 1],
];

/** Tries all faults, some at a time: each befalls the requests that carry its mark. */
async function eachFault(
  attempt: (
    fault: (typeof FAULTS)[number],
    befalls: (mark: string) => typeof omise.requests,
  ) => Promise<void>,
): Promise<void> {
  const fates = new Map<string, FakeOmise["answer"]>();
  omise.answer = (request, response, body) => {
    const fate = [...fates.keys()].find((mark) => request.url?.includes(mark) || body.includes(mark));
    (fates.get(fate ?? "") ?? works)(request, response, body);
  };
  const rest = [...FAULTS];
  while (rest.length > 0) {
    const some = rest.splice(0, 8).map((fault) =>
      attempt(fault, (mark) => {
        fates.set(mark, fault[1]);
        return omise.requests.filter(({ path, body }) => path.includes(mark) || body.includes(mark));
      }),
    );
    await Promise.all(some);
  }
  assert.ok(
    omise.requests.every(({ path }) => path.startsWith("/linked_accounts")),
    "no redirect is followed",
  );
}

test("C38: a create is sent once, and its outcome is unknown where Omise does not say", async () => {
  const theirs = new Ledgers(hasty);
  await eachFault(async ([name], befalls) => {
    if (name.startsWith("429")) return;
    const [who, key, mark] = [customer({}, hasty), randomUUID(), randomUUID()];
    befalls(mark);
    const lost = await answered(who.create({ metadata: { mark } }, key));
    assertError(lost, 502, "outcome_unknown");
    assert.ok(Number(lost.headers.get("Retry-After")) > 0, name);
    const states = async () => (await attemptsOf(who, theirs)).map(({ state, current }) => [state, current]);
    assert.deepEqual(await states(), [["asked", 1]], name);
    assertError(await answered(who.create({ metadata: { mark } }, key)), 502, "outcome_unknown");
    assert.equal(befalls(mark).length, 1, `${name}: sent once, and not again`);
  });
});

test("C38: a create that Omise refuses for being too many is sent once, and made nothing", async () => {
  for (const retryAfter of ["1", "60", undefined]) {
    const [who, key] = [customer(), randomUUID()];
    omise.requests.length = 0;
    const refusal = { object: "error", location: "x", code: "too_many_requests", message: "x" };
    omise.answer = answering(429, refusal, retryAfter ? { "Retry-After": retryAfter } : {});
    const answer = await who.create({}, key);
    assertError(answer, 503, "upstream_unavailable");
    assert.equal(answer.headers.get("Retry-After"), retryAfter ?? "1");
    assert.equal(omise.requests.length, 1);
    assert.deepEqual(
      (await attemptsOf(who)).map(({ state, current }) => [state, current]),
      [["refused", 0]],
    );
    omise.answer = works;
    assert.equal((await who.create({}, key)).status, 200);
  }
});

test("C38: another account than the one that was asked for is shown to nobody, and stays whose it is", async () => {
  const victim = customer();
  const { body: theirs } = await victim.create({ metadata: { order: "theirs" } });
  const stolen = made.get(theirs.id);
  assert.ok(stolen);
  const nobodys = account({ registration_uri: `${omiseUrl}/register`, metadata: { order: "nobody's" } });
  for (const other of [stolen, nobodys, { ...nobodys, metadata: { linked_accounts_stamp: "x" } }]) {
    const me = customer();
    const key = randomUUID();
    omise.answer = (request, response) =>
      request.method === "POST" ? void response.end(JSON.stringify(other)) : works(request, response, "");
    for (const answer of [await me.create({}, key), await me.create({}, key)]) {
      assertError(answer, 502, "outcome_unknown");
      assert.ok(!JSON.stringify(answer.body).includes(String(other.id)));
    }
    assertError(await me.get(String(other.id)), 404, "not_found");
    assert.deepEqual((await me.fetch("GET", "/linked_accounts")).body.data, []);
  }
  omise.answer = works;
  assert.deepEqual((await victim.get(theirs.id)).body, theirs);
});

test("C38: a read and an unlinking are tried again within their time, and fail with a stable reason", async () => {
  const theirs = new Ledgers(hasty);
  await eachFault(async ([name, , status, reason, times], befalls) => {
    const who = customer({}, hasty);
    const { id } = (await who.create()).body;
    befalls(id);
    assertError(await answered(who.get(id)), status, reason);
    const { length: read } = befalls(id);
    // a second or third try may find its time over
    if (times > 1) assert.ok(read > 1 && read <= times, `${name}: read ${read} times`);
    else assert.equal(read, 1, name);
    assertError(await answered(who.delete(id)), status, reason);
    assert.ok(befalls(id).length <= 3 * times, name);
    const rows = await theirs.of(who.claims.sub, "SELECT status FROM links WHERE id = ?", id);
    assert.deepEqual(rows, [{ status: "pending" }], `${name}: nothing is concluded`);
  });
});

test("C38: Retry-After is waited for where it is short, and passed on up to an hour where it is not", async () => {
  const { id } = (await me.create()).body;
  for (const [sent, told] of [
    ["7", "7"],
    ["60", "60"],
    ["999999", "3600"],
    ["99999999999999999999", "1"],
    ["soon", "1"],
    ["", "1"],
    [new Date(Date.now() + 86_400_000).toUTCString(), "3600"],
  ] as const) {
    omise.answer = answering(429, {}, { "Retry-After": sent });
    omise.requests.length = 0;
    const answer = await answered(me.get(id));
    assertError(answer, 503, "upstream_unavailable");
    assert.equal(answer.headers.get("Retry-After"), told, sent);
    // who was told to come later does not wait here
    if (Number(told) > 1) assert.equal(gets(), 1, sent);
  }
  const before = gets();
  omise.answer = (...args) => {
    omise.answer = works;
    answering(503, {}, { "Retry-After": "0" })(...args);
  };
  assert.equal((await answered(me.get(id))).status, 200);
  assert.equal(gets() - before, 2, "asked again once it was time");
});

test("C38: a Retry-After that is over already makes nobody ask at once", async () => {
  const { id } = (await me.create()).body;
  for (const sent of ["0", "-5", new Date(0).toUTCString(), new Date(Date.now() - 60_000).toUTCString()]) {
    omise.answer = answering(429, {}, { "Retry-After": sent });
    const answer = await answered(me.get(id));
    assertError(answer, 503, "upstream_unavailable");
    assert.equal(answer.headers.get("Retry-After"), "1", sent);
  }
});

// ----------------------------------------------------------------------------------------------------------- polls

test("C43: a crowd that polls one account is one reading in three seconds", async () => {
  const { id } = (await me.create()).body;
  omise.requests.length = 0;
  const began = Date.now();
  for (let round = 0; round < 4; round++) {
    const crowd = Array.from({ length: 30 }, () => me.get(id));
    for (const answer of await Promise.all(crowd)) assert.equal(answer.status, 200);
  }
  const most = 1 + Math.floor((Date.now() - began) / 3_000);
  assert.ok(readings(id) >= 1 && readings(id) <= most, `${readings(id)} readings, ${most} at most`);
});

test("C43: held answers are no readings of their own, and others are not held up by them", async () => {
  const { id } = (await me.create()).body;
  omise.requests.length = 0;
  const began = Date.now();
  const held = Array.from({ length: 20 }, () =>
    me.fetch("GET", `/linked_accounts/${id}`, { headers: { Prefer: "wait=2" } }),
  );
  for (const answer of await Promise.all(held)) assert.equal(answer.body.status, "pending");
  const most = 1 + Math.floor((Date.now() - began) / 3_000);
  assert.ok(readings(id) >= 1 && readings(id) <= most, `${readings(id)} readings, ${most} at most`);
});

test("C43: while Omise fails, a crowd that polls is no storm", async () => {
  const { id } = (await me.create()).body;
  omise.answer = answering(500, { status: 500, error: "Internal Server Error" });
  omise.requests.length = 0;
  const began = Date.now();
  const crowd = Array.from({ length: 30 }, () => me.get(id));
  for (const answer of await Promise.all(crowd)) assertError(answer, 503, "upstream_unavailable");
  // three tries of one reading a second
  const most = 3 * (1 + Math.floor((Date.now() - began) / 1_000));
  assert.ok(readings(id) >= 1 && readings(id) <= most, `${readings(id)} requests, ${most} at most`);
});

test("C43: an account that is deleted is read no more, and somebody else's never", async () => {
  const { id } = (await me.create()).body;
  await me.delete(id);
  omise.requests.length = 0;
  const other = customer();
  for (let i = 0; i < 5; i++) {
    assert.equal((await me.get(id)).body.status, "deleted");
    assert.equal((await me.delete(id)).body.status, "deleted");
    assertError(await other.get(id), 404, "not_found");
    await other.fetch("GET", `/linked_accounts/${id}`, { headers: { Prefer: "wait=25" } });
  }
  assert.equal(omise.requests.length, 0);
});

// ---------------------------------------------------------------------------------------------------------- deaths

test("C50: whatever kills the instance, each request of it is answered, and the next ones work", async () => {
  const theirs = new Ledgers(mortal);
  for (const way of DEATHS) {
    me = customer({}, mortal);
    const { id } = (await me.create()).body;
    omise.requests.length = 0;
    const letGo = hold();
    const [neighbour, key] = [customer({}, mortal), randomUUID()];
    const lost = [me.get(id), me.delete(id), neighbour.create({}, key)];
    await asked(3);
    const killer = await answered(
      me.fetch("GET", "/health", { headers: { "X-Fault": way, Origin: STOREFRONT } }),
    );
    assertError(killer, 500, "internal");
    assert.equal(killer.headers.get("Access-Control-Allow-Origin"), STOREFRONT, "a page can read it");
    const ids = [killer.body.request_id];
    for (const each of lost) {
      const answer = await answered(each);
      assertError(answer, 500, "internal");
      assert.equal(answer.body.retryable, true);
      ids.push(answer.body.request_id);
    }
    assert.equal(new Set(ids).size, 4);
    for (const each of ids) {
      const line = await until(async () => lines.find((line) => line.includes(each)));
      assert.equal(JSON.parse(line).reason, "internal");
    }
    letGo();
    assert.equal((await answered(me.get(id))).status, 200, way);
    assert.equal((await answered(me.fetch("GET", "/banks"))).status, 200);
    // the neighbour's account was made, and is not lost
    const [found = ""] = [...made.keys()].slice(-1);
    await age(neighbour, 120_000, theirs);
    assert.equal((await answered(neighbour.create({}, key))).body.id, found, way);
    assert.equal(posts(), 1, way);
  }
  assert.ok(!lines.join("\n").includes("1101700230708"), "what a panic quotes is not logged");
});

test("C50: twenty deaths in a row, amid others' requests, leave a Worker that works", async () => {
  for (let round = 0; round < 20; round++) {
    const way = DEATHS[round % DEATHS.length] ?? "";
    const who = customer({}, mortal);
    const [dead, ...others] = await Promise.all([
      answered(who.fetch("GET", "/health", { headers: { "X-Fault": way } })),
      ...Array.from({ length: 4 }, () => answered(who.fetch("GET", "/banks"))),
    ]);
    assertError(dead, 500, "internal");
    for (const answer of others) if (answer.status !== 200) assertError(answer, 500, "internal");
    assert.equal((await answered(who.fetch("GET", "/linked_accounts"))).status, 200);
  }
});

/** Numbers that look random, and are the same each time. */
function* noise(seed: number): Generator<number> {
  let state = seed;
  for (;;) {
    // xorshift32
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    yield state >>> 0;
  }
}

test("C50: no bytes, of a customer's or of Omise's, kill a decoder", async () => {
  const random = noise(20_240_603);
  const next = (below: number) => (random.next().value as number) % below;
  /** A text with some bytes changed, dropped, doubled or replaced by what parsers stumble over. */
  const spoil = (text: string) => {
    const bytes = [...Buffer.from(text)];
    const odd = [
      '"',
      "\\",
      "{",
      "[",
      "\u0000",
      "\\ud800",
      "1e999",
      "-0",
      "null",
      "\u{10ffff}",
      "]",
      "}",
      ":",
      ",",
    ];
    for (let n = next(4); n >= 0; n--) {
      const at = next(bytes.length);
      const put =
        [[], [next(256)], [next(256), next(256), next(256)], [...Buffer.from(odd[next(odd.length)] ?? "")]][
          next(4)
        ] ?? [];
      bytes.splice(at, next(3), ...put);
    }
    return Buffer.from(bytes);
  };
  const good = JSON.stringify({
    type: "direct_debit_kbank",
    return_uri: `${STOREFRONT}/return?a=b`,
    citizen_id: "1101700230708",
    metadata: { a: "กขค", b: 1.5e3, c: true },
  });
  const path = "/linked_accounts?limit=5&offset=0&from=2024-01-01T00%3A00%3A00Z&filters%5Bstatus%5D=pending";
  const { id } = (await me.create()).body;
  const operator = customer(OPERATE);
  const upstream = JSON.stringify(account({ id, metadata: { a: "กขค", b: [1, { c: null }] } }));
  omise.answer = (_, response) => {
    const status = [200, 200, 200, 400, 404][next(5)] ?? 200;
    response.writeHead(status, { "Content-Type": "application/json" });
    response.end(spoil(next(2) ? upstream : JSON.stringify(listOf([JSON.parse(upstream)]))));
  };
  for (let round = 0; round < 60; round++) {
    const who = customer();
    const query = spoil(path.slice(path.indexOf("?")))
      .toString("latin1")
      .replace(/[#\s]/g, "");
    const asks = [
      who.fetch("POST", "/linked_accounts", {
        body: spoil(good),
        headers: { "Content-Type": "application/json", "Idempotency-Key": randomUUID() },
      }),
      who.fetch("POST", "/linked_accounts/confirm", {
        body: spoil('{"link_state":"AAAAAAAAAAAAAAAAAAAAAA"}'),
        headers: { "Content-Type": "application/json" },
      }),
      who.fetch("GET", `/linked_accounts?${query}`),
      who.fetch("GET", `/linked_accounts/search?${query}`),
      who
        .fetch("GET", "/banks", {
          headers: { Authorization: spoil("Bearer a.b.c").toString("latin1").trim() },
        })
        .catch(
          // what Node does not send as a header
          () => who.fetch("GET", "/banks"),
        ),
      me.get(id),
      operator.fetch("GET", "/linked_accounts"),
      operator.fetch("GET", "/linked_accounts/search?query=x"),
    ];
    const answers = await Promise.all(asks.map(answered));
    for (const answer of answers) {
      assert.notEqual(answer.body.reason, "internal", JSON.stringify(answer.body));
      if (answer.status !== 200) assertError(answer, answer.status, answer.body.reason);
    }
  }
});
