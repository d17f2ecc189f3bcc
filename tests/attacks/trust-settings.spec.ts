// When the Worker refuses to serve: settings that are wrong, blank, of the other mode, or copied from an example.

import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { readdirSync } from "node:fs";
import { after, before, beforeEach, test } from "node:test";
import { unstable_readConfig } from "wrangler";
import { account, answering, FakeOmise, listOf, searchOf } from "../../harness/omise.ts";
import { OPERATE, STOREFRONT, sessionOf } from "../../harness/session.ts";
import { type Bindings, type RunningWorker, randomSecrets, startWorker } from "../../harness/stack.ts";
import { type Answer, assertError, issuesOf } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";
import { Ledgers } from "../support/ledgers.ts";

const omise = new FakeOmise();
const secrets = randomSecrets();
/** With a test key, and everything else as it should be. */
let worker: RunningWorker;
let db: Ledgers;
let omiseUrl: string;
let me: Customer;

before(async () => {
  omiseUrl = await omise.start();
  worker = await startWorker({ omiseUrl, storefrontUrl: STOREFRONT, secrets, alarms: false });
  db = new Ledgers(worker);
});
after(async () => {
  await worker?.dispose();
  await omise.stop();
});
beforeEach(() => {
  omise.answer = answering(200, account({ registration_uri: `${omiseUrl}/register` }));
  omise.requests.length = 0;
  me = customer();
});

const customer = (claims: Record<string, unknown> = {}) =>
  new Customer(worker.url, sessionOf(worker, secrets), { sub: randomUUID(), ...claims });

/** Not a key of anybody's: put together here, so that none is written down. */
const LIVE_KEY = ["skey", "5xuy4w91xqz7d1w9u0t"].join("_");

/** Wrong values of each setting beside a test key. A Worker is started with the first of each, another with the second, … */
const WRONG: Record<string, string[]> = {
  OMISE_API_URL: [
    "http://api.omise.co",
    "https://api.omise.co/",
    "https://api.omise.co:8443",
    "https://api.omise.co.evil.example",
    "https://key@api.omise.co",
    "http://127.0.0.1:8788/linked_accounts",
    "http://127.0.0.1.evil.example",
    "http://10.0.0.1:8788",
    "http://[fe80::1]:8788",
    "http://2130706433:8788",
    "https://evil.example",
    "//api.omise.co",
  ],
  WEBHOOK_SECRET: [
    "",
    " ",
    Buffer.alloc(15, 7).toString("base64"),
    `${randomBytes(32).toString("base64")},`,
    `${randomBytes(32).toString("base64")},${randomBytes(8).toString("base64")}`,
    randomBytes(32).toString("base64").replace("=", ""),
    `${randomBytes(33).toString("base64").slice(0, -1)}-`,
    randomBytes(32).toString("base64").replace(/^.{8}/, "$& "),
    "====",
    ",",
    randomBytes(32).toString("hex").slice(0, 63),
    `"${randomBytes(32).toString("base64")}"`,
  ],
  OMISE_SECRET_KEY: [
    ["pkey", "test", "5xuy4w91xqz7d1w9u0t"].join("_"),
    ["pkey", "5xuy4w91xqz7d1w9u0t"].join("_"),
    LIVE_KEY,
    LIVE_KEY.toUpperCase(),
    `"${["skey", "test", "5xuy4w91xqz7d1w9u0t"].join("_")}"`,
    `${["skey", "test", "5xuy4w91xqz7d1w9u0t"].join("_")}:`,
    ["skey", "test"].join("_"),
    "",
    `${["skey", "test", "5xuy4w91xqz7d1w9u0t"].join("_")}\n${LIVE_KEY}`,
  ],
  LEDGER_KEY: ["", "x".repeat(31), " ".repeat(40)],
  SESSION_SECRET: ["secret", "", "x".repeat(31)],
  MODE: ["", "Test", "staging", "test,live", "true"],
  SESSION_ISSUER: [" ", ""],
  SESSION_AUDIENCE: ["", "\t"],
  ACCOUNT_TYPES: ["", "all", "*", "card"],
  ALLOWED_ORIGINS: [
    "",
    "*",
    "null",
    "https://*.shop.example",
    "https://shop.example/",
    "http://shop.example",
  ],
  RETURN_URIS: ["", "*", "https://*/return", "/return", "https://shop.example/?x=1", "javascript:alert(1)"],
  REGISTRATION_ORIGINS: ["", "*", "https://", "https://bank.example/register", "http://bank.example"],
};
/** And beside a live key, which goes nowhere but to Omise. */
const WRONG_IF_LIVE: Record<string, string[]> = {
  OMISE_API_URL: [
    "http://127.0.0.1:8788",
    "http://localhost:8788",
    "https://127.0.0.1:8788",
    "https://omise.co",
  ],
  REGISTRATION_ORIGINS: ["http://127.0.0.1:8788", "http://localhost"],
  ALLOWED_ORIGINS: ["http://127.0.0.1:8789", "http://localhost"],
  RETURN_URIS: ["http://127.0.0.1:8789/return", "http://localhost/return"],
  MODE: ["test", ""],
};
const LIVE = {
  MODE: "live",
  OMISE_SECRET_KEY: LIVE_KEY,
  OMISE_API_URL: "https://api.omise.co",
  REGISTRATION_ORIGINS: "https://bank.example",
  ALLOWED_ORIGINS: "https://shop.example",
  RETURN_URIS: "https://shop.example/return",
};

/** A Worker that refuses to serve: what was wrong, what it says of it, and all of its words. */
interface Refusal {
  bindings: Bindings;
  wrong: string[];
  issues: string[];
  text: string;
}

let refused: Promise<Refusal[]> | undefined;

/** Each of the wrong settings, tried once for all tests. */
function refusals(): Promise<Refusal[]> {
  const columns = (wrong: Record<string, string[]>) =>
    Array.from({ length: Math.max(...Object.values(wrong).map(({ length }) => length)) }, (_, i) => {
      const values = Object.entries(wrong).map(([name, values]) => [name, values[i]]);
      return Object.fromEntries(values.filter(([, value]) => value !== undefined)) as Record<string, string>;
    });
  refused ??= (async () => {
    const starts = [
      ...columns(WRONG).map((bindings) => ({ bindings, good: {} })),
      ...columns(WRONG_IF_LIVE).map((bindings) => ({ bindings, good: LIVE })),
    ];
    const found: Refusal[] = [];
    // some at a time, for the sake of the machine
    const two = async () => {
      for (let next = starts.pop(); next; next = starts.pop())
        found.push(await refusal(next.good, next.bindings));
    };
    await Promise.all([two(), two()]);
    return found;
  })();
  return refused;
}

/** Starts a Worker with wrong settings, and asks it for everything that it must not serve. */
async function refusal(good: Bindings, wrong: Bindings): Promise<Refusal> {
  const own = randomSecrets();
  const log: string[] = [];
  const bindings = { ...good, ...wrong };
  const started = await startWorker({
    omiseUrl,
    storefrontUrl: STOREFRONT,
    secrets: own,
    alarms: false,
    bindings,
    log: (line) => log.push(line),
  });
  try {
    const who = new Customer(started.url, sessionOf(started, own), { sub: randomUUID(), ...OPERATE });
    assert.equal((await who.fetch("GET", "/health")).status, 200, "alive all the same");
    const answers = await Promise.all([
      who.create(),
      who.get("lnac_test_0000000000000000000"),
      who.delete("lnac_test_0000000000000000000"),
      ...["/linked_accounts", "/linked_accounts/search", "/banks", "/audit", "/ready"].map((path) =>
        who.fetch("GET", path),
      ),
      who.confirm("x"),
      who.fetch("POST", "/webhooks/omise", { body: "{}" }),
    ]);
    for (const answer of answers) {
      assertError(answer, 503, "misconfigured");
      assert.deepEqual(issuesOf(answer), issuesOf(answers[0]));
    }
    const text = JSON.stringify([answers.map(({ body }) => body), log]);
    for (const secret of Object.values(own)) assert.ok(!text.includes(secret));
    return { bindings, wrong: Object.keys(wrong), issues: issuesOf(answers[0]), text };
  } finally {
    await started.dispose();
  }
}

/** Every Worker that has a wrong value of this setting names it, and every value was tried. */
async function assertRefused(name: string): Promise<void> {
  const tried = (await refusals()).filter(({ wrong }) => wrong.includes(name));
  assert.equal(tried.length, (WRONG[name]?.length ?? 0) + (WRONG_IF_LIVE[name]?.length ?? 0));
  for (const { bindings, issues } of tried) {
    const value = bindings[name] ?? "";
    const expected = value.trim() === "" ? `${name} required` : `${name} invalid`;
    // which mode a wrong key was meant to be of is not known, so the key alone is blamed for it
    if (name === "OMISE_SECRET_KEY" && value === LIVE_KEY) assert.ok(issues.includes("MODE invalid"));
    else assert.ok(issues.includes(expected), `${name}=${JSON.stringify(value)}: ${issues}`);
  }
  assert.equal(omise.requests.length, 0);
}

test("C26: a secret that is pasted wrong is not repeated when it is refused", async () => {
  for (const { bindings, text } of await refusals()) {
    for (const name of ["OMISE_SECRET_KEY", "WEBHOOK_SECRET", "SESSION_SECRET", "LEDGER_KEY"]) {
      const value = bindings[name]?.trim() ?? "";
      // shorter ones are within the words that refuse them
      if (value.length > 14) assert.ok(!text.includes(value), `${name} is in ${text}`);
    }
  }
});

test("C30: with a secret that is no good nothing is served", async () => {
  await assertRefused("WEBHOOK_SECRET");
});

test("C39: Omise's address is Omise's, or a loopback host's with a test key", async () => {
  await assertRefused("OMISE_API_URL");
});

test("C39: beside a live key every other address is https too", async () => {
  for (const name of ["REGISTRATION_ORIGINS", "ALLOWED_ORIGINS", "RETURN_URIS"]) await assertRefused(name);
});

test("C40: a key of the other mode, a public key and what is no key are refused, each by its name", async () => {
  await assertRefused("OMISE_SECRET_KEY");
  await assertRefused("MODE");
  const publicKeys = (await refusals()).filter(({ bindings }) =>
    bindings.OMISE_SECRET_KEY?.startsWith("pkey_"),
  );
  assert.equal(publicKeys.length, 2);
  for (const { text } of publicKeys) assert.ok(text.includes("found a public key"));
});

test("C40: an id of the other mode reaches nobody: 404 for a customer, mode_mismatch for an operator", async () => {
  const operator = customer(OPERATE);
  const unknown = await me.get("lnac_test_0000000000000000000");
  const shown = ({ body }: Answer) => ({ ...body, request_id: "" });
  for (const id of ["lnac_5zylnmmt2kl9chq3ip1", "lacct_5zylnmmt2kl9chq3ip1", "lnac_test", "lnac_0"]) {
    for (const method of ["GET", "DELETE"]) {
      const answer = await me.fetch(method, `/linked_accounts/${id}`);
      assertError(answer, 404, "not_found");
      assert.deepEqual(shown(answer), shown(unknown));
      const theirs = await operator.fetch(method, `/linked_accounts/${id}`);
      assertError(theirs, 502, "mode_mismatch");
      assert.ok(!JSON.stringify(theirs.body).includes(id));
    }
  }
  assert.equal(omise.requests.length, 0);
});

test("C40: an answer of the other mode is not shown, to whom and however it comes", async () => {
  const { id } = (await me.create()).body;
  const created = new URLSearchParams(omise.requests[0]?.body).get("return_uri") ?? "";
  const state = new URL(created).searchParams.get("link_state");
  const operator = customer(OPERATE);
  const live = { id: "lnac_5zylnmmt2kl9chq3ip1", last_digits: "7890" };
  for (const other of [{ id, livemode: true }, live, { ...live, livemode: true }].map(account)) {
    omise.answer = (request, response, body) => {
      const path = request.url ?? "";
      const list = path.startsWith("/search") ? searchOf([other]) : listOf([other]);
      const one = request.method === "POST" || /lnac_/.test(path);
      answering(200, one ? other : list)(request, response, body);
    };
    for (const answer of [
      await customer().create(),
      await me.get(id),
      await me.delete(id),
      await operator.fetch("GET", "/linked_accounts"),
      await operator.fetch("GET", "/linked_accounts/search?query=x"),
    ]) {
      assert.ok(["mode_mismatch", "upstream_unreadable"].includes(answer.body.reason), answer.body.reason);
      assertError(answer, 502, answer.body.reason);
      assert.ok(!/7890|5zylnmmt/.test(JSON.stringify(answer.body)));
    }
    const confirmed = await me.confirm(state);
    assert.ok(confirmed.status === 502 || confirmed.body.livemode === false);
  }
  const row = await db.first<{ account: string }>("SELECT status, account FROM links WHERE id = ?", id);
  assert.ok(row && !row.account.includes('"livemode":true'));
});

/** Settings that decide nothing about who may do what. */
const FIXED = ["MODE", "OMISE_API_URL"];

test("C48: the settings that are deployed are blank, and with them as they are nothing is served", async () => {
  const vars = (env?: string) =>
    unstable_readConfig({ config: "worker/wrangler.toml", ...(env && { env }) }).vars as Record<
      string,
      string
    >;
  assert.deepEqual(Object.values(vars()).filter(Boolean), []);
  for (const env of ["test", "live"]) {
    const { MODE, OMISE_API_URL } = vars(env);
    assert.deepEqual([MODE, OMISE_API_URL], [env, "https://api.omise.co"]);
    const filled = Object.entries(vars(env)).filter(([name, value]) => value !== "" && !FIXED.includes(name));
    assert.deepEqual(filled, []);
  }
  const { issues } = await refusal({}, { ...vars(), ...vars("test"), SESSION_SECRET: "" });
  assert.deepEqual(
    issues.sort(),
    [
      ...["ACCOUNT_TYPES", "ALLOWED_ORIGINS", "REGISTRATION_ORIGINS", "RETURN_URIS"],
      ...["SESSION_AUDIENCE", "SESSION_ISSUER", "SESSION_JWKS", "SESSION_SECRET"],
    ].map((name) => `${name} required`),
  );
});

test("C48: every switch that is blank is named, and so is one with a value that allows everything", async () => {
  for (const name of ["ACCOUNT_TYPES", "SESSION_ISSUER", "SESSION_AUDIENCE", "LEDGER_KEY", "MODE"])
    await assertRefused(name);
  // in place of it a JWK set could be meant, so that both are named
  for (const { bindings, wrong, issues } of await refusals()) {
    if (!wrong.includes("SESSION_SECRET")) continue;
    assert.ok(issues.includes(`SESSION_SECRET ${bindings.SESSION_SECRET === "" ? "required" : "invalid"}`));
  }
});

test("C48: no example value is anywhere that a deployment would copy it from", () => {
  const examples = readdirSync("worker", { withFileTypes: true }).filter(
    (file) => file.isFile() && /^\.(dev\.vars|env)/.test(file.name) && file.name.includes("example"),
  );
  assert.deepEqual(examples, []);
  for (const env of [undefined, "test", "live"]) {
    const config = unstable_readConfig({ config: "worker/wrangler.toml", ...(env && { env }) });
    JSON.stringify(config, (name, value) => {
      assert.doesNotMatch(name, /SECRET|_KEY/, env);
      assert.doesNotMatch(String(value), /[sp]key_\w/, `${env} ${name}`);
      return value;
    });
  }
});
