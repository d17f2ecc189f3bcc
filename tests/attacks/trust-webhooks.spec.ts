// Whom the Worker believes: events that are forged, replayed, signed twice or in another form, stale, or about nothing of ours.

import assert from "node:assert/strict";
import { createHash, createHmac, randomBytes, randomUUID } from "node:crypto";
import { request } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { account, answering, FakeOmise, withStamp } from "../../harness/omise.ts";
import { STOREFRONT, sessionOf } from "../../harness/session.ts";
import { type RunningWorker, randomSecrets, startWorker } from "../../harness/stack.ts";
import { type Answer, assertError, assertStandardHeaders } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";
import { Ledgers } from "../support/ledgers.ts";
import { until } from "../support/until.ts";
import { eventOf as bareEventOf, sign } from "../support/webhook.ts";

const omise = new FakeOmise();
const secrets = randomSecrets();
/** The webhook secret that takes over from the other. */
const nextSecret = randomBytes(32).toString("base64");
const lines: string[] = [];
let worker: RunningWorker;
let db: Ledgers;
let omiseUrl: string;
let me: Customer;

before(async () => {
  omiseUrl = await omise.start();
  worker = await startWorker({
    omiseUrl,
    storefrontUrl: STOREFRONT,
    secrets,
    alarms: false,
    bindings: { UPSTREAM_DEADLINE_MS: "500", WEBHOOK_SECRET: `${secrets.WEBHOOK_SECRET},${nextSecret}` },
    log: (line) => lines.push(line),
  });
  db = new Ledgers(worker);
});
after(async () => {
  await worker?.dispose();
  await omise.stop();
});
beforeEach(() => {
  omise.answer = works;
  omise.requests.length = 0;
  lines.length = 0;
  me = customer();
});

const customer = () => new Customer(worker.url, sessionOf(worker, secrets), { sub: randomUUID() });

/** An Omise where everything is pending. */
const works: FakeOmise["answer"] = (request, response, body) => {
  const [id] = /lnac_\w+/.exec(request.url ?? "") ?? [];
  const one = account({ registration_uri: `${omiseUrl}/register`, ...(id && { id }) });
  answering(200, one)(request, response, body);
};

/** An event that shows the account as Omise has it. */
const eventOf = (data: unknown) => bareEventOf(withStamp(data));

const omiseError = { object: "error", location: "x", code: "x", message: "x" };

const now = () => Math.floor(Date.now() / 1_000);

interface Delivery {
  timestamp?: string;
  secret?: string | Buffer;
  /** In place of the signature, a header each. */
  signatures?: string[];
  /** In place of the timestamp, a header each. */
  timestamps?: string[];
}

/** Delivers over a bare connection, where a header may come twice and a body is bytes. */
function deliver(body: string | Buffer, delivery: Delivery = {}): Promise<Answer> {
  const { timestamp = String(now()), secret = secrets.WEBHOOK_SECRET } = delivery;
  const { signatures = [sign(secret, timestamp, body)], timestamps = [timestamp] } = delivery;
  const headers = [
    ...signatures.flatMap((value) => ["Omise-Signature", value]),
    ...timestamps.flatMap((value) => ["Omise-Signature-Timestamp", value]),
    ...["Host", new URL(worker.url).host, "Content-Length", String(Buffer.byteLength(body))],
    ...["Connection", "close"],
  ];
  return new Promise((resolve, reject) => {
    const sent = request(`${worker.url}/webhooks/omise`, { method: "POST", headers }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      const headers = new Headers(
        Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
      );
      resolve({
        status: response.statusCode ?? 0,
        headers,
        body: JSON.parse(Buffer.concat(chunks).toString()),
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function assertOutcome(answer: Answer, outcome: string): void {
  assert.deepEqual(answer.body, { object: "webhook", outcome });
  assert.equal(answer.status, 200);
  assertStandardHeaders(answer);
}

const seen = async () => (await db.all<{ id: string }>("SELECT id FROM events")).map(({ id }) => id);

/** Sends what must be refused, and nothing may come of it. */
async function assertForged(body: string | Buffer, deliveries: Delivery[]): Promise<void> {
  const before = await seen();
  omise.requests.length = 0;
  for (const delivery of deliveries) {
    const answer = await deliver(body, delivery);
    assertError(answer, 401, "unauthenticated");
    assert.equal(answer.body.message, "expected a valid session token", "one message, whatever was wrong");
    assert.deepEqual(answer.body.issues, []);
  }
  assert.deepEqual(await seen(), before);
  assert.equal(omise.requests.length, 0);
}

test("C30: an event without a good signature is refused, and reaches nobody", async () => {
  const body = JSON.stringify(eventOf((await me.create()).body));
  const timestamp = String(now());
  const good = sign(secrets.WEBHOOK_SECRET, timestamp, body);
  const signature = (...signatures: string[]) => ({ timestamp, signatures });
  await assertForged(body, [
    { signatures: [] },
    ...[
      "",
      " ",
      ",",
      ",,,,",
      "null",
      "undefined",
      "0".repeat(64),
      good.toUpperCase(),
      good.slice(1),
      good.slice(0, 63),
      `${good}0`,
      `${good}\t0`,
      `0x${good}`,
      `v1=${good}`,
      `"${good}"`,
      `${good};${good}`,
      Buffer.from(good, "hex").toString("base64"),
      [...good].reverse().join(""),
      good.replace(/^./, (digit) => (digit === "0" ? "1" : "0")),
      good.replace(/.$/, (digit) => (digit === "0" ? "1" : "0")),
    ].map((text) => signature(text)),
    // another secret: none, a short one, ours as text, and one typo away
    { secret: "" },
    { secret: Buffer.from([0]) },
    { secret: randomBytes(32) },
    { secret: Buffer.from(secrets.WEBHOOK_SECRET) },
    { secret: Buffer.from(`${secrets.WEBHOOK_SECRET},${nextSecret}`) },
    { secret: secrets.WEBHOOK_SECRET.slice(0, -4) },
    { secret: secrets.SESSION_SECRET },
    { secret: Buffer.from(secrets.OMISE_SECRET_KEY) },
    // the message put together in other ways
    signature(createHmac("sha256", Buffer.from(secrets.WEBHOOK_SECRET, "base64")).update(body).digest("hex")),
    signature(createHash("sha256").update(`${timestamp}.${body}`).digest("hex")),
    { timestamp: String(Number(timestamp) + 1), signatures: [good] },
    { timestamps: [], signatures: [good] },
  ]);
  for (const other of [
    `${body} `,
    ` ${body}`,
    `${body}\n`,
    body.slice(0, -1),
    body.replace("pending", "failed"),
    "",
  ])
    await assertForged(other, [signature(good)]);
  assertOutcome(await deliver(body, signature(good)), "unchanged");
});

test("C31: the time of signing is in seconds, and within five minutes, both ways", async () => {
  const mine = (await me.create()).body;
  const body = JSON.stringify(eventOf(mine));
  const at = (timestamp: string) => ({ timestamp });
  await assertForged(
    body,
    [
      ...[-310, 310, -3_600, 3_600, -86_400 * 365, 86_400 * 365].map((seconds) => String(now() + seconds)),
      // in milliseconds, microseconds and nanoseconds
      ...["000", "000000", "000000000"].map((zeros) => `${now()}${zeros}`),
      ...["", "0", "-1", "-0", "+0", "NaN", "Infinity", "now", "null", "false"],
      `+${now()}`,
      `-${now()}`,
      `${now()}.0`,
      `${now()}.5`,
      `${now()}e0`,
      `0x${now().toString(16)}`,
      `${now()} 0`,
      `${now()}, ${now()}`,
      new Date().toISOString(),
      new Date().toUTCString(),
      "9".repeat(19),
      "9".repeat(40),
      "9223372036854775807",
      "18446744073709551616",
    ].map(at),
  );
  const [early, late] = [String(now() - 290), String(now() + 290)];
  await assertForged(body, [
    { timestamps: [early, late], signatures: [sign(secrets.WEBHOOK_SECRET, early, body)] },
    { timestamps: [early, early], signatures: [sign(secrets.WEBHOOK_SECRET, early, body)] },
  ]);
  for (const timestamp of [early, late]) {
    assertOutcome(await deliver(JSON.stringify(eventOf(mine)), { timestamp }), "unchanged");
  }
});

test("C31: an event counts once, and is remembered for longer than its signature holds", async () => {
  const mine = (await me.create()).body;
  omise.answer = answering(200, { ...account(mine), status: "successful" });
  const body = JSON.stringify(eventOf(mine));
  omise.requests.length = 0;
  assertOutcome(await deliver(body), "updated");
  assertOutcome(await deliver(body), "seen");
  // signed anew, under the other secret, and in another form
  assertOutcome(await deliver(`${body} `, { timestamp: String(now() - 200), secret: nextSecret }), "seen");
  assert.equal(omise.requests.length, 1);
  const { id } = JSON.parse(body);
  const age = (ms: number) => db.all("UPDATE events SET seen_at = seen_at - ?", ms);
  await age(29 * 86_400_000);
  await new Ledgers(worker).alarms();
  assert.ok((await seen()).includes(id));
  assertOutcome(await deliver(body), "seen");
});

test("C32: any pair of the two secrets and ten signatures may fit, in one header or in two", async () => {
  const mine = (await me.create()).body;
  const wrong = () => randomBytes(32).toString("hex");
  const timestamp = String(now());
  for (const secret of [secrets.WEBHOOK_SECRET, nextSecret]) {
    for (const place of [
      (good: string) => [good],
      (good: string) => [`${wrong()},${good}`],
      (good: string) => [`${good} , ${wrong()}`],
      (good: string) => [`,,${good},`],
      (good: string) => [[...Array.from({ length: 9 }, wrong), good].join(",")],
      (good: string) => [good, wrong()],
      (good: string) => [wrong(), good],
      (good: string) => [`${wrong()},${wrong()}`, `${wrong()}, ${good}`],
    ]) {
      const body = JSON.stringify(eventOf(mine));
      const signatures = place(sign(secret, timestamp, body));
      assertOutcome(await deliver(body, { timestamp, signatures }), "unchanged");
    }
  }
  const body = JSON.stringify(eventOf(mine));
  const good = sign(nextSecret, timestamp, body);
  const many = (n: number) => Array.from({ length: n }, wrong);
  await assertForged(
    body,
    [
      [[...many(10), good].join(",")],
      [[good, ...many(10)].join(",")],
      [[good, ...many(400)].join(",")],
      [`${good},${",".repeat(10_000)}`],
      [...many(10), good],
      // half of one secret's, half of the other's
      [good.slice(0, 32) + sign(secrets.WEBHOOK_SECRET, timestamp, body).slice(32)],
      [good.slice(0, 32), good.slice(32)],
    ].map((signatures) => ({ timestamp, signatures })),
  );
});

test("C33: the signature is that of the bytes that came, and the same bytes are read", async () => {
  const mine = (await me.create()).body;
  const forms = (text: string) => [
    text,
    JSON.stringify(JSON.parse(text), null, 7).replaceAll("\n", "\r\n"),
    `\n\t ${text} \r\n`,
    text.replace('"event"', '"\\u0065vent"').replaceAll("/", "\\/"),
    JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(text)).reverse())),
    text.replace(/\}$/, `,"note":"${"กขค".repeat(9_000)}"}`),
    text.replace(/\}$/, ',"n":1.0e3,"big":123456789012345678901234567890}'),
  ];
  for (let i = 0; i < forms("{}").length; i++) {
    const body = forms(JSON.stringify(eventOf(mine)))[i] ?? "";
    assertOutcome(await deliver(body), "unchanged");
    const again = JSON.stringify(JSON.parse(forms(JSON.stringify(eventOf(mine)))[i] ?? ""));
    // what a parser would make of it is signed, what was sent is not
    if (i > 0) {
      const timestamp = String(now());
      const signatures = [sign(secrets.WEBHOOK_SECRET, timestamp, again)];
      const sent = forms(again)[i] ?? "";
      assert.notEqual(sent, again);
      await assertForged(sent, [{ timestamp, signatures }]);
    }
  }
});

test("C33: signed bytes that two parsers read differently are nobody's event", async () => {
  const other = (await customer().create()).body;
  const text = JSON.stringify(eventOf((await me.create()).body));
  omise.requests.length = 0;
  const before = await seen();
  for (const body of [
    text.replace(/\}$/, `,"data":${JSON.stringify(other)}}`),
    text.replace('{"object"', '{"object":"event","object"'),
    text.replace(/\}$/, ',"id":"evnt_test_other"}'),
    `\ufeff${text}`,
    `${text}${text}`,
    `${text}\u0000`,
    text.replace(/\}$/, ",}"),
    Buffer.concat([Buffer.from(text.replace("evnt_", "")), Buffer.from([0xff])]),
    Buffer.from(text.replace("evnt_", "\u00ff"), "latin1"),
    Buffer.from(text, "utf16le"),
  ]) {
    assertError(await deliver(body), 400, "malformed_json");
  }
  assert.deepEqual(await seen(), before);
  assert.equal(omise.requests.length, 0);
});

test("C34: what the event says is a hint: the account is read again, and that counts", async () => {
  const mine = (await me.create()).body;
  const stored = async () =>
    (await db.first<{ status: string }>("SELECT status FROM links WHERE id = ?", mine.id))?.status;
  for (const status of ["successful", "failed", "expired", "deleted", "pending"]) {
    const lie = { ...eventOf({ ...mine, status }), key: `linked_account.${status}` };
    assertOutcome(await deliver(JSON.stringify(lie)), "unchanged");
    assert.equal(await stored(), "pending");
  }
  omise.answer = answering(200, account({ id: mine.id, status: "successful" }));
  assertOutcome(await deliver(JSON.stringify(eventOf({ ...mine, status: "failed" }))), "updated");
  assert.equal(await stored(), "successful");
  // an older reading that comes in late: by the clock of readings, an hour later is stored
  await db.all("UPDATE links SET read_at = read_at + 3600000 WHERE id = ?", mine.id);
  omise.answer = answering(200, account({ id: mine.id, status: "pending" }));
  assertOutcome(await deliver(JSON.stringify(eventOf(mine))), "unchanged");
  assert.equal(await stored(), "successful");
  await db.all(
    "UPDATE links SET read_at = 0, status = 'deleted', account = json_set(account, '$.status', 'deleted')",
  );
  omise.answer = answering(200, account({ id: mine.id, status: "successful" }));
  assertOutcome(await deliver(JSON.stringify(eventOf(mine))), "unchanged");
  assert.equal(await stored(), "deleted", "deleted is final");
});

test("C34: of two events at once the reading that began later stays, whichever is answered first", async () => {
  const mine = (await me.create()).body;
  const held: (() => void)[] = [];
  omise.answer = (...args) =>
    void held.push(() => answering(200, account({ id: mine.id, status: "failed" }))(...args));
  const early = deliver(JSON.stringify(eventOf(mine)));
  await until(async () => held.length === 1);
  omise.answer = answering(200, account({ id: mine.id, status: "successful" }));
  assertOutcome(await deliver(JSON.stringify(eventOf(mine))), "updated");
  for (const answer of held) answer();
  assert.equal((await early).status, 200);
  const row = await db.first("SELECT status FROM links WHERE id = ?", mine.id);
  assert.deepEqual(row, { status: "successful" });
});

test("C34: an event about nothing of ours leaves no row, and asks Omise for its account alone", async () => {
  const ids = [
    "lnac_test_0000000000000000000",
    "lnac_5zylnmmt2kl9chq3ip1",
    "../../customers",
    "",
    "x".repeat(9_999),
  ];
  const ignored = [
    ...ids.map((id) => eventOf({ object: "linked_account", id })),
    eventOf({ object: "charge", id: "chrg_test_1" }),
    eventOf([]),
    eventOf("lnac_test_0000000000000000000"),
    eventOf({ object: "linked_account", id: { $ne: null } }),
    { ...eventOf({}), key: "__proto__" },
  ];
  for (const each of ignored) {
    const answer = await deliver(JSON.stringify(each));
    assertOutcome(answer, "ignored");
    const id = answer.headers.get("X-Request-Id") ?? "";
    const told = await until(async () => lines.find((line) => line.includes(id)));
    assert.ok(told.includes("is about nothing of ours"), told);
    assert.deepEqual(await db.all("SELECT 1 FROM audit WHERE request_id = ?", id), [], "no row");
    assertOutcome(await deliver(JSON.stringify(each)), "ignored");
  }
  // of all of these ids one may be an account of this key, and Omise is asked whose it is
  const asked = omise.requests.map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual([...new Set(asked)], [`GET /linked_accounts/${ids[0]}`]);
});

test("C34: while the account cannot be read the event is refused with 5xx, and not marked as seen", async () => {
  const mine = (await me.create()).body;
  const late = eventOf(mine);
  const faults: FakeOmise["answer"][] = [
    ...[400, 401, 403, 404, 409, 422, 429, 500, 503].map((status) => answering(status, omiseError)),
    answering(200, account()),
    answering(200, account({ id: mine.id, livemode: true })),
    answering(200, { object: "customer" }),
    (_, response) => void response.writeHead(302, { Location: "/x" }).end(),
    (_, response) => void response.writeHead(200).end("<html>"),
    (request) => void request.socket.destroy(),
    () => {},
  ];
  for (const fault of faults) {
    omise.answer = fault;
    const answer = await deliver(JSON.stringify(late));
    assertError(answer, answer.status, answer.body.reason);
    assert.ok(answer.status >= 500, `${answer.status}`);
    assert.ok(!(await seen()).includes(late.id));
  }
  omise.answer = works;
  await db.all("ALTER TABLE events RENAME TO gone");
  assertError(await deliver(JSON.stringify(late)), 503, "ledger_unavailable");
  await db.all("ALTER TABLE gone RENAME TO events");
  omise.answer = answering(200, account({ id: mine.id, status: "successful" }));
  assertOutcome(await deliver(JSON.stringify(late)), "updated");
});
