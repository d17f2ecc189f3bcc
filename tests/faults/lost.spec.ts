// Omise has made an account and its answer is lost, in any way and at any byte: one reconciliation later it is its owner's, and there
// is no other.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { answerOf, type Fault } from "../../harness/relay.ts";
import { assertError } from "../support/answer.ts";
import { type Customer, register } from "../support/customer.ts";
import { eventId } from "../support/webhook.ts";
import { type Breakage, breakDatabase, Relayed, repairDatabase } from "./relayed.ts";

const RUNS = process.env.FULL ? 1_000 : 50;
/** `SEED=…` has the same runs again. */
const SEED = Number(process.env.SEED ?? Date.now() % 2 ** 31);
/** Long enough for a machine that is busy, short enough to be waited for. */
const DEADLINE_MS = 2_000;

let relayed: Relayed;

before(async () => {
  relayed = await Relayed.start({ deadlineMs: DEADLINE_MS });
});
after(() => relayed?.dispose());

/** From the status line to after the end: an answer has some 900 bytes. */
const at = fc.nat({ max: 1_100 });
const hang = fc.oneof(
  fc.record({ kind: fc.constant("hang" as const), after: at }),
  fc.constant({ kind: "delay" as const, ms: 600_000 }),
);
/** What comes in the answer's place. */
const INSTEAD = {
  "500": answerOf(500, {}, JSON.stringify({ status: 500, error: "Internal Server Error" })),
  "503, HTML": answerOf(503, { "Content-Type": "text/html", "Retry-After": "1" }, "<h1>Down</h1>"),
  "200, HTML": answerOf(200, { "Content-Type": "text/html" }, "<h1>Up</h1>"),
  "another object": answerOf(200, {}, '{"object":"customer"}'),
  "302": answerOf(302, { Location: "/linked_accounts" }, ""),
};
// named, so that a counterexample can be read
const instead = fc.constantFrom(...(Object.keys(INSTEAD) as (keyof typeof INSTEAD)[]));
type Drawn = Fault | { kind: "instead"; name: keyof typeof INSTEAD };
const faultOf = (drawn: Drawn): Fault =>
  drawn.kind === "instead" ? { kind: "answer", bytes: INSTEAD[drawn.name] } : drawn;

const fault: fc.Arbitrary<Drawn> = fc.oneof(
  // the deadline passes: seldom
  { weight: 1, arbitrary: hang },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("reset" as const), after: at }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("cut" as const), after: at }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("garble" as const), seed: fc.nat() }) },
  { weight: 2, arbitrary: instead.map((name) => ({ kind: "instead" as const, name })) },
);
const breakage = fc.option(
  fc.constantFrom<Breakage>("all", "INSERT ON links", "INSERT ON audit", "UPDATE ON attempts"),
);

/** What makes it known; each is enough by itself. */
const WAYS: Record<string, (me: Customer, request: Create) => Promise<void>> = {
  "the same key": async (me, { params, key }) => {
    assert.equal((await me.create(params, key)).status, 200);
  },
  "the same key, five times at once": async (me, { params, key }) => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => me.create(params, key)));
    for (const { status, body } of answers) assert.equal(status, 200, JSON.stringify(body));
  },
  "another key": async (me, { params }) => assertError(await me.create(params), 409, "already_pending"),
  "the alarm": (me) => relayed.alarm(me),
  "the alarm, after a replacement": async (me, { params }) => {
    assert.equal((await me.create({ ...params, replace_pending: true })).status, 200);
    await relayed.alarm(me);
  },
  "a webhook about it": async (me) => {
    const [account] = await relayed.heldFor(me);
    assert.equal((await relayed.deliver(eventId(), account?.id ?? "")).status, 200);
  },
  "the same key, after the bank": async (me, { params, key }) => {
    const [account] = await relayed.heldFor(me);
    await register(account?.registration_uri ?? "", "approve");
    assert.equal((await me.create(params, key)).body.status, "successful");
  },
};

interface Create {
  params: Record<string, unknown>;
  key: string;
}

/** Approves at the bank, and confirms on return. */
async function comeBack(me: Customer, id: string, registrationUri: string): Promise<void> {
  const back = await register(registrationUri, "approve");
  const { body } = await me.confirm(back.searchParams.get("link_state"));
  assert.deepEqual([body.id, body.status], [id, "successful"], JSON.stringify(body));
  assert.notEqual(body.confirmed_at, null);
}

const lost = fc.record({
  type: fc.constantFrom("direct_debit_bay", "direct_debit_kbank", "direct_debit_ktb", "direct_debit_scb"),
  fault,
  breakage,
  way: fc.constantFrom(...Object.keys(WAYS)),
});

test(`${RUNS} creates whose answers are lost: each account is its owner's, and none was made twice`, async (t) => {
  t.diagnostic(`SEED=${SEED}`);
  const owners: Customer[] = [];
  const property = fc.asyncProperty(lost, async ({ type, fault, breakage, way }) => {
    const me = relayed.customer();
    owners.push(me);
    relayed.calm();
    const request = { params: { type, metadata: { owner: me.claims.sub } }, key: randomUUID() };
    relayed.relay.fault = () => faultOf(fault);
    relayed.relay.onAnswer = async () => {
      if (breakage) await breakDatabase(relayed.object(me), breakage);
    };
    const first = await me.create(request.params, request.key);
    await repairDatabase(relayed.object(me));
    relayed.calm();
    // what a fault leaves whole is an answer
    if (first.status !== 200) assertError(first, 502, "outcome_unknown");
    else assert.equal(breakage, null);

    await WAYS[way]?.(me, request);

    const held = await relayed.heldFor(me);
    const attempts = await relayed.attempts(me);
    assert.ok(attempts.length > 0);
    assert.deepEqual(
      attempts.map(({ id, state, link }) => ({ id, state, link })),
      attempts.map(({ id }, i) => ({ id, state: "linked", link: held[i]?.id })),
    );
    for (const { id, registration_uri, status } of held) {
      assert.equal((await relayed.link(id))?.owner, me.claims.sub);
      // its owner can go on with it
      if (status === "pending") await comeBack(me, id, registration_uri);
    }
  });
  await fc.assert(property, { numRuns: RUNS, seed: SEED, endOnFailure: true });

  const held = await relayed.held();
  const bySubject = new Map(owners.map((owner) => [owner.claims.sub, owner]));
  for (const { id, metadata } of held) {
    const owner = bySubject.get(metadata.owner);
    assert.ok(owner && (await relayed.link(id, [owner])));
  }
  const made = held.map((account) => relayed.stamp(account)?.attempt);
  assert.equal(new Set(made).size, made.length, "no attempt has made two");
  const attempts = (await Promise.all(owners.map((owner) => relayed.attempts(owner)))).flat();
  assert.deepEqual(made.toSorted(), attempts.map(({ id }) => id).toSorted());
});
