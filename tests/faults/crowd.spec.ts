// The answers to many customers' creates are lost at once: what their alarms then ask of Omise is counted.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertError } from "../support/answer.ts";
import type { Customer } from "../support/customer.ts";
import { objectName } from "../support/stamp.ts";
import { until } from "../support/until.ts";
import { Relayed } from "./relayed.ts";

const COUNT = process.env.FULL ? 500 : 40;
const AT_ONCE = 20;
/** How many accounts a page of Omise's list has. */
const PAGE = 100;
const DEADLINE_MS = 10_000;
/** When a create's first look is, after its deadline, and what is added at random at most, in milliseconds. */
const MARGIN = 15_000;

let relayed: Relayed;

before(async () => {
  relayed = await Relayed.start({ deadlineMs: DEADLINE_MS });
});
after(() => relayed?.dispose());

async function each<Item>(items: Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = items.values();
  const worker = async () => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

interface Looked {
  state: string;
  link: string | null;
  look_at: number | null;
  created_at: number;
}

const attemptOf = async (me: Customer) => {
  const sql = "SELECT state, link, look_at, created_at FROM attempts";
  const [attempt, ...more] = await relayed.object(me).sql<Looked>(sql);
  assert.ok(attempt && more.length === 0);
  return attempt;
};

test(`${COUNT} attempts in doubt at once, of which every other made an account: an alarm asks for a page, and no more`, async (t) => {
  const owners = Array.from({ length: COUNT }, () => relayed.customer());
  let posts = 0;
  relayed.relay.fault = ({ method }) =>
    method === "POST" ? { kind: "reset", forward: posts++ % 2 === 0 } : undefined;
  await each(owners, async (me) => assertError(await me.create(), 502, "outcome_unknown"));
  assert.equal(relayed.relay.count("POST"), COUNT);
  const made = new Map((await relayed.held()).map((account) => [relayed.stamp(account)?.object, account.id]));
  assert.equal(made.size, COUNT / 2);
  relayed.calm();

  const attempts = await Promise.all(owners.map(attemptOf));
  const after = attempts.map(({ look_at, created_at }) => Number(look_at) - created_at - DEADLINE_MS);
  assert.ok(after.every((ms) => ms >= MARGIN && ms <= 2 * MARGIN));
  const seconds = new Set(after.map((ms) => Math.floor(ms / 1_000)));
  assert.ok(seconds.size >= 8, "by themselves they would not come together");

  // all the same they come together
  await Promise.all(owners.map((me) => relayed.alarm(me)));
  // those that have not seen all of it come again within seconds, by themselves
  await until(async () => {
    const attempts = await Promise.all(owners.map(attemptOf));
    return attempts.every(({ look_at }) => look_at === null || look_at > Date.now() + 15_000);
  });
  const asked = relayed.relay.exchanges;
  assert.ok(asked.every(({ method, path }) => method === "GET" && path.startsWith("/linked_accounts?")));
  const byAlarm = Map.groupBy(asked, ({ headers }) => headers["x-request-id"]);
  for (const [alarm, lists] of byAlarm) assert.equal(lists.length, 1, `${alarm}`);
  // an account is on a page from its own seconds on; where there is none, what is before is looked at too
  const pages = Math.ceil(made.size / PAGE);
  const most = made.size * pages + (COUNT - made.size) * (pages + 1);
  t.diagnostic(`${asked.length} pages for ${COUNT} attempts, at most ${most}`);
  assert.ok(
    asked.length >= COUNT + (COUNT - made.size) && asked.length <= most,
    `${asked.length} of ${most}`,
  );

  for (const me of owners) {
    const { state, link } = await attemptOf(me);
    const id = made.get(objectName(String(me.claims.sub))) ?? null;
    assert.deepEqual({ state, link }, { state: id === null ? "asked" : "linked", link: id });
  }
  relayed.relay.exchanges.length = 0;
  await Promise.all(owners.map((me) => relayed.object(me).runAlarm()));
  assert.deepEqual(relayed.relay.exchanges, [], "nothing is due");
});
