// Listing: a customer's own accounts from the ledger, all of the key's from Omise for an operator.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, suite, test } from "node:test";
import { account, answering, FakeOmise, listOf } from "../../harness/omise.ts";
import { OPERATE, STOREFRONT, sessionOf } from "../../harness/session.ts";
import { type RunningWorker, randomSecrets, startWorker } from "../../harness/stack.ts";
import { ATTRIBUTES, assertError, assertStandardHeaders, issuesOf } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";
import { type Seed, seedLinks } from "../support/seed.ts";
import { PAGE_FAULTS } from "./page-faults.ts";

const omise = new FakeOmise();
const secrets = randomSecrets();
let worker: RunningWorker;
let omiseUrl: string;
let me: Customer;
let operator: Customer;
const customer = (more: Record<string, unknown> = {}) =>
  new Customer(worker.url, sessionOf(worker, secrets), { sub: randomUUID(), ...more });
const subjectOf = (who: Customer) => String(who.claims.sub);
const seed = (seeds: Seed[]) => seedLinks(worker, seeds);
const list = (who: Customer, query = "") => who.fetch("GET", `/linked_accounts${query}`);

before(async () => {
  omiseUrl = await omise.start();
  worker = await startWorker({
    omiseUrl,
    storefrontUrl: STOREFRONT,
    secrets,
    bindings: { UPSTREAM_DEADLINE_MS: "4000" },
  });
});
after(async () => {
  await worker?.dispose();
  await omise.stop();
});
beforeEach(() => {
  omise.requests.length = 0;
  omise.answer = answering(500, {});
  me = customer();
  operator = customer(OPERATE);
});

suite("a customer", () => {
  test("sees their own accounts and no other customer's, in Omise's envelope", async () => {
    const other = customer();
    const mine = await seed([
      { owner: subjectOf(me), account: { created_at: "2024-06-01T00:00:00Z" } },
      {
        owner: subjectOf(me),
        account: { created_at: "2024-06-02T00:00:00Z", status: "successful", last_digits: "4321" },
        confirmed_at: "2024-06-02T01:02:03Z",
      },
    ]);
    const theirs = await seed([{ owner: subjectOf(other), account: { created_at: "2024-06-01T12:00:00Z" } }]);
    const before = Math.floor(Date.now() / 1000) * 1000;
    const answer = await list(me);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assertStandardHeaders(answer);
    assert.deepEqual(Object.keys(answer.body), [
      "object",
      "data",
      "limit",
      "offset",
      "total",
      "location",
      "order",
      "from",
      "to",
    ]);
    const { data, to, ...envelope } = answer.body;
    assert.deepEqual(envelope, {
      object: "list",
      limit: 20,
      offset: 0,
      total: 2,
      location: "/linked_accounts",
      order: "chronological",
      from: "1970-01-01T00:00:00Z",
    });
    assert.match(to, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.ok(Date.parse(to) >= before, "the time of the request");
    assert.deepEqual(data, mine);
    assert.deepEqual(Object.keys(data[0] ?? {}), ATTRIBUTES);
    assert.deepEqual((await list(other)).body.data, theirs);
    const none = (await list(customer())).body;
    assert.deepEqual([none.data, none.total], [[], 0]);
    assert.deepEqual(omise.requests, [], "Omise is not asked");
  });

  test("pages through many without loss or repeat, in both orders", async () => {
    const other = subjectOf(customer());
    // four to a second, so that the order within one is told by the id alone; and another customer's between them
    const time = (i: number) => new Date(Date.UTC(2024, 5, 1) + Math.floor(i / 4) * 1000);
    const shuffled = Array.from({ length: 230 }, (_, i) => (i * 97) % 230);
    const seeds = shuffled.map((i) => ({
      owner: i % 10 === 9 ? other : subjectOf(me),
      account: { created_at: time(i).toISOString().replace(".000Z", "Z") },
    }));
    const rows = await seed(seeds);
    const place = (row: Record<string, unknown>) => `${row.created_at} ${row.id}`;
    const mine = rows.filter((_, i) => seeds[i]?.owner !== other).map(place);
    const expected = mine.sort((a, b) => (a < b ? -1 : 1));
    assert.equal(expected.length, 207);
    for (const [order, limit] of [
      ["chronological", 7],
      ["chronological", 100],
      ["reverse_chronological", 20],
      ["reverse_chronological", 100],
    ] as const) {
      const found = [];
      for (let offset = 0; offset < expected.length; offset += limit) {
        const { body } = await list(me, `?limit=${limit}&offset=${offset}&order=${order}`);
        assert.deepEqual([body.limit, body.offset, body.total, body.order], [limit, offset, 207, order]);
        assert.equal(body.data.length, Math.min(limit, expected.length - offset));
        found.push(...body.data.map(place));
      }
      assert.deepEqual(found, order === "chronological" ? expected : expected.toReversed());
    }
    for (const offset of [207, 1_000_000_000]) {
      const past = await list(me, `?offset=${offset}`);
      assert.deepEqual([past.status, past.body.data, past.body.total], [200, [], 207]);
    }
    assert.deepEqual(omise.requests, []);
  });

  test("names a time from which and to which, both included", async () => {
    const at = (second: number) => `2024-06-03T04:11:0${second}Z`;
    await seed([1, 2, 3, 4].map((i) => ({ owner: subjectOf(me), account: { created_at: at(i) } })));
    for (const [query, expected] of [
      [`from=${at(2)}`, [2, 3, 4]],
      [`to=${at(3)}`, [1, 2, 3]],
      [`from=${at(2)}&to=${at(3)}`, [2, 3]],
      [`from=${at(2)}&to=${at(2)}`, [2]],
      [`from=${at(3)}&to=${at(2)}`, []],
      [`from=${at(5)}`, []],
      ["to=1970-01-01T00:00:00Z", []],
      ["from=0000-01-01T00:00:00Z&to=9999-12-01T00:00:00Z", [1, 2, 3, 4]],
      [`from=${encodeURIComponent("2024-06-03T11:11:03+07:00")}`, [3, 4]],
      [`from=${at(2)}&limit=1`, [2]],
    ] as const) {
      const { body } = await list(me, `?${query}`);
      const found = body.data.map((row: { created_at: string }) => row.created_at);
      assert.deepEqual(found, expected.map(at), query);
      assert.equal(body.total, query.endsWith("&limit=1") ? 3 : expected.length, query);
    }
    const { body } = await list(me, `?from=${at(2)}&to=${at(3)}`);
    assert.deepEqual([body.from, body.to], [at(2), at(3)], "echoed");
  });

  test("filters by status and by type, alone and together", async () => {
    const statuses = ["pending", "successful", "failed", "expired", "deleted"];
    const types = ["direct_debit_bay", "direct_debit_kbank", "direct_debit_ktb", "direct_debit_scb"];
    const rows = await seed(
      statuses.flatMap((status, i) =>
        types.slice(i % 2).map((type) => ({ owner: subjectOf(me), account: { status, type } })),
      ),
    );
    const ids = (found: Record<string, unknown>[]) => found.map((row) => row.id).sort();
    for (const status of [undefined, ...statuses]) {
      for (const type of [undefined, ...types, "direct_debit_bbl"]) {
        const query = new URLSearchParams({ limit: "100" });
        if (status) query.set("filters[status]", status);
        if (type) query.set("filters[type]", type);
        const expected = rows.filter(
          (row) => (!status || row.status === status) && (!type || row.type === type),
        );
        const { body } = await list(me, `?${query}`);
        assert.deepEqual(ids(body.data), ids(expected), `${query}`);
        assert.equal(body.total, expected.length);
      }
    }
    const { body } = await list(me, "?filters[status]=pending&limit=1&offset=1");
    assert.deepEqual([body.data.length, body.total], [1, 4], "the total is of what the filter leaves");
  });

  test("is told everything that is wrong with the parameters at once", async () => {
    await seed([{ owner: subjectOf(me) }]);
    for (const [query, issues] of [
      [
        "to=x&filters[type]=individual&filters[status]=open&from=x&order=up&offset=-1&limit=101&page=2",
        [
          "limit invalid",
          "offset invalid",
          "order invalid",
          "from invalid",
          "to invalid",
          "filters[status] invalid",
          "filters[type] invalid",
          "page unknown_field",
        ],
      ],
      ["limit=0", ["limit invalid"]],
      ["limit=%2B5", ["limit invalid"]],
      ["limit=5.0", ["limit invalid"]],
      ["limit=๕", ["limit invalid"]],
      ["limit=99999999999999999999", ["limit invalid"]],
      ["offset=1000000001", ["offset invalid"]],
      ["order=CHRONOLOGICAL", ["order invalid"]],
      ["from=2024-06-03", ["from invalid"]],
      ["from=2024-06-03T04:11:14", ["from invalid"]],
      ["to=1717387874", ["to invalid"]],
      ["limit=5&limit=5", ["limit duplicate"]],
      ["limit=5&limit=", ["limit duplicate"]],
      ["filters[status]=pending&filters%5Bstatus%5D=pending", ["filters[status] duplicate"]],
      ["filters[status]=Pending", ["filters[status] invalid"]],
      ["filters[created]=2024-06-03", ["filters[created] unknown_field"]],
      ["filters[status][]=pending", ["filters[status][] unknown_field"]],
      ["Limit=5", ["Limit unknown_field"]],
      ["owner=somebody", ["owner unknown_field"]],
      ["x&=1", ["x unknown_field", " unknown_field"]],
      [`limit=${"0".repeat(9000)}`, [" too_long"]],
    ] as const) {
      const answer = await list(me, `?${query}`);
      assertError(answer, 400, "invalid_request");
      assert.deepEqual(issuesOf(answer), issues, query.slice(0, 100));
    }
    for (const query of ["?", "?limit=&order=&filters[status]=", "?&&"]) {
      assert.equal((await list(me, query)).body.total, 1, "empty counts as absent");
    }
    const strangers = Array.from({ length: 1000 }, (_, i) => `x${i}`).join("&");
    const hostile = await list(me, `?${strangers}`);
    assertError(hostile, 400, "invalid_request");
    assert.equal(hostile.body.issues.length, 100);
    assert.deepEqual(omise.requests, []);
  });

  test("sees what they created, without what is the Worker's own, and when it was confirmed", async () => {
    omise.answer = (request, response, body) => {
      const form = new URLSearchParams(body);
      const metadata = Object.fromEntries(
        [...form].flatMap(([name, value]) => {
          const key = /^metadata\[(.+)\]$/.exec(name)?.[1];
          return key ? [[key, value]] : [];
        }),
      );
      const made = { registration_uri: `${omiseUrl}/r`, return_uri: form.get("return_uri"), metadata };
      answering(200, account({ ...made, created_at: "2024-06-03T04:11:14Z" }))(request, response, body);
    };
    const created = await me.create({ metadata: { order: "17" }, citizen_id: "1101700230708" });
    assert.equal(created.status, 200, JSON.stringify(created.body));
    const sent = new URLSearchParams(omise.requests[0]?.body);
    assert.ok(sent.has("metadata[linked_accounts_stamp]"));
    const linkState = new URL(sent.get("return_uri") ?? "").searchParams.get("link_state") ?? "";

    omise.requests.length = 0;
    const listed = await list(me);
    assert.deepEqual(listed.body.data, [created.body]);
    assert.deepEqual(listed.body.data[0].metadata, { order: "17" });
    assert.equal(listed.body.data[0].return_uri, `${STOREFRONT}/return`);
    const text = JSON.stringify(listed.body);
    for (const own of ["link_state", linkState, "linked_accounts_stamp", "1101700230708"]) {
      assert.ok(!text.includes(own), own);
    }
    assert.deepEqual(omise.requests, []);

    omise.answer = answering(503, {});
    const confirmed = await me.confirm(linkState);
    assert.match(confirmed.body.confirmed_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    omise.requests.length = 0;
    assert.equal((await list(me)).body.data[0].confirmed_at, confirmed.body.confirmed_at);
    assert.deepEqual(omise.requests, []);
  });
});

suite("an operator", () => {
  test("asks Omise, in the core's words and with a fixed list of headers", async () => {
    omise.answer = answering(200, listOf([]));
    for (const [query, sent] of [
      ["", "limit=20&offset=0&order=chronological"],
      ["?", "limit=20&offset=0&order=chronological"],
      [
        "?to=2024-06-30T00:00:00Z&from=2024-06-03T11:11:14%2B07:00&order=reverse_chronological&offset=10&limit=5",
        "limit=5&offset=10&order=reverse_chronological&from=2024-06-03T04%3A11%3A14Z&to=2024-06-30T00%3A00%3A00Z",
      ],
    ] as const) {
      omise.requests.length = 0;
      const answer = await operator.fetch("GET", `/linked_accounts${query}`, {
        headers: { Cookie: "a=b", "Omise-Version": "2014-07-27", "Idempotency-Key": "k" },
      });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      assert.equal(omise.requests.length, 1);
      const [request] = omise.requests;
      assert.ok(request);
      assert.deepEqual([request.method, request.path, request.body], ["GET", `/linked_accounts?${sent}`, ""]);
      assert.equal(request.headers["omise-version"], "2019-05-29");
      assert.equal(request.headers["x-request-id"], answer.headers.get("X-Request-Id"));
      for (const name of ["cookie", "idempotency-key", "content-type"]) {
        assert.equal(request.headers[name], undefined, name);
      }
    }
  });

  test("sees Omise's accounts, without what customers' objects know of them", async () => {
    const known = await seed([
      { owner: "a", account: { status: "successful" }, confirmed_at: "2024-06-02T01:02:03Z" },
      { owner: "b", account: {} },
    ]);
    const [confirmed, unconfirmed] = known;
    const uri = `${omiseUrl}/register`;
    const ours = {
      registration_uri: uri,
      return_uri: `${STOREFRONT}/return?a=b&link_state=${"A".repeat(22)}`,
      metadata: { order: "17", linked_accounts_stamp: "x" },
    };
    const strange = account({ registration_uri: uri, brand_new: 1, customer_id: "cust_test_1" });
    omise.answer = answering(
      200,
      listOf(
        [
          account({ ...ours, id: confirmed?.id, status: "deleted" }),
          account({ ...ours, id: unconfirmed?.id }),
          strange,
        ],
        { total: 1234, from: "2017-11-02T11:30:00+07:00" },
      ),
    );
    const answer = await list(operator, "?limit=3&order=reverse_chronological");
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assertStandardHeaders(answer);
    const { data, ...envelope } = answer.body;
    assert.deepEqual(envelope, {
      object: "list",
      limit: 3,
      offset: 0,
      total: 1234,
      location: "/linked_accounts",
      order: "reverse_chronological",
      from: "2017-11-02T04:30:00Z",
      to: "2030-01-01T00:00:00Z",
    });
    const shown = data.map((row: Record<string, unknown>) => [
      row.id,
      row.status,
      row.confirmed_at,
      row.metadata,
      row.return_uri,
      row.registration_uri,
    ]);
    assert.deepEqual(shown, [
      [confirmed?.id, "deleted", null, { order: "17" }, `${STOREFRONT}/return?a=b`, uri],
      [unconfirmed?.id, "pending", null, { order: "17" }, `${STOREFRONT}/return?a=b`, uri],
      [strange.id, "pending", null, {}, strange.return_uri, uri],
    ]);
    assert.equal("brand_new" in data[2], false, "what is shown is a fixed list");
  });

  test("is not sent to a registration page elsewhere either", async () => {
    const uris = [
      `${omiseUrl}/register`,
      "https://evil.example/",
      `${omiseUrl}.evil.example/`,
      `${omiseUrl}@evil.example/`,
      `${omiseUrl}\\@evil.example/`,
      "javascript:alert(1)",
      null,
    ];
    omise.answer = answering(200, listOf(uris.map((registration_uri) => account({ registration_uri }))));
    const { body } = await list(operator);
    const shown = body.data.map((row: { registration_uri: string | null }) => row.registration_uri);
    assert.deepEqual(shown, [uris[0], null, null, null, null, null, null]);
  });

  test("is refused what Omise's list does not know", async () => {
    const filters = "?filters[type]=direct_debit_scb&filters[status]=pending";
    const answer = await list(operator, filters);
    assertError(answer, 400, "invalid_request");
    assert.deepEqual(issuesOf(answer), ["filters[status] not_supported", "filters[type] not_supported"]);
    assert.deepEqual(issuesOf(await list(operator, "?filters[type]=direct_debit_scb")), [
      "filters[type] not_supported",
    ]);
    assert.deepEqual(issuesOf(await list(operator, "?limit=0&filters[status]=x&x")), [
      "limit invalid",
      "filters[status] invalid",
      "x unknown_field",
    ]);
    assert.deepEqual(omise.requests, [], "and Omise is not asked");
  });

  test("sees no account of the other mode", async () => {
    for (const other of [{ livemode: true }, { id: "lnac_0000000000000000000" }]) {
      omise.answer = answering(200, listOf([account(), account(other)]));
      const answer = await list(operator);
      assertError(answer, 502, "mode_mismatch");
      assert.ok(!JSON.stringify(answer.body).includes("lnac"), "no data is shown");
    }
  });

  test("reads pages far larger than an account", async () => {
    const metadata = { note: "ก".repeat(10_000) };
    omise.answer = answering(200, listOf(Array.from({ length: 100 }, () => account({ metadata }))));
    const { status, body } = await list(operator, "?limit=100");
    assert.deepEqual([status, body.data?.length], [200, 100]);
  });

  for (const [name, misbehave, status, reason, more = {}] of PAGE_FAULTS) {
    test(`and Omise answers ${name}`, async () => {
      omise.answer = misbehave;
      const answer = await list(operator);
      assertError(answer, status, reason);
      assert.equal(answer.headers.get("Retry-After"), more.retryAfter ?? null);
      assert.ok(!JSON.stringify(answer.body).includes("<b>"), "Omise's text stays in the log");
      assert.equal(omise.requests.length, more.requests ?? 1);
    });
  }

  test("and Omise answers more than 4 MiB", async () => {
    for (const [length, status] of [
      [4 * 1024 * 1024, 200],
      [4 * 1024 * 1024 + 1, 502],
    ] as const) {
      const body = JSON.stringify(listOf([])).padEnd(length);
      omise.answer = (_, response) => void response.writeHead(200).end(body);
      const answer = await list(operator);
      assert.equal(answer.status, status);
      if (status !== 200) assertError(answer, 502, "upstream_unreadable");
    }
  });

  test("and Omise answers with another envelope", async () => {
    omise.answer = answering(200, listOf([], { object: "search" }));
    assertError(await list(operator), 502, "upstream_unreadable");
  });

  test("a list that failed is asked for again", async () => {
    omise.answer = (request, response, body) =>
      (omise.requests.length === 1 ? answering(503, {}) : answering(200, listOf([])))(
        request,
        response,
        body,
      );
    assert.equal((await list(operator)).status, 200);
    assert.equal(omise.requests.length, 2);
    assert.deepEqual(
      omise.requests.map(({ method, path }) => `${method} ${path}`),
      Array(2).fill("GET /linked_accounts?limit=20&offset=0&order=chronological"),
    );
  });

  test("a short Retry-After is waited for", async () => {
    const came: number[] = [];
    omise.answer = (request, response, body) => {
      came.push(performance.now());
      const busy = answering(429, {}, { "Retry-After": "1" });
      (came.length === 1 ? busy : answering(200, listOf([])))(request, response, body);
    };
    assert.equal((await list(operator)).status, 200);
    const [first = 0, second = 0, ...more] = came;
    assert.deepEqual(more, []);
    // without it a fifth of a second is the longest; a timer may be early by a millisecond
    assert.ok(second - first >= 990, `${second - first} ms`);
  });
});
