// The process that runs the Worker is killed while a create is at Omise, with nothing written down since; it is started again on the
// same storage.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { assertError } from "../support/answer.ts";
import type { Customer } from "../support/customer.ts";
import { Relayed } from "./relayed.ts";

const ROUNDS = process.env.FULL ? 50 : 3;

const statePath = mkdtempSync(join(tmpdir(), "killed-"));
let relayed: Relayed;
let me: Customer;

before(async () => {
  relayed = await Relayed.start({ deadlineMs: 5_000, statePath });
});
after(async () => {
  await relayed?.dispose();
  rmSync(statePath, { recursive: true, force: true });
});
beforeEach(async () => {
  relayed.calm();
  me = relayed.customer();
});

/** Asks for an account, for which the Worker dies. */
async function createInVain(key: string): Promise<void> {
  await assert.rejects(me.create({}, key), { name: "TypeError", message: "fetch failed" });
  await relayed.relay.idle();
  await relayed.restartWorker();
  assert.deepEqual(
    (await relayed.attempts(me)).map(({ state, link }) => ({ state, link })),
    [{ state: "asked", link: null }],
  );
}

const WAYS: [name: string, reconcile: (key: string) => Promise<void>][] = [
  [
    "the same key",
    async (key) => {
      const answer = await me.create({}, key);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      assert.equal(answer.headers.get("Idempotent-Replayed"), "true");
    },
  ],
  ["the alarm", () => relayed.alarm(me)],
];

for (let round = 1; round <= ROUNDS; round++) {
  for (const [name, reconcile] of WAYS) {
    test(`killed once Omise had made the account, round ${round}: ${name} finds it`, async () => {
      const key = randomUUID();
      relayed.relay.onAnswer = () => relayed.kill();
      await createInVain(key);
      relayed.relay.onAnswer = () => {};
      // what is in no memory is in doubt, not in flight
      await reconcile(key);
      const held = await relayed.heldFor(me);
      const [account] = held;
      assert.ok(account && held.length === 1, JSON.stringify(held));
      assert.equal((await relayed.link(account.id))?.owner, me.claims.sub);
      assert.equal((await me.get(account.id)).body.id, account.id);
      assert.equal((await me.create({}, key)).body.id, account.id);
      assert.equal(relayed.relay.count("POST"), 1);
    });
  }
}

test("killed before Omise was reached: it is in doubt, then abandoned, and asked for no second time", async () => {
  const key = randomUUID();
  let dead = Promise.resolve();
  relayed.relay.fault = () => {
    dead = relayed.kill();
    return { kind: "reset", forward: false };
  };
  await createInVain(key);
  await dead;
  relayed.relay.fault = () => undefined;
  assertError(await me.create({}, key), 502, "outcome_unknown");
  assertError(await me.create(), 409, "already_pending");
  await relayed.pastQuiet(me);
  await relayed.alarm(me);
  assertError(await me.create({}, key), 409, "attempt_abandoned");
  assert.deepEqual(await relayed.heldFor(me), []);
  assert.equal(relayed.relay.count("POST"), 1);
  assert.equal((await me.create()).status, 200, "a new key is free to try");
});

test("no attempt has made two accounts, however often it died", async () => {
  const made = (await relayed.held()).map((account) => relayed.stamp(account)?.attempt);
  assert.equal(made.length, ROUNDS * WAYS.length + 1);
  assert.equal(new Set(made).size, made.length);
});
