// Parameters of a GET in its body. Omise's clients for Go and Python send JSON, older ones and the samples for curl a form; fetch
// has no way to send either.

import { strict as assert } from "node:assert";
import { before, suite, test } from "node:test";
import { sandbox } from "./sandbox.ts";

const { call, send, pending, registered } = await sandbox();

const JSON_TYPE = { "content-type": "application/json" };
const FORM_TYPE = { "content-type": "application/x-www-form-urlencoded" };
/** Without the time of the request. */
const withoutTo = (text: string) => text.replace(/"to": "[^"]*"/, "");

const ids: string[] = [];
before(async () => {
  for (let i = 0; i < 5; i++) ids.push(await pending({ "metadata[n]": `no ${i} & more` }));
  ids.push(await registered());
});

suite("the same as in the query string", () => {
  const list = "/linked_accounts";
  const byScope = "/search?scope=linked_account";
  const cases: [string, string, Record<string, string>, string, string][] = [
    ["a list, JSON", list, JSON_TYPE, '{"limit":2,"offset":1}', `${list}?limit=2&offset=1`],
    ["a list, JSON of texts", list, JSON_TYPE, '{"limit":"2"}', `${list}?limit=2`],
    [
      "a list, all of it",
      list,
      { "content-type": "application/json; charset=utf-8" },
      '{"offset":1,"limit":3,"from":"2024-01-01T00:00:00Z","to":"2999-01-01T00:00:00Z","order":"reverse_chronological"}',
      `${list}?offset=1&limit=3&from=2024-01-01T00:00:00Z&to=2999-01-01T00:00:00Z&order=reverse_chronological`,
    ],
    [
      "a list, a form",
      list,
      FORM_TYPE,
      "limit=2&order=reverse_chronological",
      `${list}?limit=2&order=reverse_chronological`,
    ],
    ["a list, a form without its type", list, {}, "limit=2", `${list}?limit=2`],
    ["a list, chunked", list, { ...FORM_TYPE, "transfer-encoding": "chunked" }, "limit=2", `${list}?limit=2`],
    ["a list, JSON of nothing", list, JSON_TYPE, "{}", list],
    ["a list, nulls", list, JSON_TYPE, '{"limit":null,"from":null}', list],
    ["a list, both", `${list}?limit=2`, JSON_TYPE, '{"offset":1}', `${list}?limit=2&offset=1`],
    [
      "a search, JSON",
      "/search",
      JSON_TYPE,
      '{"scope":"linked_account","query":"no 3 & more","filters":{"status":"pending","type":"direct_debit_kbank"},"page":1,"per_page":5}',
      `${byScope}&query=no+3+%26+more&filters[status]=pending&filters[type]=direct_debit_kbank&per_page=5`,
    ],
    [
      "a search with a slash",
      "/search/",
      JSON_TYPE,
      '{"scope":"linked_account","page":2,"per_page":2}',
      `${byScope}&page=2&per_page=2`,
    ],
    [
      "a search, a form",
      "/search",
      FORM_TYPE,
      "scope=linked_account&filters%5Bstatus%5D=successful&query=",
      `${byScope}&filters[status]=successful`,
    ],
    [
      "a search by its own path",
      "/linked_accounts/search",
      JSON_TYPE,
      '{"filters":{"status":"successful"}}',
      `${byScope}&filters[status]=successful`,
    ],
    [
      "a search, nothing to filter by",
      "/search",
      JSON_TYPE,
      '{"scope":"linked_account","filters":{}}',
      byScope,
    ],
  ];
  for (const [name, path, headers, body, query] of cases) {
    test(name, async () => {
      const found = await send("GET", path, headers, body);
      const expected = await call("GET", query);
      assert.equal(expected.status, 200);
      assert.deepEqual([found.status, withoutTo(found.text)], [200, withoutTo(expected.text)]);
    });
  }
  test("and it does choose", async () => {
    const { body } = await send("GET", "/linked_accounts", JSON_TYPE, '{"limit":2,"offset":1}');
    assert.deepEqual([body.limit, body.offset, body.data.length, body.total], [2, 1, 2, 6]);
    const found = await send("GET", "/search", JSON_TYPE, '{"scope":"linked_account","query":"no 3 & more"}');
    assert.deepEqual([found.body.query, found.body.total], ["no 3 & more", 1]);
  });
});

suite("refused", () => {
  const number = "expected a number from 1 to 100";
  for (const [path, headers, body, message] of [
    ["/linked_accounts", JSON_TYPE, '{"limit":0}', `limit: ${number}`],
    ["/linked_accounts", FORM_TYPE, "limit=x", `limit: ${number}`],
    ["/linked_accounts", JSON_TYPE, '{"limit":2.0}', `limit: ${number}`],
    ["/linked_accounts", JSON_TYPE, '{"limit":true}', `limit: ${number}`],
    ["/linked_accounts", JSON_TYPE, '{"limit":2,"limit":2}', "limit: the parameter appears twice"],
    ["/linked_accounts?limit=2", JSON_TYPE, '{"limit":2}', "limit: the parameter appears twice"],
    ["/linked_accounts?limit=2", FORM_TYPE, "limit=2", "limit: the parameter appears twice"],
    ["/linked_accounts", JSON_TYPE, '{"page":1}', "page: not a parameter of this request"],
    [
      "/linked_accounts",
      JSON_TYPE,
      '{"filters":{"status":"pending"}}',
      "filters[status]: not a parameter of this request",
    ],
    ["/linked_accounts", JSON_TYPE, '{"limit":[2]}', "limit: expected a text, a number or a boolean"],
    ["/linked_accounts", JSON_TYPE, "limit=2", "the body is not a JSON object of parameters"],
    ["/linked_accounts", JSON_TYPE, "[]", "the body is not a JSON object of parameters"],
    ["/linked_accounts", {}, '{"limit":2}', '{"limit":2}: not a parameter of this request'],
    ["/search", JSON_TYPE, '{"query":"x"}', "scope: expected linked_account"],
    ["/search", JSON_TYPE, '{"scope":"charge"}', "scope: expected linked_account"],
    [
      "/linked_accounts/search",
      JSON_TYPE,
      '{"filters":{"status":"open"}}',
      "filters[status]: expected pending, successful, failed, expired or deleted",
    ],
    [
      "/linked_accounts/search",
      JSON_TYPE,
      '{"filters":{"status":{"is":"open"}}}',
      "filters[status]: expected a text, a number or a boolean",
    ],
  ] as const) {
    test(`${path} ${body}`, async () => {
      const refused = await send("GET", path, headers, body);
      assert.deepEqual(
        [refused.status, refused.body.code, refused.body.message],
        [400, "bad_request", message],
      );
    });
  }
  test("a body that is too long", async () => {
    const refused = await send("GET", "/linked_accounts", FORM_TYPE, `limit=${"0".repeat(1024 * 1024)}`);
    assert.equal(refused.status, 400);
    assert.match(refused.body.message, /expected at most 8192 bytes of query/);
  });
  test("the key is asked for first", async () => {
    const refused = await send("GET", "/linked_accounts", { ...JSON_TYPE, authorization: "Basic x" }, "{");
    assert.equal(refused.status, 401);
  });
});

suite("where there are no parameters, a body is passed over", () => {
  for (const [headers, body] of [
    [JSON_TYPE, "{}"],
    [JSON_TYPE, "{"],
    [{ ...FORM_TYPE, "transfer-encoding": "chunked" }, "limit=0"],
  ] as const) {
    test(`${JSON.stringify(headers)} ${body}`, async () => {
      const id = await registered();
      const account = await call("GET", `/linked_accounts/${id}`);
      assert.equal((await send("GET", `/linked_accounts/${id}`, headers, body)).text, account.text);
      assert.equal((await send("GET", "/capability", headers, body)).status, 200);
      assert.equal((await send("DELETE", `/linked_accounts/${id}`, headers, body)).body.status, "deleted");
    });
  }
});

test("who is refused has the answer, however much was sent", async () => {
  const chunked = { "transfer-encoding": "chunked" };
  const body = "x".repeat(1024 * 1024);
  for (const [path, headers, status] of [
    ["/charges", {}, 404],
    ["/linked_accounts/x/y", {}, 404],
    ["/linked_accounts", { authorization: "Basic x" }, 401],
    ["/linked_accounts", { host: "evil.example" }, 403],
  ] as const) {
    assert.equal((await send("POST", path, { ...chunked, ...headers }, body)).status, status, path);
  }
});
