// How the database goes about lists and searches: by an index wherever one can serve, and without sorting.

import { strict as assert } from "node:assert";
import { test } from "node:test";
import { facts } from "../support/facts.ts";
import { sandbox } from "./sandbox.ts";

const { db } = await sandbox();

const { statements } = facts("sandbox");

/** What statements do by the condition that they begin with; those without one go through all, in order. */
const PLANS: [RegExp, RegExp][] = [
  [
    /^UPDATE .* WHERE status = 'pending'/,
    /^SEARCH accounts USING COVERING INDEX accounts_pending \(status=\? AND expires_at<\?\)$/,
  ],
  [
    /WHERE created_at >= \?.* AND status = \?/,
    /^SEARCH .* accounts_(status|type) \(\w+=\? AND created_at>\? AND created_at<\?\)$/,
  ],
  [/WHERE created_at >= \?/, /^SEARCH .* accounts_created \(created_at>\? AND created_at<\?\)$/],
  [/WHERE created_at <= \?/, /^SEARCH .* accounts_created \(created_at<\?\)$/],
  [/WHERE status = \?/, /^SEARCH .* accounts_status \(status=\?\)$/],
  [/WHERE type = \?/, /^SEARCH .* accounts_type \(type=\?\)$/],
  // words alone: no index could serve
  [/^SELECT count.* WHERE instr/, /^SCAN accounts$/],
  [/^SELECT count\(\*\) AS total FROM accounts$/, /^SCAN accounts USING COVERING INDEX \w+$/],
  [/^SELECT \* FROM accounts (WHERE instr.* )?ORDER BY/, /^SCAN accounts USING INDEX accounts_created$/],
];

for (const statement of statements) {
  test(statement, async () => {
    const explained = (await db()).prepare(`EXPLAIN QUERY PLAN ${statement}`);
    const values = Array.from(statement.matchAll(/\?/g), () => 1);
    const { results } = await explained.bind(...values).all<{ detail: string }>();
    // one step: nothing is sorted
    assert.equal(results.length, 1, JSON.stringify(results));
    const [, plan] = PLANS.find(([form]) => form.test(statement)) ?? assert.fail();
    assert.match(results[0]?.detail ?? "", plan);
  });
}
