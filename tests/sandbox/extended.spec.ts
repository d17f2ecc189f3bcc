// The profile `extended`: what an unofficial reference adds. The profile `official`, which is the default, has none of it.

import { strict as assert } from "node:assert";
import { suite, test } from "node:test";
import { basic, RETURN_URI, read, sandbox } from "./sandbox.ts";

const PROFILE = "extended";

const error = (code: string, message: string) => `{
  "object": "error",
  "location": "https://www.omise.co/api-errors#${code.replaceAll("_", "-")}",
  "code": "${code}",
  "message": "${message}"
}
`;

suite("ids", async () => {
  const { url, call, create, registered } = await sandbox({ PROFILE });
  test("begin with lacct_test_", async () => {
    const { body } = await create();
    assert.match(body.id, /^lacct_test_[0-9a-z]{19}$/);
    assert.equal(body.location, `/linked_accounts/${body.id}`);
    assert.equal(body.registration_uri, `${url}/register?ref=${body.id}`);
  });
  test("lead through the bank, to deletion", async () => {
    const id = await registered();
    const account = (await call("GET", `/linked_accounts/${id}`)).body;
    assert.equal(account.status, "successful");
    const deleted = await call("DELETE", `/linked_accounts/${id}`);
    assert.deepEqual([deleted.status, deleted.body], [200, { ...account, status: "deleted" }]);
  });
  test("are not found by the other prefix", async () => {
    const id = await registered();
    const other = id.replace("lacct", "lnac");
    const { status, text } = await call("GET", `/linked_accounts/${other}`);
    assert.deepEqual([status, text], [404, error("not_found", `linked account ${other} was not found`)]);
  });
});

suite("types", async () => {
  const extended = await sandbox({ PROFILE });
  const official = await sandbox({ PROFILE: "official" });
  const unset = await sandbox();
  const unsupported = "Type is not supported";
  const disabled = "Linked account type not enabled for your account";
  for (const [type, status, code, message] of [
    ["direct_debit_uob", 400, "invalid_linked_account_type", unsupported],
    ["DIRECT_DEBIT_SCB", 400, "invalid_linked_account_type", unsupported],
    ["individual", 422, "not_enabled", disabled],
    ["business", 422, "not_enabled", disabled],
    ["", 400, "bad_request", "Type is required"],
  ] as const) {
    test(type || "none", async () => {
      const refused = await extended.create({ type });
      assert.deepEqual([refused.status, refused.text], [status, error(code, message)]);
      for (const { create } of [official, unset]) {
        const refused = await create({ type });
        const text = error("bad_request", type ? unsupported : "Type is required");
        assert.deepEqual([refused.status, refused.text], [400, text]);
      }
    });
  }
});

suite("the account limit", async () => {
  /** Accounts that are there already. */
  const MANY = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
    INSERT INTO accounts (id, type, return_uri, metadata, status, expires_at, created_at)
    SELECT ?2 || i, 'direct_debit_scb', 'https://shop.example/', '{}', ?3, ?4, '2024-06-03T04:11:14Z' FROM n`;

  test("counts what is pending or registered", async () => {
    const { call, create, db, lapse, pending, registered } = await sandbox({ PROFILE });
    const database = await db();
    const add = async (count: number, status: string, expires_at: string) => {
      const values = [count, `lacct_test_${status}`, status, expires_at];
      await database
        .prepare(MANY)
        .bind(...values)
        .run();
    };
    for (const status of ["failed", "expired", "deleted"]) await add(400, status, "2999-01-01T00:00:00Z");
    // its time is over, though nobody has looked since
    await add(400, "pending", "2024-06-04T04:11:14Z");
    await add(997, "successful", "2024-06-04T04:11:14Z");
    const lapsing = await pending();
    const deleted = await registered();
    assert.equal((await create()).status, 200);
    const full = async () => {
      const refused = await create();
      assert.deepEqual([refused.status, refused.text], [422, error("bad_request", "Account limit reached")]);
    };
    await full();
    await lapse(lapsing);
    assert.equal((await create()).status, 200);
    await full();
    assert.equal((await call("DELETE", `/linked_accounts/${deleted}`)).status, 200);
    assert.equal((await create()).status, 200);
    await full();
  });
  test("is not official", async () => {
    const { create, db } = await sandbox();
    const values = [1_000, "lnac_test_", "successful", "2024-06-04T04:11:14Z"];
    await (await db())
      .prepare(MANY)
      .bind(...values)
      .run();
    assert.equal((await create()).status, 200);
  });
});

const LIMIT_HEADERS = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];
const limits = (headers: Headers) => LIMIT_HEADERS.map((name) => headers.get(name));

suite("rate limit", async () => {
  // the clock stands, so the minute does not pass
  const { url, call, create, db } = await sandbox({ PROFILE, SEED: "7" });
  const reset = String(Date.parse("2026-01-01T00:01:00Z") / 1_000);
  const as = async (user: string, path = "/capability") => {
    const headers = { authorization: basic(user), connection: "close" };
    return await read(await fetch(url + path, { headers }));
  };

  test("is told with each answer, and each caller has its own", async () => {
    const ours = [
      await create(),
      await create({ type: "" }),
      await call("GET", "/linked_accounts/x"),
      await call("GET", "/linked_accounts"),
      await call("PATCH", "/linked_accounts"),
      await call("GET", "/capability"),
    ];
    assert.deepEqual(
      ours.map(({ headers }) => limits(headers)),
      [999, 998, 997, 996, 995, 994].map((remaining) => ["1000", `${remaining}`, reset]),
    );
    // refused ones count, by whatever key
    const nobody = [
      await as("skey_test_5xuy4w91xqz7d1w9u0t"),
      await as(""),
      await as("x", "/linked_accounts"),
    ];
    assert.deepEqual(
      nobody.map(({ status, headers }) => [status, ...limits(headers)]),
      [999, 998, 997].map((remaining) => [401, "1000", `${remaining}`, reset]),
    );
    const anyone = [await as("pkey_test_5xuy4w91xqz7d1w9u0t"), await as("pkey_test_00000000000000000000")];
    assert.deepEqual(
      anyone.map(({ status, headers }) => [status, ...limits(headers)]),
      [999, 998].map((remaining) => [200, "1000", `${remaining}`, reset]),
    );
  });
  test("is not told where there is no API", async () => {
    for (const path of ["/register?ref=x", "/register.css", "/"]) {
      const { headers } = await fetch(url + path, { headers: { connection: "close" } });
      assert.deepEqual(limits(headers), [null, null, null]);
    }
  });
  test("the thousand and first is refused, and does nothing", async () => {
    const lefts: number[] = [];
    for (let i = 0; i < 7; i++) {
      const calls = Array.from({ length: 142 }, () => call("GET", "/capability"));
      for (const { status, headers } of await Promise.all(calls)) {
        assert.deepEqual(
          [status, ...limits(headers)],
          [200, "1000", headers.get("x-ratelimit-remaining"), reset],
        );
        lefts.push(Number(headers.get("x-ratelimit-remaining")));
      }
    }
    lefts.sort((a, b) => a - b);
    assert.deepEqual(
      lefts,
      Array.from({ length: 994 }, (_, left) => left),
    );
    const count = async () => (await (await db()).prepare("SELECT id FROM accounts").all()).results.length;
    const before = await count();
    for (const refused of [await create(), await call("GET", "/linked_accounts"), await create()]) {
      assert.deepEqual(
        [refused.status, refused.text],
        [429, error("too_many_requests", "too many requests")],
      );
      assert.deepEqual(limits(refused.headers), ["1000", "0", reset]);
    }
    assert.equal(await count(), before);
    assert.equal((await as("pkey_test_5xuy4w91xqz7d1w9u0t")).status, 200);
  });
  test("there is none officially", async () => {
    const { call, create } = await sandbox({ PROFILE: "official" });
    for (const { headers } of [await create(), await call("GET", "/linked_accounts/x")]) {
      assert.deepEqual(limits(headers), [null, null, null]);
    }
  });
});

suite("Idempotency-Key", async () => {
  const { call, db, lines, answer } = await sandbox({ PROFILE });
  const form = (fields: Record<string, string> = {}) =>
    new URLSearchParams({ type: "direct_debit_kbank", return_uri: RETURN_URI, ...fields });
  const post = async (key: string, body: URLSearchParams | string = form()) =>
    await call("POST", "/linked_accounts", { headers: { "idempotency-key": key }, body });
  const count = async () => (await (await db()).prepare("SELECT id FROM accounts").all()).results.length;
  let keys = 0;
  const newKey = () => `key-${++keys}`;

  test("the same answer again, and no second account", async () => {
    const key = newKey();
    const made = await post(key);
    assert.equal(made.status, 200);
    const before = await count();
    for (let i = 0; i < 2; i++) {
      const again = await post(key);
      assert.deepEqual([again.status, again.text], [200, made.text]);
      assert.notEqual(again.headers.get("x-request-id"), made.headers.get("x-request-id"));
    }
    assert.equal(await count(), before);
    // it is what was answered, not what has become of it
    await answer(made.body.id, { action: "decline" });
    assert.equal((await post(key)).text, made.text);
    assert.notEqual((await post(newKey())).body.id, made.body.id);
  });
  test("a refusal is answered again too", async () => {
    const key = newKey();
    const refused = await post(key, form({ type: "individual" }));
    assert.equal(refused.status, 422);
    const again = await post(key, form({ type: "individual" }));
    assert.deepEqual([again.status, again.text], [422, refused.text]);
  });
  test("another body is refused, and does not take the key", async () => {
    const key = newKey();
    const made = await post(key);
    const before = await count();
    for (const body of [
      form({ type: "direct_debit_scb" }),
      form({ citizen_id: "AA1234567" }),
      `${form()}&`,
      "",
    ]) {
      const refused = await post(key, body);
      const message = "Idempotency-Key: it was used with another body";
      assert.deepEqual([refused.status, refused.text], [422, error("bad_request", message)]);
    }
    assert.equal(await count(), before);
    assert.equal((await post(key)).text, made.text);
  });
  test("of many at once one makes an account", async () => {
    const key = newKey();
    const before = await count();
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(key)));
    assert.equal(await count(), before + 1);
    const made = await post(key);
    for (const { status, text } of answers) {
      const message = "Idempotency-Key: the first request with it is in progress";
      const expected = status === 200 ? made.text : error("bad_request", message);
      assert.deepEqual([[200, 409].includes(status), text], [true, expected]);
    }
  });
  test("after 24 hours it is free again", async () => {
    const key = newKey();
    const made = await post(key);
    const database = await db();
    const kept = "SELECT expires_at FROM idempotency_keys WHERE key = ?";
    const row = await database.prepare(kept).bind(key).first<{ expires_at: string }>();
    const lifetime = Date.parse(row?.expires_at ?? "") - Date.parse(made.body.created_at);
    // the key is taken before the account is made, in the same second or the one before
    assert.ok([86_400_000, 86_399_000].includes(lifetime), `${lifetime}`);
    await database
      .prepare("UPDATE idempotency_keys SET expires_at = '2024-06-04T04:11:14Z' WHERE key = ?")
      .bind(key)
      .run();
    const again = await post(key);
    assert.equal(again.status, 200);
    assert.notEqual(again.body.id, made.body.id);
    assert.equal((await post(key)).text, again.text);
  });
  for (const key of ["", "a b", "ก".repeat(3), "x".repeat(256)]) {
    test(`no key: ${key.slice(0, 5)}`, async () => {
      // a header carries bytes
      const refused = await post(Buffer.from(key).toString("latin1"));
      const message = "Idempotency-Key: expected 1 to 255 visible ASCII characters";
      assert.deepEqual([refused.status, refused.text], [400, error("bad_request", message)]);
    });
  }
  test("the longest one", async () => {
    const made = await post("x".repeat(255));
    assert.equal((await post("x".repeat(255))).text, made.text);
  });
  test("without the secret key no answer is given again", async () => {
    const key = newKey();
    await post(key);
    const headers = { "idempotency-key": key, authorization: basic("pkey_test_5xuy4w91xqz7d1w9u0t") };
    assert.equal((await call("POST", "/linked_accounts", { headers, body: form() })).status, 401);
  });
  test("means nothing to a request that reads", async () => {
    const key = newKey();
    const headers = { "idempotency-key": key };
    const [one, two] = [await call("GET", "/linked_accounts?limit=1", { headers }), await post(key)];
    assert.deepEqual([one.status, two.status], [200, 200]);
    assert.equal((await call("GET", "/linked_accounts?limit=2", { headers })).body.limit, 2);
  });
  test("no identity number is kept, nor a hash that anyone could try out", async () => {
    const key = newKey();
    const body = form({ citizen_id: "1101700230708" }).toString();
    assert.equal((await post(key, body)).status, 200);
    const { results } = await (await db()).prepare("SELECT * FROM idempotency_keys").all();
    assert.equal(results.filter((row) => row.key === key).length, 1);
    const digest = await crypto.subtle.digest("SHA-256", Buffer.from(body));
    const kept = JSON.stringify(results);
    assert.ok(lines.includes("POST /linked_accounts 200"));
    for (const secret of [
      "1101700230708",
      ...(["base64", "hex"] as const).map((as) => Buffer.from(digest).toString(as)),
    ]) {
      assert.ok(!kept.includes(secret) && !lines.join("\n").includes(secret));
    }
  });
  test("a failure of the sandbox's own gives the key back", async () => {
    const key = newKey();
    const database = await db();
    await database.prepare("ALTER TABLE accounts RENAME TO elsewhere").run();
    assert.equal((await post(key)).status, 500);
    await database.prepare("ALTER TABLE elsewhere RENAME TO accounts").run();
    assert.equal((await post(key)).status, 200);
  });
  test("means nothing officially", async () => {
    const { call, db } = await sandbox({ PROFILE: "official" });
    const post = async (type: string) => {
      const headers = { "idempotency-key": "x" };
      return await call("POST", "/linked_accounts", { headers, body: form({ type }) });
    };
    const [one, two, other] = [
      await post("direct_debit_scb"),
      await post("direct_debit_scb"),
      await post("direct_debit_bay"),
    ];
    assert.deepEqual([one.status, two.status, other.status], [200, 200, 200]);
    assert.notEqual(one.body.id, two.body.id);
    const { results } = await (await db()).prepare("SELECT * FROM idempotency_keys").all();
    assert.deepEqual(results, []);
  });
});
