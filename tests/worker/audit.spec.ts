// The audit: what was done and what was refused, by whom, and nothing that is secret.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, suite, test } from "node:test";
import { account, answering, FakeOmise, listOf } from "../../harness/omise.ts";
import { OPERATE, STOREFRONT, sessionOf, token } from "../../harness/session.ts";
import { type Running, randomSecrets, startWorker } from "../../harness/stack.ts";
import { type Answer, assertError, assertStandardHeaders, issuesOf } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";
import { until } from "../support/until.ts";

const omise = new FakeOmise();
const secrets = randomSecrets();
const CITIZEN_ID = "1101700230708";
/** What Omise knows. */
const accounts = new Map<string, Record<string, unknown>>();
/** The link_state of every account. */
const linkStates = new Map<string, string>();
let worker: Running;
let omiseUrl: string;
let me: Customer;
let operator: Customer;

interface Entry {
  object: string;
  id: number;
  at: string;
  request_id: string;
  actor: string | null;
  action: string;
  linked_account: string | null;
  outcome: string;
}

const customer = (more: Record<string, unknown> = {}) =>
  new Customer(worker.url, sessionOf(worker, secrets), { sub: randomUUID(), ...more });
const subjectOf = (who: Customer) => String(who.claims.sub);
const audit = (query = "") => operator.fetch("GET", `/audit${query}`);
const idOf = (answer: Answer) => answer.headers.get("X-Request-Id");

/** Every row, newest first; of one actor, where one is given. */
async function entries(actor?: Customer): Promise<Entry[]> {
  const found: Entry[] = [];
  for (;;) {
    const { body } = await audit(`?limit=100&offset=${found.length}`);
    found.push(...body.data);
    if (body.data.length < 100)
      return found.filter((entry) => actor === undefined || entry.actor === subjectOf(actor));
  }
}

/** The row of this request, once it is there: refusals are written after the answer. */
const entryOf = (answer: Answer) =>
  until(async () => (await entries()).find((entry) => entry.request_id === idOf(answer)));

/** Omise as it is documented. */
const documented: FakeOmise["answer"] = (request, response, body) => {
  const { method, url = "" } = request;
  const path = url.split("?")[0] ?? "";
  const id = path.slice("/linked_accounts/".length);
  if (method === "POST") {
    const form = new URLSearchParams(body);
    const made = account({
      registration_uri: `${omiseUrl}/register`,
      return_uri: form.get("return_uri"),
      type: form.get("type"),
      metadata: { linked_accounts_attempt: form.get("metadata[linked_accounts_attempt]") },
      created_at: new Date().toISOString().replace(/\.\d+/, ""),
    });
    accounts.set(String(made.id), made);
    const { searchParams } = new URL(String(made.return_uri));
    linkStates.set(String(made.id), searchParams.get("link_state") ?? "");
    return answering(200, made)(request, response, body);
  }
  if (path === "/linked_accounts") {
    return answering(200, listOf([...accounts.values()]))(request, response, body);
  }
  const found = accounts.get(id);
  if (!found) return answering(404, { object: "error", code: "not_found" })(request, response, body);
  if (method === "DELETE") found.status = "deleted";
  return answering(200, found)(request, response, body);
};

before(async () => {
  omiseUrl = await omise.start();
  worker = await startWorker({ omiseUrl, storefrontUrl: STOREFRONT, secrets });
});
after(async () => {
  await worker?.dispose();
  await omise.stop();
});
beforeEach(() => {
  omise.requests.length = 0;
  omise.answer = documented;
  me = customer();
  operator = customer(OPERATE);
});

/** Creates an account whose answer is lost: Omise has it, the Worker does not know. */
async function lose(who: Customer, key: string): Promise<string> {
  omise.answer = (request, response, body) => {
    if (request.method !== "POST") return documented(request, response, body);
    documented(request, { writeHead: () => ({ end: () => {} }) } as never, body);
    request.socket.destroy();
  };
  const before = new Set(accounts.keys());
  assertError(await who.create({}, key), 502, "outcome_unknown");
  omise.answer = documented;
  const [id] = [...accounts.keys()].filter((id) => !before.has(id));
  return id ?? "";
}

suite("what was done", () => {
  test("has a row each, newest first, with the request that did it", async () => {
    const created = await me.create({ citizen_id: CITIZEN_ID });
    const { id } = created.body;
    const stored = accounts.get(id);
    assert.ok(stored);
    Object.assign(stored, { status: "successful", last_digits: "4321" });
    const read = await me.get(id);
    await me.get(id);
    const confirmed = await me.confirm(linkStates.get(id));
    await me.confirm(linkStates.get(id));
    const deleted = await me.delete(id);
    await me.delete(id);
    await me.fetch("GET", "/linked_accounts");
    await me.fetch("GET", "/linked_accounts/search");
    const key = randomUUID();
    const lost = await lose(me, key);
    const adopted = await me.create({}, key);
    assert.equal(adopted.body.id, lost, JSON.stringify(adopted.body));
    await me.create({}, key);

    const found = await entries(me);
    assert.deepEqual(
      found.map(({ id: _, at: __, ...entry }) => Object.values(entry)),
      (
        [
          [adopted, "adopt", lost, "pending"],
          [deleted, "delete", id, "deleted"],
          [confirmed, "confirm", id, "ok"],
          [read, "read", id, "successful"],
          [created, "create", id, "pending"],
        ] as const
      ).map(([answer, action, link, outcome]) => [
        "audit_entry",
        idOf(answer),
        subjectOf(me),
        action,
        link,
        outcome,
      ]),
    );
    for (const entry of found) {
      assert.deepEqual(Object.keys(entry), [
        "object",
        "id",
        "at",
        "request_id",
        "actor",
        "action",
        "linked_account",
        "outcome",
      ]);
      assert.match(entry.at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    }
  });

  test("names the operator who did it, for accounts of others and for those that the ledger does not know", async () => {
    const { id } = (await me.create()).body;
    Object.assign(accounts.get(id) ?? {}, { status: "successful" });
    const read = await operator.get(id);
    const deleted = await operator.delete(id);
    const foreign = account({ registration_uri: null, status: "successful" });
    accounts.set(String(foreign.id), foreign);
    assert.equal((await operator.get(String(foreign.id))).status, 200);
    const gone = await operator.delete(String(foreign.id));
    assert.equal(gone.body.status, "deleted", JSON.stringify(gone.body));
    assert.deepEqual(
      (await entries(operator)).map((entry) => [entry.request_id, entry.action, entry.linked_account]),
      [
        [idOf(gone), "delete", foreign.id],
        [idOf(deleted), "delete", id],
        [idOf(read), "read", id],
      ],
    );
  });

  test("names who deleted an account although somebody else saw it first", async () => {
    const { id } = (await me.create()).body;
    // Omise has deleted it, and its answer is still under way
    const answered = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    omise.answer = (request, response, body) => {
      if (request.method !== "DELETE") return documented(request, response, body);
      Object.assign(accounts.get(id) ?? {}, { status: "deleted" });
      void answered.promise.then(() => documented(request, response, body));
      asked.resolve();
    };
    const deleting = me.delete(id);
    await asked.promise;
    const read = await operator.get(id);
    assert.equal(read.body.status, "deleted");
    answered.resolve();
    const deleted = await deleting;
    assert.equal(deleted.body.status, "deleted");
    const found = (await entries()).filter((entry) => entry.linked_account === id);
    const rows = found.map((entry) => [entry.request_id, entry.action, entry.outcome].join(" "));
    for (const row of [`${idOf(deleted)} delete deleted`, `${idOf(read)} read deleted`]) {
      assert.equal(rows.filter((one) => one === row).length, 1, `${row} in ${rows}`);
    }
  });

  test("an account is adopted once, however many look for it", async () => {
    const key = randomUUID();
    const lost = await lose(me, key);
    // two look at once, and Omise answers the second long after the first
    const held: (() => void)[] = [];
    const both = Promise.withResolvers<void>();
    omise.answer = (request, response, body) => {
      if (!request.url?.startsWith("/linked_accounts?")) return documented(request, response, body);
      const list = listOf([{ ...accounts.get(lost) }]);
      held.push(() => answering(200, list)(request, response, body));
      if (held.length === 2) both.resolve();
    };
    const replays = [me.create({}, key), me.create({}, key)];
    await both.promise;
    held[0]?.();
    const first = await Promise.race(replays);
    assert.equal(first.body.id, lost);
    Object.assign(accounts.get(lost) ?? {}, { status: "successful" });
    assert.equal((await me.create({}, key)).body.status, "successful");
    held[1]?.();
    for (const answer of await Promise.all(replays)) assert.equal(answer.body.id, lost);

    const found = (await entries()).filter((entry) => entry.linked_account === lost);
    assert.deepEqual(
      found.map((entry) => entry.action),
      ["read", "adopt"],
    );
    const attempt = await (await worker.db())
      .prepare("SELECT state, open, current FROM attempts WHERE link = ?")
      .bind(lost)
      .first();
    assert.deepEqual(attempt, { state: "linked", open: 0, current: 0 }, "what came late opens nothing");
  });
});

suite("what was refused", () => {
  test("has a row, with the reason, and with the link where the id is one", async () => {
    const stranger = customer();
    const mine = (await me.create()).body.id;
    const key = randomUUID();
    const theirs = (await stranger.create({}, key)).body.id;
    const unknown = "lnac_test_0000000000000000000";
    const live = "lnac_0000000000000000000";
    const text = (type: string, body: string) =>
      stranger.fetch("POST", "/linked_accounts", {
        body,
        headers: { "Content-Type": type, "Idempotency-Key": "k" },
      });
    const expected: [Answer, number, string, string | null, string][] = [
      [await stranger.get(mine), 404, "retrieve", mine, "not_found"],
      [await stranger.delete(mine), 404, "delete", mine, "not_found"],
      [await stranger.get(unknown), 404, "retrieve", unknown, "not_found"],
      [await stranger.get(live), 404, "retrieve", live, "not_found"],
      [await stranger.get(CITIZEN_ID), 404, "retrieve", null, "not_found"],
      [await stranger.delete("..%2f..%00"), 404, "delete", null, "not_found"],
      [await stranger.get(`lnac_test_${"0".repeat(64)}`), 404, "retrieve", null, "not_found"],
      [await stranger.get("x".repeat(10_000)), 404, "retrieve", null, "not_found"],
      [await stranger.confirm(linkStates.get(mine)), 404, "confirm", null, "not_found"],
      [await stranger.confirm(7), 400, "confirm", null, "invalid_request"],
      [await stranger.create(), 409, "create", null, "already_pending"],
      [await stranger.create({ citizen_id: CITIZEN_ID }, key), 422, "create", null, "idempotency_key_reused"],
      [
        await stranger.create({ return_uri: "https://evil.example/" }),
        400,
        "create",
        null,
        "return_uri_not_allowed",
      ],
      [await stranger.create({ citizen_id: "1" }), 400, "create", null, "invalid_request"],
      [await stranger.create({}, "a b"), 400, "create", null, "idempotency_key_invalid"],
      [await text("application/json", "{"), 400, "create", null, "malformed_json"],
      [await text("text/plain", "{}"), 415, "create", null, "unsupported_media_type"],
      [await stranger.fetch("GET", "/linked_accounts?limit=0"), 400, "list", null, "invalid_request"],
      [await stranger.fetch("GET", "/linked_accounts/search?page=0"), 400, "search", null, "invalid_request"],
      [await stranger.fetch("GET", "/audit"), 403, "audit", null, "operator_only"],
      [await stranger.fetch("GET", "/audit?limit=0"), 403, "audit", null, "operator_only"],
    ];
    omise.answer = answering(400, { object: "error", code: "bad_request", message: `<b>${CITIZEN_ID}` });
    expected.push([
      await stranger.create({ type: "direct_debit_scb" }),
      400,
      "create",
      null,
      "upstream_refused",
    ]);
    expected.push([await stranger.delete(theirs), 400, "delete", theirs, "not_registered"]);
    for (const [answer, status, action, link, reason] of expected) {
      assertError(answer, status, reason);
      const { object: _, id: __, at: ___, ...entry } = await entryOf(answer);
      assert.deepEqual(entry, {
        request_id: idOf(answer),
        actor: subjectOf(stranger),
        action,
        linked_account: link,
        outcome: reason,
      });
    }
    const rows = await entries(stranger);
    assert.equal(rows.length, expected.length + 1, "one each, and one for the create");
  });

  test("of an operator too", async () => {
    const answer = await operator.fetch("GET", "/audit?limit=0&filters[action]=create");
    assertError(answer, 400, "invalid_request");
    assert.deepEqual(issuesOf(answer), ["limit invalid", "filters[action] unknown_field"]);
    assert.deepEqual((await entryOf(answer)).action, "audit");
  });

  test("but not of callers who are nobody, nor where nobody was refused", async () => {
    const before = (await audit()).body.total;
    for (const [method, path] of [
      ["GET", "/audit"],
      ["GET", "/linked_accounts"],
      ["POST", "/linked_accounts"],
      ["DELETE", "/linked_accounts/lnac_test_0000000000000000000"],
      ["POST", "/linked_accounts/confirm"],
    ] as const) {
      for (const authorization of ["", "Bearer x", `Bearer ${token({ ...me.session, aud: "other" })}`]) {
        const answer = await me.fetch(method, path, { headers: { Authorization: authorization } });
        assertError(answer, 401, "unauthenticated");
      }
    }
    assertError(await me.fetch("PUT", "/linked_accounts"), 405, "method_not_allowed");
    assertError(await me.fetch("GET", "/nothing"), 404, "route_not_found");
    omise.answer = answering(500, {});
    assertError(await me.fetch("POST", "/webhooks/omise", { body: "{}" }), 401, "unauthenticated");
    assertError(await operator.fetch("GET", "/linked_accounts"), 503, "upstream_unavailable");
    // whatever those wrote is there before this is
    await entryOf(await me.get("x"));
    assert.equal((await audit()).body.total, before + 1);
  });

  test("a flood of it fills no database", async () => {
    const flooded = await startWorker({ omiseUrl, storefrontUrl: STOREFRONT, secrets });
    try {
      const session = sessionOf(flooded, secrets);
      const flood = new Customer(flooded.url, session, { sub: "flood" });
      const db = await flooded.db();
      const rows = async () => {
        const row = await db.prepare("SELECT count(*) AS n FROM audit").first<{ n: number }>();
        return row?.n ?? 0;
      };
      const began = Date.now();
      for (let i = 0; i < 10; i++) {
        const answers = await Promise.all(Array.from({ length: 20 }, () => flood.get("x")));
        for (const answer of answers) assertError(answer, 404, "not_found");
      }
      const minutes = 1 + Math.floor((Date.now() - began) / 60_000);
      await until(async () => (await rows()) >= 60);
      // whatever the flood wrote is there before this is
      const last = new Customer(flooded.url, session, { sub: "last" });
      assert.equal((await last.create()).status, 200);
      const written = (await rows()) - 1;
      assert.ok(written <= 60 * minutes, `${written} rows in ${minutes} minutes`);
    } finally {
      await flooded.dispose();
    }
  });
});

suite("the log", () => {
  test("is for operators", async () => {
    for (const who of [
      me,
      customer({ scope: "profile" }),
      customer({ scope: "linked_accounts:operates" }),
      customer({ scope: ["linked_accounts:operate"] }),
      customer({ scopes: "linked_accounts:operate", operator: true }),
    ]) {
      const answer = await who.fetch("GET", "/audit");
      if (answer.status !== 401) assertError(answer, 403, "operator_only");
      assert.equal(answer.body.data, undefined);
    }
    assert.equal((await audit()).status, 200);
  });

  test("is read in pages, both ways, and between times", async () => {
    const db = await worker.db();
    const second = Date.UTC(2001, 0, 1);
    const rows = [0, 500, 999, 1000, 1000, 1000, 2500].map((ms, i) => ({
      at: second + ms,
      link: `row-${i}`,
    }));
    const insert = db.prepare(
      `INSERT INTO audit (at, request_id, actor, action, link, outcome)
       VALUES (?, '${"0".repeat(32)}', NULL, 'read', ?, 'x')`,
    );
    await db.batch(rows.map(({ at, link }) => insert.bind(at, link)));
    const names = (answer: Answer) =>
      answer.body.data.map((entry: Entry) => Number(entry.linked_account?.slice(4)));
    const at = (n: number) => `2001-01-01T00:00:0${n}Z`;

    for (const [query, expected, total] of [
      [`from=${at(0)}&to=${at(2)}`, [6, 5, 4, 3, 2, 1, 0], 7],
      [`from=${at(0)}&to=${at(2)}&order=chronological`, [0, 1, 2, 3, 4, 5, 6], 7],
      [`from=${at(0)}&to=${at(0)}`, [2, 1, 0], 3],
      [`from=${at(1)}&to=${at(1)}`, [5, 4, 3], 3],
      [`to=${at(1)}`, [5, 4, 3, 2, 1, 0], 6],
      [`to=2000-12-31T23:59:59Z`, [], 0],
      [`to=${at(2)}&limit=3`, [6, 5, 4], 7],
      [`to=${at(2)}&limit=3&offset=3`, [3, 2, 1], 7],
      [`to=${at(2)}&limit=3&offset=6`, [0], 7],
      [`to=${at(2)}&limit=3&offset=7`, [], 7],
      [`to=${at(2)}&limit=3&offset=3&order=chronological`, [3, 4, 5], 7],
    ] as const) {
      const answer = await audit(`?${query}`);
      assert.deepEqual([names(answer), answer.body.total], [expected, total], query);
    }
    const answer = await audit(`?from=${at(0)}&to=${at(2)}&limit=2`);
    assertStandardHeaders(answer);
    const { data, ...envelope } = answer.body;
    assert.deepEqual(envelope, {
      object: "list",
      limit: 2,
      offset: 0,
      total: 7,
      location: "/audit",
      order: "reverse_chronological",
      from: at(0),
      to: at(2),
    });
    assert.deepEqual([data[0].at, data[0].actor], [at(2), null], "to the second; a webhook has no actor");
    assert.equal((await audit()).body.data.length, 20);
  });

  test("is only ever added to", async () => {
    await me.create();
    const db = await worker.db();
    const before = await db.prepare("SELECT * FROM audit").all();
    assert.ok(before.results.length > 0);
    for (const sql of [
      "UPDATE audit SET outcome = 'x'",
      "UPDATE audit SET actor = 'x' WHERE id = (SELECT max(id) FROM audit)",
      "DELETE FROM audit",
      "DELETE FROM audit WHERE id = (SELECT max(id) FROM audit)",
    ]) {
      await assert.rejects(db.prepare(sql).run(), /audit is append-only/, sql);
    }
    assert.deepEqual((await db.prepare("SELECT * FROM audit").all()).results, before.results);
  });

  test("holds no citizen id, token or link_state", async () => {
    const created = await me.create({ citizen_id: CITIZEN_ID });
    await me.confirm(linkStates.get(created.body.id));
    await entryOf(await me.get(CITIZEN_ID));
    await entryOf(await me.get(token(me.session)));
    await entryOf(await customer().confirm(linkStates.get(created.body.id)));
    await entryOf(await me.fetch("GET", `/linked_accounts?citizen_id=${CITIZEN_ID}`));
    const { results } = await (await worker.db()).prepare("SELECT * FROM audit").all();
    const rows = JSON.stringify(results);
    assert.ok(rows.includes(created.body.id) && linkStates.size > 5, "it is the log of all of the above");
    for (const secret of [CITIZEN_ID, "eyJ", "Bearer", "link_state", ...linkStates.values()]) {
      assert.ok(secret.length > 0 && !rows.includes(secret), secret.slice(0, 6));
    }
    for (const secret of Object.values(secrets)) assert.ok(!rows.includes(secret));
  });
});
