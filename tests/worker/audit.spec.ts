// The audit: what was done and what was refused, by whom, and nothing that is secret.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, suite, test } from "node:test";
import { account, answering, FakeOmise, listOf } from "../../harness/omise.ts";
import { OPERATE, STOREFRONT, sessionOf, token } from "../../harness/session.ts";
import { type RunningWorker, randomSecrets, startWorker } from "../../harness/stack.ts";
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
let worker: RunningWorker;
let omiseUrl: string;
let me: Customer;
let operator: Customer;

interface Entry {
  object: string;
  id: string;
  at: string;
  request_id: string;
  customer: string | null;
  subject: string | null;
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

/** Every entry of a customer, newest first: from their own object. */
async function entries(who: Customer): Promise<Entry[]> {
  const found: Entry[] = [];
  let cursor = "";
  for (;;) {
    const { body } = await audit(`?limit=100&subject=${subjectOf(who)}${cursor}`);
    found.push(...body.data);
    if (body.cursor === null) return found;
    cursor = `&cursor=${body.cursor}`;
  }
}

/** The entry of this request of a customer, once it is there: some refusals are written after the answer. */
const entryOf = (answer: Answer, who = me) =>
  until(async () => (await entries(who)).find((entry) => entry.request_id === idOf(answer)));

/** Today, in UTC. */
const today = () => new Date().toISOString().slice(0, 10);

/** The audit log's entries of today, newest first, once these customers' objects have given it theirs. */
async function delivered(...customers: Customer[]): Promise<Entry[]> {
  for (const who of customers) await worker.customer(subjectOf(who)).runAlarm();
  const found: Entry[] = [];
  let cursor = `?limit=100&cursor=${today()}`;
  for (;;) {
    const { body } = await audit(cursor);
    found.push(...body.data);
    if (!body.cursor?.startsWith(today())) return found;
    cursor = `?limit=100&cursor=${body.cursor}`;
  }
}

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
      metadata: { linked_accounts_stamp: form.get("metadata[linked_accounts_stamp]") },
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
async function lose(who: Customer, key: string): Promise<[id: string, answer: Answer]> {
  omise.answer = (request, response, body) => {
    if (request.method !== "POST") return documented(request, response, body);
    documented(request, { writeHead: () => ({ end: () => {} }) } as never, body);
    request.socket.destroy();
  };
  const before = new Set(accounts.keys());
  const answer = await who.create({}, key);
  assertError(answer, 502, "outcome_unknown");
  omise.answer = documented;
  const [id = ""] = [...accounts.keys()].filter((id) => !before.has(id));
  return [id, answer];
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
    const [lost, doubted] = await lose(me, key);
    const adopted = await me.create({}, key);
    assert.equal(adopted.body.id, lost, JSON.stringify(adopted.body));
    await me.create({}, key);

    const found = await entries(me);
    assert.deepEqual(
      found.map(({ request_id, actor, action, linked_account, outcome }) => [
        request_id,
        actor,
        action,
        linked_account,
        outcome,
      ]),
      (
        [
          [adopted, "adopt", lost, "pending"],
          [doubted, "create", null, "outcome_unknown"],
          [doubted, "create", null, "begun"],
          [deleted, "delete", id, "deleted"],
          [deleted, "delete", id, "begun"],
          [confirmed, "confirm", id, "ok"],
          [read, "read", id, "successful"],
          [created, "create", id, "pending"],
          [created, "create", null, "begun"],
        ] as const
      ).map(([answer, action, link, outcome]) => [idOf(answer), subjectOf(me), action, link, outcome]),
    );
    for (const entry of found) {
      assert.deepEqual(Object.keys(entry), [
        "object",
        "id",
        "at",
        "request_id",
        "customer",
        "subject",
        "actor",
        "action",
        "linked_account",
        "outcome",
      ]);
      assert.equal(entry.subject, subjectOf(me));
      assert.match(entry.customer ?? "", /^[\w-]{22}$/);
      assert.match(entry.at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    }
  });

  test("names the operator who did it, for customers' accounts and for those that no object knows", async () => {
    const { id } = (await me.create()).body;
    Object.assign(accounts.get(id) ?? {}, { status: "successful" });
    const read = await operator.get(id);
    const deleted = await operator.delete(id);
    const foreign = account({ registration_uri: null, status: "successful" });
    accounts.set(String(foreign.id), foreign);
    const seen = await operator.get(String(foreign.id));
    assert.equal(seen.status, 200);
    const gone = await operator.delete(String(foreign.id));
    assert.equal(gone.body.status, "deleted", JSON.stringify(gone.body));
    const short = (entry: Entry) => [entry.request_id, entry.action, entry.outcome];
    const theirs = (all: Entry[]) => all.filter(({ actor }) => actor === subjectOf(operator)).map(short);
    assert.deepEqual(theirs(await entries(me)), [
      [idOf(deleted), "delete", "deleted"],
      [idOf(deleted), "delete", "begun"],
      [idOf(read), "retrieve", "successful"],
      [idOf(read), "read", "successful"],
    ]);
    const log = await delivered();
    assert.deepEqual(theirs(log.filter(({ customer }) => customer === null)), [
      [idOf(gone), "delete", "deleted"],
      [idOf(gone), "delete", "begun"],
      [idOf(seen), "retrieve", "successful"],
    ]);
    assert.ok(
      log.every(({ linked_account }) => linked_account !== id),
      "that is in the customer's own",
    );
    const listed = await operator.fetch("GET", "/linked_accounts");
    assert.deepEqual(theirs(await delivered())[0], [idOf(listed), "list", "begun"]);
  });

  test("has the outcome of an operator's deletion that comes to nothing", async () => {
    for (const [status, code, reason, isGone] of [
      [400, "bad_request", "not_registered", false],
      [404, "not_found", "not_found", true],
    ] as const) {
      const foreign = account({ registration_uri: null, status: "successful" });
      accounts.set(String(foreign.id), foreign);
      omise.answer = (request, response, body) => {
        if (request.method !== "DELETE") return documented(request, response, body);
        if (isGone) accounts.delete(String(foreign.id));
        answering(status, { object: "error", location: "x", code, message: "x" })(request, response, body);
      };
      const answer = await operator.delete(String(foreign.id));
      assertError(answer, status, reason);
      const found = (await delivered()).filter(({ request_id }) => request_id === idOf(answer));
      const outcomes = found.map(({ action, linked_account, outcome }) => [action, linked_account, outcome]);
      assert.deepEqual(outcomes, [
        ["delete", foreign.id, reason],
        ["delete", foreign.id, "begun"],
      ]);
    }
  });

  test("names who deleted an account although another saw it first", async () => {
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
    const found = (await entries(me)).filter((entry) => entry.linked_account === id);
    const rows = found.map((entry) => [entry.request_id, entry.action, entry.outcome].join(" "));
    for (const row of [`${idOf(deleted)} delete deleted`, `${idOf(read)} read deleted`]) {
      assert.equal(rows.filter((one) => one === row).length, 1, `${row} in ${rows}`);
    }
  });

  test("an account is adopted once, however many look for it", async () => {
    const key = randomUUID();
    const [lost] = await lose(me, key);
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

    const found = (await entries(me)).filter((entry) => entry.linked_account === lost);
    assert.deepEqual(
      found.map((entry) => entry.action),
      ["read", "adopt"],
    );
    const sql = "SELECT state, current FROM attempts WHERE link = ?";
    const attempts = await worker.customer(subjectOf(me)).sql(sql, lost);
    assert.deepEqual(attempts, [{ state: "linked", current: 0 }], "what came late opens nothing");
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
      const {
        object: _,
        id: __,
        at: ___,
        customer: ____,
        subject,
        ...entry
      } = await entryOf(answer, stranger);
      assert.equal(subject, subjectOf(stranger));
      assert.deepEqual(entry, {
        request_id: idOf(answer),
        actor: subjectOf(stranger),
        action,
        linked_account: link,
        outcome: reason,
      });
    }
    const rows = await entries(stranger);
    const more = "two for the create, one more for what Omise refused, and for the deletion";
    assert.equal(rows.length, expected.length + 2 + 2 + 2, more);
  });

  test("of an operator too", async () => {
    const answer = await operator.fetch("GET", "/audit?limit=0&filters[action]=create");
    assertError(answer, 400, "invalid_request");
    assert.deepEqual(issuesOf(answer), ["limit invalid", "filters[action] unknown_field"]);
    assert.deepEqual((await entryOf(answer, operator)).action, "audit");
  });

  test("but not of callers without a session, nor where none was refused", async () => {
    const before = (await entries(me)).length;
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
    // what those wrote is there before this is
    await entryOf(await me.get("x"));
    assert.equal((await entries(me)).length, before + 1);
  });
});

suite("the log", () => {
  for (const [by, path, rateLimits, most, [status, reason]] of [
    // each isolate writes down sixty a minute
    ["the edge", "/linked_accounts?limit=0", false, 60, [400, "invalid_request"]],
    // the rate limit admits sixty a minute to the object; of those that it refuses the edge writes down sixty
    ["the customer's object", "/linked_accounts/x", true, 120, [404, "not_found"]],
  ] as const) {
    test(`is not filled by a flood of refusals by ${by}`, async () => {
      const flooded = await startWorker({ omiseUrl, storefrontUrl: STOREFRONT, secrets, rateLimits });
      try {
        const flood = new Customer(flooded.url, sessionOf(flooded, secrets), { sub: "flood" });
        const object = flooded.customer("flood");
        const rows = async () => {
          // until the first refusal is written down there are no tables
          const found = await object.sql<{ n: number }>("SELECT count(*) AS n FROM audit").catch(() => []);
          return found[0]?.n ?? 0;
        };
        const began = Date.now();
        for (let i = 0; i < 10; i++) {
          const ask = () => flood.fetch("GET", path);
          for (const answer of await Promise.all(Array.from({ length: 20 }, ask)))
            if (answer.status !== 429) assertError(answer, status, reason);
        }
        // counting begins again with each minute of the clock
        const minutes = 1 + Math.floor(Date.now() / 60_000) - Math.floor(began / 60_000);
        await until(async () => (await rows()) >= most);
        // what the flood wrote is there before this is
        assert.equal((await flood.create()).status, 200);
        const written = (await rows()) - 2;
        assert.ok(written <= most * minutes, `${written} rows in ${minutes} minutes`);
      } finally {
        await flooded.dispose();
      }
    });
  }

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

  test("of a customer is read in pages, newest first, and at once", async () => {
    const { id } = (await me.create()).body;
    for (let i = 0; i < 4; i++) await me.get(`lnac_test_${i}000000000000000000`);
    const found = await entries(me);
    assert.deepEqual(
      found.map(({ linked_account, outcome }) => [linked_account?.[10], outcome]),
      [
        ["3", "not_found"],
        ["2", "not_found"],
        ["1", "not_found"],
        ["0", "not_found"],
        [id[10], "pending"],
        [undefined, "begun"],
      ],
    );
    const pages: Entry[][] = [];
    let query = `?account=${id}&limit=4`;
    for (;;) {
      const answer = await audit(query);
      assertStandardHeaders(answer);
      const { data, cursor, ...envelope } = answer.body;
      assert.deepEqual(envelope, { object: "list", limit: 4, location: "/audit" });
      pages.push(data);
      if (cursor === null) break;
      query = `?account=${id}&limit=4&cursor=${cursor}`;
    }
    assert.deepEqual(pages, [found.slice(0, 4), found.slice(4)]);
  });

  test("of all customers has what their objects gave it, once each, newest first", async () => {
    const other = customer();
    const { id } = (await me.create()).body;
    await other.create();
    await me.delete(id);
    const own = [...(await entries(me)), ...(await entries(other))];
    const ids = (all: Entry[]) => all.map((entry) => entry.id).sort();
    const theirs = (all: Entry[]) =>
      all.filter(({ subject }) => subject === subjectOf(me) || subject === subjectOf(other));
    assert.deepEqual(theirs(await delivered()), [], "not yet");
    const log = await delivered(me, other, me, other);
    assert.deepEqual(ids(theirs(log)), ids(own));
    assert.deepEqual(
      theirs(log).sort((a, b) => (a.id < b.id ? -1 : 1)),
      own.sort((a, b) => (a.id < b.id ? -1 : 1)),
      "as they are in the customer's own",
    );
    // an answer of the audit log that was lost: the same entries come again
    await worker.customer(subjectOf(me)).sql("UPDATE meta SET delivered = 0");
    assert.deepEqual(ids(theirs(await delivered(me))), ids(own));
  });

  test("goes back over days without an entry, a few in a page", async () => {
    const object = worker.customer(subjectOf(me));
    await me.create();
    const insert =
      "INSERT INTO audit (at, request_id, actor, action, link, outcome) VALUES (?, ?, NULL, 'read', ?, 'x')";
    const days = ["2001-01-01", "2001-01-01", "2001-01-20"];
    for (const [i, day] of days.entries())
      await object.sql(insert, Date.parse(`${day}T23:59:59.999Z`), "0".repeat(32), `row-${i}`);
    await object.runAlarm();
    const links: (string | null)[] = [];
    let cursor = "2001-01-21";
    let pages = 0;
    for (; cursor > "2000-12-31"; pages++) {
      const { body } = await audit(`?cursor=${cursor}`);
      links.push(...body.data.map((entry: Entry) => entry.linked_account));
      assert.match(body.cursor, /^\d{4}-\d\d-\d\d(\.\d+)?$/);
      cursor = body.cursor;
    }
    assert.deepEqual(links, ["row-2", "row-1", "row-0"]);
    assert.ok(pages >= 3 && pages <= 4, `${pages}`);
    for (const bad of ["x", "2001-01-32", "2001-01-01.", "7"]) {
      const answer = await audit(`?cursor=${bad}`);
      assertError(answer, 400, "invalid_request");
      assert.deepEqual(issuesOf(answer), ["cursor invalid"]);
    }
  });

  test("of a customer that is not known is empty, and asking for it makes nothing", async () => {
    const { body } = await audit("?subject=never%20seen");
    assert.deepEqual([body.data, body.cursor], [[], null]);
    await assert.rejects(worker.customer("never seen").sql("SELECT * FROM meta"), /no such table/);
    // nor has an account without a stamp a customer
    const foreign = account({ registration_uri: null, status: "successful" });
    accounts.set(String(foreign.id), foreign);
    for (const id of [foreign.id, "lnac_test_0000000000000000000", "x"])
      assertError(await audit(`?account=${id}`), 404, "not_found");
    const both = await audit(`?subject=x&account=${foreign.id}`);
    assertError(both, 400, "invalid_request");
    assert.deepEqual(issuesOf(both), ["account invalid"]);
    const cursor = await audit(`?subject=x&cursor=${today()}`);
    assertError(cursor, 400, "invalid_request");
    assert.deepEqual(issuesOf(cursor), ["cursor invalid"]);
  });

  test("keeps a customer's trail where the name is erased", async () => {
    await me.create();
    const [entry] = (await delivered(me)).filter(({ subject }) => subject === subjectOf(me));
    assert.ok(entry?.customer);
    const sql = "UPDATE entries SET subject = NULL, actor = nullif(actor, subject) WHERE subject = ?";
    await worker.auditLog(today()).sql(sql, subjectOf(me));
    const erased = (await delivered()).find(({ id }) => id === entry.id);
    assert.deepEqual(erased, { ...entry, subject: null, actor: null });
  });

  test("is only ever added to", async () => {
    await me.create();
    await delivered(me);
    for (const [object, table] of [
      [worker.customer(subjectOf(me)), "audit"],
      [worker.auditLog(today()), "entries"],
    ] as const) {
      const rows = () => object.sql(`SELECT * FROM ${table}`);
      const before = await rows();
      assert.ok(before.length > 0);
      for (const sql of [
        `UPDATE ${table} SET outcome = 'x'`,
        `UPDATE ${table} SET at = 0 WHERE rowid = (SELECT max(rowid) FROM ${table})`,
        `DELETE FROM ${table}`,
        `DELETE FROM ${table} WHERE rowid = (SELECT max(rowid) FROM ${table})`,
      ]) {
        await assert.rejects(object.sql(sql), /audit is append-only/, sql);
      }
      assert.deepEqual(await rows(), before);
    }
  });

  test("holds no citizen id, token or link_state", async () => {
    const created = await me.create({ citizen_id: CITIZEN_ID });
    await me.confirm(linkStates.get(created.body.id));
    await entryOf(await me.get(CITIZEN_ID));
    await entryOf(await me.get(token(me.session)));
    const stranger = customer();
    await entryOf(await stranger.confirm(linkStates.get(created.body.id)), stranger);
    await entryOf(await me.fetch("GET", `/linked_accounts?citizen_id=${CITIZEN_ID}`));
    const rows = JSON.stringify(await delivered(me, stranger));
    assert.ok(rows.includes(created.body.id) && linkStates.size > 5, "it is the log of all of the above");
    for (const secret of [CITIZEN_ID, "eyJ", "Bearer", "link_state", ...linkStates.values()]) {
      assert.ok(secret.length > 0 && !rows.includes(secret), secret.slice(0, 6));
    }
    for (const secret of Object.values(secrets)) assert.ok(!rows.includes(secret));
  });
});
