// Searching: a customer's own accounts in the ledger, all of the key's at Omise for an operator.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, suite, test } from "node:test";
import { account, answering, FakeOmise, searchOf } from "../../harness/omise.ts";
import { OPERATE, STOREFRONT, sessionOf } from "../../harness/session.ts";
import { type RunningWorker, randomSecrets, startWorker } from "../../harness/stack.ts";
import { assertError, assertStandardHeaders, issuesOf } from "../support/answer.ts";
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
const search = (who: Customer, params: Record<string, string> | string) =>
  who.fetch("GET", `/linked_accounts/search?${new URLSearchParams(params)}`);

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
  test("finds words in ids, last digits and metadata values of their own, as they are written", async () => {
    const described: Record<string, Record<string, unknown>> = {
      plain: { id: "lnac_test_plain0000000000000a" },
      digits: { id: "lnac_test_digits000000000000b", last_digits: "4321", status: "successful" },
      alice: { id: "lnac_test_alice0000000000000c", metadata: { name: "ALICE Cooper", order_no: "A-17" } },
      thai: { id: "lnac_test_thai00000000000000d", metadata: { ชื่อ: "สมชาย ใจดี" } },
      french: { id: "lnac_test_french000000000000e", metadata: { name: "Étienne" } },
      percent: { id: "lnac_test_percent00000000000f", metadata: { off: "50%", code: "snake_case" } },
      quotes: { id: "lnac_test_quotes000000000000g", metadata: { said: `it's "fine"`, path: "C:\\temp*?" } },
      empty: { id: "lnac_test_empty0000000000000h", metadata: { note: "" }, return_uri: null },
      line: { id: "lnac_test_line00000000000000j", metadata: { note: "one\ntwo\t\u0001 😀" } },
    };
    const other = customer();
    const row = (owner: Customer, attributes: Record<string, unknown>, i: number) => ({
      owner: subjectOf(owner),
      account: { created_at: `2024-06-03T00:00:0${i}Z`, ...attributes },
    });
    const rows = await seed(Object.values(described).map((attributes, i) => row(me, attributes, i)));
    // the same words in another customer's
    const theirs = Object.values(described).map(({ id, ...attributes }) => ({
      ...attributes,
      id: `${id}theirs`,
    }));
    await seed(theirs.map((attributes, i) => row(other, attributes, i)));

    const names = Object.keys(described);
    const shown = (found: unknown[]) =>
      found.map((one) => {
        const at = rows.findIndex((row) => row.id === (one as { id: string }).id);
        assert.deepEqual(one, rows[at], "as the owner sees it in a list");
        return names[at];
      });
    for (const [query, expected] of [
      ["", names],
      ["lnac_test_plain0000000000000a", ["plain"]],
      ["test_alice", ["alice"]],
      ["TEST_Alice", ["alice"]],
      ["lnac", names],
      ["4321", ["digits"]],
      ["32", ["digits"]],
      ["alice", ["alice"]],
      ["alice coop", ["alice"]],
      ["aLiCe C", ["alice"]],
      ["a-17", ["alice"]],
      ["alice  cooper", []],
      ["cooper alice", []],
      [" ", ["alice", "thai", "quotes", "line"]],
      ["สมชาย", ["thai"]],
      ["มชา", ["thai"]],
      ["ใจดี", ["thai"]],
      // A to Z alone are folded
      ["Étienne", ["french"]],
      ["ÉTIENNE", ["french"]],
      ["étienne", []],
      ["%", ["percent"]],
      ["50%", ["percent"]],
      ["5%", []],
      ["snake_case", ["percent"]],
      ["snake.case", []],
      ["a_i", []],
      ["it's", ["quotes"]],
      ['"fine"', ["quotes"]],
      ["'", ["quotes"]],
      ["\\", ["quotes"]],
      ["c:\\temp*?", ["quotes"]],
      ["*", ["quotes"]],
      ["' OR 1=1 --", []],
      ["one\ntwo", ["line"]],
      ["\u0001", ["line"]],
      ["😀", ["line"]],
      ["\\n", []],
      // names of metadata are not searched, nor is anything else of the account
      ["order_no", []],
      ["ชื่อ", []],
      ["note", []],
      ["pending", []],
      ["successful", []],
      ["direct_debit", []],
      ["127.0.0.1", []],
      ["2024-06-03", []],
      ["null", []],
      ["{", []],
      ['":"', []],
      [subjectOf(me), []],
      ["theirs", []],
      ["ก".repeat(500), []],
    ] as const) {
      const { status, body } = await search(me, { query, per_page: "100" });
      assert.equal(status, 200, JSON.stringify(body));
      assert.deepEqual(shown(body.data), expected, query);
      assert.deepEqual([body.total, body.query], [expected.length, query]);
    }
    assert.equal((await search(other, { query: "theirs" })).body.total, names.length);
    assert.equal((await search(customer(), { query: "" })).body.total, 0);
    assert.deepEqual(omise.requests, [], "Omise is not asked");
  });

  test("never finds what is the Worker's own", async () => {
    omise.answer = (request, response, body) => {
      const form = new URLSearchParams(body);
      const metadata = {
        order: "17",
        linked_accounts_stamp: form.get("metadata[linked_accounts_stamp]"),
      };
      const made = { registration_uri: `${omiseUrl}/r`, return_uri: form.get("return_uri"), metadata };
      answering(200, account(made))(request, response, body);
    };
    const created = await me.create({ metadata: { order: "17" }, citizen_id: "1101700230708" });
    assert.equal(created.status, 200, JSON.stringify(created.body));
    const sent = new URLSearchParams(omise.requests[0]?.body);
    const attempt = sent.get("metadata[linked_accounts_stamp]") ?? "";
    const linkState = new URL(sent.get("return_uri") ?? "").searchParams.get("link_state") ?? "";
    assert.ok(attempt && linkState);
    omise.requests.length = 0;
    for (const query of [attempt, attempt.slice(2, 12), linkState, "linked_accounts_", "1101700230708"]) {
      assert.equal((await search(me, { query })).body.total, 0);
    }
    assert.deepEqual((await search(me, { query: "17" })).body.data, [created.body]);
    assert.deepEqual(omise.requests, []);
  });

  test("filters by status, type and day of creation", async () => {
    const rows: [string, string, string][] = [
      ["2024-06-02T23:59:59Z", "pending", "direct_debit_scb"],
      ["2024-06-03T00:00:00Z", "successful", "direct_debit_scb"],
      ["2024-06-03T23:59:59Z", "failed", "direct_debit_kbank"],
      ["2024-06-04T00:00:00Z", "expired", "direct_debit_kbank"],
      ["2024-12-31T23:59:59Z", "deleted", "direct_debit_bay"],
      ["2025-01-01T00:00:00Z", "successful", "direct_debit_ktb"],
    ];
    await seed(
      rows.map(([created_at, status, type]) => ({
        owner: subjectOf(me),
        account: { created_at, status, type, metadata: { order: `${status} one` } },
      })),
    );
    for (const [filters, expected] of [
      [{ created: "2024-06-03" }, [1, 2]],
      [{ created: "2024-06-02" }, [0]],
      [{ created: "2024-06-04" }, [3]],
      [{ created: "2024-06-05" }, []],
      [{ created: "2024-06-02..2024-06-03" }, [0, 1, 2]],
      [{ created: "2024-06-04..2024-12-31" }, [3, 4]],
      [{ created: "2024-12-31..2025-01-01" }, [4, 5]],
      [{ created: "0000-01-01..9999-12-31" }, [0, 1, 2, 3, 4, 5]],
      [{ status: "successful" }, [1, 5]],
      [{ status: "pending" }, [0]],
      [{ status: "deleted" }, [4]],
      [{ type: "direct_debit_scb" }, [0, 1]],
      [{ type: "direct_debit_bbl" }, []],
      [{ type: "direct_debit_scb", status: "successful" }, [1]],
      [{ type: "direct_debit_scb", status: "failed" }, []],
      [{ type: "direct_debit_scb", status: "successful", created: "2024-06-03" }, [1]],
      [{ type: "direct_debit_scb", status: "successful", created: "2024-06-04" }, []],
    ] as [Record<string, string>, number[]][]) {
      const params = Object.entries(filters).map(([name, value]) => [`filters[${name}]`, value]);
      const { body } = await search(me, Object.fromEntries(params));
      const found = body.data.map((row: { created_at: string }) =>
        rows.findIndex(([at]) => at === row.created_at),
      );
      assert.deepEqual(found, expected, JSON.stringify(filters));
      assert.equal(body.total, expected.length);
      assert.deepEqual(body.filters, filters, "echoed");
    }
    const oneDay = await search(me, { "filters[created]": "2024-06-03..2024-06-03" });
    assert.deepEqual([oneDay.body.total, oneDay.body.filters], [2, { created: "2024-06-03" }]);
    const both = await search(me, {
      query: "ONE",
      "filters[created]": "2024-06-03",
      page: "2",
      per_page: "1",
    });
    assert.deepEqual([both.body.total, both.body.data[0]?.status], [2, "failed"]);
  });

  test("pages through many without loss or repeat, in both orders, in Omise's envelope", async () => {
    const rows = await seed(
      Array.from({ length: 61 }, (_, i) => ({
        owner: subjectOf(me),
        account: {
          created_at: `2024-06-03T00:00:${String((i * 7) % 20).padStart(2, "0")}Z`,
          metadata: { order: i === 13 ? "other" : `order ${i}` },
        },
      })),
    );
    await seed([{ owner: subjectOf(customer()), account: { metadata: { order: "order 1" } } }]);
    const place = (row: Record<string, unknown>) => `${row.created_at} ${row.id}`;
    const expected = rows
      .filter((_, i) => i !== 13)
      .map(place)
      .sort((a, b) => (a < b ? -1 : 1));
    for (const [order, perPage, pages] of [
      ["chronological", 7, 9],
      ["reverse_chronological", 20, 3],
      ["chronological", 100, 1],
    ] as const) {
      const found = [];
      for (let page = 1; page <= pages; page++) {
        const { body } = await search(me, { query: "ORDER", page: `${page}`, per_page: `${perPage}`, order });
        assert.deepEqual([body.total, body.total_pages, body.page], [60, pages, page]);
        found.push(...body.data.map(place));
      }
      assert.deepEqual(found, order === "chronological" ? expected : expected.toReversed());
    }
    for (const page of ["10000000", "3"]) {
      const past = await search(me, { query: "order", page });
      assertStandardHeaders(past);
      assert.deepEqual(past.body, {
        object: "search",
        export: null,
        data: [],
        page: Number(page),
        per_page: 30,
        total: 60,
        total_pages: 2,
        filters: {},
        location: "/search",
        order: "chronological",
        query: "order",
        scope: "linked_account",
        aggregate_level: null,
      });
    }
    const nothing = (await search(me, { query: "nothing" })).body;
    assert.deepEqual([nothing.total, nothing.total_pages], [0, 0]);
    assert.deepEqual(Object.keys(nothing), Object.keys(searchOf([])));
  });

  test("is told everything that is wrong with the parameters at once", async () => {
    for (const [query, issues] of [
      [
        "limit=5&order=up&per_page=101&page=0&filters[created]=2024-13-01&filters[type]=individual&filters[status]=open" +
          `&query=${"a".repeat(501)}`,
        [
          "query invalid",
          "filters[status] invalid",
          "filters[type] invalid",
          "filters[created] invalid",
          "page invalid",
          "per_page invalid",
          "order invalid",
          "limit unknown_field",
        ],
      ],
      ["page=-1", ["page invalid"]],
      ["page=10000001", ["page invalid"]],
      ["per_page=0", ["per_page invalid"]],
      ["filters[created]=2024-06-04..2024-06-03", ["filters[created] invalid"]],
      ["filters[created]=2024-06-03..", ["filters[created] invalid"]],
      ["filters[created]=2024-06-03T00:00:00Z", ["filters[created] invalid"]],
      ["filters[created]=2024-6-3", ["filters[created] invalid"]],
      ["filters[created]=2024-02-30", ["filters[created] invalid"]],
      ["query=a&query=b", ["query duplicate"]],
      ["q=a", ["q unknown_field"]],
      ["filters=x", ["filters unknown_field"]],
      [`query=${"ก".repeat(500)}&${"x".repeat(4000)}`, [" too_long"]],
    ] as const) {
      const answer = await me.fetch("GET", `/linked_accounts/search?${query}`);
      assertError(answer, 400, "invalid_request");
      assert.deepEqual(issuesOf(answer), issues, query.slice(0, 100));
    }
    assert.deepEqual(omise.requests, []);
  });
});

suite("an operator", () => {
  test("asks Omise, in the core's words", async () => {
    omise.answer = answering(200, searchOf([]));
    for (const [query, sent] of [
      ["", "query=&page=1&per_page=30&order=chronological"],
      [
        "?order=reverse_chronological&per_page=5&page=2&filters[created]=2024-06-03..2024-06-04&filters[type]=direct_debit_scb" +
          "&filters[status]=pending&query=A%26B%3D%E0%B8%81+%25",
        "query=A%26B%3D%E0%B8%81+%25&filters%5Bcreated%5D=2024-06-03..2024-06-04&filters%5Bstatus%5D=pending" +
          "&filters%5Btype%5D=direct_debit_scb&page=2&per_page=5&order=reverse_chronological",
      ],
    ] as const) {
      omise.requests.length = 0;
      const answer = await operator.fetch("GET", `/linked_accounts/search${query}`);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      assert.deepEqual(
        omise.requests.map(({ method, path, body }) => [method, path, body]),
        [["GET", `/linked_accounts/search?${sent}`, ""]],
      );
    }
  });

  test("sees Omise's accounts, without what customers' objects know of them", async () => {
    const [known] = await seed([
      { owner: "a", account: { status: "successful" }, confirmed_at: "2024-06-02T01:02:03Z" },
    ]);
    const uri = `${omiseUrl}/register`;
    const metadata = { order: "17", linked_accounts_stamp: "x" };
    omise.answer = answering(
      200,
      searchOf(
        [
          account({ id: known?.id, registration_uri: uri, metadata }),
          account({ registration_uri: "https://evil.example/" }),
        ],
        { total: 62, total_pages: 3, filters: { status: "pending" }, location: "/elsewhere" },
      ),
    );
    const { body } = await search(operator, { query: "x", "filters[status]": "pending" });
    const { data, ...envelope } = body;
    assert.deepEqual(envelope, {
      object: "search",
      export: null,
      page: 1,
      per_page: 30,
      total: 62,
      total_pages: 3,
      filters: { status: "pending" },
      location: "/search",
      order: "chronological",
      query: "x",
      scope: "linked_account",
      aggregate_level: null,
    });
    const shown = data.map((row: Record<string, unknown>) => [
      row.id === known?.id,
      row.confirmed_at,
      row.metadata,
      row.registration_uri,
    ]);
    assert.deepEqual(shown, [
      [true, null, { order: "17" }, uri],
      [false, null, {}, null],
    ]);
  });

  test("sees no account of the other mode", async () => {
    omise.answer = answering(200, searchOf([account(), account({ livemode: true })]));
    const answer = await search(operator, "");
    assertError(answer, 502, "mode_mismatch");
    assert.ok(!JSON.stringify(answer.body).includes("lnac"), "no data is shown");
  });

  for (const [name, misbehave, status, reason, more = {}] of PAGE_FAULTS) {
    test(`and Omise answers ${name}`, async () => {
      omise.answer = misbehave;
      const answer = await search(operator, "");
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
      const body = JSON.stringify(searchOf([])).padEnd(length);
      omise.answer = (_, response) => void response.writeHead(200).end(body);
      const answer = await search(operator, "");
      assert.equal(answer.status, status);
      if (status !== 200) assertError(answer, 502, "upstream_unreadable");
    }
  });

  test("and Omise answers with another envelope", async () => {
    omise.answer = answering(200, searchOf([], { object: "list" }));
    assertError(await search(operator, ""), 502, "upstream_unreadable");
  });

  test("a search that failed is asked for again", async () => {
    omise.answer = (request, response, body) =>
      (omise.requests.length === 1 ? answering(503, {}) : answering(200, searchOf([])))(
        request,
        response,
        body,
      );
    assert.equal((await search(operator, "")).status, 200);
    assert.equal(omise.requests.length, 2);
  });
});
