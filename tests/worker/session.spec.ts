// Session tokens: which are believed, which are not, and where the keys come from.

import assert from "node:assert/strict";
import { sign } from "node:crypto";
import { once } from "node:events";
import { request as httpRequest, type ServerResponse } from "node:http";
import { after, before, type TestContext, test } from "node:test";
import { FakeOmise } from "../../harness/omise.ts";
import { claimsFor, hmac, jwt, STOREFRONT } from "../../harness/session.ts";
import { type Bindings, type Running, randomSecrets, startWorker } from "../../harness/stack.ts";
import { type Answer, assertError } from "../support/answer.ts";
import { publishing, serving } from "../support/key-server.ts";
import { jwkOf, type KeyPair, keyPair, keySet, signedBy } from "../support/keys.ts";

type Jwk = Record<string, unknown>;

const EC = keyPair("ES256", "ec");
const RSA = keyPair("RS256", "rsa");
const ED = keyPair("EdDSA", "ed");
const ATTACKER = keyPair("ES256", "attacker");

const now = () => Math.floor(Date.now() / 1000);
const b64 = (data: string | Buffer) => Buffer.from(data).toString("base64url");

const claimsOf = (worker: Running, claims?: Jwk) => claimsFor({ iss: STOREFRONT, aud: worker.url }, claims);

/** Mints a token for `worker`; `header` is put over the pair's own. */
function mint(worker: Running, pair: KeyPair, header: Jwk = {}, claims: Jwk = {}): string {
  const { alg, kid } = pair;
  return jwt({ alg, kid, typ: "JWT", ...header }, claimsOf(worker, claims), signedBy(pair));
}

/** Mints a token for `worker` with HMAC. */
const mintHmac = (worker: Running, secret: string | Buffer, header: Jwk) =>
  jwt(header, claimsOf(worker), hmac(secret));

async function ask(worker: Running, authorization: string): Promise<Answer> {
  const url = `${worker.url}/linked_accounts/lnac_test_1`;
  const response = await fetch(url, { headers: { Authorization: authorization } });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** Someone who is let in learns that there is no such account. */
async function assertIn(worker: Running, token: string): Promise<void> {
  assertError(await ask(worker, `Bearer ${token}`), 404, "not_found");
}

async function assertRefused(worker: Running, token: string): Promise<void> {
  assertError(await ask(worker, `Bearer ${token}`), 401, "unauthenticated");
}

/** 503, and when to come back. */
async function assertUnavailable(worker: Running, token: string): Promise<void> {
  const answer = await ask(worker, `Bearer ${token}`);
  assertError(answer, 503, "keys_unavailable");
  assert.equal(answer.body.retryable, true);
  const seconds = Number(answer.headers.get("Retry-After"));
  assert.ok(seconds >= 1 && seconds <= 30, `Retry-After: ${seconds}`);
}

/** A Worker that trusts these keys. */
function start(keys: Bindings, log?: (line: string) => void): Promise<Running> {
  const bindings = { SESSION_SECRET: undefined, SESSION_JWKS: undefined, ...keys };
  const omiseUrl = "http://127.0.0.1:2";
  return startWorker({ omiseUrl, storefrontUrl: STOREFRONT, secrets: randomSecrets(), bindings, log });
}

/** The same, until the test ends. */
async function trusting(t: TestContext, keys: Bindings): Promise<Running> {
  const worker = await start(keys);
  t.after(() => worker.dispose());
  return worker;
}

/** What no key makes good. The names are of the faults. */
function garbage(worker: Running): [string, string][] {
  const good = mint(worker, EC);
  const [header = "", claims = "", signed = ""] = good.split(".");
  const pem = RSA.publicKey.export({ type: "spki", format: "pem" });
  const der = sign("sha256", Buffer.from(`${header}.${claims}`), EC.privateKey);
  const raw = (head: string, body = claims, tail = signed) => `${head}.${body}.${tail}`;
  const unsigned = (head: object) => raw(b64(JSON.stringify(head)), claims, "");
  return [
    ["nothing", ""],
    ["dots", ".."],
    ["two parts", `${header}.${claims}`],
    ["four parts", `${good}.${signed}`],
    ["a dot more", `${good}.`],
    ["JSON serialisation", JSON.stringify({ protected: header, payload: claims, signature: signed })],
    ["twice", `${good}, Bearer ${good}`],
    ["padding", `${good}==`],
    ["padded header", raw(`${header}==`)],
    ["other base64", raw(header, claims, Buffer.from(signed, "base64url").toString("base64"))],
    ["none", unsigned({ alg: "none", kid: "ec" })],
    ["None", unsigned({ alg: "None", kid: "ec" })],
    ["NONE", unsigned({ alg: "NONE", kid: "ec" })],
    ["none, signed", mint(worker, EC, { alg: "none" })],
    ["no signature", raw(header, claims, "")],
    ["no algorithm", mint(worker, EC, { alg: undefined })],
    ["algorithm of no key", mint(worker, EC, { alg: "ES384" })],
    ["HMAC with the RSA key's PEM", mintHmac(worker, pem, { alg: "HS256", kid: "rsa" })],
    ["HMAC with the JWK", mintHmac(worker, JSON.stringify(jwkOf(RSA)), { alg: "HS256", kid: "rsa" })],
    [
      "HMAC with the modulus",
      mintHmac(worker, Buffer.from(String(jwkOf(RSA).n), "base64url"), { alg: "HS256" }),
    ],
    ["HMAC with nothing", mintHmac(worker, "", { alg: "HS256", kid: "ec" })],
    ["signature in DER", raw(header, claims, b64(der))],
    ["RS256 in 64 bytes", raw(b64(JSON.stringify({ alg: "RS256", kid: "rsa" })))],
    ["crit", mint(worker, EC, { crit: ["exp"] })],
    ["crit and b64", mint(worker, EC, { crit: ["b64"], b64: false })],
    ["empty crit", mint(worker, EC, { crit: [] })],
    ["kid a number", mint(worker, EC, { kid: 7 })],
    ["kid null", mint(worker, EC, { kid: null })],
    ["kid of 10 kB", mint(worker, EC, { kid: "k".repeat(10_000) })],
    ["expired", mint(worker, EC, {}, { exp: now() - 120 })],
    ["too long", mint(worker, EC, {}, { exp: now() + 3_720 })],
    ["no exp", mint(worker, EC, {}, { exp: undefined })],
    ["exp a string", mint(worker, EC, {}, { exp: String(now() + 300) })],
    ["not yet", mint(worker, EC, {}, { nbf: now() + 120 })],
    ["another issuer", mint(worker, EC, {}, { iss: `${STOREFRONT}/` })],
    ["issuer a list", mint(worker, EC, {}, { iss: [STOREFRONT] })],
    ["another audience", mint(worker, EC, {}, { aud: STOREFRONT })],
    ["other audiences", mint(worker, EC, {}, { aud: [STOREFRONT, `${worker.url}/`] })],
    ["no audience", mint(worker, EC, {}, { aud: undefined })],
    ["no subject", mint(worker, EC, {}, { sub: undefined })],
    ["empty subject", mint(worker, EC, {}, { sub: "" })],
    ["subject a number", mint(worker, EC, {}, { sub: 7 })],
    ["long subject", mint(worker, EC, {}, { sub: "s".repeat(256) })],
    ["scope a list", mint(worker, EC, {}, { scope: ["linked_accounts:operate"] })],
    ["a long token", mint(worker, EC, {}, { padding: "x".repeat(10_000) })],
    ["header a list", raw(b64(JSON.stringify(["ES256", "ec"])))],
    ["two algorithms", raw(b64('{"alg":"none","kid":"ec","alg":"ES256"}'))],
  ];
}

let inline: Running;
let attacker: FakeOmise;
let attackerUrl: string;
const lines: string[] = [];

before(async () => {
  attacker = new FakeOmise();
  attacker.answer = serving(keySet(jwkOf(ATTACKER), jwkOf(ATTACKER, { kid: "ec" })));
  attackerUrl = await attacker.start();
  const offCurve = { kty: "EC", crv: "P-256", x: b64(Buffer.alloc(32, 1)), y: b64(Buffer.alloc(32, 2)) };
  const keys = [
    jwkOf(EC),
    jwkOf(RSA),
    jwkOf(ED, { use: undefined, key_ops: ["verify"] }),
    jwkOf(EC, { kid: "no alg", alg: undefined }),
    jwkOf(EC, { kid: "for encryption", use: "enc" }),
    jwkOf(EC, { kid: "for signing", key_ops: ["sign"] }),
    jwkOf(EC, { kid: "twin" }),
    jwkOf(ED, { kid: "twin" }),
    { ...offCurve, alg: "ES256", kid: "off the curve" },
    jwkOf(EC, { kid: undefined }),
  ];
  inline = await start({ SESSION_JWKS: keySet(...keys) }, (line) => lines.push(line));
});
after(async () => {
  await inline?.dispose();
  await attacker?.stop();
});

test("tokens of each algorithm are believed", async () => {
  for (const pair of [EC, RSA, ED]) {
    for (const claims of [
      {},
      { aud: [STOREFRONT, inline.url] },
      { exp: now() - 50 },
      { exp: now() + 3_600 },
      { nbf: now() + 50 },
      { sub: "ก".repeat(85) },
    ]) {
      await assertIn(inline, mint(inline, pair, {}, claims));
    }
  }
  const operator = mint(inline, EC, {}, { scope: "openid linked_accounts:operate" });
  const id = "lnac_5xuy4w91xqz7d1w9u0t";
  const answer = await fetch(`${inline.url}/linked_accounts/${id}`, {
    headers: { Authorization: `Bearer ${operator}` },
  });
  assert.equal(((await answer.json()) as { reason: string }).reason, "mode_mismatch", "an operator's answer");
});

test("no other token is, and every fault is one answer that tells nothing", async () => {
  const good = mint(inline, EC);
  const [header, claims, signed = ""] = good.split(".");
  const bytes = Buffer.from(signed, "base64url");
  const own = jwkOf(ATTACKER);
  const flipped = [EC, RSA, ED].map((pair): [string, string] => {
    const [head, body, tail = ""] = mint(inline, pair).split(".");
    const flip = Buffer.from(tail, "base64url");
    flip[7] = (flip[7] ?? 0) ^ 1;
    return [`${pair.alg} with a flipped bit`, `${head}.${body}.${b64(flip)}`];
  });
  // a 64-byte signature ends in a character of which four bits are nothing's
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const neighbour = alphabet[alphabet.indexOf(signed.at(-1) ?? "") + 1];
  const bad: [string, string][] = [
    ...garbage(inline),
    ...flipped,
    ["trailing bits", `${good.slice(0, -1)}${neighbour}`],
    ["a signature of zeros", `${header}.${claims}.${b64(Buffer.alloc(64))}`],
    [
      "r and s exchanged",
      `${header}.${claims}.${b64(Buffer.concat([bytes.subarray(32), bytes.subarray(0, 32)]))}`,
    ],
    ["another's claims", `${header}.${mint(inline, EC, {}, { sub: "customer-2" }).split(".")[1]}.${signed}`],
    ["EdDSA under the name of an ES256 key", mint(inline, ED, { kid: "ec" })],
    ["ES256 under the name of an EdDSA key", mint(inline, EC, { kid: "ed" })],
    ["an EdDSA signature that says ES256", mint(inline, ED, { alg: "ES256", kid: "ec" })],
    ["an EdDSA key that says ES256", mint(inline, ED, { alg: "ES256" })],
    ["RS256 under the name of an ES256 key", mint(inline, RSA, { kid: "ec" })],
    ["a key without alg", mint(inline, EC, { kid: "no alg" })],
    ["a key for encryption", mint(inline, EC, { kid: "for encryption" })],
    ["a key for signing", mint(inline, EC, { kid: "for signing" })],
    ["one of two keys of one name", mint(inline, EC, { kid: "twin" })],
    ["a key that is no point", mint(inline, EC, { kid: "off the curve" })],
    ["no name among several keys", mint(inline, EC, { kid: undefined })],
    ["another's key", mint(inline, ATTACKER)],
    ["another's key under our name", mint(inline, ATTACKER, { kid: "ec" })],
    ["its own key", mint(inline, ATTACKER, { kid: "ec", jwk: own })],
    ["its own key alone", mint(inline, ATTACKER, { kid: undefined, jwk: own })],
    ["its own set", mint(inline, ATTACKER, { jku: `${attackerUrl}/jwks` })],
    ["its own set under our name", mint(inline, ATTACKER, { kid: "ec", jku: `${attackerUrl}/jwks` })],
    ["its own certificate", mint(inline, ATTACKER, { kid: "ec", x5u: attackerUrl, x5c: ["MIIB"] })],
    ...[
      "",
      "EC",
      "ec ",
      "ec\0",
      "../ec",
      "../../dev/null",
      "' OR '1'='1",
      "ec'; --",
      `${attackerUrl}/jwks`,
    ].map((kid): [string, string] => [`kid ${JSON.stringify(kid)}`, mint(inline, EC, { kid })]),
  ];
  let first: unknown;
  for (const [fault, token] of bad) {
    const answer = await ask(inline, `Bearer ${token}`);
    const body = { ...answer.body, request_id: "" };
    first ??= body;
    assert.equal(answer.status, 401, fault);
    assert.deepEqual(body, first, fault);
    assertError(answer, 401, "unauthenticated");
  }
  for (const authorization of ["Basic YTpi", `bearer ${good}`, `Bearer  ${good}`, good]) {
    assertError(await ask(inline, authorization), 401, "unauthenticated");
  }
  assert.equal(attacker.requests.length, 0, "addresses in tokens are not followed");
  await assertIn(inline, good);

  const log = lines.join("\n");
  assert.ok(log.includes('"detail":"the token\'s signature does not hold"'), "the operator learns why");
  for (const secret of ["customer-1", "/dev/null", claims ?? "", signed]) assert.ok(!log.includes(secret));
});

test("two Authorization headers are none", async () => {
  const good = `Bearer ${mint(inline, EC)}`;
  for (const [first, second] of [
    [good, good],
    [good, "Basic YTpi"],
    ["Basic YTpi", good],
  ] as const) {
    const headers = ["Host", "x", "Authorization", first, "Authorization", second];
    const request = httpRequest(`${inline.url}/linked_accounts/lnac_test_1`, { headers });
    const [response] = await once(request.end(), "response");
    response.resume();
    assert.equal(response.statusCode, 401);
  }
});

test("with a secret, public keys and unsigned tokens open nothing", async (t) => {
  // what a shop might do that takes its public key for a secret
  const secret = String(RSA.publicKey.export({ type: "spki", format: "pem" })).trim();
  const worker = await trusting(t, { SESSION_SECRET: secret });
  await assertIn(worker, mintHmac(worker, secret, { alg: "HS256" }));
  await assertIn(worker, mintHmac(worker, secret, { alg: "HS256", kid: "../x", jku: attackerUrl }));
  for (const token of [
    mint(worker, EC),
    mint(worker, RSA),
    mint(worker, ED),
    mint(worker, RSA, { alg: "HS256" }),
    mintHmac(worker, secret, { alg: "RS256", kid: "rsa" }),
    mintHmac(worker, secret, { alg: "none" }),
    mintHmac(worker, secret, { alg: "HS384" }),
    mintHmac(worker, secret, { alg: "HS256", crit: ["exp"] }),
    mintHmac(worker, `${secret}\n`, { alg: "HS256" }),
  ]) {
    await assertRefused(worker, token);
  }
  assert.equal(attacker.requests.length, 0);
});

test("a set is fetched once, for tokens that could be good", async (t) => {
  const [server, url] = await publishing(t, serving(keySet(jwkOf(EC), jwkOf(RSA), jwkOf(ED))));
  const worker = await trusting(t, { SESSION_JWKS: url });
  for (const [fault, token] of garbage(worker)) {
    assert.equal((await ask(worker, `Bearer ${token}`)).status, 401, fault);
  }
  assert.equal(server.requests.length, 0, "nothing was fetched for what no key makes good");

  for (const pair of [EC, RSA, ED, EC, RSA, ED]) await assertIn(worker, mint(worker, pair));
  await assertRefused(worker, mint(worker, ATTACKER, { kid: "ec", jku: `${attackerUrl}/jwks` }));
  await assertRefused(worker, mint(worker, EC, { kid: undefined }));
  assert.equal(server.requests.length, 1);
  const [request] = server.requests;
  assert.equal(`${request?.method} ${request?.path}`, "GET /keys?for=links");
  assert.equal(request?.headers.accept, "application/json");
  assert.equal(request?.headers.authorization, undefined);
  assert.equal(attacker.requests.length, 0);
});

test("a token without a name is for the only key", async (t) => {
  const unusable = jwkOf(RSA, { alg: undefined });
  const [, url] = await publishing(t, serving(keySet(jwkOf(EC, { kid: undefined }), unusable)));
  const worker = await trusting(t, { SESSION_JWKS: url });
  await assertIn(worker, mint(worker, EC, { kid: undefined }));
  await assertRefused(worker, mint(worker, ATTACKER, { kid: undefined }));
});

test("twenty who come at once to a Worker without keys share one fetch", async (t) => {
  const held: (() => void)[] = [];
  const [server, url] = await publishing(t, (request, response, body) => {
    held.push(() => serving(keySet(jwkOf(EC)))(request, response, body));
  });
  const worker = await trusting(t, { SESSION_JWKS: url });
  const all = Promise.all(Array.from({ length: 20 }, () => assertIn(worker, mint(worker, EC))));
  // by the time that this is answered they have come
  await fetch(`${worker.url}/health`);
  while (held.length === 0) await fetch(`${worker.url}/health`);
  for (const release of held) release();
  await all;
  assert.equal(server.requests.length, 1);
});

test("who waits for a fetch does not depend on the one who began it", async (t) => {
  const gone = new AbortController();
  let asked = () => {};
  const first = new Promise<void>((resolve) => {
    asked = resolve;
  });
  // the first is never answered
  const [server, url] = await publishing(t, () => asked());
  const worker = await trusting(t, { SESSION_JWKS: url });
  const headers = { Authorization: `Bearer ${mint(worker, EC)}` };
  const abandoned = fetch(`${worker.url}/linked_accounts/lnac_test_1`, { headers, signal: gone.signal });
  await first;
  server.answer = serving(keySet(jwkOf(EC)));
  const waiting = Promise.all(Array.from({ length: 5 }, () => assertIn(worker, mint(worker, EC))));
  gone.abort();
  await assert.rejects(abandoned, { name: "AbortError" });
  await waiting;
  assert.equal(server.requests.length, 2);
});

test("a rotated key is found by one more fetch, and the old one goes with it", async (t) => {
  const [server, url] = await publishing(t, serving(keySet(jwkOf(EC))));
  const worker = await trusting(t, { SESSION_JWKS: url });
  const next = keyPair("ES256", "next");
  await assertIn(worker, mint(worker, EC));
  server.answer = serving(keySet(jwkOf(next)));
  await Promise.all(Array.from({ length: 10 }, () => assertIn(worker, mint(worker, next))));
  assert.equal(server.requests.length, 2);
  await assertRefused(worker, mint(worker, EC));
  assert.equal(server.requests.length, 2, "no further fetch so soon");
});

test("a flood of unknown names costs one fetch", async (t) => {
  const [server, url] = await publishing(t, serving(keySet(jwkOf(EC))));
  const worker = await trusting(t, { SESSION_JWKS: url });
  await assertIn(worker, mint(worker, EC));
  const unknown = (i: number) => mint(worker, ATTACKER, { kid: `unknown ${i}` });
  await Promise.all(Array.from({ length: 50 }, (_, i) => assertRefused(worker, unknown(i))));
  for (let i = 50; i < 60; i++) await assertRefused(worker, unknown(i));
  assert.equal(server.requests.length, 2);
  await assertIn(worker, mint(worker, EC));
});

test("a Worker that begins with an unknown name fetches once for it", async (t) => {
  const [server, url] = await publishing(t, serving(keySet(jwkOf(EC))));
  const worker = await trusting(t, { SESSION_JWKS: url });
  await assertRefused(worker, mint(worker, ATTACKER));
  assert.equal(server.requests.length, 1);
  await assertIn(worker, mint(worker, EC));
  assert.equal(server.requests.length, 1);
});

test("while a fetch for an unknown name hangs or fails, known keys serve on", async (t) => {
  const [server, url] = await publishing(t, serving(keySet(jwkOf(EC))));
  const worker = await trusting(t, { SESSION_JWKS: url });
  await assertIn(worker, mint(worker, EC));
  const asked = new Promise<ServerResponse>((resolve) => {
    server.answer = (_, response) => resolve(response);
  });
  const unknown = assertUnavailable(worker, mint(worker, ATTACKER));
  const response = await asked;
  await assertIn(worker, mint(worker, EC));
  response.writeHead(500).end();
  await unknown;
  await assertUnavailable(worker, mint(worker, ATTACKER));
  await assertIn(worker, mint(worker, EC));
  assert.equal(server.requests.length, 2, "no further fetch so soon");
});

test("without keys no caller is let in, and the address is left alone for a while", async (t) => {
  const good = keySet(jwkOf(EC));
  const answers: [string, FakeOmise["answer"]][] = [
    ["500", (_, response) => response.writeHead(500).end(good)],
    ["201", (_, response) => response.writeHead(201).end(good)],
    ["nothing", (_, response) => response.writeHead(204).end()],
    ["another address", (_, response) => response.writeHead(302, { Location: attackerUrl }).end(good)],
    ["HTML", (_, response) => response.writeHead(200).end("<!doctype html><title>Sign in</title>")],
    ["too much", (_, response) => response.writeHead(200).end(good + " ".repeat(64 * 1024))],
    [
      "half",
      (_, response) => {
        response.writeHead(200, { "Content-Length": good.length }).write(good.slice(0, 40));
        response.destroy();
      },
    ],
    ["no usable keys", serving(keySet(jwkOf(EC, { alg: undefined }), jwkOf(RSA, { use: "enc" })))],
  ];
  for (const [what, answer] of answers) {
    await t.test(what, async (t) => {
      const [server, url] = await publishing(t, answer);
      const worker = await trusting(t, { SESSION_JWKS: url });
      await assertUnavailable(worker, mint(worker, EC));
      server.answer = serving(good);
      await assertUnavailable(worker, mint(worker, EC));
      await assertRefused(worker, mint(worker, EC, { alg: "none" }));
      assert.equal(server.requests.length, 1);
      assert.equal((await fetch(`${worker.url}/health`)).status, 200);
    });
  }
  assert.equal(attacker.requests.length, 0, "redirects are not followed");

  await t.test("no server at the address", async (t) => {
    const server = new FakeOmise();
    const url = await server.start();
    await server.stop();
    const worker = await trusting(t, { SESSION_JWKS: url });
    await assertUnavailable(worker, mint(worker, EC));
    await assertUnavailable(worker, mint(worker, EC));
  });
});

test("an address that does not come to an end is given up", async (t) => {
  const closed: Promise<unknown>[] = [];
  const silent: FakeOmise["answer"] = (_, response) => {
    closed.push(once(response, "close"));
  };
  const slow: FakeOmise["answer"] = (request, response) => {
    silent(request, response, "");
    response.writeHead(200).write('{"keys":[');
  };
  const endless: FakeOmise["answer"] = (request, response) => {
    silent(request, response, "");
    response.writeHead(200);
    const pour = () => {
      while (response.write(" ".repeat(16 * 1024)) && !response.destroyed);
    };
    response.on("drain", pour);
    pour();
  };
  await Promise.all(
    [silent, slow, endless].map(async (answer) => {
      const [, url] = await publishing(t, answer);
      const worker = await trusting(t, { SESSION_JWKS: url });
      await assertUnavailable(worker, mint(worker, EC));
    }),
  );
  await Promise.all(closed);
});
