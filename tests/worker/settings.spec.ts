// A Worker that is not configured says what is missing, and serves nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { STOREFRONT, sessionOf } from "../../harness/session.ts";
import { type Bindings, randomSecrets, startWorker } from "../../harness/stack.ts";
import { assertError, issuesOf } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";

async function faultsWith(bindings: Bindings): Promise<string[]> {
  const secrets = randomSecrets();
  const worker = await startWorker({
    omiseUrl: "http://127.0.0.1:2",
    storefrontUrl: STOREFRONT,
    secrets,
    bindings,
  });
  try {
    const me = new Customer(worker.url, sessionOf(worker, secrets));
    assert.equal((await me.fetch("GET", "/health")).status, 200, "alive all the same");
    const answer = await me.create();
    assertError(answer, 503, "misconfigured");
    const text = JSON.stringify(answer.body);
    for (const secret of Object.values(secrets)) assert.ok(!text.includes(secret));
    return issuesOf(answer);
  } finally {
    await worker.dispose();
  }
}

test("every missing or blank setting is named at once", async () => {
  const bindings = {
    OMISE_SECRET_KEY: undefined,
    SESSION_SECRET: "",
    RETURN_URIS: " ",
    ALLOWED_ORIGINS: undefined,
  };
  assert.deepEqual(await faultsWith(bindings), [
    "OMISE_SECRET_KEY required",
    "ALLOWED_ORIGINS required",
    "RETURN_URIS required",
    "SESSION_SECRET required",
    "SESSION_JWKS required",
  ]);
});

test("a live key is not sent to anything but Omise over https", async () => {
  const live = ["skey", "5xuy4w91xqz7d1w9u0t"].join("_");
  assert.deepEqual(await faultsWith({ MODE: "live", OMISE_SECRET_KEY: live }), [
    "OMISE_API_URL invalid",
    "ALLOWED_ORIGINS invalid",
    "RETURN_URIS invalid",
    "REGISTRATION_ORIGINS invalid",
  ]);
});

test("the key of one environment is refused by the other", async () => {
  assert.deepEqual(await faultsWith({ MODE: "live" }), ["MODE invalid"]);
  const live = ["skey", "5xuy4w91xqz7d1w9u0t"].join("_");
  assert.ok((await faultsWith({ MODE: "test", OMISE_SECRET_KEY: live })).includes("MODE invalid"));
});

test("wrong and contradictory settings are named", async () => {
  const same = "0123456789abcdef0123456789abcdef";
  const bindings = {
    MODE: "staging",
    OMISE_SECRET_KEY: "pkey_test_5xuy4w91xqz7d1w9u0t",
    OMISE_API_URL: "http://api.omise.co",
    ALLOWED_ORIGINS: "*",
    SESSION_SECRET: same,
    LEDGER_KEY: same,
    WEBHOOK_SECRET: "c2hvcnQ=",
    UPSTREAM_DEADLINE_MS: "20001",
    CREATES_PER_DAY: "0",
    LOCATION_HINT: "asia",
  };
  assert.deepEqual(await faultsWith(bindings), [
    "OMISE_SECRET_KEY invalid",
    "MODE invalid",
    "OMISE_API_URL invalid",
    "ALLOWED_ORIGINS invalid",
    "WEBHOOK_SECRET invalid",
    "UPSTREAM_DEADLINE_MS invalid",
    "CREATES_PER_DAY invalid",
    "LOCATION_HINT invalid",
    "LEDGER_KEY invalid",
  ]);
});

test("session keys are a secret or a set of public keys, never both", async () => {
  const set = { keys: [{ kty: "oct", alg: "HS256", k: "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I" }] };
  for (const [bindings, faults] of [
    [{ SESSION_JWKS: "https://id.example/jwks" }, ["SESSION_SECRET invalid", "SESSION_JWKS invalid"]],
    [{ SESSION_SECRET: undefined }, ["SESSION_SECRET required", "SESSION_JWKS required"]],
    [{ SESSION_SECRET: undefined, SESSION_JWKS: JSON.stringify(set) }, ["SESSION_JWKS invalid"]],
    [{ SESSION_SECRET: undefined, SESSION_JWKS: "http://id.example/jwks" }, ["SESSION_JWKS invalid"]],
  ] as const) {
    assert.deepEqual(await faultsWith(bindings), faults);
  }
});
