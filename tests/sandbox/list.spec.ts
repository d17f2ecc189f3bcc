// The list of accounts: which part, in which order, and what it says of the whole.

import { strict as assert } from "node:assert";
import { before, suite, test } from "node:test";
import { basic, read, sandbox } from "./sandbox.ts";

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

suite("25 accounts", async () => {
  const { call, pendingSince, lines } = await sandbox();
  const list = async (query: string) => await call("GET", `/linked_accounts?${query}`);
  const idsOf = (body: { data: { id: string }[] }) => body.data.map(({ id }) => id);

  /** In their order: by creation, those of one second by id. */
  const accounts: { id: string; created_at: string }[] = [];
  before(async () => {
    // five a day at noon, the second, third and fourth in the same second; the days are not in the order of the ids
    for (const day of ["03", "01", "05", "02", "04"]) {
      for (const second of ["00", "07", "07", "07", "59"]) {
        const created_at = `2024-06-${day}T12:00:${second}Z`;
        accounts.push({ id: await pendingSince(created_at), created_at });
      }
    }
    const key = ({ id, created_at }: { id: string; created_at: string }) => created_at + id;
    accounts.sort((a, b) => (key(a) < key(b) ? -1 : 1));
  });

  for (const order of ["chronological", "reverse_chronological"]) {
    for (const limit of [1, 4, 5, 24, 25, 26, 100]) {
      test(`${order} by ${limit}: none is lost, none comes twice`, async () => {
        const found: string[] = [];
        let offset = 0;
        for (;;) {
          const { status, body } = await list(`order=${order}&limit=${limit}&offset=${offset}`);
          assert.equal(status, 200);
          assert.deepEqual([body.limit, body.offset, body.total, body.order], [limit, offset, 25, order]);
          assert.equal(body.data.length, Math.min(limit, 25 - offset));
          found.push(...idsOf(body));
          offset += body.data.length;
          if (offset === body.total) break;
        }
        const ids = accounts.map(({ id }) => id);
        assert.deepEqual(found, order === "chronological" ? ids : ids.reverse());
      });
    }
  }

  test("the defaults: the 20 oldest, up to now", async () => {
    const start = Math.floor(Date.now() / 1000) * 1000;
    const { body } = await call("GET", "/linked_accounts");
    assert.deepEqual(
      idsOf(body),
      accounts.slice(0, 20).map(({ id }) => id),
    );
    const { data, to, ...rest } = body;
    assert.deepEqual(rest, {
      object: "list",
      limit: 20,
      offset: 0,
      total: 25,
      location: "/linked_accounts",
      order: "chronological",
      from: "1970-01-01T00:00:00Z",
    });
    assert.match(to, time);
    assert.ok(Date.parse(to) >= start && Date.parse(to) <= Date.now(), to);
  });
  test("parameters without a value are as if they were not there", async () => {
    const { body } = await list("limit=&offset=&order=&from=&to=");
    assert.deepEqual([body.limit, body.offset, body.order, body.total], [20, 0, "chronological", 25]);
  });

  // [first, last + 1) of the accounts
  const bounds: [string, number, number][] = [
    ["from=2024-06-01T12:00:00Z", 0, 25],
    ["from=2024-06-01T12:00:01Z", 1, 25],
    ["from=2024-06-01T12:00:07Z", 1, 25],
    ["from=2024-06-01T12:00:08Z", 4, 25],
    ["to=2024-06-05T12:00:59Z", 0, 25],
    ["to=2024-06-05T12:00:58Z", 0, 24],
    ["to=2024-06-05T12:00:07Z", 0, 24],
    ["to=2024-06-05T12:00:06Z", 0, 21],
    ["from=2024-06-02T12:00:07Z&to=2024-06-02T12:00:07Z", 6, 9],
    ["from=2024-06-02T00:00:00Z&to=2024-06-04T00:00:00Z", 5, 15],
    ["from=2024-06-02T19:00:00%2B07:00&to=2024-06-02T19:00:59%2B07:00", 5, 10],
    ["from=2024-06-05T12:01:00Z", 25, 25],
    ["to=2024-06-01T11:59:59Z", 0, 0],
    ["from=2024-06-04T00:00:00Z&to=2024-06-02T00:00:00Z", 0, 0],
    ["from=0000-01-01T00:00:00Z&to=9999-12-31T23:59:59Z", 0, 25],
  ];
  for (const [query, first, end] of bounds) {
    test(`both bounds belong to the part: ${query}`, async () => {
      const ids = accounts.slice(first, end).map(({ id }) => id);
      const { body } = await list(`limit=100&${query}`);
      assert.deepEqual(idsOf(body), ids);
      assert.equal(body.total, ids.length);
      const newest = await list(`limit=3&order=reverse_chronological&${query}`);
      assert.deepEqual(idsOf(newest.body), ids.toReversed().slice(0, 3));
      assert.equal(newest.body.total, ids.length);
    });
  }
  test("the bounds are echoed", async () => {
    const { body } = await list("from=2024-06-02T19:00:00%2B07:00&to=2024-06-02T12:00:59Z");
    assert.deepEqual([body.from, body.to], ["2024-06-02T12:00:00Z", "2024-06-02T12:00:59Z"]);
  });

  for (const [query, total] of [
    ["offset=25", 25],
    ["offset=1000000000", 25],
    ["offset=5&from=2024-06-05T00:00:00Z", 5],
  ] as const) {
    test(`past the end: ${query}`, async () => {
      const { status, body } = await list(query);
      assert.equal(status, 200);
      assert.deepEqual([body.data, body.total], [[], total]);
    });
  }

  const number = "expected a number from";
  const day = "expected a UTC time such as 2024-06-03T04:11:14Z";
  const refused: [string, string][] = [
    ["limit=0", `limit: ${number} 1 to 100`],
    ["limit=101", `limit: ${number} 1 to 100`],
    ["limit=-1", `limit: ${number} 1 to 100`],
    ["limit=%2B5", `limit: ${number} 1 to 100`],
    ["limit=1.5", `limit: ${number} 1 to 100`],
    ["limit=all", `limit: ${number} 1 to 100`],
    ["offset=-1", `offset: ${number} 0 to 1000000000`],
    ["offset=1000000001", `offset: ${number} 0 to 1000000000`],
    ["offset=99999999999999999999", `offset: ${number} 0 to 1000000000`],
    ["order=newest", "order: expected chronological or reverse_chronological"],
    ["order=CHRONOLOGICAL", "order: expected chronological or reverse_chronological"],
    ["from=2024-06-03", `from: ${day}`],
    ["from=2024-06-03T04:11:14", `from: ${day}`],
    ["from=yesterday", `from: ${day}`],
    ["to=2024-02-30T00:00:00Z", `to: ${day}`],
    ["to=1717387874", `to: ${day}`],
    ["limit=5&limit=5", "limit: the parameter appears twice"],
    ["status=pending", "status: not a parameter of this request"],
    ["page=1", "page: not a parameter of this request"],
    ["filters[status]=pending", "filters[status]: not a parameter of this request"],
    ["limit=0&order=x", `limit: ${number} 1 to 100; order: expected chronological or reverse_chronological`],
  ];
  for (const [query, message] of refused) {
    test(`refused: ${query}`, async () => {
      const answer = await list(query);
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
  test("refused: a query that is too long", async () => {
    const answer = await list(`limit=${"0".repeat(8 * 1024)}`);
    assert.equal(answer.status, 400);
    assert.equal(answer.body.code, "bad_request");
    assert.match(answer.body.message, /expected at most 8192 bytes of query/);
  });

  test("the log has no query", async () => {
    await list("from=2024-06-05T12:34:56Z");
    assert.ok(lines.includes("GET /linked_accounts 200"));
    assert.ok(!lines.join("\n").includes("12:34:56"));
  });
});

suite("what is shown", async () => {
  const { url, key, call, pending, registered, answer, lapse, pendingSince } = await sandbox();
  const list = async (query = "") => await call("GET", `/linked_accounts?${query}`);

  test("nothing, where there is nothing", async () => {
    const { status, body } = await list();
    assert.equal(status, 200);
    assert.deepEqual([body.data, body.total], [[], 0]);
  });

  test("to the letter, each account as it is by itself", async () => {
    const id = await pendingSince("2024-06-03T04:11:14Z", { "metadata[order]": "A 17" });
    const { text, headers } = await list("limit=1&to=2024-06-03T04:11:14Z");
    const account = (await call("GET", `/linked_accounts/${id}`)).text.trimEnd().replaceAll("\n", "\n    ");
    assert.equal(
      text,
      `{
  "object": "list",
  "data": [
    ${account}
  ],
  "limit": 1,
  "offset": 0,
  "total": 1,
  "location": "/linked_accounts",
  "order": "chronological",
  "from": "1970-01-01T00:00:00Z",
  "to": "2024-06-03T04:11:14Z"
}
`,
    );
    assert.equal(headers.get("content-type"), "application/json; charset=utf-8");
    assert.equal(headers.get("cache-control"), "no-cache, no-store");
    assert.equal(headers.get("omise-version"), "2019-05-29");
    assert.match(headers.get("x-request-id") ?? "", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });

  test("every status, as it is now", async () => {
    const made: Record<string, string> = {
      pending: await pending(),
      successful: await registered(),
      failed: await pending(),
      expired: await pending(),
      deleted: await registered(),
    };
    await answer(made.failed ?? "", { action: "decline" });
    await call("DELETE", `/linked_accounts/${made.deleted}`);
    // nobody has asked for it since its time was over
    await lapse(made.expired ?? "");
    const { body } = await list("limit=100");
    for (const [status, id] of Object.entries(made)) {
      const found = body.data.find((account: { id: string }) => account.id === id);
      assert.equal(found?.status, status);
      assert.deepEqual(found, (await call("GET", `/linked_accounts/${id}`)).body);
    }
  });

  test("what is yet to come is not up to now", async () => {
    const id = await pendingSince("2999-01-01T00:00:00Z");
    const has = ({ body }: Awaited<ReturnType<typeof list>>) =>
      body.data.some((account: { id: string }) => account.id === id);
    assert.ok(!has(await list("limit=100")));
    assert.ok(has(await list("limit=100&to=2999-01-01T00:00:00Z")));
  });

  for (const authorization of [basic("skey_test_5xuy4w91xqz7d1w9u0t"), basic(key.replace("skey", "pkey"))]) {
    test(`not with ${authorization.slice(0, 12)}…`, async () => {
      const refused = await read(await fetch(`${url}/linked_accounts`, { headers: { authorization } }));
      assert.equal(refused.status, 401);
      assert.equal(refused.body.code, "authentication_failure");
    });
  }
});

suite("a page of 4 MiB and more", async () => {
  const { call, create } = await sandbox();
  before(async () => {
    for (let i = 0; i < 100; i++) {
      const made = await create({ "metadata[k]": "ก".repeat(15_000 - 8) });
      assert.equal(made.status, 200);
    }
  });
  for (const [path, parameter] of [
    ["/linked_accounts", "limit"],
    ["/linked_accounts/search", "per_page"],
  ] as const) {
    test(`${path} says what to ask for instead`, async () => {
      const refused = await call("GET", `${path}?${parameter}=100`);
      assert.equal(refused.status, 400);
      assert.equal(refused.body.code, "bad_request");
      assert.equal(
        refused.body.message,
        `${parameter}: expected fewer, for this page takes more than 4194304 bytes`,
      );
      const fewer = await call("GET", `${path}?${parameter}=90`);
      assert.equal(fewer.status, 200);
      assert.deepEqual([fewer.body.data.length, fewer.body.total], [90, 100]);
      assert.ok(Buffer.byteLength(fewer.text) <= 4_194_304);
    });
  }
});
