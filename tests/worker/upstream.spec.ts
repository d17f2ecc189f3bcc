// Omise slow, broken or strange: what the customer sees, and that nothing is created twice.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { account, answering, FakeOmise } from "../../harness/omise.ts";
import { STOREFRONT, sessionOf } from "../../harness/session.ts";
import { type Running, randomSecrets, startWorker } from "../../harness/stack.ts";
import { assertError } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";
import { openStamp } from "../support/stamp.ts";
import { until } from "../support/until.ts";

const omise = new FakeOmise();
const secrets = randomSecrets();
const lines: string[] = [];
let worker: Running;
let omiseUrl: string;
let me: Customer;

before(async () => {
  omiseUrl = await omise.start();
  worker = await startWorker({
    omiseUrl,
    storefrontUrl: STOREFRONT,
    secrets,
    alarms: false,
    bindings: { UPSTREAM_DEADLINE_MS: "1500" },
    log: (line) => lines.push(line),
  });
});
after(async () => {
  await worker?.dispose();
  await omise.stop();
});
beforeEach(() => {
  omise.requests.length = 0;
  me = new Customer(worker.url, sessionOf(worker, secrets), { sub: randomUUID() });
});

const good = (overrides: Record<string, unknown> = {}) =>
  account({ registration_uri: `${omiseUrl}/register`, ...overrides });
const omiseError = (code: string, message: string) => ({ object: "error", location: "x", code, message });

/** Answers that leave it open whether an account was made. */
const DOUBTFUL: [string, FakeOmise["answer"]][] = [
  ["hangs", () => {}],
  [
    "hangs amid the body",
    (_, response) => void response.writeHead(200, { "Content-Length": "100" }).write("{"),
  ],
  ["resets", (request) => void request.socket.destroy()],
  ["500, the Rails way", answering(500, { status: 500, error: "Internal Server Error" })],
  ["503, HTML", (_, response) => void response.writeHead(503).end("<html>")],
  ["200, HTML", (_, response) => void response.writeHead(200).end("<html>")],
  [
    "200, cut short",
    (_, response) => void response.writeHead(200).end('{"object":"linked_account","id":"lnac_'),
  ],
  ["200, another object", answering(200, { object: "customer", id: "cust_test_1" })],
  ["302", (_, response) => void response.writeHead(302, { Location: `${omiseUrl}/elsewhere` }).end()],
  // from something on the way, which may have let the request through
  ["400, HTML", (_, response) => void response.writeHead(400).end("<h1>Bad request</h1>")],
  ["403, JSON of another kind", answering(403, { error: "blocked" })],
  ["408, nothing", (_, response) => void response.writeHead(408).end()],
  ["409, HTML", (_, response) => void response.writeHead(409).end("<h1>Conflict</h1>")],
  ["429, nothing", (_, response) => void response.writeHead(429, { "Retry-After": "7" }).end()],
  // Omise's own, about a request that may still be at work
  ["408", answering(408, omiseError("request_timeout", "x"))],
  ["409", answering(409, omiseError("conflict", "x"))],
  ["too large", (_, response) => void response.writeHead(200).end(`"${"x".repeat(2 * 1024 * 1024)}"`)],
];

test("a create is sent once, form-encoded, with a fixed list of headers", async () => {
  omise.answer = (_, response, body) =>
    answering(200, good({ return_uri: new URLSearchParams(body).get("return_uri") }))(_, response, body);
  const key = randomUUID();
  const answer = await me.json(
    "/linked_accounts",
    {
      type: "direct_debit_scb",
      return_uri: `${STOREFRONT}/return?a=b`,
      citizen_id: "AA1234567",
      metadata: { order: "กขค" },
    },
    { "Idempotency-Key": key, "Omise-Version": "2014-07-27", "X-Forwarded-For": "1.2.3.4", Cookie: "a=b" },
  );
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.equal(omise.requests.length, 1);
  const [sent] = omise.requests;
  assert.ok(sent);
  assert.equal(`${sent.method} ${sent.path}`, "POST /linked_accounts");
  const form = new URLSearchParams(sent.body);
  assert.deepEqual(
    [...form.keys()],
    ["type", "return_uri", "citizen_id", "metadata[order]", "metadata[linked_accounts_stamp]"],
  );
  assert.equal(form.get("metadata[order]"), "กขค");
  assert.match(form.get("return_uri") ?? "", /^http:\/\/127\.0\.0\.1:1\/return\?a=b&link_state=[\w-]{22}$/);
  assert.equal(
    sent.headers.authorization,
    `Basic ${Buffer.from(`${secrets.OMISE_SECRET_KEY}:`).toString("base64")}`,
  );
  const stamp = openStamp(secrets.LEDGER_KEY, form.get("metadata[linked_accounts_stamp]") ?? "");
  assert.equal(sent.headers["idempotency-key"], stamp?.attempt);
  assert.notEqual(sent.headers["idempotency-key"], key);
  assert.equal(sent.headers["omise-version"], "2019-05-29");
  assert.equal(sent.headers["x-request-id"], answer.headers.get("X-Request-Id"));
  for (const name of ["x-forwarded-for", "cookie", "origin", "referer"])
    assert.equal(sent.headers[name], undefined);
  assert.equal(answer.body.return_uri, `${STOREFRONT}/return?a=b`);
});

for (const [name, misbehave] of DOUBTFUL) {
  test(`create, and Omise ${name}: the outcome is unknown, and the key never asks twice`, async () => {
    omise.answer = misbehave;
    const key = randomUUID();
    const first = await me.create({}, key);
    assertError(first, 502, "outcome_unknown");
    assert.ok(Number(first.headers.get("Retry-After")) > 0);
    assert.equal(first.body.retryable, true);
    omise.answer = answering(200, good());
    assertError(await me.create({}, key), 502, "outcome_unknown");
    assertError(await me.create(), 409, "already_pending");
    assert.equal(omise.requests.filter((request) => request.method === "POST").length, 1);
  });
}

test("create, and Omise refuses: nothing was made, and the key is free again", async () => {
  for (const [status, body, expected, reason] of [
    [400, omiseError("bad_request", "<b>Type</b> is not supported"), 400, "upstream_refused"],
    [422, omiseError("not_enabled", "x"), 400, "upstream_refused"],
    [401, omiseError("authentication_failure", "x"), 502, "upstream_misconfigured"],
    [403, omiseError("not_authorized", "x"), 502, "upstream_misconfigured"],
    [404, omiseError("not_found", "x"), 502, "upstream_misconfigured"],
    [429, omiseError("too_many_requests", "x"), 503, "upstream_unavailable"],
  ] as const) {
    omise.answer = answering(status, body);
    const key = randomUUID();
    const answer = await me.create({}, key);
    assertError(answer, expected, reason);
    assert.ok(!JSON.stringify(answer.body).includes("<b>"), "Omise's text stays in the log");
    omise.answer = answering(200, good());
    assert.equal((await me.create({}, key)).status, 200);
    me = new Customer(me.url, me.session, { sub: randomUUID() });
  }
});

test("Retry-After of Omise's is passed on", async () => {
  omise.answer = answering(429, omiseError("too_many_requests", "x"), { "Retry-After": "7" });
  const answer = await me.create();
  assertError(answer, 503, "upstream_unavailable");
  assert.equal(answer.headers.get("Retry-After"), "7");
});

test("an account of the other mode is not shown", async () => {
  omise.answer = answering(200, good({ livemode: true }));
  assertError(await me.create(), 502, "mode_mismatch");
});

test("a customer is never sent to a registration page elsewhere", async () => {
  for (const uri of [
    "https://evil.example/",
    `${omiseUrl}.evil.example/`,
    `${omiseUrl}@evil.example/`,
    "javascript:alert(1)",
    null,
  ]) {
    const latest = JSON.stringify(good({ registration_uri: uri }));
    omise.answer = answering(200, JSON.parse(latest));
    const key = randomUUID();
    assertError(await me.create({}, key), 502, "upstream_unreadable");
    const { id } = JSON.parse(latest);
    omise.answer = answering(200, good({ id, registration_uri: uri }));
    for (const answer of [await me.create({}, key), await me.create(), await me.get(id)]) {
      const account = answer.body.linked_account ?? answer.body;
      assert.deepEqual([account.id, account.registration_uri], [id, null]);
    }
    me = new Customer(me.url, me.session, { sub: randomUUID() });
  }
});

test("retrieve and delete, and Omise fails", async () => {
  omise.answer = answering(200, good());
  const { id } = (await me.create()).body;
  const cases: [string, FakeOmise["answer"], number, string][] = [
    ["hangs", () => {}, 504, "upstream_timeout"],
    ["resets", (request) => void request.socket.destroy(), 503, "upstream_unavailable"],
    ["500", answering(500, { status: 500, error: "Internal Server Error" }), 503, "upstream_unavailable"],
    ["HTML", (_, response) => void response.writeHead(200).end("<html>"), 502, "upstream_unreadable"],
    [
      "302",
      (_, response) => void response.writeHead(302, { Location: "/" }).end(),
      502,
      "upstream_unreadable",
    ],
    ["another account", answering(200, good({ id: "lnac_test_other" })), 502, "upstream_unreadable"],
    [
      "too large",
      (_, response) => void response.writeHead(200).end("x".repeat(2 * 1024 * 1024)),
      502,
      "upstream_unreadable",
    ],
    ["401", answering(401, omiseError("authentication_failure", "x")), 502, "upstream_misconfigured"],
    ["404", answering(404, omiseError("not_found", "x")), 404, "not_found"],
  ];
  for (const [name, misbehave, status, reason] of cases) {
    omise.answer = misbehave;
    assertError(await me.get(id), status, reason);
    if (reason !== "not_found") assertError(await me.delete(id), status, reason);
    assert.ok(
      lines.some((line) => line.includes(`"reason":"${reason}"`)),
      `${name} is logged`,
    );
  }
});

test("a delete whose answer was lost is settled by reading again", async () => {
  omise.answer = answering(200, good());
  const { id } = (await me.create()).body;
  omise.answer = (request, response, body) =>
    request.method === "DELETE"
      ? void request.socket.destroy()
      : answering(200, good({ id, status: "deleted", last_digits: "1234" }))(request, response, body);
  const answer = await me.delete(id);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.equal(answer.body.status, "deleted");
});

test("a deletion stays although a reading that began later says otherwise", async () => {
  omise.answer = answering(200, good());
  const { id } = (await me.create()).body;
  const held = Promise.withResolvers<() => void>();
  omise.answer = (request, response, body) => {
    if (request.method !== "DELETE") {
      answering(200, good({ id, status: "successful", last_digits: "1234" }))(request, response, body);
      return;
    }
    const deleted = answering(200, good({ id, status: "deleted", last_digits: "1234" }));
    held.resolve(() => deleted(request, response, body));
  };
  const deletion = me.delete(id);
  const answerIt = await held.promise;
  const sent = Date.now();
  await until(async () => Date.now() > sent);
  assert.equal((await me.get(id)).body.status, "successful");
  answerIt();
  assert.equal((await deletion).body.status, "deleted");
  omise.requests.length = 0;
  assert.equal((await me.get(id)).body.status, "deleted");
  assert.equal(omise.requests.length, 0, "deleted is final");
});

test("an account that is gone upstream counts as deleted", async () => {
  omise.answer = answering(200, good());
  const { id } = (await me.create()).body;
  omise.answer = answering(404, omiseError("not_found", `linked account ${id} was not found`));
  const answer = await me.delete(id);
  assert.equal(answer.body.status, "deleted", JSON.stringify(answer.body));
  omise.requests.length = 0;
  assert.equal((await me.get(id)).body.status, "deleted");
  assert.equal(omise.requests.length, 0, "deleted is final");
});

test("ids that are not the customer's, and ill-formed ids, never reach Omise", async () => {
  for (const id of ["lnac_test_0000000000000000000", "lnac_0000000000000000000", "..%2fcustomers", "x"]) {
    await me.get(id);
    await me.delete(id);
  }
  assert.equal(omise.requests.length, 0);
});

test("a confirmation holds although Omise does not answer", async () => {
  omise.answer = answering(200, good());
  await me.create();
  const linkState = new URL(
    new URLSearchParams(omise.requests[0]?.body).get("return_uri") ?? "",
  ).searchParams.get("link_state");
  omise.answer = () => {};
  const answer = await me.confirm(linkState);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.equal(answer.body.status, "pending");
  assert.notEqual(answer.body.confirmed_at, null);
});
