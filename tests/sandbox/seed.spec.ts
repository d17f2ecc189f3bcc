// With a seed: the same requests have the same answers.

import { strict as assert } from "node:assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, suite, test } from "node:test";
import { controlled } from "./control.ts";
import { type Answer, type Sandbox, sandbox } from "./sandbox.ts";

/** Everything that an answer says, but for the port. */
const said = ({ url }: Sandbox, { status, headers, text }: Answer) => ({
  status,
  headers: [...headers].filter(([name]) => name !== "date"),
  text: text.replaceAll(url, "http://sandbox"),
});

/** A morning at the shop. */
async function morning(sandbox: Sandbox): Promise<unknown[]> {
  const { call, create, answer } = sandbox;
  const answers: Answer[] = [];
  const note = (answer: Answer) => {
    answers.push(answer);
    return answer.body.id;
  };
  const first = note(await create({ "metadata[order]": "A 17" }));
  const second = note(await create({ type: "direct_debit_scb", citizen_id: "1101700230708" }));
  const third = note(await create({ type: "direct_debit_bay" }));
  note(await create({ type: "direct_debit_uob" }));
  await answer(first, { action: "approve", account: "savings" });
  await answer(second, { action: "decline" });
  for (const id of [first, second, third]) note(await call("GET", `/linked_accounts/${id}`));
  note(await call("DELETE", `/linked_accounts/${first}`));
  note(await call("DELETE", `/linked_accounts/${third}`));
  note(await call("GET", "/linked_accounts?order=reverse_chronological"));
  note(await call("GET", "/linked_accounts/search?query=A+17"));
  note(await call("GET", "/capability"));
  note(await call("GET", "/nothing"));
  return answers.map((answer) => said(sandbox, answer));
}

suite("the same seed", async () => {
  for (const PROFILE of ["official", "extended"]) {
    test(`${PROFILE}: the same answers, ids and headers`, async () => {
      const [one, other] = [await sandbox({ SEED: "7", PROFILE }), await sandbox({ SEED: "7", PROFILE })];
      assert.deepEqual(await morning(one), await morning(other));
      assert.deepEqual(await morning(one), await morning(other));
    });
  }
  test("is of no use to another", async () => {
    const ids = [];
    const requests = [];
    for (const SEED of ["7", "8", "0", undefined, undefined]) {
      const made = await (await sandbox({ SEED })).create();
      ids.push(made.body.id);
      requests.push(made.headers.get("x-request-id"));
    }
    assert.equal(new Set(ids).size, ids.length, ids.join());
    assert.equal(new Set(requests).size, requests.length, requests.join());
  });
});

suite("in the standing time of a seed", async () => {
  const { call, create, pending } = await sandbox({ SEED: "7" });
  test("it is the new year of 2026", async () => {
    const { body, headers } = await create();
    assert.deepEqual([body.created_at, body.expires_at], ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]);
    assert.match(
      headers.get("x-request-id") ?? "",
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    assert.equal((await call("GET", "/linked_accounts")).body.to, "2026-01-01T00:00:00Z");
  });
  test("ids rise, and lists keep their order", async () => {
    const { body } = await call("GET", "/linked_accounts");
    const ids: string[] = body.data.map(({ id }: { id: string }) => id);
    for (let i = 0; i < 50; i++) ids.push(await pending());
    assert.deepEqual(ids, ids.toSorted());
    assert.equal(new Set(ids).size, ids.length);
    for (const id of ids) assert.match(id, /^lnac_test_[0-9a-z]{19}$/);
    const listed = await call("GET", "/linked_accounts?limit=100");
    assert.deepEqual(
      listed.body.data.map(({ id }: { id: string }) => id),
      ids,
    );
  });
  test("each of many at once has an id of its own", async () => {
    const made = await Promise.all(Array.from({ length: 20 }, () => create()));
    assert.equal(new Set(made.map(({ body }) => body.id)).size, 20);
    assert.equal(new Set(made.map(({ headers }) => headers.get("x-request-id"))).size, 20);
  });
});

test("one request more changes no account's id", async () => {
  const [one, other] = [await sandbox({ SEED: "7" }), await sandbox({ SEED: "7" })];
  const id = await one.pending();
  assert.equal(await other.pending(), id);
  for (const path of [`/linked_accounts/${id}`, "/linked_accounts", "/nothing"]) await one.call("GET", path);
  await one.create({ type: "direct_debit_uob" });
  assert.equal(await one.pending(), await other.pending());
});

test("a restart with the same folder goes on as if there had been none", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sandbox-"));
  after(() => rm(folder, { recursive: true }));
  const through = await sandbox({ SEED: "7" });
  const [before, after_] = [await morning(through), await morning(through)];
  assert.notDeepEqual(before, after_);

  const first = await sandbox({ SEED: "7" }, folder);
  assert.deepEqual(await morning(first), before);
  await first.stop();
  const second = await sandbox({ SEED: "7" }, folder);
  assert.deepEqual(await morning(second), after_);
});

for (const PROFILE of ["official", "extended"]) {
  test(`${PROFILE}: a reset begins anew, and what was dumped goes on where it was`, async () => {
    const sandbox = await controlled({ SEED: "7", PROFILE });
    const first = await morning(sandbox);
    const kept = await sandbox.control("GET", "/state");
    const second = await morning(sandbox);
    await sandbox.control("PUT", "/clock", { advance: 86_400, stand: false });

    assert.equal((await sandbox.control("DELETE", "/state")).status, 204);
    assert.deepEqual(await morning(sandbox), first);
    await sandbox.control("PUT", "/clock", { advance: 86_400, stand: false });

    assert.equal((await sandbox.control("PUT", "/state", kept.body)).status, 204);
    assert.deepEqual(sayAgain(await morning(sandbox)), sayAgain(second));
  });
}

/** Without what a rate limit says: its counts are no part of a document. */
function sayAgain(answers: unknown[]): unknown {
  return JSON.parse(JSON.stringify(answers), (_, value) =>
    Array.isArray(value) && `${value[0]}`.startsWith("x-ratelimit-") ? undefined : value,
  );
}
