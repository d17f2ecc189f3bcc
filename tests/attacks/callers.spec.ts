// Attacks by callers: who they say they are, whose accounts they ask for, and which pages they come from.

import assert from "node:assert/strict";
import { constants, randomUUID } from "node:crypto";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { after, before, beforeEach, type TestContext, test } from "node:test";
import { account, answering, FakeOmise, listOf, searchOf } from "../../harness/omise.ts";
import { claimsFor, hmac, jwt, OPERATE, STOREFRONT, sessionOf, token } from "../../harness/session.ts";
import { type Bindings, type RunningWorker, randomSecrets, startWorker } from "../../harness/stack.ts";
import { type Answer, assertError, assertStandardHeaders, issuesOf, readAnswer } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";
import { publishing, serving } from "../support/key-server.ts";
import { jwkOf, type KeyPair, keyPair, keySet, signedBy } from "../support/keys.ts";
import { Ledgers } from "../support/ledgers.ts";
import { seedLinks } from "../support/seed.ts";
import { until } from "../support/until.ts";

type Json = Record<string, unknown>;

/** A shop with a second origin, for look-alikes to be like. */
const SHOP = "https://shop.example";
const ALLOWED_ORIGINS = `${STOREFRONT}, ${SHOP}`;
const UNKNOWN = "lnac_test_0000000000000000000";
const LIVE = "lnac_0000000000000000000";

const omise = new FakeOmise();
/** What `jku` and redirects lead to: nobody may ever ask it. */
const attacker = new FakeOmise();
const secrets = randomSecrets();
/** What the Workers logged. */
const lines: string[] = [];
const log = (line: string) => lines.push(line);
/** What Omise knows. */
const accounts = new Map<string, Json>();
/** The link_state of every account that was created here. */
const linkStates = new Map<string, string>();
let omiseUrl: string;
let attackerUrl: string;
/** Trusts tokens that are signed with a secret. */
let worker: RunningWorker;
/** Trusts tokens that are signed with one of the keys of [`TRUSTED`]. */
let keyed: RunningWorker;

/** Omise as it is documented. */
const documented: FakeOmise["answer"] = (request, response, body) => {
  const { method, url = "" } = request;
  const answer = (status: number, value: unknown) => answering(status, value)(request, response, body);
  const path = url.split("?")[0] ?? "";
  if (method === "POST") {
    const form = new URLSearchParams(body);
    const made = account({
      registration_uri: `${omiseUrl}/register`,
      return_uri: form.get("return_uri"),
      type: form.get("type"),
      metadata: { linked_accounts_stamp: form.get("metadata[linked_accounts_stamp]") },
      created_at: "2020-01-01T00:00:00Z",
    });
    accounts.set(String(made.id), made);
    const { searchParams } = new URL(String(made.return_uri));
    linkStates.set(String(made.id), searchParams.get("link_state") ?? "");
    return answer(200, made);
  }
  if (path === "/linked_accounts") return answer(200, listOf([...accounts.values()]));
  if (path === "/linked_accounts/search") return answer(200, searchOf([...accounts.values()]));
  const found = accounts.get(path.slice("/linked_accounts/".length));
  if (!found) return answer(404, { object: "error", code: "not_found", message: "<b>" });
  if (method === "DELETE") found.status = "deleted";
  return answer(200, found);
};

const customer = (sub: unknown = randomUUID(), more: Json = {}) =>
  new Customer(worker.url, sessionOf(worker, secrets), { sub, ...more });
const operator = () => customer(randomUUID(), OPERATE);

before(async () => {
  omise.answer = documented;
  omiseUrl = await omise.start();
  attackerUrl = await attacker.start();
  attacker.answer = serving(keySet(jwkOf(ATTACKER), jwkOf(ATTACKER, { kid: "ec" })));
  const options = { omiseUrl, storefrontUrl: STOREFRONT, secrets, alarms: false, log };
  [worker, keyed] = await Promise.all([
    startWorker({ ...options, bindings: { ALLOWED_ORIGINS } }),
    startWorker({ ...options, bindings: { SESSION_SECRET: undefined, SESSION_JWKS: TRUSTED } }),
  ]);
});
after(async () => {
  await Promise.all([worker, keyed].map((running) => running?.dispose()));
  await Promise.all([omise.stop(), attacker.stop()]);
});
beforeEach(() => {
  omise.requests.length = 0;
  lines.length = 0;
});

/** Accounts of this owner, one of each status, half of them confirmed: in the ledger, and at Omise. */
async function linksOf(owner: string): Promise<Json[]> {
  const seeds = ["pending", "successful", "failed", "expired", "deleted"].map((status, i) => ({
    owner,
    account: {
      registration_uri: `${omiseUrl}/register`,
      created_at: "2020-01-01T00:00:00Z",
      last_digits: "4321",
      metadata: { order: "order-17" },
      status,
    },
    confirmed_at: i % 2 ? "2020-01-01T00:05:00Z" : null,
  }));
  const shown = await seedLinks(worker, seeds);
  for (const { confirmed_at: _, ...stored } of shown) accounts.set(String(stored.id), stored);
  return shown;
}

/** All that is stored but the audit. */
const stored = (db: Ledgers) => rowsOf(db, ["attempts", "links", "events"]);

async function rowsOf(db: Ledgers, tables: string[]): Promise<unknown[]> {
  const all = tables.map(async (table) => await db.all(`SELECT * FROM ${table}`));
  return Promise.all(all);
}

/** What a caller can tell two answers by, other than the request's id and the time. */
function visible({ status, headers, body }: Answer): unknown {
  const { date: _, "x-request-id": __, "server-timing": timing, ...rest } = Object.fromEntries(headers);
  return {
    status,
    headers: rest,
    timing: timing?.replaceAll(/(total|ledger);dur=\d+/g, "$1"),
    body: { ...body, request_id: "" },
  };
}

/** Nothing of it is in the log, nor any token or key. */
function assertNotLogged(...secret: string[]): void {
  const text = lines.join("\n");
  assert.ok(text.includes('"request_id"'), "there is a log");
  for (const each of [...secret, ...Object.values(secrets), "eyJ", "Bearer "]) {
    assert.ok(each.length >= 3 && !text.includes(each), `the log holds ${each.slice(0, 8)}…`);
  }
}

// --------------------------------------------------------------------------------------- whose account it is

test("C1: a refusal is written down, and where that fails the answer is the same", async () => {
  const [mine] = await linksOf(randomUUID());
  const id = String(mine?.id);
  const db = new Ledgers(worker);
  const stranger = customer();
  const audited = async (answer: Answer) =>
    db.first(
      "SELECT actor, action, link, outcome FROM audit WHERE request_id = ?",
      answer.headers.get("X-Request-Id"),
    );
  const unknown = await stranger.get(UNKNOWN);
  for (const [answer, action] of [
    [await stranger.get(id), "retrieve"],
    [await stranger.delete(id), "delete"],
  ] as const) {
    const row = await until(() => audited(answer));
    assert.deepEqual(row, { actor: stranger.claims.sub, action, link: id, outcome: "not_found" });
  }

  // what is refused before an object is asked is written down after the answer
  const refused = await stranger.fetch("GET", "/audit");
  assertError(refused, 403, "operator_only");
  const row = await until(() => audited(refused));
  assert.deepEqual(row, {
    actor: stranger.claims.sub,
    action: "audit",
    link: null,
    outcome: "operator_only",
  });

  await db.all("CREATE TRIGGER down BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'down'); END");
  try {
    for (const answer of [await stranger.get(id), await stranger.delete(id), await stranger.get(UNKNOWN)]) {
      assertError(answer, 404, "not_found");
      assert.deepEqual(visible(answer), visible(unknown));
      assert.equal(await audited(answer), null);
    }
  } finally {
    await db.all("DROP TRIGGER down");
  }
  assert.deepEqual(omise.requests, []);
});

test("C1: somebody else's account is answered as none is, to strangers and to those who sound like its owner", async () => {
  const owner = `victim-${randomUUID()}`;
  const mine = await linksOf(owner);
  const db = new Ledgers(worker);
  const before = await stored(db);
  const reference = await customer().get(UNKNOWN);
  assertError(reference, 404, "not_found");
  for (const sub of [
    ...[randomUUID(), "%", "*", "null", "0", owner.slice(0, -1), `${owner}0`, `${owner.slice(0, -1)}_`],
    ...[owner.toUpperCase(), `${owner} `, ` ${owner}`, `${owner}\0`, `${owner}\0x`, `${owner}\n`],
    ...[`${owner}' OR '1'='1`, `x' OR owner = '${owner}' --`, `"${owner}"`, `${owner},${owner}`],
    ...[`vi\u00adctim${owner.slice(6)}`, `ｖictim${owner.slice(6)}`],
  ]) {
    const stranger = customer(sub);
    const path = `/linked_accounts/${mine[0]?.id}`;
    const answers = [
      stranger.fetch("GET", path, { headers: { Prefer: "wait=25" } }),
      stranger.fetch("GET", `${path}?owner=${encodeURIComponent(owner)}`),
      ...mine.flatMap(({ id }) => [stranger.get(String(id)), stranger.delete(String(id))]),
    ];
    for (const answer of await Promise.all(answers)) {
      assertError(answer, 404, "not_found");
      assert.deepEqual(visible(answer), visible(reference), String(sub));
      assert.match(answer.headers.get("Server-Timing") ?? "", /upstream;dur=0,/);
      for (const { id } of mine) assert.ok(!JSON.stringify(answer.body).includes(String(id)));
    }
    for (const [path, query] of [
      ["/linked_accounts", ""],
      ["/linked_accounts", "?filters[status]=successful&limit=100"],
      ["/linked_accounts/search", ""],
      ["/linked_accounts/search", `?query=${mine[0]?.id}`],
      ["/linked_accounts/search", "?query=4321"],
      ["/linked_accounts/search", "?query=order-17"],
    ]) {
      const { status, body } = await stranger.fetch("GET", `${path}${query}`);
      assert.deepEqual([status, body.data, body.total], [200, [], 0], `${sub}: ${path}${query}`);
    }
  }
  assert.deepEqual(omise.requests, []);
  assert.deepEqual(await stored(db), before);
  assertNotLogged(owner, ...mine.map(({ id }) => String(id)));
  assert.equal((await customer(owner).fetch("GET", "/linked_accounts")).body.total, mine.length);
});

test("C1: a reading that the owner has just had is in nobody else's answer", async () => {
  const owner = customer();
  const [mine] = await linksOf(String(owner.claims.sub));
  const id = String(mine?.id);
  assert.equal((await owner.get(id)).status, 200);
  assert.equal(omise.requests.length, 1);
  const polls = Array.from({ length: 20 }, (_, i) => (i % 2 ? owner : customer()).get(id));
  const answers = await Promise.all(polls);
  for (const [i, answer] of answers.entries()) {
    if (i % 2) assert.equal(answer.status, 200);
    else assertError(answer, 404, "not_found");
  }
  const [gone] = await Promise.all([customer().delete(id), owner.get(id)]);
  assertError(gone, 404, "not_found");
  assert.equal(accounts.get(id)?.status, "pending");
});

test("C1: an object whose tables are another customer's answers nothing of them", async () => {
  const [owner, thief] = [`victim-${randomUUID()}`, `thief-${randomUUID()}`];
  const [mine] = await linksOf(thief);
  const who = customer(thief);
  assert.equal((await who.get(String(mine?.id))).status, 200);
  await worker.customer(thief).sql("UPDATE meta SET subject = ?", owner);
  for (const answer of [
    await who.get(String(mine?.id)),
    await who.delete(String(mine?.id)),
    await who.fetch("GET", "/linked_accounts"),
    await who.create(),
  ]) {
    assertError(answer, 500, "internal");
    assert.ok(!JSON.stringify(answer.body).includes(String(mine?.id)));
  }
  await worker.customer(thief).sql("UPDATE meta SET subject = ?", thief);
});

test("C2: an id that the ledger does not know is never forwarded for a customer", async () => {
  const foreign = account({ status: "successful", registration_uri: null });
  const older = account({ id: "lacct_test_5xuy4w91xqz7d1w9u0t", registration_uri: null });
  for (const made of [foreign, older]) accounts.set(String(made.id), made);
  const before = await stored(new Ledgers(worker));
  const me = customer();
  const ids = [
    String(foreign.id),
    String(older.id),
    UNKNOWN,
    LIVE,
    "lacct_5xuy4w91xqz7d1w9u0t",
    "lnac_test_0",
    "lnac_test",
    `lnac_test_${"z".repeat(54)}`,
    `lnac_test_${"z".repeat(55)}`,
    `${foreign.id}0`,
    String(foreign.id).slice(0, -1),
    String(foreign.id).toUpperCase(),
    String(foreign.id).replace("lnac_test_", "lnac_test_test_"),
  ];
  const reference = visible(await me.get("nonsense"));
  for (const id of ids) {
    for (const answer of [
      await me.get(id),
      await me.delete(id),
      await me.fetch("GET", `/linked_accounts/${id}`, { headers: { Prefer: "wait=25" } }),
    ]) {
      assertError(answer, 404, "not_found");
      assert.deepEqual(visible(answer), reference, id);
    }
    assertError(await me.confirm(id), 404, "not_found");
    const found = await me.fetch("GET", `/linked_accounts/search?query=${id}`);
    assert.deepEqual(found.body.data, []);
  }
  // words that look like the operator's
  for (const scope of [
    ...["", "*", "operate", "linked_accounts", "linked_accounts:*", "linked_accounts:Operate"],
    ...["linked_accounts:operates", "xlinked_accounts:operate", "linked_accounts:operate,profile"],
    "linked_accounts:operate\t",
  ]) {
    assertError(await customer(me.claims.sub, { scope }).get(String(foreign.id)), 404, "not_found");
  }
  for (const claims of [
    { role: "operator" },
    { operator: true },
    { scopes: "linked_accounts:operate" },
    { scp: ["linked_accounts:operate"] },
  ]) {
    assertError(await customer(me.claims.sub, claims).get(String(foreign.id)), 404, "not_found");
  }
  assert.deepEqual(omise.requests, []);
  assert.deepEqual(await stored(new Ledgers(worker)), before);
});

test("C2: an operator's ids are forwarded, and what comes back makes nobody an owner", async () => {
  const foreign = account({ status: "successful", registration_uri: null });
  const id = String(foreign.id);
  accounts.set(id, foreign);
  const before = await stored(new Ledgers(worker));
  const staff = operator();
  assert.equal((await staff.get(id)).body.id, id);
  assertError(await staff.get(UNKNOWN), 404, "not_found");
  assertError(await customer(staff.claims.sub).get(id), 404, "not_found");
  assert.equal((await staff.delete(id)).body.status, "deleted");
  assert.deepEqual(
    omise.requests.map(({ method, path }) => `${method} ${path}`),
    [
      `GET /linked_accounts/${id}`,
      `GET /linked_accounts/${UNKNOWN}`,
      // whose account it is stands in the account
      `GET /linked_accounts/${id}`,
      `DELETE /linked_accounts/${id}`,
    ],
  );
  // what no id of this key is goes nowhere
  omise.requests.length = 0;
  assertError(await staff.get(LIVE), 502, "mode_mismatch");
  assertError(await staff.delete(LIVE), 502, "mode_mismatch");
  for (const nonsense of [
    "x",
    id.toUpperCase(),
    `${id}%2f`,
    "..%2fcustomers",
    `lnac_test_${"z".repeat(55)}`,
  ]) {
    assertError(await staff.get(nonsense), 404, "not_found");
    assertError(await staff.delete(nonsense), 404, "not_found");
  }
  assert.deepEqual(omise.requests, []);
  for (const who of [customer(), customer(staff.claims.sub)])
    assertError(await who.get(id), 404, "not_found");
  assert.deepEqual(await stored(new Ledgers(worker)), before);
});

// ---------------------------------------------------------------------------------------------- the way back

/** Creates an account, as the shop's page would; gives its id and what its return carries. */
async function begin(who: Customer, params: Json = {}): Promise<{ id: string; linkState: string }> {
  const { status, body } = await who.create(params);
  assert.equal(status, 200, JSON.stringify(body));
  return { id: body.id, linkState: linkStates.get(body.id) ?? "" };
}

/** When the ledger says that this account was confirmed, and how often the audit does. */
async function confirmation(id: string): Promise<[unknown, number]> {
  const db = new Ledgers(worker);
  const link = await db.first("SELECT confirmed_at FROM links WHERE id = ?", id);
  assert.ok(link);
  const audit = await db.all("SELECT 1 FROM audit WHERE link = ? AND action = 'confirm'", id);
  return [link.confirmed_at, audit.length];
}

test("C3: a return that belongs to somebody else binds nothing, and is answered as an unknown id is", async () => {
  const owner = customer();
  const { id, linkState } = await begin(owner);
  const other = await begin(owner, { type: "direct_debit_scb" });
  Object.assign(accounts.get(id) ?? {}, { status: "successful" });
  const victim = customer();
  await begin(victim);
  const before = await stored(new Ledgers(worker));
  omise.requests.length = 0;

  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  // 16 bytes end in a character of which four bits are nothing's
  const neighbour = linkState.slice(0, -1) + alphabet[alphabet.indexOf(linkState.at(-1) ?? "") + 1];
  const swapped = linkState === linkState.toLowerCase() ? linkState.toUpperCase() : linkState.toLowerCase();
  const forms = [
    ...["", " ", "%", "short", id, "A".repeat(22), "x".repeat(100_000), "' OR '1'='1"],
    ...[`${linkState}A`, linkState.slice(0, -1), neighbour, swapped, `${linkState}==`, ` ${linkState}`],
    ...[`${linkState}\n`, `${linkState}\0`, `${linkState},${other.linkState}`],
    ...[`${linkState}&link_state=${other.linkState}`, encodeURIComponent(`link_state=${linkState}`)],
    Buffer.from(linkState, "base64url").toString("hex"),
  ];
  const reference = (await victim.get(UNKNOWN)).body;
  const unlike = ({ body }: Answer) => ({ ...body, request_id: reference.request_id });
  for (const who of [victim, operator(), customer(String(owner.claims.sub).toUpperCase()), customer("%")]) {
    for (const state of [linkState, other.linkState, ...forms]) {
      const answer = await who.confirm(state);
      assertError(answer, 404, "not_found");
      assert.deepEqual(unlike(answer), reference, state.slice(0, 30));
    }
  }
  // not even its owner is let in by what only resembles it
  for (const state of forms) assertError(await owner.confirm(state), 404, "not_found");
  for (const state of [null, 7, true, [linkState], { $ne: "" }, undefined]) {
    assertError(await owner.confirm(state), 400, "invalid_request");
  }
  for (const extra of [{ owner: owner.claims.sub }, { sub: owner.claims.sub }, { id }, { confirmed_at: 1 }]) {
    const answer = await victim.json("/linked_accounts/confirm", { link_state: linkState, ...extra });
    assertError(answer, 400, "invalid_request");
    assert.deepEqual(issuesOf(answer), [`${Object.keys(extra)[0]} unknown_field`]);
  }
  const twice = `{"link_state":"${linkState}","link_state":"${linkState}"}`;
  const answer = await victim.fetch("POST", "/linked_accounts/confirm", {
    body: twice,
    headers: { "Content-Type": "application/json" },
  });
  assert.equal(answer.status, 400);
  assert.deepEqual(omise.requests, []);
  assert.deepEqual(await stored(new Ledgers(worker)), before);

  // its owner's own return still counts, for this account alone
  const confirmed = await owner.confirm(linkState);
  assert.equal(confirmed.body.id, id);
  assert.match(confirmed.body.confirmed_at, /^\d{4}-/);
  assert.equal((await confirmation(id))[1], 1);
  assert.deepEqual(await confirmation(other.id), [null, 0]);
  for (const who of [victim, operator()]) assertError(await who.confirm(linkState), 404, "not_found");
  assertNotLogged(linkState, other.linkState);
});

test("C3: an attacker's return that is planted on a victim changes neither's accounts", async () => {
  const [thief, victim] = [customer(), customer()];
  const theirs = await begin(thief);
  const hers = await begin(victim);
  const list = async (who: Customer) => (await who.fetch("GET", "/linked_accounts")).body.data;
  const before = [await list(thief), await list(victim)];
  assertError(await victim.confirm(theirs.linkState), 404, "not_found");
  assertError(await thief.confirm(hers.linkState), 404, "not_found");
  assert.deepEqual([await list(thief), await list(victim)], before);
  for (const { id } of [theirs, hers]) assert.deepEqual(await confirmation(id), [null, 0]);
  assert.equal((await victim.confirm(hers.linkState)).body.id, hers.id);
  assert.deepEqual(await list(thief), before[0]);
});

test("C3b: what a victim approves for an attacker is never confirmed, and no answer tells him how", async () => {
  const thief = customer();
  const key = randomUUID();
  const answers: Answer[] = [];
  const seen = (answer: Answer) => {
    answers.push(answer);
    return answer;
  };
  const { id, return_uri } = seen(await thief.create({}, key)).body;
  const linkState = linkStates.get(id) ?? "";
  assert.match(linkState, /^[\w-]{22}$/);
  assert.ok(omise.requests[0]?.body.includes(linkState), "Omise's redirect carries it");
  assert.equal(return_uri, `${STOREFRONT}/return`);
  seen(await thief.create());

  // the victim registers, and comes back to the shop signed in as herself; Omise writes the address back in its own way
  const written = `${return_uri}?link%5Fstate=${linkState}`;
  Object.assign(accounts.get(id) ?? {}, { status: "successful", last_digits: "4321", return_uri: written });
  assertError(seen(await customer().confirm(linkState)), 404, "not_found");

  const staff = operator();
  await new Ledgers(worker).alarms();
  // a held answer begins with a reading of its own
  for (const who of [thief, staff]) {
    seen(await who.fetch("GET", `/linked_accounts/${id}`, { headers: { Prefer: "wait=1" } }));
    seen(await who.get(id));
    seen(await who.fetch("GET", "/linked_accounts?limit=100"));
    seen(await who.fetch("GET", "/linked_accounts/search"));
    seen(await who.fetch("GET", `/linked_accounts/search?query=${id}`));
  }
  const replayed = seen(await thief.create({}, key));
  assert.equal(replayed.body.status, "successful", JSON.stringify(replayed.body));
  for (const guess of ["", id, key, "A".repeat(22), Buffer.alloc(16, 255).toString("base64url")]) {
    assertError(seen(await thief.confirm(guess)), 404, "not_found");
  }
  // nor does he get to choose it, or the outcome
  for (const [params, issue] of [
    [{ return_uri: `${STOREFRONT}/return?link_state=${linkState}` }, "return_uri reserved"],
    [{ return_uri: `${STOREFRONT}/return?a&link%5fstate=x` }, "return_uri reserved"],
    [{ link_state: linkState }, "link_state unknown_field"],
    [{ confirmed_at: "2020-01-01T00:00:00Z" }, "confirmed_at unknown_field"],
    [{ metadata: { linked_accounts_link_state: "x" } }, "metadata.linked_accounts_link_state reserved"],
  ] as const) {
    const answer = seen(await thief.create({ type: "direct_debit_scb", ...params }));
    assertError(answer, 400, "invalid_request");
    assert.deepEqual(issuesOf(answer), [issue]);
  }
  seen(await staff.fetch("GET", "/audit?limit=100"));

  for (const answer of answers.slice(0, -1)) {
    const [text, headers] = [JSON.stringify(answer.body), JSON.stringify([...answer.headers])];
    const link = answer.body.data?.find((each: Json) => each.id === id) ?? answer.body;
    if (link.id === id) assert.deepEqual([link.confirmed_at, link.return_uri], [null, return_uri]);
    assert.ok(!(text + headers).includes(linkState), text);
    for (const each of linkStates.values()) assert.ok(!text.includes(each), text);
  }
  const told = JSON.stringify(answers.at(-1)?.body);
  for (const each of linkStates.values()) assert.ok(!told.includes(each), "the audit tells a link_state");
  assert.deepEqual(await confirmation(id), [null, 0]);
  const rows = JSON.stringify(await rowsOf(new Ledgers(worker), ["attempts", "links", "events", "audit"]));
  assert.ok(rows.includes(id) && !rows.includes(linkState), "the ledger holds a hash alone");
  assertNotLogged(linkState);

  const deleted = await thief.delete(id);
  assert.deepEqual([deleted.body.status, deleted.body.confirmed_at], ["deleted", null]);
  // nor is what is over confirmed any more, should he get hold of it
  assert.deepEqual((await thief.confirm(linkState)).body, deleted.body);
  assert.deepEqual(await confirmation(id), [null, 0]);
});

// -------------------------------------------------------------------------------------------- session tokens

const EC = keyPair("ES256", "ec");
const RSA = keyPair("RS256", "rsa");
const ED = keyPair("EdDSA", "ed");
const KEYS = [EC, RSA, ED];
const NEXT = keyPair("ES256", "next");
const ATTACKER = keyPair("ES256", "attacker");

const TRUSTED = keySet(
  jwkOf(EC),
  jwkOf(RSA),
  jwkOf(ED),
  jwkOf(EC, { kid: "ec without alg", alg: undefined }),
  jwkOf(RSA, { kid: "rsa without alg", alg: undefined }),
  jwkOf(ED, { kid: "ed without alg", alg: undefined }),
  jwkOf(RSA, { kid: "rsa for HS256", alg: "HS256" }),
  jwkOf(EC, { kid: "ec for none", alg: "none" }),
);

const now = () => Math.floor(Date.now() / 1000);
const b64 = (data: string | Buffer) => Buffer.from(data).toString("base64url");
const claimsOf = (of: RunningWorker, claims?: Json) => claimsFor({ iss: STOREFRONT, aud: of.url }, claims);
const unsigned = () => Buffer.alloc(0);

/** A token for the Worker that trusts keys; `header` is over what the pair says of itself. */
function minted(of: RunningWorker, pair: KeyPair, header: Json = {}, claims: Json = {}): string {
  return jwt({ alg: pair.alg, kid: pair.kid, ...header }, claimsOf(of, claims), signedBy(pair));
}

/** A token for the Worker that trusts the secret, signed with it. */
const signed = (header: Json | string, claims: Json | string = {}) =>
  jwt(header, typeof claims === "string" ? claims : claimsOf(worker, claims), hmac(secrets.SESSION_SECRET));
const HS256 = { alg: "HS256", typ: "JWT" };

/** Asks for what every customer may see, and no Omise is needed for. */
async function ask(
  of: RunningWorker,
  headers: Record<string, string>,
  path = "/linked_accounts",
): Promise<Answer> {
  return readAnswer("GET", await fetch(of.url + path, { headers: { Connection: "close", ...headers } }));
}

async function assertIn(of: RunningWorker, bearer: string): Promise<void> {
  const { status, body } = await ask(of, { Authorization: `Bearer ${bearer}` });
  assert.equal(status, 200, JSON.stringify(body));
}

/** A token, and what is wrong with it. */
type Attempt = [fault: string, bearer: string];

/** One for each of the values. */
const each = <T>(fault: string, values: T[], bearer: (value: T) => string): Attempt[] =>
  values.map((value) => [`${fault} ${JSON.stringify(value)}`.slice(0, 100), bearer(value)]);

/** All are refused in the words for no token at all. */
async function assertRefused(of: RunningWorker, attempts: Attempt[]): Promise<void> {
  const none = visible(await ask(of, {}));
  for (const [fault, bearer] of attempts) {
    const answer = await ask(of, { Authorization: `Bearer ${bearer}` });
    assert.equal(answer.status, 401, `${fault}: ${JSON.stringify(answer.body)}`);
    assertError(answer, 401, "unauthenticated");
    assert.equal(answer.headers.get("WWW-Authenticate"), "Bearer");
    assert.deepEqual(answer.body.issues, []);
    assert.deepEqual(visible(answer), none, fault);
  }
  const tails = attempts.map(([, bearer]) => bearer.split(".").at(-1) ?? "");
  assertNotLogged("customer-1", ...tails.filter((tail) => tail.length > 20));
  assert.deepEqual([omise.requests, attacker.requests], [[], []]);
}

test("C4: no algorithm but the configured one is taken, and no signature but a whole one", async () => {
  const good = signed(HS256);
  const [head = "", body = "", tail = ""] = good.split(".");
  const bytes = Buffer.from(tail, "base64url");
  const withTail = (signature: Buffer) => `${head}.${body}.${b64(signature)}`;
  await assertIn(worker, good);
  const algorithms = [
    ..."none None NONE nOnE null hs256 HS0 HS1 HS384 HS512 RS256 RS512 ES256 EdDSA PS256 dir *".split(" "),
    ...["", "none ", " none", "HS256 ", "HS256\0", "non\u00e9", "A256KW", null, true, 0, 256, undefined],
    ...[[], ["HS256"], ["none", "HS256"], {}, { alg: "HS256" }],
  ];
  await assertRefused(worker, [
    ...each("unsigned", algorithms, (alg) => jwt({ alg }, claimsOf(worker), unsigned)),
    ...each("signed", algorithms, (alg) => signed({ alg })),
    ...each("HS256 with", ["sha384", "sha512", "sha1", "md5"], (hash) =>
      jwt(HS256, claimsOf(worker), hmac(secrets.SESSION_SECRET, hash)),
    ),
    ...each("bytes of the signature", [...bytes.keys()], (length) => withTail(bytes.subarray(0, length))),
    ["a byte more", withTail(Buffer.concat([bytes, bytes.subarray(0, 1)]))],
    ["zeros", withTail(Buffer.alloc(32))],
    ["in hexadecimal", `${head}.${body}.${bytes.toString("hex")}`],
    ["none, without a dot", jwt({ alg: "none" }, claimsOf(worker), unsigned).slice(0, -1)],
    ["none, and the good signature", `${b64('{"alg":"none"}')}.${body}.${tail}`],
    ["HS512 in earnest", jwt({ alg: "HS512" }, claimsOf(worker), hmac(secrets.SESSION_SECRET, "sha512"))],
    ["another's secret", token({ ...sessionOf(worker, secrets), secret: "s".repeat(32) })],
    ["an empty secret", jwt(HS256, claimsOf(worker), hmac(""))],
    ["other claims", `${head}.${b64(JSON.stringify(claimsOf(worker, { sub: "x" })))}.${tail}`],
    ["an operator's claims", `${head}.${b64(JSON.stringify(claimsOf(worker, OPERATE)))}.${tail}`],
    ["two algorithms", signed('{"alg":"HS256","alg":"none"}')],
    ["the other two", signed('{"alg":"none","alg":"HS256"}')],
    ["an encrypted token's five parts", `${head}..${body}.${tail}.${tail}`],
    ["JSON", JSON.stringify({ payload: body, protected: head, signature: tail })],
    ["only a header", `${head}..`],
    ["dots", ".."],
    ["nothing", ""],
  ]);
});

test("C4: the same holds where tokens are signed with public keys", async () => {
  for (const key of KEYS) await assertIn(keyed, minted(keyed, key));
  const algorithms = [
    ..."none None nOnE es256 Ed25519 EDDSA ES384 HS256".split(" "),
    ...["", "ES256 ", null, undefined, ["ES256"]],
  ];
  const [head, body] = minted(keyed, EC).split(".");
  await assertRefused(keyed, [
    ...["ec", "rsa", "ed", "ec for none", undefined].flatMap((kid) =>
      each(`unsigned, ${kid}`, algorithms, (alg) => jwt({ alg, kid }, claimsOf(keyed), unsigned)),
    ),
    ...KEYS.flatMap((key) => each(key.kid, algorithms, (alg) => minted(keyed, key, { alg }))),
    ...KEYS.flatMap((key) =>
      each(`${key.kid}, zeros`, [1, 32, 64, 256], (length) =>
        jwt({ alg: key.alg, kid: key.kid }, claimsOf(keyed), () => Buffer.alloc(length)),
      ),
    ),
    ["no signature", `${head}.${body}.`],
    ["a key that says none", minted(keyed, EC, { kid: "ec for none" })],
    ["a key that says none, and a token too", minted(keyed, EC, { kid: "ec for none", alg: "none" })],
    ["others' signature", `${head}.${body}.${minted(keyed, EC, {}, { sub: "x" }).split(".")[2]}`],
    ["another's key", minted(keyed, ATTACKER, { kid: "ec" })],
  ]);
});

test("C5: a public key is no secret, and each key is for its own algorithm", async () => {
  const pem = RSA.publicKey.export({ type: "spki", format: "pem" }).toString();
  const der = RSA.publicKey.export({ type: "spki", format: "der" });
  const { n = "" } = RSA.publicKey.export({ format: "jwk" });
  const material: Record<string, string | Buffer> = {
    pem,
    "PEM in one piece": pem.trim(),
    "PEM with CRLF": pem.replaceAll("\n", "\r\n"),
    "PKCS 1": RSA.publicKey.export({ type: "pkcs1", format: "pem" }),
    der,
    "base64 of DER": der.toString("base64"),
    "JWK as exported": JSON.stringify(RSA.publicKey.export({ format: "jwk" })),
    "JWK as configured": JSON.stringify(jwkOf(RSA)),
    "the set": TRUSTED,
    modulus: Buffer.from(n, "base64url"),
    "modulus in base64url": n,
    "EC point": Buffer.from(String(jwkOf(EC).x), "base64url"),
    "Ed25519 key": Buffer.from(String(jwkOf(ED).x), "base64url"),
    kid: "rsa",
    nothing: "",
  };
  const headers = [
    { alg: "HS256", kid: "rsa" },
    { alg: "HS256" },
    { alg: "HS256", kid: "rsa for HS256" },
    { alg: "RS256", kid: "rsa" },
    { alg: "RS256", kid: "rsa for HS256" },
  ];
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  const rsa = (alg: string, signer: (message: string) => Buffer) =>
    jwt({ alg, kid: "rsa" }, claimsOf(keyed), signer);
  const others = (own: string, all: string[]) => all.filter((one) => one !== own);
  await assertRefused(keyed, [
    ...Object.entries(material).flatMap(([what, secret]) =>
      each(what, headers, (header) => jwt(header, claimsOf(keyed), hmac(secret))),
    ),
    ...KEYS.flatMap((key) => [
      ...each(`${key.kid} as`, others(key.kid, ["ec", "rsa", "ed"]), (kid) => minted(keyed, key, { kid })),
      ...each(`${key.kid} says`, others(key.alg, ["ES256", "RS256", "EdDSA", "HS256"]), (alg) =>
        minted(keyed, key, { alg }),
      ),
      ...each(`${key.kid} without alg says`, [key.alg, "ES256", "none", undefined], (alg) =>
        minted(keyed, key, { kid: `${key.kid} without alg`, alg }),
      ),
    ]),
    ["PS256", rsa("PS256", signedBy(RSA, pss))],
    ["PS256 that says RS256", rsa("RS256", signedBy(RSA, pss))],
    ["RS512", rsa("RS512", signedBy(RSA, {}, "sha512"))],
    ["RS512 that says RS256", rsa("RS256", signedBy(RSA, {}, "sha512"))],
    ["RS1 that says RS256", rsa("RS256", signedBy(RSA, {}, "sha1"))],
    ["ES256 in DER", jwt({ alg: "ES256", kid: "ec" }, claimsOf(keyed), signedBy(EC, { dsaEncoding: "der" }))],
    ["a key for HS256", minted(keyed, RSA, { kid: "rsa for HS256" })],
  ]);
  // nor does a Worker with a secret take a signature of any key's
  await assertRefused(
    worker,
    KEYS.flatMap((key) =>
      each(key.kid, [{}, { alg: "HS256" }, { alg: "HS256", jwk: jwkOf(key) }], (header) =>
        minted(worker, key, header),
      ),
    ),
  );
  for (const key of KEYS) await assertIn(keyed, minted(keyed, key));
});

test("C6: a token's header chooses no key, and brings none", async () => {
  const own = jwkOf(ATTACKER);
  const x5c = [ATTACKER.publicKey.export({ type: "spki", format: "der" }).toString("base64")];
  const jku = `${attackerUrl}/jwks`;
  const kids = [
    ..."EC ./ec ../ec ../../../../dev/null /dev/null ..%2fec ec|rsa ec,rsa * e? $(ec) {ec} ｅc e\u0301c".split(
      " ",
    ),
    ..."__proto__ constructor 0 null undefined file:///dev/null data:application/json,{}".split(" "),
    ...["", " ", "ec ", " ec", "ec\0", "ec\0.pem", "k".repeat(6_000)],
    ...["ec' OR '1'='1", "' UNION SELECT 'ec' --", "ec'; DROP TABLE links; --"],
    ...[jku, `${jku}#ec`, `//${new URL(jku).host}/jwks`],
  ];
  const foreign: Json[] = [
    { jwk: own },
    { jwk: JSON.stringify(own) },
    { jku },
    { jku, jwk: own },
    { x5u: jku },
    { x5u: jku, x5c },
    { x5c },
    { x5t: "x", "x5t#S256": "x" },
    { keys: [own] },
    { jwks: { keys: [own] } },
    { jwks_uri: jku },
    { iss: attackerUrl },
  ];
  const crits = [
    ["exp"],
    ["b64"],
    ["kid"],
    ["jku"],
    [""],
    ["http://example.com/x"],
    [],
    {},
    null,
    "exp",
    0,
    false,
  ];
  await assertRefused(keyed, [
    ...each("kid", kids, (kid) => minted(keyed, EC, { kid })),
    ...each("another's, kid", kids, (kid) => minted(keyed, ATTACKER, { kid })),
    ...each("with nothing, kid", kids, (kid) => jwt({ alg: "HS256", kid }, claimsOf(keyed), hmac(""))),
    ...each("kid", [undefined, null, 0, true, [], ["ec"], {}, { kid: "ec" }], (kid) =>
      minted(keyed, EC, { kid }),
    ),
    ...["attacker", "ec", undefined].flatMap((kid) =>
      each(`another's, kid ${kid}`, foreign, (header) => minted(keyed, ATTACKER, { kid, ...header })),
    ),
    ...each("crit", crits, (crit) => minted(keyed, EC, { crit })),
    ["crit and b64", minted(keyed, EC, { crit: ["b64"], b64: false })],
    ["two kids", jwt('{"alg":"ES256","kid":"ec","kid":"ec"}', claimsOf(keyed), signedBy(EC))],
  ]);
  // what is ignored does a good token no harm either
  for (const header of foreign) await assertIn(keyed, minted(keyed, EC, header));

  // a secret has no name: the file, row or address that a kid names is not its content
  await assertRefused(worker, [
    ...["", "ec", "x", "AA=="].flatMap((content) =>
      each(`with ${content}, kid`, kids, (kid) => jwt({ ...HS256, kid }, claimsOf(worker), hmac(content))),
    ),
    ...each("with nothing", foreign, (header) =>
      jwt({ ...HS256, ...header, jwk: { kty: "oct", k: "" } }, claimsOf(worker), hmac("")),
    ),
    ...each("crit", crits, (crit) => signed({ ...HS256, crit })),
  ]);
  await assertIn(worker, signed({ ...HS256, kid: "../../dev/null", jku, jwk: own }));
});

test("C6: keys come from the configured address alone, whatever a token or that address points to", async (t) => {
  const [server, url] = await publishing(t, serving(keySet(jwkOf(EC))));
  const keys = await trusting(t, url);
  const jku = `${attackerUrl}/jwks`;
  await assertIn(keys, minted(keys, EC, { jku }));
  await assertRefused(keys, [["the attacker's set", minted(keys, ATTACKER, { kid: "ec", jku })]]);
  server.answer = (_, response) => {
    response.writeHead(302, { Location: jku }).end();
  };
  await assertUnavailable(keys, minted(keys, ATTACKER, { jku }));
  await assertIn(keys, minted(keys, EC));
  assert.deepEqual(attacker.requests, []);
  assert.deepEqual(
    server.requests.map(({ method, path, headers }) => [method, path, headers.authorization]),
    Array.from({ length: 2 }, () => ["GET", "/keys?for=links", undefined]),
  );
});

test("C7: a token that is not for here, for now and for somebody is refused, without saying why", async () => {
  const aud = worker.url;
  const at = now();
  const text = (claims: Json, more: string) =>
    `${JSON.stringify(claimsOf(worker, claims)).slice(0, -1)},${more}}`;
  const wrong: Record<string, unknown[]> = {
    exp: [
      ...[at - 61, at - 120, at + 3_720, 0, -1, -1e300, at * 1_000, 1e300, Number.MAX_SAFE_INTEGER],
      ...[undefined, null, "", String(at + 300), true, [], [at + 300], {}],
    ],
    nbf: [at + 120, at + 299, at * 1_000, 1e300, null, "", "0", String(at), true, [], [0], {}],
    iss: [
      ...["", `${STOREFRONT}/`, ` ${STOREFRONT}`, STOREFRONT.toUpperCase(), `${STOREFRONT}.evil.example`],
      ...[
        "http://127.0.0.1",
        `${STOREFRONT}\0`,
        "*",
        undefined,
        null,
        [STOREFRONT],
        { iss: STOREFRONT },
        0,
        true,
      ],
    ],
    aud: [
      ...["", `${aud}/`, ` ${aud}`, aud.slice(0, -1), `${aud}0`, `${aud},${STOREFRONT}`, STOREFRONT, "*"],
      ...[[], [STOREFRONT], [`${aud}/`], [[aud]], [aud, 7], [aud, null], [aud, [aud]], ["*"]],
      ...[undefined, null, 0, true, { 0: aud }, { [aud]: aud }],
    ],
    sub: [
      ...["", "s".repeat(256), "ก".repeat(86), "s".repeat(5_000)],
      ...[undefined, null, 0, 7, true, false, [], ["customer-1"], {}, { sub: "x" }],
    ],
    scope: [null, true, 7, ["linked_accounts:operate"], {}],
  };
  await assertRefused(worker, [
    ...Object.entries(wrong).flatMap(([name, values]) =>
      each(name, values, (value) => signed(HS256, { [name]: value })),
    ),
    ["exp twice", signed(HS256, text({ exp: at - 120 }, `"exp":${at + 300}`))],
    ["exp twice, the good one first", signed(HS256, text({}, `"exp":${at + 300}`))],
    ["exp twice, once escaped", signed(HS256, text({}, `"e\\u0078p":${at + 300}`))],
    ["two subjects", signed(HS256, text({}, '"sub":"customer-2"'))],
    ["two issuers", signed(HS256, text({ iss: "other" }, `"iss":"${STOREFRONT}"`))],
    ["two audiences", signed(HS256, text({ aud: "other" }, `"aud":"${aud}"`))],
    ["exp beyond numbers", signed(HS256, text({ exp: undefined }, '"exp":1e999'))],
    ["exp that is none", signed(HS256, text({ exp: undefined }, '"exp":NaN'))],
    ["a lone surrogate", signed(HS256, text({ sub: undefined }, '"sub":"\\ud800"'))],
    ["a list of claims", signed(HS256, JSON.stringify([STOREFRONT, aud, at + 300, "customer-1"]))],
    ["claims in claims", signed(HS256, JSON.stringify({ claims: claimsOf(worker) }))],
    ["claims in the header", signed({ ...HS256, ...claimsOf(worker) }, "{}")],
    ["no claims", signed(HS256, "")],
    ["null", signed(HS256, "null")],
    ["a byte order mark", signed(HS256, `\ufeff${JSON.stringify(claimsOf(worker))}`)],
    ["more after it", signed(HS256, `${JSON.stringify(claimsOf(worker))}{}`)],
    ["a token of 9 kB", signed(HS256, { padding: "x".repeat(9_000) })],
  ]);
  // and the same where keys are public; its address is another audience
  await assertRefused(
    keyed,
    Object.entries(wrong).flatMap(([name, values]) =>
      each(name, values, (value) => minted(keyed, EC, {}, { [name]: value })),
    ),
  );

  for (const claims of [
    { exp: at - 20 },
    { exp: at + 3_600 },
    { exp: at + 100.5 },
    { nbf: at + 30 },
    { nbf: 0 },
    { iat: at + 10_000 },
    { aud: [STOREFRONT, aud] },
    { aud: [aud] },
    { sub: "s".repeat(255) },
    { sub: "ก".repeat(85) },
    { sub: " " },
  ]) {
    await assertIn(worker, signed(HS256, claims));
  }
});

// -------------------------------------------------------------------------------------- where keys come from

/** A Worker that fetches its keys there, until the test ends. */
async function trusting(t: TestContext, url: string): Promise<RunningWorker> {
  const bindings: Bindings = { SESSION_SECRET: undefined, SESSION_JWKS: url };
  const started = await startWorker({
    omiseUrl,
    storefrontUrl: STOREFRONT,
    secrets,
    alarms: false,
    log,
    bindings,
  });
  t.after(() => started.dispose());
  return started;
}

/** 503, and when to come back. */
async function assertUnavailable(of: RunningWorker, bearer: string): Promise<void> {
  const answer = await ask(of, { Authorization: `Bearer ${bearer}` });
  assert.equal(answer.status, 503, JSON.stringify(answer.body));
  assertError(answer, 503, "keys_unavailable");
  assert.equal(answer.body.retryable, true);
  const seconds = Number(answer.headers.get("Retry-After"));
  assert.ok(seconds >= 1 && seconds <= 30, `Retry-After: ${seconds}`);
}

test("C8: while no keys can be had nobody is let in, be their address down, slow, huge or HTML", async (t) => {
  const good = keySet(jwkOf(EC));
  let patience: NodeJS.Timeout | undefined;
  const slow: FakeOmise["answer"] = (_, response) => {
    response.writeHead(200).write(good.slice(0, 20));
    // for a Worker that would wait so long
    patience = setTimeout(() => response.end(good.slice(20)), 30_000);
  };
  t.after(() => clearTimeout(patience));
  const page = `<!doctype html><title>Sign in</title><script type="application/json">${good}</script>`;
  const answers: [string, FakeOmise["answer"]][] = [
    ["down", serving(good, 500)],
    ["slow", slow],
    ["huge", serving(good + " ".repeat(64 * 1024))],
    ["HTML", (_, response) => response.writeHead(200, { "Content-Type": "text/html" }).end(page)],
  ];
  await Promise.all(
    answers.map(async ([what, answer]) => {
      const [server, url] = await publishing(t, answer);
      const keys = await trusting(t, url);
      await assertUnavailable(keys, minted(keys, EC));
      // mended, and not asked again so soon
      server.answer = serving(good);
      await assertUnavailable(keys, minted(keys, EC));
      await assertUnavailable(keys, minted(keys, ATTACKER));
      for (const bearer of [minted(keys, EC, { alg: "none" }), minted(keys, EC, {}, { exp: 1 }), "x"]) {
        assertError(await ask(keys, { Authorization: `Bearer ${bearer}` }), 401, "unauthenticated");
      }
      assert.equal((await ask(keys, {}, "/health")).status, 200, what);
      assert.equal(server.requests.length, 1, what);
    }),
  );
  assert.deepEqual(omise.requests, []);
});

test("C8: keys at hand serve on while their address is down, and unknown names cost one more fetch", async (t) => {
  const [server, url] = await publishing(t, serving(keySet(jwkOf(EC), jwkOf(RSA))));
  const keys = await trusting(t, url);
  for (let i = 0; i < 5; i++) await assertIn(keys, minted(keys, i % 2 ? EC : RSA));
  assert.equal(server.requests.length, 1);
  // what an address that is out of order says is nothing, even if it reads like a set
  server.answer = serving(keySet(jwkOf(ATTACKER)), 500);
  await Promise.all(Array.from({ length: 10 }, () => assertUnavailable(keys, minted(keys, ATTACKER))));
  for (let i = 0; i < 10; i++) await assertUnavailable(keys, minted(keys, ATTACKER, { kid: `unknown ${i}` }));
  for (const each of [EC, RSA]) await assertIn(keys, minted(keys, each));
  assert.equal(server.requests.length, 2);
});

test("C8: a rotated key is fetched once, the old one goes, and a flood of unknown names costs nothing more", async (t) => {
  const oct = { kty: "oct", alg: "HS256", kid: "oct", k: b64("k".repeat(32)) };
  const [server, url] = await publishing(t, serving(keySet(jwkOf(EC), oct)));
  const keys = await trusting(t, url);
  await assertIn(keys, minted(keys, EC));
  server.answer = serving(keySet(jwkOf(NEXT), jwkOf(ED, { alg: undefined }), oct));
  await Promise.all(Array.from({ length: 10 }, () => assertIn(keys, minted(keys, NEXT))));
  assert.equal(server.requests.length, 2);
  await assertRefused(keys, [
    ["the old key", minted(keys, EC)],
    ["a key without alg", minted(keys, ED)],
    ["a published secret", jwt({ alg: "HS256", kid: "oct" }, claimsOf(keys), hmac("k".repeat(32)))],
    ["another's under the new name", minted(keys, ATTACKER, { kid: "next" })],
    ...each("unknown", [...Array(30).keys()], (i) => minted(keys, ATTACKER, { kid: `unknown ${i}` })),
  ]);
  server.answer = serving("", 500);
  await assertIn(keys, minted(keys, NEXT));
  assert.equal(server.requests.length, 2, "no further fetch so soon");
});

// ------------------------------------------------------------------------------------ where the token stands

test("C9: the one Authorization header holds one Bearer value, as it is written here", async () => {
  const good = signed(HS256);
  await assertIn(worker, good);
  const basic = Buffer.from(`${good}:`).toString("base64");
  const none = visible(await ask(worker, {}));
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  for (const authorization of [
    ...["", good, "Bearer", "Bearer ", "Bearer x", `Bearer${good}`, `Bearer  ${good}`, `Bearer\t${good}`],
    ...["bearer", "BEARER", "bEARER", "Bearer:", "JWT", "Token", "DPoP", "Negotiate", "Basic"].map(
      (scheme) => `${scheme} ${good}`,
    ),
    ...[
      `Bearer:${good}`,
      `Bearer=${good}`,
      `Bearer "${good}"`,
      `Bearer token=${good}`,
      `Bearer Bearer ${good}`,
    ],
    ...[
      `Bearer ${good} x`,
      `Bearer ${good},`,
      `Bearer ${good}, Bearer ${good}`,
      `Bearer ${good},Bearer ${good}`,
    ],
    ...[`Bearer ${good}, Basic ${basic}`, `Bearer x, Bearer ${good}`, `Basic ${basic}, Bearer ${good}`],
    ...[basic, base64(`${secrets.OMISE_SECRET_KEY}:`), base64("customer-1:")].map((each) => `Basic ${each}`),
    ...[`Digest username="customer-1", response="${good}"`, `Bearer ${secrets.SESSION_SECRET}`],
    `Bearer ${secrets.OMISE_SECRET_KEY}`,
  ]) {
    const answer = await ask(worker, { Authorization: authorization });
    assert.equal(answer.status, 401, authorization.slice(0, 20));
    assertError(answer, 401, "unauthenticated");
    assert.deepEqual(visible(answer), none);
  }

  const bearer = `Bearer ${good}`;
  for (const headers of [
    ["Authorization", bearer, "Authorization", bearer],
    ["Authorization", bearer, "authorization", bearer],
    ["Authorization", bearer, "AUTHORIZATION", `Basic ${basic}`],
    ["Authorization", `Basic ${basic}`, "Authorization", bearer],
    ["Authorization", bearer, "Authorization", "Bearer x"],
    ["Authorization", "Bearer x", "Authorization", bearer],
    ["Authorization", bearer, "Authorization", ""],
    ["Authorization", bearer, "Authorization", bearer, "Authorization", bearer],
    // an empty one before it is not tried: the runtime shows the Worker none
  ]) {
    const answer = await raw("GET", "/linked_accounts", headers);
    assertError(answer, 401, "unauthenticated");
    assert.deepEqual({ ...answer.body, request_id: "" }, (none as { body: unknown }).body);
  }

  for (const name of [
    ...["Proxy-Authorization", "X-Authorization", "X-Forwarded-Authorization", "X-Original-Authorization"],
    ...["X-Access-Token", "X-Api-Key", "X-User", "X-Forwarded-User", "Token"],
    ...["Cf-Access-Jwt-Assertion", "Sec-WebSocket-Protocol"],
  ]) {
    for (const value of [bearer, good])
      assert.deepEqual(visible(await ask(worker, { [name]: value })), none, name);
  }
  for (const name of ["access_token", "token", "jwt", "authorization", "Authorization", "bearer"]) {
    const answer = await ask(worker, {}, `/linked_accounts?${name}=${good}`);
    assert.deepEqual(visible(answer), none, name);
  }
  assertNotLogged(good.split(".")[2] ?? "", basic);
  assert.deepEqual(omise.requests, []);
});

/** A request whose headers are sent as they are. */
async function raw(method: string, path: string, headers: string[]): Promise<Answer> {
  const sent = ["Host", new URL(worker.url).host, "Connection", "close", ...headers];
  const request = httpRequest(worker.url + path, { method, headers: sent });
  const [response] = (await once(request.end(), "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const pairs = Object.entries(response.headersDistinct).map(([name, values]) => [
    name,
    values?.join(", ") ?? "",
  ]);
  return {
    status: response.statusCode ?? 0,
    headers: new Headers(Object.fromEntries(pairs)),
    body: text ? JSON.parse(text) : undefined,
  };
}

// ---------------------------------------------------------------------------------------- other sites' pages

/** One request for each way to be answered: what is asked, and the status. */
const WAYS: [method: string, path: string, headers: Record<string, string>, status: number][] = [
  ["OPTIONS", "/linked_accounts", { "Access-Control-Request-Method": "POST" }, 204],
  ["OPTIONS", `/linked_accounts/${UNKNOWN}`, { "Access-Control-Request-Method": "DELETE" }, 204],
  ["OPTIONS", "/linked_accounts/confirm", { "Access-Control-Request-Method": "POST" }, 204],
  ["OPTIONS", "/nothing", { "Access-Control-Request-Method": "GET" }, 404],
  ["GET", "/health", {}, 200],
  ["GET", "/banks", {}, 200],
  ["GET", "/linked_accounts", {}, 200],
  ["GET", "/linked_accounts?limit=0", {}, 400],
  ["GET", "/linked_accounts", { Authorization: "Bearer x" }, 401],
  ["GET", "/audit", {}, 403],
  ["GET", `/linked_accounts/${UNKNOWN}`, {}, 404],
  ["GET", "/nothing", {}, 404],
  ["PUT", "/linked_accounts", {}, 405],
  ["POST", "/linked_accounts", { "Idempotency-Key": "k", "Content-Type": "text/plain" }, 415],
  ["POST", "/linked_accounts/confirm", { "Content-Type": "text/plain" }, 415],
  ["POST", "/webhooks/omise", {}, 401],
];

/** The CORS headers of an answer, by name. */
const corsOf = ({ headers }: Answer) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith("access-control-")));

/** What an allow-list could take for one of ours, and must not. */
const foreignOrigins = (): (string | undefined)[] => [
  ...[undefined, "", "null", "*", ":", "http://*", "https://evil.example", worker.url, omiseUrl],
  // what begins like ours, ends like ours, or holds it
  ...[".evil.example", ".", "/", "/return", ":443", ":8443", ":80", "0", "%00", "#", "?"].map(
    (end) => SHOP + end,
  ),
  ...["@evil.example", "\\.evil.example", "\t.evil.example", ".evil".repeat(1_000)].map((end) => SHOP + end),
  ...["https://evilshop.example", "https://evil-shop.example", "https://sub.shop.example"],
  ...["https://user@shop.example", "https://evil.example#https://shop.example"],
  ...["https://evil.example/https://shop.example", "shop.example", "//shop.example"],
  // what looks or reads like ours
  ...["https://xn--hop-ehd.example", "https://shop.exampl", "https://shopxexample"],
  ...["https://SHOP.example", "HTTPS://shop.example"],
  ...["http:", "ws:", "wss:", "file:", "chrome-extension:"].map((scheme) => `${scheme}//shop.example`),
  ...["file://", "data:text/html,x", "https://127.0.0.1:1", `${STOREFRONT}1`, "http://127.0.0.1"],
  ...["localhost", "[::1]", "127.1", "0x7f000001", "2130706433"].map((host) => `http://${host}:1`),
  // lists of ours
  ...[`${STOREFRONT},${SHOP}`, `${STOREFRONT} ${SHOP}`, ALLOWED_ORIGINS, `${SHOP}, ${SHOP}`],
];

test("C10: pages of the configured origins read the answers, and no others", async () => {
  const me = customer();
  const all = (origin: Record<string, string>) =>
    Promise.all(
      WAYS.map(async ([method, path, headers, status]) => {
        const answer = await me.fetch(method, path, { headers: { ...origin, ...headers } });
        assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
        assertStandardHeaders(answer);
        return { what: `${method} ${path}`, status, cors: corsOf(answer) };
      }),
    );
  for (const origin of [STOREFRONT, SHOP]) {
    for (const { what, status, cors } of await all({ Origin: origin })) {
      const shown = {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": "X-Request-Id, Retry-After, Idempotent-Replayed, Date",
      };
      const preflight = {
        "access-control-allow-headers": "Authorization, Content-Type, Idempotency-Key, Prefer",
        "access-control-allow-methods": "GET, POST, DELETE",
        "access-control-max-age": "7200",
      };
      assert.deepEqual(cors, status === 204 ? { ...shown, ...preflight } : shown, `${origin}: ${what}`);
    }
  }
  for (const origin of foreignOrigins()) {
    const headers: Record<string, string> = origin === undefined ? {} : { Origin: origin };
    for (const { what, cors } of await all(headers)) assert.deepEqual(cors, {}, `${origin}: ${what}`);
  }
  // two headers are no one of them, and no other header stands in for it
  for (const headers of [
    ["Origin", SHOP, "Origin", SHOP],
    ["Origin", SHOP, "Origin", "https://evil.example"],
    ["Origin", "https://evil.example", "Origin", SHOP],
    ["Referer", `${SHOP}/`],
    ["Origin", "https://evil.example", "Referer", `${SHOP}/`, "X-Forwarded-Host", "shop.example"],
    ["X-Origin", SHOP, "Sec-Fetch-Site", "same-origin"],
  ]) {
    const answer = await raw("GET", "/health", headers);
    assertStandardHeaders(answer);
    assert.deepEqual(corsOf(answer), {}, headers.join());
  }
  assert.deepEqual(omise.requests, []);
});

test("C10: where the Worker breaks down, the same pages read the answer, and no others", async () => {
  const options = {
    omiseUrl,
    storefrontUrl: STOREFRONT,
    secrets,
    alarms: false,
    bindings: { ALLOWED_ORIGINS },
    fault: true,
  };
  const breaking = await startWorker(options);
  try {
    const who = new Customer(breaking.url, sessionOf(breaking, secrets));
    const ask = async (origin: string | undefined, fault: string) => {
      const headers: Record<string, string> = { "X-Fault": fault };
      if (origin !== undefined) headers.Origin = origin;
      const answer = await who.fetch("GET", "/linked_accounts", { headers });
      assert.equal(answer.status, 500);
      assertStandardHeaders(answer);
      return corsOf(answer);
    };
    for (const origin of foreignOrigins()) assert.deepEqual(await ask(origin, "error"), {}, origin);
    for (const origin of [STOREFRONT, SHOP]) {
      for (const fault of ["error", "panic"]) {
        assert.equal((await ask(origin, fault))["access-control-allow-origin"], origin);
      }
    }
  } finally {
    await breaking.dispose();
  }
});

test("C11: whatever headers a preflight asks for, it is told the same four", async () => {
  const me = customer();
  const preflight = (headers: Record<string, string>) =>
    me.fetch("OPTIONS", "/linked_accounts", { headers: { Authorization: "", ...headers } });
  const asked = [
    undefined,
    "",
    "*",
    "authorization",
    "cookie, set-cookie, host, x-forwarded-for",
    "Omise-Version",
    "x-evil",
    "constructor, __proto__",
    "a,".repeat(10_000),
    ",".repeat(30_000),
    ", ".repeat(15_000),
    "x".repeat(30_000),
    Array.from({ length: 4_000 }, (_, i) => `x-${i}`).join(),
    "authorization,".repeat(2_000),
    "(a+)+$".repeat(2_000),
  ];
  const methods = ["POST", "DELETE", "TRACE", "CONNECT", "*", "X".repeat(20_000)];
  const list = {
    "access-control-allow-headers": "Authorization, Content-Type, Idempotency-Key, Prefer",
    "access-control-allow-methods": "GET, POST, DELETE",
    "access-control-allow-origin": SHOP,
    "access-control-expose-headers": "X-Request-Id, Retry-After, Idempotent-Replayed, Date",
    "access-control-max-age": "7200",
  };
  const db = new Ledgers(worker);
  const before = await rowsOf(db, ["attempts", "links", "events"]);
  for (const headers of asked) {
    for (const method of headers === undefined || headers.length < 100 ? methods : ["POST"]) {
      const more: Record<string, string> = { "Access-Control-Request-Method": method };
      if (headers !== undefined) more["Access-Control-Request-Headers"] = headers;
      const answer = await preflight({ Origin: SHOP, ...more });
      assert.equal(answer.status, 204);
      assert.equal(answer.body, undefined);
      assertStandardHeaders(answer);
      assert.deepEqual(corsOf(answer), list, `${method} ${headers?.slice(0, 30)}`);
      const refused = await preflight({ Origin: "https://evil.example", ...more });
      assert.equal(refused.status, 204);
      assertStandardHeaders(refused);
      assert.deepEqual(corsOf(refused), {}, `${method} ${headers?.slice(0, 30)}`);
    }
  }
  // more than any header may be is the runtime's to refuse, and it answers the next one
  const giant = await fetch(`${worker.url}/linked_accounts`, {
    method: "OPTIONS",
    headers: { Connection: "close", Origin: SHOP, "Access-Control-Request-Headers": "x,".repeat(1_000_000) },
  }).catch(() => undefined);
  assert.ok(giant === undefined || (giant.status >= 400 && giant.status < 500), `status ${giant?.status}`);
  assert.equal((await preflight({ Origin: SHOP, "Access-Control-Request-Method": "POST" })).status, 204);
  assert.deepEqual(omise.requests, []);
  assert.deepEqual(await rowsOf(db, ["attempts", "links", "events"]), before);
});

/** What is not `application/json`: a form's three first. */
const CONTENT_TYPES = [
  ...["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", undefined, ""],
  ...["text/plain;charset=UTF-8", "text/plain; application/json", "text/plain, application/json"],
  ...["application/x-www-form-urlencoded; charset=utf-8", "multipart/form-data; boundary=application/json"],
  ...["application/json, text/plain", "application/json,application/json", "application/json charset=utf-8"],
  ...["application/json;", "application/json; boundary=x", "application/json; charset=utf-8; x=y"],
  ...["application/json; charset=utf-16", "application/json; charset=latin1", "json", "application", "*/*"],
  ...["text/json", "text/html", "application/xml", "application/jsonp", "application/javascript"],
  ...[
    "application/ld+json",
    "application/vnd.api+json",
    "application/csp-report",
    "application/reports+json",
  ],
  ...[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/octet-stream",
    "application/*",
  ],
];

test("C12: what another site's form can send is no request", async () => {
  const me = customer();
  const { id, linkState } = await begin(me);
  omise.requests.length = 0;
  const db = new Ledgers(worker);
  const before = await stored(db);
  const create = JSON.stringify({ type: "direct_debit_scb", return_uri: `${STOREFRONT}/return` });
  const confirm = JSON.stringify({ link_state: linkState });
  for (const type of CONTENT_TYPES) {
    for (const [path, json] of [
      ["/linked_accounts", create],
      ["/linked_accounts/confirm", confirm],
    ] as const) {
      const form = new URLSearchParams(JSON.parse(json)).toString();
      for (const text of [json, form]) {
        const headers = new Headers({ "Idempotency-Key": randomUUID() });
        if (type !== undefined) headers.set("Content-Type", type);
        // bytes: fetch names no type of its own for them
        const answer = await me.fetch("POST", path, { headers, body: new TextEncoder().encode(text) });
        assert.equal(answer.status, 415, `${path} as ${type}: ${JSON.stringify(answer.body)}`);
        assertError(answer, 415, "unsupported_media_type");
      }
    }
  }
  // a form's field that reads like JSON
  const disguised = await me.fetch("POST", "/linked_accounts/confirm", {
    headers: { "Content-Type": "text/plain" },
    body: `${confirm.slice(0, -1)},"x":"=\r\n"}`,
  });
  assertError(disguised, 415, "unsupported_media_type");
  for (const [method, path] of [
    ["POST", `/linked_accounts/${id}`],
    ["POST", `/linked_accounts/${id}?_method=DELETE`],
    ["POST", "/linked_accounts/search"],
    ["POST", "/audit"],
  ] as const) {
    const headers = {
      "Content-Type": "application/x-www-form-urlencoded",
      "X-HTTP-Method-Override": "DELETE",
    };
    assertError(await me.fetch(method, path, { headers, body: "_method=DELETE" }), 405, "method_not_allowed");
  }
  assert.deepEqual(omise.requests, []);
  assert.deepEqual(await stored(db), before);
});

test("C12: cookies are not read, with a token or without", async () => {
  const me = customer();
  const { id, linkState } = await begin(me);
  omise.requests.length = 0;
  const db = new Ledgers(worker);
  const before = await stored(db);
  const good = token(me.session, me.claims);
  const names = [
    ...["token", "jwt", "session", "access_token", "sub", "Authorization", "authorization", "Bearer"],
    ...["__Host-token", "__Secure-session", "CF_Authorization"],
  ];
  const cookies = names.flatMap((name) => [
    `${name}=${good}`,
    `${name}=Bearer ${good}`,
    `a=b; ${name}="${good}"`,
  ]);
  const key = { "Idempotency-Key": randomUUID(), "Content-Type": "application/json" };
  const create = JSON.stringify({ type: "direct_debit_scb", return_uri: `${STOREFRONT}/return` });
  for (const cookie of [...cookies, cookies.join("; ")]) {
    const headers = { Authorization: "", Cookie: cookie, Origin: SHOP };
    for (const answer of [
      await me.fetch("GET", `/linked_accounts/${id}`, { headers }),
      await me.fetch("GET", "/linked_accounts", { headers }),
      await me.fetch("DELETE", `/linked_accounts/${id}`, { headers }),
      await me.fetch("POST", "/linked_accounts", { headers: { ...headers, ...key }, body: create }),
      await me.fetch("POST", "/linked_accounts/confirm", {
        headers: { ...headers, ...key },
        body: JSON.stringify({ link_state: linkState }),
      }),
    ]) {
      assertError(answer, 401, "unauthenticated");
      assert.equal(answer.headers.get("Set-Cookie"), null);
    }
  }
  // nor does one change whose token it is
  const stranger = customer();
  for (const cookie of [`token=${good}`, `sub=${me.claims.sub}`, `Authorization=Bearer ${good}`]) {
    const headers = { Cookie: cookie };
    assertError(await stranger.fetch("GET", `/linked_accounts/${id}`, { headers }), 404, "not_found");
    const list = await stranger.fetch("GET", "/linked_accounts", { headers });
    assert.deepEqual([list.body.data, list.headers.get("Set-Cookie")], [[], null]);
  }
  assert.deepEqual(omise.requests, []);
  assert.deepEqual(await stored(db), before);
  assertNotLogged(good, linkState);
});

test("C12: no GET changes anything but the stored reading", async () => {
  const [me, staff] = [customer(), operator()];
  const { id, linkState } = await begin(me);
  const links = await linksOf(String(me.claims.sub));
  const db = new Ledgers(worker);
  const looks = (row: Json) => row.action === "retrieve" && row.actor === staff.claims.sub;
  /** All rows, without those that say that an operator looked. */
  const everything = async () => {
    const audit = await db.all("SELECT * FROM audit");
    return [await stored(db), audit.filter((row) => !looks(row))];
  };
  // the audit of earlier refusals is written after their answers
  await until(async () => {
    const seen = JSON.stringify(await everything());
    await me.fetch("GET", "/linked_accounts");
    return seen === JSON.stringify(await everything());
  });
  const before = await everything();
  omise.requests.length = 0;
  for (const who of [me, staff]) {
    for (const path of [
      `/linked_accounts/${id}`,
      ...links.map((link) => `/linked_accounts/${link.id}`),
      `/linked_accounts/${id}?_method=DELETE&method=delete&action=delete`,
      `/linked_accounts/${id}?link_state=${linkState}`,
      "/linked_accounts",
      "/linked_accounts/search?query=order-17",
      "/banks",
      "/health",
      "/ready",
      "/openapi.json",
    ]) {
      const headers = {
        "X-HTTP-Method-Override": "DELETE",
        "X-HTTP-Method": "DELETE",
        "X-Method-Override": "DELETE",
        "X-Original-Method": "DELETE",
        "Content-Type": "application/json",
        "Idempotency-Key": randomUUID(),
      };
      const answer = await who.fetch("GET", path, { headers });
      assert.equal(answer.status, 200, `${path}: ${JSON.stringify(answer.body)}`);
    }
  }
  assert.ok(omise.requests.length > 0);
  for (const { method } of omise.requests) assert.equal(method, "GET");
  assert.deepEqual(await everything(), before);

  const rows = await stored(db);
  for (const [path, status, reason] of [
    [`/linked_accounts/confirm?link_state=${linkState}`, 405, "method_not_allowed"],
    ["/webhooks/omise?key=linked_account.complete", 405, "method_not_allowed"],
    ["/linked_accounts?type=direct_debit_scb&replace_pending=true", 400, "invalid_request"],
    [`/linked_accounts/${id}/delete`, 404, "route_not_found"],
    [`/linked_accounts/${id}/confirm`, 404, "route_not_found"],
    ["/linked_accounts/create", 404, "not_found"],
    ["/linked_accounts/new", 404, "not_found"],
  ] as const) {
    assertError(await me.fetch("GET", path), status, reason);
  }
  assert.deepEqual(await stored(db), rows);

  // the reading itself, once it says something else; of another account, since readings are shared for a moment
  const other = await begin(me, { type: "direct_debit_scb" });
  Object.assign(accounts.get(other.id) ?? {}, { status: "successful", last_digits: "4321" });
  assert.equal((await me.get(other.id)).body.status, "successful");
  const link = () => db.first<Json>("SELECT *, owner AS subject FROM links WHERE id = ?", other.id);
  const read = await link();
  assert.deepEqual([read?.status, read?.confirmed_at, read?.subject], ["successful", null, me.claims.sub]);
  await me.get(other.id);
  assert.deepEqual(await link(), read);
});
