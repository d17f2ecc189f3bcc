// Who may call the API: the one configured test key, by HTTP Basic.

import { strict as assert } from "node:assert";
import { suite, test } from "node:test";
import { basic, read, sandbox } from "./sandbox.ts";

const { url, key, pending, call, lines } = await sandbox();

const AUTHENTICATION_FAILED = `{
  "object": "error",
  "location": "https://www.omise.co/api-errors#authentication-failure",
  "code": "authentication_failure",
  "message": "authentication failed"
}
`;

// Assembled here, so that no text of the project looks like a live key.
const liveKey = ["skey", "5xuy4w91xqz7d1w9u0t"].join("_");
const base64 = (text: string) => Buffer.from(text).toString("base64");

suite("refused", () => {
  const refused: [string, string | undefined][] = [
    ["no header", undefined],
    ["an empty header", ""],
    ["another test key", basic("skey_test_5xuy4w91xqz7d1w9u0t")],
    ["a live key", basic(liveKey)],
    ["the key without _test_", basic(key.replace("_test_", "_"))],
    ["the public key", basic(key.replace("skey", "pkey"))],
    ["the key and one character more", basic(`${key}0`)],
    ["the key and one character less", basic(key.slice(0, -1))],
    ["the key as password", basic("", key)],
    ["Bearer", `Bearer ${key}`],
    ["Bearer with Basic credentials", `Bearer ${base64(`${key}:`)}`],
    ["the bare key", key],
    ["a scheme without credentials", "Basic"],
    ["what is no base64", "Basic !!!"],
    ["credentials without a colon", `Basic ${base64(key)}`],
  ];
  for (const [name, authorization] of refused) {
    test(name, async () => {
      const headers = authorization === undefined ? {} : { authorization };
      const answer = await read(await fetch(`${url}/linked_accounts/lnac_test_1`, { headers }));
      assert.equal(answer.status, 401);
      assert.equal(answer.text, AUTHENTICATION_FAILED);
    });
  }
});

suite("the key is asked for before anything else", () => {
  const requests: [string, string, string | undefined][] = [
    ["POST", "/linked_accounts", "{"],
    ["GET", "/linked_accounts", undefined],
    ["GET", "/linked_accounts?limit=0", undefined],
    ["GET", "/linked_accounts/search?page=0", undefined],
    ["PATCH", "/linked_accounts/search", undefined],
    ["GET", "/search", undefined],
    ["GET", "/search?scope=linked_account", undefined],
    ["POST", "/search", "{"],
    ["GET", "/search/1", undefined],
    ["GET", "/search/", undefined],
    ["GET", "/capability", undefined],
    ["POST", "/capability", "{"],
    ["DELETE", "/linked_accounts/lnac_test_1", undefined],
    ["PATCH", "/linked_accounts/lnac_test_1", undefined],
    ["GET", "/linked_accounts/!", undefined],
    ["GET", "/linked_accounts/a/b", undefined],
  ];
  for (const [method, path, body] of requests) {
    test(`${method} ${path}`, async () => {
      const answer = await read(await fetch(url + path, { method, body: body ?? null }));
      assert.equal(answer.text, AUTHENTICATION_FAILED);
    });
  }
});

suite("accepted", () => {
  for (const [name, authorization] of [
    ["the key", basic(key)],
    ["the key with a password, which is ignored", basic(key, "x")],
    ["the scheme in any case", basic(key).replace("Basic", "bAsIc")],
  ] as const) {
    test(name, async () => {
      const id = await pending();
      assert.equal((await call("GET", `/linked_accounts/${id}`, { headers: { authorization } })).status, 200);
    });
  }
});

suite("a sandbox without a test key of its own", async () => {
  for (const [name, value, fault] of [
    ["none", undefined, "OMISE_SECRET_KEY is missing"],
    ["an empty one", "", "OMISE_SECRET_KEY is missing"],
    [
      "a public one",
      "pkey_test_5xuy4w91xqz7d1w9u0t",
      "OMISE_SECRET_KEY: expected an Omise secret key (skey_…), found a public key (pkey_…)",
    ],
    [
      "what is none",
      "5xuy4w91xqz7d1w9u0t",
      "OMISE_SECRET_KEY: expected an Omise secret key (skey_test_… or skey_…)",
    ],
    ["a live one", liveKey, "OMISE_SECRET_KEY: expected a test key (skey_test_…), found a live one"],
  ] as const) {
    test(name, async () => {
      const { url, lines } = await sandbox({ OMISE_SECRET_KEY: value });
      for (const path of [
        "/linked_accounts/lnac_test_1",
        "/register?ref=lnac_test_1",
        "/register.css",
        "/",
      ]) {
        const headers = { authorization: basic(value ?? "") };
        const answer = await read(await fetch(url + path, { headers }));
        assert.equal(answer.status, 503);
        assert.deepEqual(answer.body, {
          object: "error",
          location: "https://www.omise.co/api-errors#internal-error",
          code: "internal_error",
          message: `the sandbox is not configured: ${fault}`,
        });
      }
      assert.ok(lines.includes("GET / 503"));
      if (value) assert.ok(!lines.join().includes(value));
    });
  }
});

test("the log never has the key", async () => {
  await pending();
  assert.ok(lines.length > 0);
  assert.ok(!lines.join("\n").includes(key));
  assert.ok(!lines.join("\n").includes(base64(`${key}:`)));
});
