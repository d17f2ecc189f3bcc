// Rate limits as wrangler.toml sets them: who is counted, for what, and what is not.
//
// Miniflare believes the CF-Connecting-IP that a test sends, so that each test comes from networks of its own.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { account, answering, FakeOmise } from "../../harness/omise.ts";
import { OPERATE, STOREFRONT, sessionOf } from "../../harness/session.ts";
import { type Running, randomSecrets, startWorker } from "../../harness/stack.ts";
import { type Answer, assertError } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";

const omise = new FakeOmise();
const secrets = randomSecrets();
let worker: Running;
let networks = 0;
const customer = (more: Record<string, unknown> = {}) =>
  new Customer(worker.url, sessionOf(worker, secrets), { sub: randomUUID(), ...more });
/** An IPv4 network that no request came from yet. */
const network = () => {
  networks += 1;
  return { "CF-Connecting-IP": `10.0.${networks >> 8}.${networks & 255}` };
};
const ANONYMOUS = { Authorization: "" };

before(async () => {
  const omiseUrl = await omise.start();
  worker = await startWorker({ omiseUrl, storefrontUrl: STOREFRONT, secrets, rateLimits: true });
  omise.answer = answering(200, account({ registration_uri: `${omiseUrl}/register` }));
});
after(async () => {
  await worker?.dispose();
  await omise.stop();
});
beforeEach(() => {
  omise.requests.length = 0;
});

/**
 * Sends as many requests as are admitted and one more, which must be the one that is refused. `as` makes the requests of
 * a caller who has sent none.
 *
 * The minute may end amid them, and counting begin again: then none is refused, and they are sent once more as another caller.
 */
async function exhaust(limit: number, as: () => (i: number) => Promise<Answer>): Promise<Answer> {
  for (let tries = 0; tries < 3; tries++) {
    const ask = as();
    const admitted: Answer[] = [];
    while (admitted.length < limit) {
      const some = Array.from(
        { length: Math.min(20, limit - admitted.length) },
        (_, i) => admitted.length + i,
      );
      admitted.push(...(await Promise.all(some.map(ask))));
    }
    const refused = admitted.filter(({ status }) => status === 429).length;
    assert.equal(refused, 0, `${refused} of ${limit} are refused`);
    const last = await ask(limit);
    if (last.status === 429) return last;
  }
  assert.fail(`more than ${limit} are admitted`);
}

function assertLimited(answer: Answer): void {
  assertError(answer, 429, "rate_limited");
  assert.equal(answer.body.code, "too_many_requests");
  assert.equal(answer.body.retryable, true);
  assert.equal(answer.headers.get("Retry-After"), "60");
  assert.deepEqual(answer.body.issues, []);
}

test("ten creates a minute of one customer, from any number of networks", async () => {
  let me = customer();
  const refused = await exhaust(10, () => {
    me = customer();
    omise.requests.length = 0;
    const body = { type: "direct_debit_kbank", return_uri: `${STOREFRONT}/return` };
    return () =>
      me.json("/linked_accounts", body, {
        ...network(),
        "Idempotency-Key": randomUUID(),
        Origin: STOREFRONT,
      });
  });
  assertLimited(refused);
  assert.equal(refused.headers.get("Access-Control-Allow-Origin"), STOREFRONT, "a page can read it");
  const creates = omise.requests.filter(({ method }) => method === "POST");
  assert.equal(creates.length, 1, "the first stands in the way of the others");
  // reads are counted by themselves, and other customers by themselves
  assert.equal((await me.fetch("GET", "/linked_accounts", { headers: network() })).status, 200);
  assertError(await customer().json("/linked_accounts", {}, network()), 400, "idempotency_key_invalid");
});

test("sixty of everything else", async () => {
  let me = customer();
  const refused = await exhaust(60, () => {
    me = customer(OPERATE);
    const paths = [
      ["GET", "/linked_accounts?limit=0"],
      ["GET", "/linked_accounts/search?page=0"],
      ["GET", "/linked_accounts/x"],
      ["DELETE", "/linked_accounts/x"],
      ["POST", "/linked_accounts/confirm"],
      ["GET", "/audit?limit=0"],
    ] as const;
    return (i) => {
      const [method, path] = paths[i % paths.length] ?? paths[0];
      return me.fetch(method, path, { headers: network() });
    };
  });
  assertLimited(refused);
  const other = await customer().fetch("GET", "/linked_accounts", { headers: network() });
  assert.equal(other.status, 200, "another customer is not concerned");
  const create = await me.json("/linked_accounts", {}, network());
  assertError(create, 400, "idempotency_key_invalid");
});

test("a hundred creates a minute of one network, of any number of customers and with any other headers", async () => {
  let from = {};
  const refused = await exhaust(100, () => {
    from = network();
    return (i) =>
      customer().json(
        "/linked_accounts",
        {},
        {
          ...from,
          "X-Forwarded-For": `198.51.100.${i}`,
          "X-Real-IP": `198.51.100.${i}`,
          "True-Client-IP": `198.51.100.${i}`,
          Forwarded: `for=198.51.100.${i}`,
        },
      );
  });
  assertLimited(refused);
  assertError(await customer().json("/linked_accounts", {}, network()), 400, "idempotency_key_invalid");
  assert.equal((await customer().fetch("GET", "/linked_accounts", { headers: from })).status, 200);
});

test("an IPv6 network is a /64", async () => {
  let block = "";
  let blocks = 0;
  const ask = (ip: string) =>
    customer().fetch("POST", "/linked_accounts", { headers: { ...ANONYMOUS, "CF-Connecting-IP": ip } });
  const refused = await exhaust(100, () => {
    blocks += 1;
    block = `2001:db8:0:${blocks}`;
    return (i) => ask(i % 2 ? `${block}::${i}` : `${block}:ffff:${i}:0:1`);
  });
  assertLimited(refused);
  assertError(await ask("2001:db8:1:1::1"), 401, "unauthenticated");
  let mapped = "";
  assertLimited(
    await exhaust(100, () => {
      mapped = network()["CF-Connecting-IP"];
      return (i) => ask(i % 2 ? mapped : `::ffff:${mapped}`);
    }),
  );
});

test("six hundred of everything else, tokens or not, and then no token helps", async () => {
  let from = {};
  const refused = await exhaust(600, () => {
    from = network();
    return async (i) => {
      if (i === 600) return customer().fetch("GET", "/linked_accounts", { headers: from });
      const path = i % 2 ? "/banks" : "/audit";
      const answer = await customer().fetch("GET", path, { headers: { ...from, ...ANONYMOUS } });
      assert.equal(answer.status, i % 2 ? 200 : 401);
      return answer;
    };
  });
  assertLimited(refused);
});

test("health checks and Omise's webhooks are not counted", async () => {
  const from = network();
  for (let i = 0; i < 40; i++) {
    await Promise.all(
      Array.from({ length: 16 }, async () => {
        const health = await customer().fetch("GET", "/health", { headers: { ...from, ...ANONYMOUS } });
        assert.equal(health.status, 200);
        const webhook = await customer().fetch("POST", "/webhooks/omise", {
          headers: { ...from, ...ANONYMOUS },
          body: "{}",
        });
        assertError(webhook, 401, "unauthenticated");
      }),
    );
  }
  for (const [method, path, status] of [
    ["GET", "/openapi.json", 200],
    ["OPTIONS", "/linked_accounts", 204],
    ["GET", "/nothing", 404],
  ] as const) {
    for (let i = 0; i < 31; i++) {
      const some = Array.from({ length: 20 }, () => customer().fetch(method, path, { headers: from }));
      for (const answer of await Promise.all(some)) assert.equal(answer.status, status);
    }
  }
  const answer = await customer().fetch("GET", "/linked_accounts", { headers: from });
  assert.equal(answer.status, 200, "none of it was counted as reads either");
});

test("asking whether it is ready uses up no customer's limit", async () => {
  const from = network();
  const ready = await exhaust(600, () => {
    const from = network();
    return () => customer().fetch("GET", "/ready", { headers: { ...from, ...ANONYMOUS } });
  });
  assertLimited(ready);
  // a shop may name its customers as it likes
  const called = customer({ sub: "ready" });
  assert.equal((await called.fetch("GET", "/linked_accounts", { headers: from })).status, 200);
});
