// What the full run relies on: every mutation still fits the code, every row has its tests, and docs/attacks.md tells of them.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ATTACKS, MUTATIONS, ROOT, ROWS, TESTS } from "./attacks.ts";

/** Rows that are about the npm package's pages, the bank's page or the sandbox, and nothing that the Worker answers. */
const ELSEWHERE = ["C44", "C45", "C47", "C49"];

test("every mutation changes one place of a file of the Worker's", () => {
  for (const { row, removes, file, find, replace } of MUTATIONS) {
    const parts = readFileSync(join(ROOT, file), "utf8").split(find);
    assert.equal(parts.length, 2, `${row}, ${removes}: ${parts.length - 1} times in ${file}`);
    assert.notEqual(find, replace);
  }
});

test("every row has tests and mutations, and every name is there once", () => {
  assert.deepEqual([...new Set(MUTATIONS.map(({ row }) => row))], ROWS);
  for (const names of TESTS.values()) assert.equal(new Set(names).size, names.length, names.join("\n"));
  const removed = MUTATIONS.map(({ row, removes }) => `${row} ${removes}`);
  assert.equal(new Set(removed).size, removed.length);
});

test("every attack case of the design is tried, where the list of them is at hand", (t) => {
  const list = join(ROOT, "../shared/attack-cases.md");
  if (!existsSync(list)) return t.skip("there is no ../shared/attack-cases.md");
  const cases = [...readFileSync(list, "utf8").matchAll(/^\| (C\d+b?) \|/gm)].map(([, row]) => row ?? "");
  assert.deepEqual(
    cases.filter((row) => !ELSEWHERE.includes(row)),
    ROWS,
  );
});

test("docs/attacks.md tells of these mutations and tests", () => {
  const lines = readFileSync(ATTACKS, "utf8").split("\n");
  const rows = lines.filter((line) => line.startsWith("| C")).map((line) => line.slice(2, -2).split(" | "));
  assert.deepEqual(
    rows.map(([row, removes, file]) => [row, removes?.replaceAll("\\|", "|"), file]),
    MUTATIONS.map(({ row, removes, file }) => [row, removes, `\`${file}\``]),
  );
  for (const [row = "", , , by = ""] of rows) {
    for (const name of by.replaceAll("\\|", "|").split("; "))
      assert.ok(TESTS.get(row)?.includes(`${row}: ${name}`), `${row}: ${name}`);
  }
});
