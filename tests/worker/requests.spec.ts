// What a caller may send, and how everything else is refused.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { request as httpRequest } from "node:http";
import { after, before, test } from "node:test";
import { token } from "../../harness/session.ts";
import { randomSecrets, type Stack, startStack } from "../../harness/stack.ts";
import { assertError, assertStandardHeaders, issuesOf } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";

let stack: Stack;
let me: Customer;

before(async () => {
  stack = await startStack({ secrets: randomSecrets(), storefront: false });
  me = new Customer(stack.workerUrl, stack.env.session);
});
after(() => stack?.dispose());

const key = () => ({ "Idempotency-Key": randomUUID() });
const json = { "Content-Type": "application/json" };

test("the documented create errors have the one shape, and name their field", async () => {
  const returnUri = `${stack.storefrontUrl}/return`;
  for (const [body, reason, issues] of [
    [{ return_uri: returnUri }, "invalid_request", ["type required"]],
    [{ type: "direct_debit_uob", return_uri: returnUri }, "type_not_enabled", ["type not_supported"]],
    [{ type: "direct_debit_bbl", return_uri: returnUri }, "type_not_enabled", ["type not_supported"]],
    [{ type: "direct_debit_scb" }, "invalid_request", ["return_uri required"]],
    [{ type: "direct_debit_scb", return_uri: "nonsense" }, "invalid_request", ["return_uri invalid"]],
    [
      { type: "direct_debit_scb", return_uri: "https://evil.example/return" },
      "return_uri_not_allowed",
      ["return_uri not_allowed"],
    ],
    [
      { type: "direct_debit_scb", return_uri: `${returnUri}ed` },
      "return_uri_not_allowed",
      ["return_uri not_allowed"],
    ],
    [
      {
        type: 7,
        return_uri: "x",
        citizen_id: "1101700230709",
        metadata: { linked_accounts_a: 1, b: null },
        livemode: true,
      },
      "invalid_request",
      [
        "type wrong_type",
        "return_uri invalid",
        "citizen_id invalid",
        "metadata.linked_accounts_a reserved",
        "metadata.b wrong_type",
        "livemode unknown_field",
      ],
    ],
  ] as const) {
    const answer = await me.json("/linked_accounts", body, key());
    assertError(answer, 400, reason);
    assert.equal(answer.body.code, "bad_request");
    assert.deepEqual(issuesOf(answer), issues);
  }
});

test("Idempotency-Key is required: one, of 1 to 255 visible ASCII characters", async () => {
  const body = { type: "direct_debit_scb", return_uri: `${stack.storefrontUrl}/return` };
  assertError(await me.json("/linked_accounts", body), 400, "idempotency_key_invalid");
  for (const value of ["", "a b", "k".repeat(256)]) {
    assertError(
      await me.json("/linked_accounts", body, { "Idempotency-Key": value }),
      400,
      "idempotency_key_invalid",
    );
  }
});

test("only JSON in UTF-8 is read, once, up to 256 KiB", async () => {
  const post = (body: BodyInit, headers: Record<string, string>) =>
    me.fetch("POST", "/linked_accounts", { body, headers: { ...key(), ...headers } });
  for (const type of [
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/json; charset=utf-16",
  ]) {
    assertError(await post("{}", { "Content-Type": type }), 415, "unsupported_media_type");
  }
  assertError(await post(new Uint8Array([123, 125]), {}), 415, "unsupported_media_type");
  for (const body of ["", "{", "[}", "\ufeff{}", '{"a":NaN}', '{"a":"\\ud800"}', "[".repeat(10_000)]) {
    assertError(await post(body, json), 400, "malformed_json");
  }
  assertError(await post(new Uint8Array([0xff]), json), 400, "malformed_json");
  assertError(await post(`"${"x".repeat(200_000)}"`, json), 400, "invalid_request");
  // last: what was not read ends the connection, which the next request would find closed
  assertError(await post(`"${"x".repeat(1024 * 1024)}"`, json), 413, "body_too_large");
});

test("a body without a length is counted as it comes", async () => {
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const request = httpRequest(`${stack.workerUrl}/linked_accounts`, {
      method: "POST",
      headers: { ...json, ...key(), Authorization: `Bearer ${token(stack.env.session)}` },
    });
    request.on("response", (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.on("error", reject);
    // chunked: Node sets no Content-Length when the body is written in parts
    for (let i = 0; i < 5; i++) request.write("x".repeat(64 * 1024));
    request.end();
  });
  assert.equal(status, 413);
});

test("confirm takes one field", async () => {
  const answer = await me.json("/linked_accounts/confirm", { link_state: 7, id: "x" });
  assertError(answer, 400, "invalid_request");
  assert.deepEqual(issuesOf(answer), ["link_state wrong_type", "id unknown_field"]);
  const strangers = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`x${i}`, 1]));
  const hostile = await me.json("/linked_accounts/confirm", strangers);
  assertError(hostile, 400, "invalid_request");
  assert.equal(hostile.body.issues.length, 100);
});

test("paths and methods", async () => {
  for (const [method, path, allow] of [
    ["PUT", "/linked_accounts", "GET, POST, OPTIONS"],
    ["GET", "/linked_accounts/confirm", "POST, OPTIONS"],
    ["DELETE", "/linked_accounts/search", "GET, OPTIONS"],
    ["GET", "/webhooks/omise", "POST, OPTIONS"],
    ["POST", "/audit", "GET, OPTIONS"],
    ["PATCH", "/linked_accounts/lnac_test_1", "GET, DELETE, OPTIONS"],
    ["POST", "/health", "GET, OPTIONS"],
  ] as const) {
    const answer = await me.fetch(method, path);
    assertError(answer, 405, "method_not_allowed");
    assert.equal(answer.headers.get("Allow"), allow);
  }
  for (const path of [
    "/",
    "/linked_accounts/",
    "//linked_accounts",
    "/Linked_Accounts",
    "/linked_accounts/a/b",
    "/health/",
  ]) {
    assertError(await me.fetch("GET", path), 404, "route_not_found");
  }
  const overridden = await me.fetch("GET", "/linked_accounts/lnac_test_1", {
    headers: { "X-HTTP-Method-Override": "DELETE" },
  });
  assertError(overridden, 404, "not_found");
});

test("only a good bearer token is let in, and every fault is one answer", async () => {
  const good = token(stack.env.session);
  const bad = [
    "",
    `Basic ${Buffer.from("a:b").toString("base64")}`,
    `bearer ${good}`,
    `Bearer ${good}x`,
    `Bearer ${good}, Bearer ${good}`,
    `Bearer ${token({ ...stack.env.session, secret: "another secret of at least 32 bytes" })}`,
    `Bearer ${token(stack.env.session, { exp: Math.floor(Date.now() / 1000) - 120 })}`,
    `Bearer ${token(stack.env.session, { exp: Math.floor(Date.now() / 1000) + 7200 })}`,
    `Bearer ${token(stack.env.session, { aud: "other" })}`,
    `Bearer ${token(stack.env.session, { iss: "other" })}`,
    `Bearer ${token(stack.env.session, { sub: "" })}`,
  ];
  const answers = [];
  for (const authorization of bad) {
    const answer = await me.fetch("GET", "/linked_accounts/lnac_test_1", {
      headers: { Authorization: authorization },
    });
    assertError(answer, 401, "unauthenticated");
    answers.push({ ...answer.body, request_id: "" });
  }
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
});

test("CORS: configured origins exactly, on errors too", async () => {
  const origin = stack.storefrontUrl;
  const preflight = (from: string) =>
    me.fetch("OPTIONS", "/linked_accounts", {
      headers: {
        Origin: from,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x".repeat(10_000),
      },
    });
  const allowed = await preflight(origin);
  assert.equal(allowed.status, 204);
  assertStandardHeaders(allowed);
  assert.equal(allowed.headers.get("Access-Control-Allow-Origin"), origin);
  assert.equal(
    allowed.headers.get("Access-Control-Allow-Headers"),
    "Authorization, Content-Type, Idempotency-Key, Prefer",
  );
  assert.equal(allowed.headers.get("Access-Control-Allow-Methods"), "GET, POST, DELETE");
  assert.equal(allowed.headers.get("Access-Control-Allow-Credentials"), null);
  for (const from of [
    "null",
    `${origin}.evil.example`,
    `${origin}0`,
    origin.replace("http:", "https:"),
    "https://evil.example",
    `${origin}/`,
  ]) {
    const refused = await preflight(from);
    assert.equal(refused.headers.get("Access-Control-Allow-Origin"), null, from);
    assert.equal(refused.headers.get("Vary"), "Origin");
    const answer = await me.fetch("GET", "/linked_accounts/lnac_test_1", { headers: { Origin: from } });
    assert.equal(answer.headers.get("Access-Control-Allow-Origin"), null, from);
  }
  const error = await me.fetch("GET", "/linked_accounts/lnac_test_1", { headers: { Origin: origin } });
  assertError(error, 404, "not_found");
  assert.equal(error.headers.get("Access-Control-Allow-Origin"), origin);
  assert.equal(
    error.headers.get("Access-Control-Expose-Headers"),
    "X-Request-Id, Retry-After, Idempotent-Replayed, Date",
  );
});

test("health answers anyone", async () => {
  const answer = await me.fetch("GET", "/health", { headers: { Authorization: "" } });
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.body, { object: "health", status: "ok" });
  assertStandardHeaders(answer);
});
