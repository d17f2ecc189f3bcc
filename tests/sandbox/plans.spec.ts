// How the database goes about lists and searches: by an index wherever one can serve, and without sorting.

import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { sandbox } from "./sandbox.ts";

const { db } = await sandbox();

// A unit test of the sandbox's holds the file against the statements that it makes.
const file = readFileSync(new URL("statements.sql", import.meta.url), "utf8");
const statements = file.split("\n").filter((line) => line !== "");

/** What only words choose from is read as a whole. */
const WHOLE = /^SELECT count\(\*\) AS total FROM accounts WHERE instr/;

for (const statement of statements) {
  test(statement, async () => {
    const explained = (await db()).prepare(`EXPLAIN QUERY PLAN ${statement}`);
    const values = Array.from(statement.matchAll(/\?/g), () => 1);
    const { results } = await explained.bind(...values).all<{ detail: string }>();
    const details = results.map(({ detail }) => detail);
    if (WHOLE.test(statement)) {
      assert.deepEqual(details, ["SCAN accounts"]);
    } else {
      assert.equal(details.length, 1, details.join());
      // where there is a condition, only what fits it is gone through
      const verb = /WHERE (?!instr)/.test(statement) ? "SEARCH" : "SCAN";
      assert.match(details.join(), new RegExp(`^${verb} accounts USING (COVERING )?INDEX `));
    }
  });
}
