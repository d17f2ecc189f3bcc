// Searching accounts: words, filters, pages, by either path.

import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { before, suite, test } from "node:test";
import { basic, read, sandbox } from "./sandbox.ts";

const { url, key, call, create, pending, pendingSince, answer, lapse, db, lines } = await sandbox();

const search = async (query: string) => await call("GET", `/linked_accounts/search?${query}`);
const params = (fields: Record<string, string>) => new URLSearchParams(fields).toString();

/** The accounts by the names that the tests give them. */
const ids: Record<string, string> = {};
const idOf = (name: string) => ids[name] ?? assert.fail(name);

/** The names of what is found, in its order. */
async function find(fields: Record<string, string>): Promise<string[]> {
  const found = await search(params({ per_page: "100", ...fields }));
  assert.equal(found.status, 200, found.text);
  assert.equal(found.body.total, found.body.data.length);
  return found.body.data.map(({ id }: { id: string }) => {
    const [name] = Object.entries(ids).find(([, other]) => other === id) ?? assert.fail(id);
    return name;
  });
}

before(async () => {
  const made: [string, string, string, Record<string, string>][] = [
    ["old", "2023-12-31T23:59:59Z", "scb", { "metadata[order]": "A-17", "metadata[gift]": "Yes, please" }],
    ["approved", "2024-01-01T00:00:00Z", "scb", { "metadata[order]": "a-18" }],
    ["declined", "2024-01-01T23:59:59Z", "kbank", { "metadata[note]": "100% cotton" }],
    [
      "lapsed",
      "2024-01-02T00:00:00Z",
      "kbank",
      { "metadata[note]": "100 cotton", "metadata[a_b]": "snake_case" },
    ],
    ["deleted", "2024-02-29T12:00:00Z", "ktb", { "metadata[name]": "มาลี ใจดี" }],
    ["plain", "2024-03-01T12:00:00Z", "bay", { "metadata[path]": "C:\\x", "metadata[q]": `it's "7"` }],
    [
      "foreign",
      "2024-03-02T12:00:00Z",
      "bbl",
      { "metadata[name]": "CAFÉ Straße ΟΔΟΣ", "metadata[x]": "snakeXcase" },
    ],
    ["lines", "2024-03-03T12:00:00Z", "bay", { "metadata[a]": "first", "metadata[b]": "second\nthird" }],
  ];
  for (const [name, createdAt, bank, metadata] of made) {
    ids[name] = await pendingSince(createdAt, { type: `direct_debit_${bank}`, ...metadata });
  }
  await answer(idOf("approved"), { action: "approve", account: "savings" });
  await answer(idOf("declined"), { action: "decline" });
  await answer(idOf("deleted"), { action: "approve", account: "current" });
  await call("DELETE", `/linked_accounts/${idOf("deleted")}`);
  // nobody asks for it by its id before it is searched for
  await lapse(idOf("lapsed"));
});

const ALL = ["old", "approved", "declined", "lapsed", "deleted", "plain", "foreign", "lines"];

suite("filters", () => {
  const cases: [Record<string, string>, string[]][] = [
    [{}, ALL],
    [{ order: "reverse_chronological" }, ALL.toReversed()],
    [{ "filters[status]": "pending" }, ["old", "plain", "foreign", "lines"]],
    [{ "filters[status]": "successful" }, ["approved"]],
    [{ "filters[status]": "failed" }, ["declined"]],
    [{ "filters[status]": "expired" }, ["lapsed"]],
    [{ "filters[status]": "deleted" }, ["deleted"]],
    [{ "filters[type]": "direct_debit_scb" }, ["old", "approved"]],
    [{ "filters[type]": "direct_debit_bay" }, ["plain", "lines"]],
    [{ "filters[type]": "direct_debit_bay", order: "reverse_chronological" }, ["lines", "plain"]],
    [{ "filters[created]": "2023-12-31" }, ["old"]],
    [{ "filters[created]": "2024-01-01" }, ["approved", "declined"]],
    [{ "filters[created]": "2024-01-02" }, ["lapsed"]],
    [{ "filters[created]": "2024-01-03" }, []],
    [{ "filters[created]": "2024-01-01..2024-01-02" }, ["approved", "declined", "lapsed"]],
    [{ "filters[created]": "2024-02-29..2024-03-01" }, ["deleted", "plain"]],
    [{ "filters[created]": "0001-01-01..9999-12-31" }, ALL],
    [{ "filters[status]": "pending", "filters[type]": "direct_debit_scb" }, ["old"]],
    [{ "filters[status]": "deleted", "filters[type]": "direct_debit_scb" }, []],
    [{ "filters[status]": "pending", "filters[created]": "2024-01-01..2024-03-01" }, ["plain"]],
    [{ "filters[type]": "direct_debit_kbank", "filters[created]": "2024-01-02" }, ["lapsed"]],
    [
      {
        query: "cotton",
        "filters[status]": "expired",
        "filters[type]": "direct_debit_kbank",
        "filters[created]": "2024-01-01..2024-01-02",
      },
      ["lapsed"],
    ],
    [{ query: "cotton", "filters[status]": "failed" }, ["declined"]],
    [{ query: "cotton", "filters[type]": "direct_debit_scb" }, []],
    [{ "filters[status]": "" }, ALL],
  ];
  for (const [fields, names] of cases) {
    test(JSON.stringify(fields), async () => assert.deepEqual(await find(fields), names));
  }
  test("what is found is shown as it is by itself", async () => {
    for (const account of (await search("")).body.data) {
      assert.deepEqual(account, (await call("GET", `/linked_accounts/${account.id}`)).body);
    }
  });
});

suite("words", () => {
  // none that an id could have by chance
  const cases: [string, string[]][] = [
    ["a-17", ["old"]],
    ["A-1", ["old", "approved"]],
    ["YES, P", ["old"]],
    ["%", ["declined"]],
    ["100%", ["declined"]],
    ["100 ", ["lapsed"]],
    ["cotton", ["declined", "lapsed"]],
    ["snake_case", ["lapsed"]],
    ["SNAKE", ["lapsed", "foreign"]],
    ["100*", []],
    ["มาลี", ["deleted"]],
    ["ลี ใจ", ["deleted"]],
    ["มาลัย", []],
    ["café", ["foreign"]],
    ["cafe s", []],
    ["STRASSE", ["foreign"]],
    ["οδος", ["foreign"]],
    ["c:\\X", ["plain"]],
    [`IT'S "7"`, ["plain"]],
    ["' OR 1=1 --", []],
    ["cotton 100", []],
    ["second\nthird", ["lines"]],
    ["second third", []],
    ["first\nsecond", []],
    ["firstsecond", []],
    // names of metadata, types and addresses are no words
    ["order", []],
    ["a_b", []],
    ["direct_debit", []],
    ["shop.example", []],
    ["x".repeat(500), []],
    ["ก".repeat(500), []],
    // control characters are all one
    ["\u0000", ["lines"]],
  ];
  for (const [query, names] of cases) {
    test(JSON.stringify(query.slice(0, 40)), async () => assert.deepEqual(await find({ query }), names));
  }
  test("an id, a part of it, in capitals", async () => {
    const id = idOf("plain");
    for (const query of [id, id.slice(5), id.slice(5).toUpperCase()]) {
      assert.deepEqual(await find({ query }), ["plain"]);
    }
    assert.deepEqual(await find({ query: "lnac_test_" }), ALL);
  });
  test("the last digits, also of what is deleted", async () => {
    for (const name of ["approved", "deleted"]) {
      const { last_digits } = (await call("GET", `/linked_accounts/${idOf(name)}`)).body;
      assert.match(last_digits, /^\d{4}$/);
      const found = await find({ query: last_digits });
      assert.ok(found.includes(name), found.join());
      assert.ok(!(await find({ query: `${last_digits}0` })).includes(name));
    }
  });
  test("what JSON alone can say", async () => {
    const made = await call("POST", "/linked_accounts", {
      headers: { "content-type": "application/json" },
      body: `{"type":"direct_debit_ktb","return_uri":"https://shop.example/",
        "metadata":{"big":12345678901234567890123,"yes":true,"none":null,"deep":{"list":["Buried"]}}}`,
    });
    assert.equal(made.status, 200);
    for (const query of ["12345678901234567890123", "true", "null", "buried"]) {
      const { body } = await search(
        params({ query, "filters[type]": "direct_debit_ktb", "filters[status]": "pending" }),
      );
      assert.deepEqual(
        body.data.map(({ id }: { id: string }) => id),
        [made.body.id],
        query,
      );
    }
    await (await db()).prepare("DELETE FROM accounts WHERE id = ?").bind(made.body.id).run();
  });
  test("are not logged", () => {
    assert.ok(lines.includes("GET /linked_accounts/search 200"));
    for (const word of ["cotton", "%E0%B8%A1", "มาลี"]) assert.ok(!lines.join("\n").includes(word), word);
  });
});

suite("the answer", () => {
  test("to the letter", async () => {
    const query = {
      query: "A-17",
      "filters[status]": "pending",
      "filters[created]": "2023-12-31..2024-01-01",
    };
    const { text, headers } = await search(
      params({ ...query, per_page: "2", order: "reverse_chronological" }),
    );
    const shown = (await call("GET", `/linked_accounts/${idOf("old")}`)).text.trimEnd();
    assert.equal(
      text,
      `{
  "object": "search",
  "export": null,
  "data": [
    ${shown.replaceAll("\n", "\n    ")}
  ],
  "page": 1,
  "per_page": 2,
  "total": 1,
  "total_pages": 1,
  "filters": {
    "created": "2023-12-31..2024-01-01",
    "status": "pending"
  },
  "location": "/search",
  "order": "reverse_chronological",
  "query": "A-17",
  "scope": "linked_account",
  "aggregate_level": null
}
`,
    );
    assert.equal(headers.get("content-type"), "application/json; charset=utf-8");
    assert.equal(headers.get("cache-control"), "no-cache, no-store");
    assert.equal(headers.get("omise-version"), "2019-05-29");
    assert.match(headers.get("x-request-id") ?? "", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });
  test("the defaults", async () => {
    const { data, ...rest } = (await call("GET", "/linked_accounts/search")).body;
    assert.equal(data.length, ALL.length);
    assert.deepEqual(rest, {
      object: "search",
      export: null,
      page: 1,
      per_page: 30,
      total: ALL.length,
      total_pages: 1,
      filters: {},
      location: "/search",
      order: "chronological",
      query: "",
      scope: "linked_account",
      aggregate_level: null,
    });
  });
  for (const query of [
    "",
    "&query=a-1&page=2&per_page=1",
    "&filters[status]=expired&order=reverse_chronological",
    "&page=9",
  ]) {
    test(`by either path: ${query}`, async () => {
      const scoped = await call("GET", `/search?scope=linked_account${query}`);
      assert.equal(scoped.status, 200);
      assert.equal((await call("GET", `/search/?scope=linked_account${query}`)).text, scoped.text);
      assert.equal(scoped.text, (await search(query.slice(1))).text);
      assert.equal(scoped.text, (await search(`scope=linked_account${query}`)).text);
    });
  }
});

suite("pages of 25", async () => {
  const { call, pendingSince } = await sandbox();
  const search = async (query: string) => await call("GET", `/linked_accounts/search?${query}`);
  const made: string[] = [];
  before(async () => {
    for (let i = 0; i < 25; i++) {
      // the first of a day is the newest; two of each second
      const createdAt = `2024-06-0${1 + (i % 5)}T12:00:${String(59 - Math.floor(i / 10)).padStart(2, "0")}Z`;
      made.push(createdAt + (await pendingSince(createdAt, { "metadata[n]": `number ${i}` })));
    }
    made.sort();
  });
  for (const order of ["chronological", "reverse_chronological"]) {
    for (const per_page of [1, 7, 25, 100]) {
      test(`${order} by ${per_page}: none is lost, none comes twice`, async () => {
        const found: string[] = [];
        const total_pages = Math.ceil(25 / per_page);
        for (let page = 1; page <= total_pages; page++) {
          const { status, body } = await search(
            params({ query: "NUMBER", order, page: `${page}`, per_page: `${per_page}` }),
          );
          assert.equal(status, 200);
          assert.deepEqual(
            [body.page, body.per_page, body.total, body.total_pages],
            [page, per_page, 25, total_pages],
          );
          found.push(
            ...body.data.map(({ id, created_at }: { id: string; created_at: string }) => created_at + id),
          );
        }
        assert.deepEqual(found, order === "chronological" ? made : made.toReversed());
      });
    }
  }
  for (const [query, total, pages] of [
    ["page=26&per_page=1", 25, 25],
    ["page=2", 25, 1],
    ["page=10000000&per_page=100", 25, 1],
    ["page=2&filters[created]=2024-06-01", 5, 1],
    ["page=2&query=nothing", 0, 0],
    ["page=1&query=nothing", 0, 0],
  ] as const) {
    test(`past the end: ${query}`, async () => {
      const { status, body } = await search(query);
      assert.equal(status, 200);
      const page = Number(new URLSearchParams(query).get("page"));
      assert.deepEqual([body.data, body.page, body.total, body.total_pages], [[], page, total, pages]);
    });
  }
});

suite("refused", () => {
  const status = "filters[status]: expected pending, successful, failed, expired or deleted";
  const type = "filters[type]: expected a direct-debit type such as direct_debit_scb";
  const created = "filters[created]: expected a day such as 2024-06-03, or two with .. between";
  const refused: [string, string][] = [
    ["page=0", "page: expected a number from 1 to 10000000"],
    ["page=10000001", "page: expected a number from 1 to 10000000"],
    ["page=-1", "page: expected a number from 1 to 10000000"],
    ["page=x", "page: expected a number from 1 to 10000000"],
    ["per_page=0", "per_page: expected a number from 1 to 100"],
    ["per_page=101", "per_page: expected a number from 1 to 100"],
    ["order=up", "order: expected chronological or reverse_chronological"],
    ["filters[status]=open", status],
    ["filters[status]=Pending", status],
    ["filters[status]=verified", status],
    ["filters[type]=individual", type],
    ["filters[type]=%25", type],
    ["filters[created]=yesterday", created],
    ["filters[created]=2024-02-30", created],
    ["filters[created]=2024-06-03T04:11:14Z", created],
    ["filters[created]=2024-06-04..2024-06-03", created],
    ["filters[created]=2024-06-03..", created],
    [`query=${"a".repeat(501)}`, "query: expected at most 500 characters"],
    ["scope=charge", "scope: expected linked_account"],
    ["scope=Linked_Account", "scope: expected linked_account"],
    ["filters[name]=x", "filters[name]: not a parameter of this request"],
    ["filters=x", "filters: not a parameter of this request"],
    ["limit=5", "limit: not a parameter of this request"],
    ["query=a&query=b", "query: the parameter appears twice"],
    ["page=0&filters[status]=open", `${status}; page: expected a number from 1 to 10000000`],
  ];
  const scoped: [string, string][] = [
    ["", "scope: expected linked_account"],
    ["scope=", "scope: expected linked_account"],
    ["page=2", "scope: expected linked_account"],
    ["scope=linked_account&scope=linked_account", "scope: the parameter appears twice"],
    ["scope=linked_account&page=0", "page: expected a number from 1 to 10000000"],
  ];
  for (const [path, query, message] of [
    ...refused.map(([query, message]) => ["/linked_accounts/search", query, message] as const),
    ...scoped.map(([query, message]) => ["/search", query, message] as const),
    ...scoped.map(([query, message]) => ["/search/", query, message] as const),
  ]) {
    test(`${path}?${query.slice(0, 50)}`, async () => {
      const answer = await call("GET", `${path}?${query}`);
      assert.equal(answer.status, 400);
      assert.equal(
        answer.text,
        `{
  "object": "error",
  "location": "https://www.omise.co/api-errors#bad-request",
  "code": "bad_request",
  "message": "${message}"
}
`,
      );
    });
  }
  for (const path of ["/linked_accounts/search", "/search?scope=linked_account", "/search/"]) {
    test(`with another key: ${path}`, async () => {
      for (const wrong of ["skey_test_5xuy4w91xqz7d1w9u0t", key.replace("skey", "pkey")]) {
        const answer = await read(await fetch(url + path, { headers: { authorization: basic(wrong) } }));
        assert.equal(answer.status, 401);
        assert.equal(answer.body.code, "authentication_failure");
      }
    });
  }
});

// Last: it takes the database back to what it was.
test("accounts from before there was a search are found", async () => {
  await create({ "metadata[empty]": "" });
  await call("POST", "/linked_accounts", {
    headers: { "content-type": "application/json" },
    body: `{"type":"direct_debit_ktb","return_uri":"https://shop.example/",
      "metadata":{"n":17,"yes":true,"none":null,"deep":{"a":[1]},"text":"Two\\r\\nLines"}}`,
  });
  await pending();
  const database = await db();
  const texts = async () =>
    (await database.prepare("SELECT id, search_text FROM accounts ORDER BY id").all()).results.map((row) =>
      // SQLite has no lower case for these
      JSON.stringify(row).replace("café strasse οδοσ", "cafÉ straße ΟΔΟΣ"),
    );
  const written = await texts();
  for (const name of ["created", "status", "type", "pending"]) {
    await database.prepare(`DROP INDEX accounts_${name}`).run();
  }
  await database.prepare("ALTER TABLE accounts DROP COLUMN search_text").run();
  const migration = new URL("../../sandbox/migrations/0002_search.sql", import.meta.url);
  const statements = readFileSync(migration, "utf8")
    .split(/;\n/)
    .filter((sql) => sql.trim() !== "");
  await database.batch(statements.map((sql) => database.prepare(sql)));
  assert.deepEqual(await texts(), written);
});
