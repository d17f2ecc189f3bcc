// What the account can do, and for whom that is no secret.

import { strict as assert } from "node:assert";
import { suite, test } from "node:test";
import { basic, read, sandbox } from "./sandbox.ts";

const { url, key, call, create } = await sandbox();

const as = async (authorization: string, method = "GET", path = "/capability") =>
  await read(await fetch(url + path, { method, headers: { authorization, connection: "close" } }));
// Assembled here, so that no text of the project looks like a live key.
const livePublicKey = ["pkey", "5xuy4w91xqz7d1w9u0t"].join("_");

const method = (name: string) => `    {
      "object": "payment_method",
      "name": "${name}",
      "currencies": [
        "THB"
      ],
      "card_brands": null,
      "installment_terms": null,
      "loan_installment_terms": null,
      "banks": [],
      "provider": null
    }`;
const TYPES = ["bay", "bbl", "kbank", "ktb", "scb"].map((bank) => `direct_debit_${bank}`);

suite("the answer", () => {
  test("to the letter: what a capture has, with no more than what is here", async () => {
    const { status, text, headers } = await call("GET", "/capability");
    assert.equal(status, 200);
    assert.equal(
      text,
      `{
  "object": "capability",
  "location": "/capability",
  "banks": [
    "bay",
    "bbl",
    "kbank",
    "ktb",
    "scb"
  ],
  "limits": {
    "charge_amount": {
      "max": 500000000000,
      "min": 2000
    },
    "transfer_amount": {
      "max": 100000000000,
      "min": 3000
    },
    "installment_amount": {
      "min": 200000
    }
  },
  "payment_methods": [
${TYPES.map(method).join(",\n")}
  ],
  "country": "TH",
  "tokenization_methods": [],
  "zero_interest_installments": false
}
`,
    );
    assert.equal(headers.get("content-type"), "application/json; charset=utf-8");
    assert.equal(headers.get("omise-version"), "2019-05-29");
    assert.match(headers.get("x-request-id") ?? "", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });
  test("each type that it names can be created", async () => {
    const { body } = await call("GET", "/capability");
    assert.equal(body.payment_methods.length, TYPES.length);
    for (const { name } of body.payment_methods) assert.equal((await create({ type: name })).body.type, name);
  });
  test("whatever is asked beside it", async () => {
    const { text } = await call("GET", "/capability");
    assert.equal((await call("GET", "/capability?limit=0&x=y")).text, text);
  });
});

suite("a public key", () => {
  for (const [name, authorization] of [
    ["of the same account", basic(key.replace("skey", "pkey"))],
    ["of any other", basic("pkey_test_5xuy4w91xqz7d1w9u0t")],
    ["with a password, which is ignored", basic("pkey_test_5xuy4w91xqz7d1w9u0t", "x")],
    ["with the scheme in any case", basic("pkey_test_5xuy4w91xqz7d1w9u0t").replace("Basic", "bAsIc")],
  ] as const) {
    test(`is taken: ${name}`, async () => {
      const { status, text } = await as(authorization);
      assert.equal(status, 200);
      assert.equal(text, (await call("GET", "/capability")).text);
    });
  }
  for (const [name, authorization] of [
    ["a live one", basic(livePublicKey)],
    ["nothing behind its prefix", basic("pkey_test_")],
    ["no key's characters", basic("pkey_test_5xuy4w91xqz7d1w9u0t!")],
    ["as password", basic("", "pkey_test_5xuy4w91xqz7d1w9u0t")],
    ["as token", "Bearer pkey_test_5xuy4w91xqz7d1w9u0t"],
    ["another secret key", basic("skey_test_5xuy4w91xqz7d1w9u0t")],
    ["none", ""],
  ] as const) {
    test(`is refused: ${name}`, async () => {
      const { status, body } = await as(authorization);
      assert.deepEqual([status, body.code], [401, "authentication_failure"]);
    });
  }
  for (const [method, path] of [
    ["POST", "/capability"],
    ["GET", "/capability//"],
    ["GET", "/capability/banks"],
    ["GET", "/linked_accounts"],
    ["POST", "/linked_accounts"],
    ["GET", "/linked_accounts/search"],
    ["GET", "/linked_accounts/capability"],
    ["GET", "/search?scope=linked_account"],
    ["DELETE", "/linked_accounts/lnac_test_1"],
  ] as const) {
    test(`opens nothing else: ${method} ${path}`, async () => {
      const { status, body } = await as(basic("pkey_test_5xuy4w91xqz7d1w9u0t"), method, path);
      assert.deepEqual([status, body.code], [401, "authentication_failure"]);
    });
  }
});
