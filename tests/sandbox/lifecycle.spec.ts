// An account from creation to deletion, as the API shows it.

import { strict as assert } from "node:assert";
import { suite, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { RETURN_URI, sandbox } from "./sandbox.ts";

const { url, call, create, pending, registered, answer, lapse, db, lines } = await sandbox();
const retrieve = async (id: string) => (await call("GET", `/linked_accounts/${id}`)).body;
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

suite("create", () => {
  test("the documented object, to the letter", async () => {
    const before = Date.now();
    const made = await create({ "metadata[order]": "A 17" });
    assert.equal(made.status, 200);
    const { id, created_at, expires_at } = made.body;
    assert.equal(
      made.text,
      `{
  "object": "linked_account",
  "id": "${id}",
  "livemode": false,
  "location": "/linked_accounts/${id}",
  "registration_uri": "${url}/register?ref=${id}",
  "return_uri": "${RETURN_URI}",
  "type": "direct_debit_kbank",
  "status": "pending",
  "last_digits": null,
  "metadata": {
    "order": "A 17"
  },
  "failure_code": null,
  "failure_message": null,
  "registered_at": null,
  "expires_at": "${expires_at}",
  "created_at": "${created_at}"
}
`,
    );
    assert.match(id, /^lnac_test_[0-9a-z]{19}$/);
    assert.match(created_at, time);
    assert.match(expires_at, time);
    assert.equal(Date.parse(expires_at) - Date.parse(created_at), 24 * 60 * 60 * 1000);
    assert.ok(Math.abs(Date.parse(created_at) - before) < 5_000);
    assert.equal((await call("GET", `/linked_accounts/${id}`)).text, made.text);
  });

  for (const type of ["bay", "bbl", "kbank", "ktb", "scb"].map((bank) => `direct_debit_${bank}`)) {
    test(type, async () => assert.equal((await create({ type })).body.type, type));
  }

  for (const type of ["application/json", "application/json; charset=utf-8", "Application/JSON"]) {
    test(`a body of ${type}`, async () => {
      const metadata = { order: 17, gift: true, nested: { a: [null] } };
      const made = await call("POST", "/linked_accounts", {
        headers: { "content-type": type },
        body: JSON.stringify({ type: "direct_debit_scb", return_uri: RETURN_URI, metadata, unknown: 1 }),
      });
      assert.equal(made.status, 200);
      assert.equal(made.body.return_uri, RETURN_URI);
      assert.deepEqual((await retrieve(made.body.id)).metadata, metadata);
    });
  }

  for (const uri of [
    "http://shop.example/return",
    "https://malee:pw@shop.example:8443/r?a=1#b",
    "http://[::1]:8789/",
  ]) {
    test(`the return_uri ${uri}`, async () => {
      assert.equal((await create({ return_uri: uri })).body.return_uri, uri);
    });
  }

  test("as much metadata as fits", async () => {
    // {"k":"…"} is 8 characters around the text
    const made = await create({ "metadata[k]": "ก".repeat(15_000 - 8) });
    assert.equal(made.status, 200);
  });

  test("ids rise with time", async () => {
    const ids = [];
    for (let i = 0; i < 5; i++) {
      ids.push(await pending());
      await setTimeout(5);
    }
    assert.deepEqual(ids, ids.toSorted());
    assert.equal(new Set(ids).size, ids.length);
  });

  for (const citizen_id of ["1101700230708", "AA1234567"]) {
    test(`the identity number ${citizen_id} is checked, and kept nowhere`, async () => {
      const made = await create({ citizen_id });
      assert.equal(made.status, 200);
      assert.ok(!made.text.includes(citizen_id));
      const database = await db();
      const tables = await database
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .all<{ name: string }>();
      const names = tables.results.map(({ name }) => name).filter((name) => !name.startsWith("_cf_"));
      assert.ok(names.includes("accounts"));
      for (const name of names) {
        const rows = await database.prepare(`SELECT * FROM "${name}"`).all();
        assert.ok(!JSON.stringify(rows.results).includes(citizen_id), name);
      }
      assert.ok(lines.includes("POST /linked_accounts 200"));
      assert.ok(!lines.join("\n").includes(citizen_id));
    });
  }
});

suite("headers", () => {
  test("of a success", async () => {
    const { headers } = await create();
    assert.equal(headers.get("content-type"), "application/json; charset=utf-8");
    assert.equal(headers.get("cache-control"), "no-cache, no-store");
    assert.equal(headers.get("omise-version"), "2019-05-29");
  });
  test("each request has an id of its own", async () => {
    const ids = [await create(), await create()].map(({ headers }) => headers.get("x-request-id"));
    assert.match(ids[0] ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.notEqual(ids[0], ids[1]);
  });
  for (const [asked, answered] of [
    ["2017-11-02", "2017-11-02"],
    ["2019-05-29", "2019-05-29"],
    ["latest", "2019-05-29"],
    ["2017-11-02 ; x", "2019-05-29"],
  ] as const) {
    test(`Omise-Version: ${asked}`, async () => {
      const { headers } = await call("GET", "/linked_accounts/x", { headers: { "Omise-Version": asked } });
      assert.equal(headers.get("omise-version"), answered);
    });
  }
});

suite("the end of waiting", () => {
  test("approved", async () => {
    const account = await retrieve(await registered());
    assert.equal(account.status, "successful");
    assert.match(account.last_digits, /^\d{4}$/);
    assert.match(account.registered_at, time);
    assert.equal(account.failure_code, null);
  });
  test("declined", async () => {
    const id = await pending();
    await answer(id, { action: "decline" });
    const account = await retrieve(id);
    assert.equal(account.status, "failed");
    assert.equal(account.failure_code, "registration_rejected");
    assert.equal(account.failure_message, "The account holder declined the registration.");
    assert.equal(account.registered_at, null);
    assert.equal(account.last_digits, null);
  });
  test("expired", async () => {
    const id = await pending();
    await lapse(id);
    const account = await retrieve(id);
    assert.equal(account.status, "expired");
    assert.equal(account.expires_at, "2024-06-04T04:11:14Z");
    assert.equal(account.failure_code, null);
  });
  test("an account that is registered does not expire", async () => {
    const id = await registered();
    await lapse(id);
    assert.equal((await retrieve(id)).status, "successful");
  });
});

suite("delete", () => {
  test("the whole object comes back, and stays readable", async () => {
    const id = await registered();
    const before = await retrieve(id);
    const deleted = await call("DELETE", `/linked_accounts/${id}`);
    assert.equal(deleted.status, 200);
    assert.deepEqual(deleted.body, { ...before, status: "deleted" });
    assert.deepEqual(await retrieve(id), deleted.body);
  });
  test("of two at once one succeeds", async () => {
    const id = await registered();
    const statuses = await Promise.all([1, 2, 3].map(() => call("DELETE", `/linked_accounts/${id}`)));
    assert.deepEqual(statuses.map(({ status }) => status).sort(), [200, 400, 400]);
  });
});

test("one line a request, without the query", async () => {
  const id = await pending();
  await fetch(`${url}/register?ref=${id}`);
  await call("GET", "/linked_accounts/x");
  for (const line of ["POST /linked_accounts 200", "GET /register 200", "GET /linked_accounts/x 404"]) {
    assert.ok(lines.includes(line), line);
  }
});
