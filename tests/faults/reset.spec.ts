// A customer's object is reset, as a deploy of the Worker does, while requests of that customer's are at work in it.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { type Answer, assertError } from "../support/answer.ts";
import { type Customer, register } from "../support/customer.ts";
import { until } from "../support/until.ts";
import { Relayed } from "./relayed.ts";

const POLLS = 5;
const OTHER_TYPES = ["direct_debit_bay", "direct_debit_ktb", "direct_debit_scb"];

let relayed: Relayed;
let me: Customer;

before(async () => {
  relayed = await Relayed.start({ deadlineMs: 15_000 });
});
after(() => relayed?.dispose());
beforeEach(() => {
  relayed.calm();
  me = relayed.customer();
});

/** Asks for an account with the answer held until the bank has decided; `GET` of Omise's says that it is held. */
async function poll(who: Customer, id: string, times = 1): Promise<Promise<Answer>[]> {
  const wait = () => who.fetch("GET", `/linked_accounts/${id}`, { headers: { Prefer: "wait=20" } });
  const polls = Array.from({ length: times }, wait);
  // each has its answer, or is held; a failure is the test's
  for (const each of polls) each.catch(() => {});
  const isRead = ({ method, path }: { method: string; path: string }) =>
    method === "GET" && path.endsWith(id);
  await until(async () => relayed.relay.exchanges.some(isRead));
  return polls;
}

/** Creates at Omise that have arrived; `release` lets their answers go. */
function holdCreates(isMade: boolean): { arrived: (count: number) => Promise<unknown>; release: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let count = 0;
  if (isMade) {
    relayed.relay.onAnswer = ({ method }) => {
      if (method !== "POST") return;
      count++;
      return promise;
    };
  } else {
    relayed.relay.fault = ({ method }) => {
      if (method !== "POST") return undefined;
      count++;
      return { kind: "hang", forward: false };
    };
  }
  return { arrived: (wanted) => until(async () => count === wanted), release: resolve };
}

test("held polls end with 503, creates in flight with 502, and their keys find what was made", async () => {
  const other = relayed.customer();
  const theirs = (await other.create()).body;
  const [held] = await poll(other, theirs.id);
  const pending = (await me.create()).body;
  const polls = await poll(me, pending.id, POLLS);
  const { arrived, release } = holdCreates(true);
  const creates = OTHER_TYPES.map((type) => ({ type, key: randomUUID() }));
  const create = ({ type, key }: { type: string; key: string }) => me.create({ type }, key);
  const inFlight = creates.map(create);
  await arrived(creates.length);
  for (const each of creates) assertError(await create(each), 409, "attempt_in_flight");

  await relayed.object(me).reset();
  for (const answer of await Promise.all(polls)) {
    assertError(answer, 503, "ledger_unavailable");
    assert.equal(answer.body.retryable, true);
    assert.equal(answer.headers.get("Retry-After"), "1");
  }
  for (const answer of await Promise.all(inFlight)) {
    assertError(answer, 502, "outcome_unknown");
    assert.equal(answer.body.retryable, true);
    assert.equal(answer.headers.get("Retry-After"), "10");
  }
  release();

  const found = [pending.id];
  for (const each of creates) {
    const answer = await create(each);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.equal(answer.headers.get("Idempotent-Replayed"), "true");
    assert.equal(answer.body.type, each.type);
    found.push(answer.body.id);
  }
  const made = (await relayed.heldFor(me)).map(({ id }) => id);
  assert.deepEqual(made.toSorted(), found.toSorted());
  assert.equal(relayed.relay.count("POST"), 2 + creates.length);

  // it asks on, as a page does, and another customer never noticed
  relayed.relay.exchanges.length = 0;
  const [again] = await poll(me, pending.id);
  await register(pending.registration_uri, "approve");
  await register(theirs.registration_uri, "approve");
  assert.equal((await again)?.body.status, "successful");
  assert.equal((await held)?.body.status, "successful");
});

test("creates that Omise never got are in doubt, and their keys ask for nothing a second time", async () => {
  const { arrived } = holdCreates(false);
  const creates = OTHER_TYPES.map((type) => ({ type, key: randomUUID() }));
  const inFlight = creates.map(({ type, key }) => me.create({ type }, key));
  await arrived(creates.length);
  await relayed.object(me).reset();
  for (const answer of await Promise.all(inFlight)) assertError(answer, 502, "outcome_unknown");
  for (const { type, key } of creates) assertError(await me.create({ type }, key), 502, "outcome_unknown");
  assert.ok(Number(await relayed.object(me).alarmAt()) > Date.now(), "the alarm looks for them");
  await relayed.pastQuiet(me);
  for (const { type, key } of creates) assertError(await me.create({ type }, key), 409, "attempt_abandoned");
  assert.equal(relayed.relay.count("POST"), creates.length);
  assert.deepEqual(await relayed.heldFor(me), []);
});

test("a deletion that is cut off is told by the next request", async () => {
  const { id, registration_uri } = (await me.create()).body;
  await register(registration_uri, "approve");
  const { promise: arrived, resolve } = Promise.withResolvers<void>();
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  relayed.relay.onAnswer = ({ method }) => {
    if (method !== "DELETE") return;
    resolve();
    return released;
  };
  const deleting = me.delete(id);
  await arrived;
  await relayed.object(me).reset();
  assertError(await deleting, 503, "ledger_unavailable");
  release();
  relayed.calm();
  await relayed.alarm(me);
  assert.equal((await relayed.link(id))?.status, "deleted");
  assert.equal((await me.delete(id)).body.status, "deleted");
  assert.equal(await relayed.audited("delete", id), 1);
  assert.equal(relayed.relay.count("DELETE"), 0, "Omise is not asked again");
});
