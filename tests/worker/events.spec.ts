// The Worker learns from the sandbox's events how a registration ended, with no page open.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { randomSecrets, type Stack, startStack } from "../../harness/stack.ts";
import { Customer, register } from "../support/customer.ts";
import { until } from "../support/until.ts";

let stack: Stack;
const lines: string[] = [];

before(async () => {
  stack = await startStack({ secrets: randomSecrets(), storefront: false, log: (line) => lines.push(line) });
});
after(() => stack?.dispose());

/** What the Worker knows of an account, without asking it. */
async function known(id: string): Promise<unknown> {
  const [row] = await stack.customer(SUBJECT).sql("SELECT status FROM links WHERE id = ?", id);
  return row?.status;
}

function heard(id: string): Promise<Record<string, unknown>[]> {
  const sql = "SELECT actor, action, outcome FROM audit WHERE link = ? AND action = 'webhook'";
  return stack.customer(SUBJECT).sql(sql, id);
}

const SUBJECT = randomUUID();
const customer = () => new Customer(stack.workerUrl, stack.env.session, { sub: SUBJECT });

for (const [action, status] of [
  ["approve", "successful"],
  ["decline", "failed"],
] as const) {
  test(`${status}`, async () => {
    const { id, registration_uri } = (await customer().create({ replace_pending: true })).body;
    assert.equal(await known(id), "pending");
    await register(registration_uri, action);
    await until(async () => (await known(id)) === status);
    assert.deepEqual(await heard(id), [{ actor: null, action: "webhook", outcome: status }]);
  });
}

test("expired: the sandbox finds it out by itself", async () => {
  const { id } = (await customer().create({ replace_pending: true })).body;
  const sandbox = await stack.sandboxDb();
  await sandbox
    .prepare("UPDATE accounts SET expires_at = '2024-06-04T04:11:14Z' WHERE id = ?")
    .bind(id)
    .run();
  await until(async () => (await known(id)) === "expired");
  assert.deepEqual(await heard(id), [{ actor: null, action: "webhook", outcome: "expired" }]);
  assert.equal(lines.filter((line) => /^evnt_test_\w{19} linked_account\.expire 200$/.test(line)).length, 1);
});
