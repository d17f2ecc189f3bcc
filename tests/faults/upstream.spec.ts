// Every fault of Omise's or of the network's, on every route that asks Omise: what is answered, what is written, how often Omise is
// asked, and that all is well once the fault is gone.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, suite, test } from "node:test";
import { gzipSync } from "node:zlib";
import { answerOf, bodyStart, type Exchange, type Fault, headOf } from "../../harness/relay.ts";
import { OPERATE } from "../../harness/session.ts";
import { type Answer, assertError, assertStandardHeaders } from "../support/answer.ts";
import { type Customer, register } from "../support/customer.ts";
import { eventId } from "../support/webhook.ts";
import { Relayed } from "./relayed.ts";

const MB = 1_048_576;

/** Its deadline is never reached, however busy the machine is: for faults that are seen before. */
let patient: Relayed;
/** Its deadline is waited for. */
let hasty: Relayed;

before(async () => {
  patient = await Relayed.start({ deadlineMs: 20_000 });
  hasty = await Relayed.start({ deadlineMs: 2_000 });
  for (const { relay } of [patient, hasty]) relay.fault = strike;
});
after(async () => {
  await patient?.dispose();
  await hasty?.dispose();
});

/** How a request fails. */
interface Failing {
  error: [status: number, reason: string];
  retryAfter?: string;
  /** That of the attempt, where one is left: of a create. */
  state?: string;
}

/** What comes of a request: it succeeds, or does although something failed on the way, or fails. */
type Outcome = "done" | "all the same" | Failing;

/** What is to be seen of a fault. */
interface Expected {
  /** Of a request that may be repeated; absent where it succeeds. */
  fails?: Failing;
  /** How often such a request is sent. */
  tries: number;
  /** Of a create, where it is not in doubt. */
  create?: Outcome;
  /** Routes to which it is no fault. */
  not?: string[];
}

const TIMEOUT: Expected = { fails: { error: [504, "upstream_timeout"] }, tries: 1 };
const BROKEN: Expected = { fails: { error: [503, "upstream_unavailable"] }, tries: 3 };
const UNREADABLE: Expected = { fails: { error: [502, "upstream_unreadable"] }, tries: 1 };
const DOWN: Expected = { fails: { error: [503, "upstream_unavailable"], retryAfter: "1" }, tries: 3 };
const BUSY: Failing = { error: [503, "upstream_unavailable"], retryAfter: "60" };
const OTHER_MODE: Failing = { error: [502, "mode_mismatch"] };
/** Whether Omise has made the account is not known. */
const IN_DOUBT: Failing = {
  error: [502, "outcome_unknown"],
  retryAfter: "10",
  state: "asked",
};

const html = "<!doctype html><title>MARKER</title>";
const put = (bytes: Buffer): Fault => ({ kind: "answer", bytes });
const error = (status: number, headers: Record<string, string> = {}): Fault =>
  put(answerOf(status, headers, JSON.stringify({ status, error: "MARKER" })));
/** Omise's own word that it has done nothing. */
const refusal = { object: "error", location: "x", code: "too_many_requests", message: "MARKER" };
/** The answer with another body. */
const rewrite = (change: (body: string) => string): Fault => ({
  kind: "answer",
  bytes: (answer) => answerOf(200, {}, change(answer.subarray(bodyStart(answer)).toString())),
});

/** How often fifty megabytes were begun, and how often they were taken to their end. */
let begun = 0;
let taken = 0;

/** Fifty megabytes of a JSON string. */
function* endless(head: Buffer, frame: (chunk: Buffer) => Buffer): Generator<Buffer> {
  begun++;
  yield head;
  yield frame(Buffer.from('{"object":"'));
  const chunk = frame(Buffer.alloc(MB, "x"));
  for (let i = 0; i < 50; i++) yield chunk;
  taken++;
}
const chunked = (chunk: Buffer) =>
  Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n")]);
/** Fifty megabytes in fifty kilobytes. */
const bomb = gzipSync(Buffer.alloc(50 * MB, " "));

/** What Omise does to the nth request, and what comes of it. */
const FAULTS: [name: string, fault: (nth: number) => Fault | undefined, expected: Expected][] = [
  ["is slow, within the deadline", () => ({ kind: "delay", ms: 300 }), { tries: 1, create: "done" }],
  ["is slow, beyond the deadline", () => ({ kind: "delay", ms: 600_000 }), TIMEOUT],
  ["is never asked, and hangs", () => ({ kind: "hang", forward: false }), TIMEOUT],
  ["hangs before the answer", () => ({ kind: "hang" }), TIMEOUT],
  ["hangs amid the head", () => ({ kind: "hang", after: 60 }), TIMEOUT],
  ["hangs after the head", () => ({ kind: "hang", after: "head" }), TIMEOUT],
  ["hangs amid the body", () => ({ kind: "hang", after: -50 }), TIMEOUT],
  ["is never asked, and resets", () => ({ kind: "reset", forward: false }), BROKEN],
  ["resets before the answer", () => ({ kind: "reset" }), BROKEN],
  ["resets amid the head", () => ({ kind: "reset", after: 60 }), BROKEN],
  ["resets amid the body", () => ({ kind: "reset", after: -50 }), BROKEN],
  ["hangs up before the answer", () => ({ kind: "cut", after: 0 }), BROKEN],
  ["hangs up amid the head", () => ({ kind: "cut", after: 60 }), BROKEN],
  ["hangs up after the head", () => ({ kind: "cut", after: "head" }), BROKEN],
  ["hangs up amid the body", () => ({ kind: "cut", after: -50 }), BROKEN],
  ["resets once", (nth) => (nth === 1 ? { kind: "reset" } : undefined), { tries: 2 }],
  ["answers with garbled bytes", (nth) => ({ kind: "garble", seed: nth }), UNREADABLE],
  ["answers 500 once", (nth) => (nth === 1 ? error(500) : undefined), { tries: 2 }],
  ["answers 503 twice", (nth) => (nth <= 2 ? error(503) : undefined), { tries: 3 }],
  ["answers 502 for ever", () => error(502), DOWN],
  ["answers 504 for ever, and is never asked", () => ({ ...error(504), forward: false }), DOWN],
  ["answers 503 for a minute", () => error(503, { "Retry-After": "60" }), { fails: BUSY, tries: 1 }],
  [
    "answers 429 for a minute",
    () => ({ ...put(answerOf(429, { "Retry-After": "60" }, JSON.stringify(refusal))), forward: false }),
    { fails: BUSY, tries: 1, create: BUSY },
  ],
  [
    "is never asked, and something on the way answers 429 for a minute",
    () => ({ ...error(429, { "Retry-After": "60" }), forward: false }),
    { fails: BUSY, tries: 1 },
  ],
  ["answers 200 with HTML", () => put(answerOf(200, { "Content-Type": "text/html" }, html)), UNREADABLE],
  ["answers 503 with HTML", () => put(answerOf(503, { "Content-Type": "text/html" }, html)), DOWN],
  [
    "answers with 50 MB in chunks",
    () => ({ kind: "answer", bytes: endless(headOf(200, { "Transfer-Encoding": "chunked" }), chunked) }),
    UNREADABLE,
  ],
  [
    "answers with 50 MB of a stated length",
    () => ({
      kind: "answer",
      bytes: endless(headOf(200, { "Content-Length": String(60 * MB) }), (chunk) => chunk),
    }),
    UNREADABLE,
  ],
  [
    "answers with 50 MB, compressed",
    () => put(answerOf(200, { "Content-Encoding": "gzip" }, bomb)),
    UNREADABLE,
  ],
  [
    "answers with an object of another kind",
    () => put(answerOf(200, {}, '{"object":"customer"}')),
    UNREADABLE,
  ],
  ["answers with an array", () => rewrite((body) => `[${body}]`), UNREADABLE],
  ["answers with truncated JSON", () => rewrite((body) => body.slice(0, -50)), UNREADABLE],
  ["answers with JSON and more", () => rewrite((body) => `${body}{}`), UNREADABLE],
  ["answers with nothing", () => put(answerOf(200, {}, "")), UNREADABLE],
  ["answers 204", () => put(headOf(204, { Connection: "close" })), UNREADABLE],
  ["sends elsewhere", () => put(answerOf(302, { Location: "/linked_accounts" }, "")), UNREADABLE],
  [
    "answers with another account",
    () => rewrite((body) => body.replaceAll(/lnac_test_\w+/g, "lnac_test_0000000000000000000")),
    { ...UNREADABLE, not: ["create", "an operator's list", "an operator's search"] },
  ],
  [
    "answers in the other mode",
    () => rewrite((body) => body.replaceAll('"livemode": false', '"livemode": true')),
    { fails: OTHER_MODE, tries: 1, create: { ...OTHER_MODE, state: "asked" } },
  ],
  ["does not speak HTTP", () => put(Buffer.from("220 mail.example ESMTP\r\n")), BROKEN],
  ["answers with bytes of TLS", () => put(Buffer.from("15030300020228", "hex")), BROKEN],
];

/** A request to the Worker, and what it leads to. */
interface Case {
  /** Stands in every request to Omise that this one leads to, and in those of no other. */
  mark: string;
  ask(): Promise<Answer>;
  assertDone(answer: Answer): Promise<void>;
  outcome(expected: Expected): Outcome;
  /** What holds of the ledger after a failure, and of an answer that does not tell of it. */
  assertFailed(answer: Answer, expected: Expected): Promise<void>;
  /** How Omise was asked, by method. */
  asked(expected: Expected): Record<string, number>;
  /** The fault is gone. */
  assertWell(expected: Expected): Promise<void>;
}

/** A request that may be repeated: what fails is as if it had not been, and works when it is sent again. */
function repeatable(
  each: Pick<Case, "mark" | "ask" | "assertDone"> & Partial<Case>,
  assertUntouched: () => Promise<void> = async () => {},
): Case {
  return {
    outcome: ({ fails }) => fails ?? "done",
    assertFailed: assertUntouched,
    asked: ({ tries }) => ({ GET: tries }),
    assertWell: async () => each.assertDone(await each.ask()),
    ...each,
  };
}

/** An account that its owner has approved at the bank, though the ledger has not heard of it. */
async function approved(me: Customer): Promise<{ id: string; linkState: string }> {
  const { body } = await me.create();
  const back = await register(body.registration_uri, "approve");
  return { id: body.id, linkState: back.searchParams.get("link_state") ?? "" };
}

function assertSucceeded(answer: Answer): void {
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assertStandardHeaders(answer);
}

const stored = async (relayed: Relayed, id: string) => (await relayed.link(id))?.status;
/** How many lists were asked for. */
let lists = 0;

const ROUTES: Record<string, (relayed: Relayed) => Promise<Case>> = {
  async create(relayed) {
    const me = relayed.customer();
    const [key, word] = [randomUUID(), randomUUID()];
    const ask = () => me.create({ metadata: { word } }, key);
    // one that Omise has refused made nothing, and its key is free
    const attempts = async () =>
      (await relayed.attempts(me))
        .filter(({ state }) => state !== "refused")
        .map(({ state, link }) => ({ state, link }));
    const assertDone = async (answer: Answer) => {
      assertSucceeded(answer);
      const [account, ...more] = await relayed.heldFor(me);
      assert.deepEqual([account?.id, more], [answer.body.id, []]);
      assert.deepEqual(await attempts(), [{ state: "linked", link: answer.body.id }]);
      assert.equal((await relayed.link(answer.body.id))?.owner, me.claims.sub);
    };
    const outcome = ({ create = IN_DOUBT }: Expected) => create;
    return {
      mark: word,
      ask,
      assertDone,
      outcome,
      async assertFailed(_, expected) {
        const failing = outcome(expected);
        const state = typeof failing === "object" && failing.state;
        assert.deepEqual(await attempts(), state ? [{ state, link: null }] : []);
      },
      asked: () => ({ POST: 1 }),
      async assertWell(expected) {
        const held = await relayed.heldFor(me);
        const again = await ask();
        if (held.length > 0 || expected.create === BUSY) {
          await assertDone(again);
          assert.equal(again.headers.get("Idempotent-Replayed"), held.length > 0 ? "true" : null);
        } else {
          assertError(again, 502, "outcome_unknown");
          await relayed.pastQuiet(me);
          assertError(await ask(), 409, "attempt_abandoned");
          assertSucceeded(await me.create());
        }
        const posts = relayed.relay.exchanges.filter(
          ({ method, body }) => method === "POST" && body.includes(word),
        );
        assert.ok(posts.length <= (expected.create === BUSY ? 2 : 1), "once, unless Omise has refused");
      },
    };
  },

  async retrieve(relayed) {
    const me = relayed.customer();
    const { id } = await approved(me);
    return repeatable(
      {
        mark: id,
        ask: () => me.get(id),
        async assertDone(answer) {
          assertSucceeded(answer);
          assert.equal(answer.body.status, "successful");
          assert.equal(await stored(relayed, id), "successful");
          assert.equal(await relayed.audited("read", id), 1);
        },
      },
      async () => {
        assert.equal(await stored(relayed, id), "pending");
        assert.equal(await relayed.audited("read", id), 0);
      },
    );
  },

  async delete(relayed) {
    const me = relayed.customer();
    const { id } = await approved(me);
    return repeatable(
      {
        mark: id,
        ask: () => me.delete(id),
        async assertDone(answer) {
          assertSucceeded(answer);
          assert.equal(answer.body.status, "deleted");
          assert.equal(await stored(relayed, id), "deleted");
          assert.equal(await relayed.audited("delete", id), 1);
        },
        // what was lost was done, so Omise refuses to do it again: a reading tells, to which the same happens
        asked: ({ tries, fails }) => ({ DELETE: tries, ...((fails || tries > 1) && { GET: tries }) }),
      },
      async () => {
        assert.equal(await stored(relayed, id), "pending");
        assert.equal(await relayed.audited("delete", id), 0);
      },
    );
  },

  async confirm(relayed) {
    const me = relayed.customer();
    const { id, linkState } = await approved(me);
    const assertConfirmed = async (answer: Answer, status: string) => {
      assertSucceeded(answer);
      assert.notEqual(answer.body.confirmed_at, null);
      assert.equal(answer.body.status, status);
    };
    return repeatable({
      mark: id,
      ask: () => me.confirm(linkState),
      assertDone: (answer) => assertConfirmed(answer, "successful"),
      // it holds although the account cannot be read; what an operator has to mend is told
      outcome: ({ fails }) => (fails === OTHER_MODE ? fails : fails ? "all the same" : "done"),
      async assertFailed(answer, { fails }) {
        if (fails !== OTHER_MODE) await assertConfirmed(answer, "pending");
        assert.deepEqual(await relayed.link(id), { owner: me.claims.sub, status: "pending", confirmed: 1 });
        assert.equal(await relayed.audited("confirm", id), 1);
      },
    });
  },

  async webhook(relayed) {
    const me = relayed.customer();
    const { id } = await approved(me);
    const event = eventId();
    return repeatable(
      {
        mark: id,
        ask: () => relayed.deliver(event, id),
        async assertDone(answer) {
          assertSucceeded(answer);
          assert.deepEqual(answer.body, { object: "webhook", outcome: "updated" });
          assert.equal(await stored(relayed, id), "successful");
          assert.ok(await relayed.isSeen(event, me));
        },
      },
      async () => {
        assert.equal(await stored(relayed, id), "pending");
        assert.ok(!(await relayed.isSeen(event, me)), "it is to be sent again");
      },
    );
  },

  async "an operator's list"(relayed) {
    await relayed.customer().create();
    // no other list is from then
    const from = new Date(++lists * 1_000).toISOString().replace(".000", "");
    const operator = relayed.customer(OPERATE);
    return repeatable({
      mark: encodeURIComponent(from),
      ask: () => operator.fetch("GET", `/linked_accounts?limit=2&from=${from}`),
      async assertDone(answer) {
        assertSucceeded(answer);
        assert.ok(answer.body.data.length > 0);
      },
    });
  },

  async "an operator's search"(relayed) {
    const word = randomUUID();
    const { id } = (await relayed.customer().create({ metadata: { word } })).body;
    const operator = relayed.customer(OPERATE);
    return repeatable({
      mark: word,
      ask: () => operator.fetch("GET", `/linked_accounts/search?query=${word}`),
      async assertDone(answer) {
        assertSucceeded(answer);
        assert.deepEqual(
          answer.body.data.map((found: { id: string }) => found.id),
          [id],
        );
      },
    });
  },
};

/** The faults of those tests that run, by the mark of each, and what was asked of Omise meanwhile. */
const running = new Map<string, { exchanges: Exchange[]; fault: (nth: number) => Fault | undefined }>();

function strike(exchange: Exchange): Fault | undefined {
  for (const [mark, { exchanges, fault }] of running) {
    if (!`${exchange.path} ${exchange.body}`.includes(mark)) continue;
    exchanges.push(exchange);
    // of its method: what a delete's failing leads to begins anew
    return fault(exchanges.filter(({ method }) => method === exchange.method).length);
  }
  return undefined;
}

const counted = (exchanges: Exchange[]) =>
  Object.fromEntries(
    ["POST", "DELETE", "GET"].flatMap((method) => {
      const count = exchanges.filter((exchange) => exchange.method === method).length;
      return count ? [[method, count]] : [];
    }),
  );

async function assertFailure(each: Case, answer: Answer, expected: Expected): Promise<void> {
  const failing = each.outcome(expected);
  if (typeof failing === "object") {
    assertError(answer, ...failing.error);
    assert.equal(answer.headers.get("Retry-After"), failing.retryAfter ?? null);
    assert.ok(!JSON.stringify(answer.body).includes("MARKER"), "Omise's text stays in the log");
  }
  await each.assertFailed(answer, expected);
}

suite("a fault of one exchange", { concurrency: 16 }, () => {
  for (const [name, fault, expected] of FAULTS) {
    for (const [route, prepare] of Object.entries(ROUTES)) {
      if (expected.not?.includes(route)) continue;
      test(`${route}, and Omise ${name}`, async () => {
        const each = await prepare(expected === TIMEOUT ? hasty : patient);
        const exchanges: Exchange[] = [];
        running.set(each.mark, { exchanges, fault });
        const answer = await each.ask();
        running.delete(each.mark);
        assert.deepEqual(counted(exchanges), each.asked(expected));
        if (each.outcome(expected) === "done") await each.assertDone(answer);
        else {
          await assertFailure(each, answer, expected);
          await each.assertWell(expected);
        }
      });
    }
  }
});

for (const how of ["refuse", "reset"] as const) {
  suite(`nobody is there: connections are ${how === "refuse" ? "refused" : "reset"}`, () => {
    for (const [route, prepare] of Object.entries(ROUTES)) {
      test(route, async () => {
        const each = await prepare(patient);
        await patient.relay.down(how);
        const answer = await each.ask();
        await patient.relay.up();
        await assertFailure(each, answer, BROKEN);
        await each.assertWell(BROKEN);
      });
    }
  });
}

test("of fifty megabytes nobody takes more than was agreed", () => {
  assert.ok(begun > 0);
  assert.equal(taken, 0);
});

test("a delete whose answer is lost is settled by reading again", async () => {
  const me = patient.customer();
  const { id } = await approved(me);
  const exchanges: Exchange[] = [];
  running.set(id, {
    exchanges,
    fault: () => (exchanges.at(-1)?.method === "DELETE" ? { kind: "reset" } : undefined),
  });
  const answer = await me.delete(id);
  running.delete(id);
  assertSucceeded(answer);
  assert.equal(answer.body.status, "deleted");
  assert.equal(await stored(patient, id), "deleted");
});

test("a create that is answered with somebody else's account shows nobody what is not theirs", async () => {
  const [me, other] = [patient.customer(), patient.customer()];
  const { id } = (await other.create({ metadata: { note: "private" } })).body;
  const [key, word] = [randomUUID(), randomUUID()];
  const create = () => me.create({ metadata: { word } }, key);
  const [theirs] = await patient.heldFor(other);
  running.set(word, { exchanges: [], fault: () => put(answerOf(200, {}, JSON.stringify(theirs))) });
  const answer = await create();
  running.delete(word);
  const again = await create();
  const seen = JSON.stringify([answer.body, again.body]);
  assert.ok(!seen.includes("private") && !seen.includes(id), seen);
  assert.equal(again.body.id, (await patient.heldFor(me))[0]?.id);
  assertError(await me.get(id), 404, "not_found");
});

test("another key that finds the account which is in the way says which it is, or is free if it is no longer", async () => {
  for (const decided of [false, true]) {
    const me = patient.customer();
    const word = randomUUID();
    running.set(word, { exchanges: [], fault: () => ({ kind: "reset" }) });
    assertError(await me.create({ metadata: { word } }), 502, "outcome_unknown");
    running.delete(word);
    const [held] = await patient.heldFor(me);
    if (decided) await register(held?.registration_uri ?? "", "approve");
    const answer = await me.create();
    if (decided) assertSucceeded(answer);
    else {
      assertError(answer, 409, "already_pending");
      assert.equal(answer.body.linked_account?.id, held?.id);
    }
  }
});

test("neither key nor token gets into the log, whatever Omise does", () => {
  for (const { lines, secrets } of [patient, hasty]) {
    const log = lines.join("\n");
    assert.ok(log.includes('"route":"create"'));
    for (const secret of Object.values(secrets)) assert.ok(!log.includes(secret));
  }
});
