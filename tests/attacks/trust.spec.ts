// What leaves the Worker, and for whom: secrets and personal data, the log, caches, limits and link_state.

import assert from "node:assert/strict";
import { createHash, createHmac, randomBytes, randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, beforeEach, test } from "node:test";
import { account, answering, FakeOmise, listOf, searchOf } from "../../harness/omise.ts";
import { OPERATE, STOREFRONT, sessionOf } from "../../harness/session.ts";
import { BUILT, type RunningWorker, randomSecrets, startWorker } from "../../harness/stack.ts";
import { Canary } from "../browser/canary.ts";
import { type Answer, assertError, assertStandardHeaders } from "../support/answer.ts";
import { operations } from "../support/contract.ts";
import { Customer } from "../support/customer.ts";
import { Ledgers } from "../support/ledgers.ts";
import { until } from "../support/until.ts";
import { deliver as deliverTo, eventOf } from "../support/webhook.ts";

const omise = new FakeOmise();
const secrets = randomSecrets();
/** The webhook secret that takes over from the other. */
const nextSecret = randomBytes(32).toString("base64");
const lines: string[] = [];
/** With limits that nobody reaches. */
let worker: RunningWorker;
let db: Ledgers;
/** With the limits of wrangler.toml, and with secrets of its own. */
let limited: RunningWorker;
const limitedSecrets = randomSecrets();
let omiseUrl: string;
let me: Customer;

before(async () => {
  omiseUrl = await omise.start();
  const common = { omiseUrl, storefrontUrl: STOREFRONT, alarms: false };
  [worker, limited] = await Promise.all([
    startWorker({
      ...common,
      secrets,
      bindings: {
        UPSTREAM_DEADLINE_MS: "500",
        WEBHOOK_SECRET: `${secrets.WEBHOOK_SECRET},${nextSecret}`,
        // what it is unless it is set
        CREATES_PER_DAY: undefined,
      },
      log: (line) => lines.push(line),
    }),
    startWorker({ ...common, secrets: limitedSecrets, rateLimits: true }),
  ]);
  db = new Ledgers(worker);
});
after(async () => {
  await worker?.dispose();
  await limited?.dispose();
  await omise.stop();
});
beforeEach(() => {
  omise.answer = works;
  omise.requests.length = 0;
  lines.length = 0;
  me = customer();
});

const customer = (claims: Record<string, unknown> = {}) =>
  new Customer(worker.url, sessionOf(worker, secrets), { sub: randomUUID(), ...claims });

/** An Omise that does what it is asked, and knows nothing afterwards. */
const works: FakeOmise["answer"] = (request, response, body) => {
  const [path = ""] = (request.url ?? "").split("?", 1);
  const form = new URLSearchParams(body);
  const [id] = /lnac_\w+/.exec(path) ?? [];
  const one = account({
    registration_uri: `${omiseUrl}/register`,
    ...(form.has("return_uri") && { return_uri: form.get("return_uri"), type: form.get("type") }),
    ...(id && { id }),
    ...(request.method === "DELETE" && { status: "deleted" }),
  });
  const answer = path === "/search" ? searchOf([]) : path === "/linked_accounts" && !body ? listOf([]) : one;
  answering(200, answer)(request, response, body);
};

const omiseError = (message: string, code = "bad_request") => ({
  object: "error",
  location: "https://www.omise.co/api-errors",
  code,
  message,
});

/** Every row of every table, as text. */
async function rows(): Promise<string> {
  const tables = ["attempts", "links", "events", "audit"];
  const found = await Promise.all(tables.map((table) => db.all(`SELECT * FROM ${table}`)));
  return JSON.stringify(found);
}

/** The lines of the log once the request's is there; it is written when the answer is on its way. */
async function logOf(answer: Answer): Promise<string[]> {
  const id = answer.headers.get("X-Request-Id") ?? "";
  return until(async () => (lines.some((line) => line.includes(id)) ? lines : null));
}

/** The link_state of the last create that Omise was asked for. */
function linkState(): string {
  const create = omise.requests.findLast(({ method }) => method === "POST");
  const uri = new URL(new URLSearchParams(create?.body).get("return_uri") ?? "");
  return uri.searchParams.get("link_state") ?? "";
}

/** Delivers an event about an account as Omise does. */
const deliver = (data: unknown, overrides: Record<string, unknown> = {}) =>
  deliverTo(worker.url, secrets.WEBHOOK_SECRET, JSON.stringify(eventOf(data, overrides)));

// -------------------------------------------------------------------------------------------------------- secrets

test("C26: no secret is in any answer, line of the log or row, whatever fails", async () => {
  const canary = new Canary();
  const basic = `Basic ${Buffer.from(`${secrets.OMISE_SECRET_KEY}:`).toString("base64")}`;
  const operator = customer(OPERATE);
  const json = { "Content-Type": "application/json" };

  /** Sends a request to every operation, of a customer's and of an operator's, and keeps each byte of the answers. */
  async function drive(name: string, fail: () => unknown): Promise<void> {
    omise.answer = works;
    const owner = customer();
    const { id } = (await owner.create()).body;
    const confirm = { body: JSON.stringify({ link_state: linkState() }), headers: json };
    await fail();
    const asks = operations().flatMap(({ path, method, operation: { operationId } }) =>
      [owner, operator].map(async (who) => {
        const at = path.replace(/\{\w+\}/, id);
        if (operationId === "create") return who.create({ type: "direct_debit_scb" });
        if (operationId === "webhook") return deliver({ object: "linked_account", id });
        return who.fetch(method, at, operationId === "confirm" ? confirm : {});
      }),
    );
    for (const { headers, body } of await Promise.all(asks))
      canary.add(`answers ${name}`, JSON.stringify([[...headers], body]));
  }

  const { OMISE_SECRET_KEY, SESSION_SECRET, LEDGER_KEY, WEBHOOK_SECRET } = secrets;
  const echoes: [string, FakeOmise["answer"]][] = [
    ["200", works],
    ["401", answering(401, omiseError(`invalid key ${OMISE_SECRET_KEY}`, "authentication_failure"))],
    ["400", answering(400, omiseError(`you sent ${basic}`))],
    ["500", (_, response) => void response.writeHead(500).end(`<pre>Authorization: ${basic}</pre>`)],
    ["another object", answering(200, { object: "account", key: OMISE_SECRET_KEY })],
    ["another attribute", answering(200, account({ keys: [OMISE_SECRET_KEY], auth: basic }))],
    ["no JSON", (_, response) => void response.writeHead(200).end(`{"key":"${OMISE_SECRET_KEY}`)],
    [
      "302",
      (_, response) =>
        void response.writeHead(302, { Location: `/?${OMISE_SECRET_KEY}`, "X-Key": basic }).end(),
    ],
    ["reset", (request) => void request.socket.destroy()],
    ["hang", () => {}],
  ];
  for (const [name, answer] of echoes) {
    await drive(name, () => {
      omise.answer = answer;
    });
  }
  for (const table of ["links", "attempts"]) {
    await drive(`no ${table}`, () => db.all(`ALTER TABLE ${table} RENAME TO gone`));
    await db.all(`ALTER TABLE gone RENAME TO ${table}`);
  }
  await new Ledgers(worker).alarms();
  canary.add("log", (await logOf(await me.fetch("GET", "/health"))).join("\n"));
  canary.add("rows", await rows());
  const sent = omise.requests.map(({ headers: { authorization: _, ...headers }, ...rest }) => [
    headers,
    rest,
  ]);
  canary.add("upstream", JSON.stringify(sent));

  assert.deepEqual([...canary.sizes().keys()], ["answers", "log", "rows", "upstream"]);
  for (const size of canary.sizes().values())
    assert.ok(size > 1_000, "a canary that saw nothing proves nothing");
  for (const secret of [OMISE_SECRET_KEY, SESSION_SECRET, LEDGER_KEY, WEBHOOK_SECRET, nextSecret])
    assert.deepEqual(canary.find(secret), []);
  assert.ok(omise.requests.every(({ headers }) => headers.authorization === basic));
});

test("C26: what is built holds no key, no source map, and nothing of where it was built", () => {
  const files = readdirSync(`worker/build${BUILT}`, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile())
    .map((file) => ({ name: file.name, text: readFileSync(`${file.parentPath}/${file.name}`, "latin1") }));
  assert.ok(files.some(({ name }) => name === "index_bg.wasm"));
  for (const { name, text } of files) {
    assert.doesNotMatch(name, /\.map$|^\.(dev\.)?vars|^\.env/);
    // a whole key, of either mode; the prefix alone is in the messages
    assert.doesNotMatch(text, /[sp]key_(test_)?[0-9a-z]{16,}/);
    assert.doesNotMatch(text, /sourceMappingURL=/);
    assert.doesNotMatch(text, /whsec_|BEGIN [A-Z ]*PRIVATE KEY/);
  }
});

// -------------------------------------------------------------------------------------------------- personal data

/** What a bank or Omise may repeat of a customer, in forms that do harm where they are shown. */
const PII = "Malee Jaidee 0812345678 malee@mail.example";
const HOSTILE = [
  PII,
  `<script>alert("${PII}")</script>`,
  `<img src=x onerror=alert(1)> ${PII}`,
  `"}],"issues":[{"message":"${PII}"`,
  `\u202e${PII}\u0000`,
  `${PII} `.repeat(500),
];

test("C27: Omise's words reach neither a customer nor an operator, nor the log", async () => {
  const { id } = (await me.create()).body;
  const operator = customer(OPERATE);
  for (const message of HOSTILE) {
    for (const [status, expected, reason] of [
      [400, 400, "upstream_refused"],
      [401, 502, "upstream_misconfigured"],
      [422, 400, "upstream_refused"],
      [501, 503, "upstream_unavailable"],
    ] as const) {
      omise.answer = answering(status, omiseError(message), { "X-Message": PII });
      const other = customer();
      for (const answer of [
        await me.get(id),
        // what may be answered again later, a held answer takes from the ledger
        ...(status < 500
          ? [await me.fetch("GET", `/linked_accounts/${id}`, { headers: { Prefer: "wait=1" } })]
          : []),
        await operator.fetch("GET", "/linked_accounts"),
        await operator.fetch("GET", "/linked_accounts/search?query=x"),
        ...(status < 500 ? [await other.create()] : []),
      ]) {
        assertError(answer, expected, reason);
        assert.deepEqual(answer.body.issues, []);
        const text = JSON.stringify([answer.body, [...answer.headers]]);
        assert.ok(!text.includes("Malee") && !text.includes("<"), text);
      }
    }
  }
  const log = await logOf(await me.fetch("GET", "/health"));
  assert.ok(log.some((line) => line.includes("omise answered 422")));
  assert.ok(!log.join("\n").includes("Malee") && !(await rows()).includes("Malee"));
});

test("C27: what an account says of itself is JSON that no browser takes for a page", async () => {
  const { id } = (await me.create()).body;
  for (const message of HOSTILE) {
    const failed = { id, status: "failed", failure_code: "x", failure_message: message };
    omise.answer = answering(200, account({ ...failed, bank_note: message }));
    await db.all("UPDATE links SET read_at = 0, status = 'pending' WHERE id = ?", id);
    const answer = await me.confirm(linkState());
    assert.equal(answer.body.failure_message, message);
    assert.equal(answer.body.bank_note, undefined);
    assertStandardHeaders(answer);
  }
});

/** A citizen id whose digits fit together, one whose last digit does not, and a passport's number. */
const CITIZENS = ["1101700230708", "1101700230709", "AA7654321"];

test("C28: an identity number is sent to Omise in the body of the create, and is nowhere else", async () => {
  const [good = "", mistyped = "", passport = ""] = CITIZENS;
  omise.answer = (request, response, body) => {
    const echoed = { citizen_id: good, identity: passport, registration_uri: `${omiseUrl}/register` };
    answering(200, account(echoed))(request, response, body);
  };
  const answers = [
    await me.create({ citizen_id: good }),
    await customer().create({ citizen_id: passport }),
    await me.create({ citizen_id: mistyped }),
    await me.create({ citizen_id: Number(good) }),
    await me.create({ citizen_id: [good] }),
    await me.create({ citizen_id: `${good} ${passport}` }),
    await me.create({ citizen_ids: good }),
    await me.json("/linked_accounts", `{"citizen_id":"${good}`, { "Idempotency-Key": randomUUID() }),
    await me.fetch("GET", `/linked_accounts?citizen_id=${good}`),
    await me.fetch("GET", `/linked_accounts/search?citizen_id=${good}`),
    await me.fetch("GET", `/linked_accounts/${good}`),
    await me.json(`/linked_accounts/confirm?citizen_id=${good}`, { link_state: good }),
    await me.fetch("GET", `/${good}`),
  ];
  const statuses = answers.map(({ status }) => status);
  assert.deepEqual(statuses, [200, 200, 400, 400, 400, 400, 400, 400, 400, 400, 404, 404, 404]);
  // a search is for what the customer typed, and is answered with it
  await me.fetch("GET", `/linked_accounts/search?query=${passport}`);

  const sent = omise.requests.map(({ body }) => new URLSearchParams(body).get("citizen_id"));
  assert.deepEqual(sent, [good, passport]);
  const elsewhere = [
    ...omise.requests.map(({ path, headers }) => JSON.stringify([path, headers])),
    ...answers.map(({ body, headers }) => JSON.stringify([body, [...headers]])),
    ...(await logOf(await me.fetch("GET", "/health"))),
    await rows(),
  ];
  for (const text of elsewhere) for (const id of CITIZENS) assert.ok(!text.includes(id), text);
});

test("C28: the request's fingerprint covers it, under a key that no other fingerprint has", async () => {
  const params = { citizen_id: CITIZENS[0] };
  const key = randomUUID();
  assert.equal((await me.create(params, key)).status, 200);
  assertError(await me.create({ citizen_id: CITIZENS[2] }, key), 422, "idempotency_key_reused");
  assertError(await me.create({}, key), 422, "idempotency_key_reused");
  const other = new Customer(limited.url, sessionOf(limited, limitedSecrets), { sub: randomUUID() });
  assert.equal((await other.create(params, key)).status, 200);
  const sql = "SELECT fingerprint FROM attempts WHERE idempotency_key = ?";
  const fingerprints = [db, new Ledgers(limited)].map(async (each) => {
    const row = await each.first<{ fingerprint: string }>(sql, key);
    return row?.fingerprint ?? assert.fail("there is no attempt");
  });
  const [mine, theirs] = await Promise.all(fingerprints);
  assert.notEqual(mine, theirs, "one request, two keys");
  // nor is it what anybody could compute who has the database and guesses the number
  const form = `type=direct_debit_kbank&return_uri=${encodeURIComponent(`${STOREFRONT}/return`)}&citizen_id=${CITIZENS[0]}`;
  for (const text of [CITIZENS[0] ?? "", form, `0${form}`, JSON.stringify(params)]) {
    for (const digest of [
      createHash("sha256").update(text),
      createHmac("sha256", "").update(text),
      createHmac("sha256", key).update(text),
    ])
      assert.notEqual(mine, digest.digest("base64url"));
  }
});

// -------------------------------------------------------------------------------------------------------- the log

/** What would end a line, colour a terminal, or break out of the JSON. */
const INJECTIONS = [
  '\n{"route":"forged","status":200}',
  '\r\n{"route":"forged"}',
  '","route":"forged","x":"',
  "\\",
  "\u001b[2J\u001b[31mforged",
  "\u0000\u0008\u0007forged",
  "\ud83d\ude00".repeat(2_000),
  "forged".repeat(10_000),
];

/** Has each text reach the log: as a code of Omise's, as a status, and as an event's key; gives the lines. */
async function inject(texts: string[]): Promise<string[]> {
  for (const text of texts) {
    const other = customer();
    const { id } = (await other.create()).body;
    const answer = async (status: number, body: unknown) => {
      omise.answer = answering(status, body);
      return other.confirm(state);
    };
    const state = linkState();
    assertError(await answer(400, omiseError("x", text)), 400, "upstream_refused");
    // a status that nobody knows, and back
    assert.equal((await answer(200, account({ id, status: text }))).body.status, text);
    assert.equal((await answer(200, account({ id, status: "pending" }))).status, 200);
    omise.answer = answering(404, omiseError("x", "not_found"));
    assert.equal((await deliver(account(), { key: text })).body.outcome, "ignored");
    omise.answer = works;
    await other.fetch("GET", `/linked_accounts/${encodeURIComponent(text).slice(0, 4_000)}`, {
      headers: { "X-Request-Id": "forged", "User-Agent": "forged" },
    });
  }
  return logOf(await me.fetch("GET", "/health"));
}

test("C29: a line of the log is one JSON object of fixed members, however it is attacked", async () => {
  const log = await inject(INJECTIONS);
  const members =
    "request_id,part,route,status,reason,ledger,detail,ms,upstream_calls,upstream_ms,ledger_ms".split(",");
  let details = 0;
  for (const line of log) {
    assert.ok(Buffer.byteLength(line) < 8_000, "a line is short");
    assert.match(line, /^\{.*\}$/);
    const parsed = JSON.parse(line);
    assert.deepEqual(Object.keys(parsed), members);
    assert.match(parsed.request_id, /^[0-9a-f]{32}$/);
    assert.match(parsed.part, /^(edge|customer)$/);
    assert.notEqual(parsed.route, "forged");
    assert.ok(Buffer.byteLength(parsed.detail ?? "") <= 1_000);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    assert.doesNotMatch(line, /[\u0000-\u001f]/);
    if (parsed.detail) details += 1;
  }
  assert.ok(details >= 2 * INJECTIONS.length, "these ways lead into the log");
});

test("C29: no control character of any kind is in the log", async () => {
  // DEL, CSI and OSC in one byte, separators that end a line for some readers, and what turns the direction of a text
  for (const line of await inject([
    "\u007f",
    "\u009b31m",
    "\u009d0;forged\u009c",
    "\u0085",
    "\u2028x",
    "\u2029x",
  ]))
    assert.doesNotMatch(line, /[\u007f-\u009f\u2028\u2029]/);
});

// --------------------------------------------------------------------------------------------------------- caches

test("C41: no answer may be kept by anybody, and none is taken from a cache", async () => {
  const { id } = (await me.create()).body;
  const state = linkState();
  const asks: [string, string, RequestInit?][] = [
    ["GET", "/linked_accounts"],
    ["GET", "/linked_accounts/search?query=x"],
    ["GET", `/linked_accounts/${id}`],
    ["GET", "/linked_accounts/lnac_test_0000000000000000000"],
    ["GET", "/banks"],
    ["GET", "/audit"],
    ["GET", "/health"],
    ["GET", "/ready"],
    ["GET", "/openapi.json"],
    ["GET", "/nothing"],
    ["PUT", "/banks"],
    ["OPTIONS", "/linked_accounts"],
    ["GET", "/linked_accounts", { headers: { Authorization: "Bearer x" } }],
  ];
  for (const [method, path, init = {}] of asks) {
    const first = await me.fetch(method, path, init);
    const headers = {
      "If-None-Match": "*",
      "If-Modified-Since": new Date().toUTCString(),
      Range: "bytes=0-1",
    };
    const again = await me.fetch(method, path, { ...init, headers: { ...headers, ...init.headers } });
    assert.equal(again.status, first.status, "no condition and no range is looked at");
    for (const answer of [first, again]) {
      assert.equal(answer.headers.get("Cache-Control"), "no-store");
      assert.equal(answer.headers.get("Vary"), "Origin");
      for (const name of [
        "ETag",
        "Last-Modified",
        "Expires",
        "Age",
        "CDN-Cache-Control",
        "Surrogate-Control",
      ])
        assert.equal(answer.headers.get(name), null, name);
    }
    assert.notEqual(first.headers.get("X-Request-Id"), again.headers.get("X-Request-Id"));
  }
  // Omise's answers are not kept either, whatever they say of themselves
  const keep = {
    "Cache-Control": "public, max-age=3600, immutable",
    ETag: '"x"',
    Expires: "Fri, 01 Jan 2100 00:00:00 GMT",
  };
  omise.answer = answering(200, account({ id }), keep);
  omise.requests.length = 0;
  assert.equal((await me.confirm(state)).body.status, "pending");
  omise.answer = answering(200, account({ id, status: "successful" }), keep);
  assert.equal((await me.confirm(state)).body.status, "successful");
  assert.equal(omise.requests.length, 2);
  for (const { headers } of omise.requests) assert.equal(headers["if-none-match"], undefined);
});

test("C41: one customer's answer is never another's", async () => {
  const { id } = (await me.create({ metadata: { note: "mine" } })).body;
  const other = customer();
  for (const path of ["/linked_accounts", "/linked_accounts/search?query=lnac", `/linked_accounts/${id}`]) {
    const [mine, theirs] = [await me.fetch("GET", path), await other.fetch("GET", path)];
    assert.ok(JSON.stringify(mine.body).includes(id), path);
    assert.ok(!JSON.stringify(theirs.body).includes(id), path);
  }
});

// --------------------------------------------------------------------------------------------------------- limits

let networks = 0;
/** An address that nobody came from yet. */
const address = () => {
  networks += 1;
  return `10.1.${networks >> 8}.${networks & 255}`;
};

/**
 * Sends more than twice what a minute admits, of which some must be refused: amid them one minute may end and another begin, but
 * no third.
 */
async function assertBounded(limit: number, ask: (i: number) => Promise<Answer>): Promise<void> {
  const answers: Answer[] = [];
  while (answers.length <= 2 * limit) {
    const next = Array.from(
      { length: Math.min(20, 2 * limit + 1 - answers.length) },
      (_, i) => answers.length + i,
    );
    answers.push(...(await Promise.all(next.map(ask))));
  }
  const refused = answers.filter(({ status }) => status === 429);
  assert.ok(refused.length > 0, `${answers.length} in a row, and none is refused`);
  for (const answer of refused) {
    assertError(answer, 429, "rate_limited");
    assert.equal(answer.headers.get("Retry-After"), "60");
  }
  assert.ok(answers.length - refused.length >= limit, "no fewer than the limit are admitted");
}

const visitor = (sub: string) => new Customer(limited.url, sessionOf(limited, limitedSecrets), { sub });
/** A create that comes to nothing: only that it is counted matters. */
const tryCreate = (sub: string, headers: Record<string, string>) =>
  visitor(sub).json("/linked_accounts", {}, headers);

test("C42: a customer is counted whatever address the requests come from", async () => {
  const sub = randomUUID();
  await assertBounded(10, () => tryCreate(sub, { "CF-Connecting-IP": address() }));
  assertError(
    await tryCreate(randomUUID(), { "CF-Connecting-IP": address() }),
    400,
    "idempotency_key_invalid",
  );
});

test("C42: an IPv6 customer has one /64, however the addresses in it are written", async () => {
  await assertBounded(100, (i) => {
    const ip = [
      `2001:db8:0:7::${i.toString(16)}`,
      `2001:db8:0:7:ffff:ffff:${i.toString(16)}:1`,
      `2001:0DB8:0000:0007:0:0:0:${i.toString(16)}`,
    ][i % 3];
    return tryCreate(randomUUID(), { "CF-Connecting-IP": ip ?? "" });
  });
  assertError(
    await tryCreate(randomUUID(), { "CF-Connecting-IP": "2001:db8:0:8::1" }),
    400,
    "idempotency_key_invalid",
  );
});

test("C42: an address in another header is nobody's, and an IPv4 address in IPv6 is itself", async () => {
  const ip = address();
  await assertBounded(100, (i) =>
    tryCreate(randomUUID(), {
      "CF-Connecting-IP": i % 2 ? ip : `::ffff:${ip}`,
      "X-Forwarded-For": address(),
      "X-Real-IP": address(),
      "True-Client-IP": address(),
      "X-Client-IP": address(),
      "CF-Connecting-IPv6": `2001:db8::${i}`,
      "CF-Pseudo-IPv4": address(),
      Forwarded: `for=${address()}`,
    }),
  );
  const other = await tryCreate(randomUUID(), { "CF-Connecting-IP": `::ffff:${address()}` });
  assertError(other, 400, "idempotency_key_invalid");
});

test("C42: where no rate limit counts, a customer still has no more than ten creates a day", async () => {
  for (let i = 0; i < 12; i++) {
    const type = ["direct_debit_kbank", "direct_debit_scb", "direct_debit_bay", "direct_debit_ktb"][i % 4];
    const answer = await me.create({ type, replace_pending: true });
    if (i < 10) assert.equal(answer.status, 200);
    else assertError(answer, 429, "too_many_creates");
  }
  assert.equal(omise.requests.filter(({ method }) => method === "POST").length, 10);
});

// ----------------------------------------------------------------------------------------------------- link_state

test("C46: a link_state is random, means nothing, and is known to Omise alone", async () => {
  const states = new Set<string>();
  const answers: Answer[] = [];
  const operator = customer(OPERATE);
  omise.answer = (request, response, body) => {
    const uri = new URLSearchParams(body).get("return_uri");
    works(request, response, body);
    if (uri) states.add(new URL(uri).searchParams.get("link_state") ?? "");
  };
  for (let i = 0; i < 12; i++) {
    const [who, key] = [customer(), randomUUID()];
    const made = await who.create({ return_uri: `${STOREFRONT}/return?order=${i}` }, key);
    assert.equal(made.body.return_uri, `${STOREFRONT}/return?order=${i}`);
    const { id } = made.body;
    const returned = omise.requests.findLast(({ method }) => method === "POST")?.body ?? "";
    const state = linkState();
    const echo = account({
      id,
      registration_uri: `${omiseUrl}/register`,
      return_uri: new URLSearchParams(returned).get("return_uri"),
    });
    const before = omise.answer;
    omise.answer = (request, response, body) => {
      const path = request.url ?? "";
      const many = path.startsWith("/search") ? searchOf([echo]) : listOf([echo]);
      answering(200, path.includes(id) ? echo : many)(request, response, body);
    };
    answers.push(
      made,
      await who.create({ return_uri: `${STOREFRONT}/return?order=${i}` }, key),
      await who.create(),
      await who.get(id),
      await who.fetch("GET", "/linked_accounts"),
      await who.fetch("GET", `/linked_accounts/search?query=${id}`),
      await operator.get(id),
      await operator.fetch("GET", "/linked_accounts"),
      await operator.fetch("GET", "/linked_accounts/search"),
      await operator.fetch("GET", "/audit"),
      await who.confirm(state),
    );
    omise.answer = before;
  }
  assert.equal(states.size, 12);
  for (const state of states) {
    assert.match(state, /^[\w-]{22}$/);
    assert.equal(Buffer.from(state, "base64url").length, 16);
  }
  // no place of the 22 is the same in all of them; the last has two bits
  for (let at = 0; at < 21; at++)
    assert.ok(new Set([...states].map((state) => state[at])).size > 3, `place ${at}`);
  const log = await logOf(answers.at(-1) ?? assert.fail("there are no answers"));
  const everything = [
    JSON.stringify(answers.map(({ body, headers }) => [body, [...headers]])),
    ...log,
    await rows(),
  ];
  for (const text of everything) for (const state of states) assert.ok(!text.includes(state), state);
});

test("C46: it is not shown either where Omise writes the address back in another form", async () => {
  const { id } = (await me.create()).body;
  const state = linkState();
  for (const return_uri of [
    `${STOREFRONT}/return?link_state=${state}`,
    `${STOREFRONT}/return?link_state=${state}&result=ok`,
    `${STOREFRONT}/return?link_state=${state}#done`,
    `${STOREFRONT}/return?link%5Fstate=${state}`,
    `${STOREFRONT}/return/?lang=th&link_state=${state}&link_state=${state}`,
  ]) {
    omise.answer = answering(200, account({ id, return_uri }));
    const answer = await me.confirm(state);
    assert.equal(answer.status, 200);
    assert.ok(!JSON.stringify(answer.body).includes(state), return_uri);
  }
});

test("C46: it counts in a body alone, never in an address or a header", async () => {
  await me.create();
  const state = linkState();
  omise.requests.length = 0;
  const query = `link_state=${state}`;
  const json = { "Content-Type": "application/json" };
  for (const [method, path, init, status] of [
    ["GET", `/linked_accounts/confirm?${query}`, {}, 405],
    ["POST", `/linked_accounts/confirm?${query}`, {}, 415],
    ["POST", `/linked_accounts/confirm?${query}`, { headers: json }, 400],
    ["POST", `/linked_accounts/confirm?${query}`, { headers: json, body: "{}" }, 400],
    ["POST", `/linked_accounts/confirm/${state}`, { headers: json, body: "{}" }, 404],
    ["POST", `/linked_accounts/${state}`, { headers: json, body: "{}" }, 405],
    ["GET", `/linked_accounts/${state}`, {}, 404],
    ["GET", `/linked_accounts?${query}`, {}, 400],
    ["GET", `/linked_accounts/search?${query}`, {}, 400],
    ["POST", "/linked_accounts/confirm", { headers: { ...json, "Link-State": state }, body: "{}" }, 400],
    ["POST", "/linked_accounts/confirm", { body: new URLSearchParams({ link_state: state }) }, 415],
    ["POST", "/linked_accounts/confirm", { headers: { ...json, Cookie: query }, body: "{}" }, 400],
  ] as const) {
    const answer = await me.fetch(method, path, init);
    assert.equal(answer.status, status, `${method} ${path}`);
    assert.ok(!JSON.stringify(answer.body).includes(state));
  }
  const sql = "SELECT confirmed_at FROM links WHERE owner = ?";
  assert.deepEqual(await db.first(sql, me.claims.sub), { confirmed_at: null });
  assert.equal(omise.requests.length, 0);
  assert.notEqual((await me.confirm(state)).body.confirmed_at, null);
  const log = await logOf(await me.fetch("GET", "/health"));
  assert.ok(!log.join("\n").includes(state));
});

test("C46: it dies with the link: a deleted one is confirmed by nobody", async () => {
  const { id } = (await me.create()).body;
  const state = linkState();
  assert.equal((await me.delete(id)).body.status, "deleted");
  await me.confirm(state);
  const row = await db.first("SELECT confirmed_at FROM links WHERE id = ?", id);
  assert.deepEqual(row, { confirmed_at: null });
});
