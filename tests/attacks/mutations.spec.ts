// Compares the mutations with docs/attacks.md. `mutations.full.ts` applies them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { documented, MUTATIONS } from "./attacks.ts";

test("docs/attacks.md has a line for each mutation, in order", () => {
  assert.deepEqual(
    documented().map(({ row, removes, file }) => ({ row, removes, file })),
    MUTATIONS.map(({ row, removes, file }) => ({ row, removes, file })),
  );
});

test("no two mutations have the same row and text", () => {
  const names = MUTATIONS.map(({ row, removes }) => `${row} ${removes}`);
  assert.equal(new Set(names).size, names.length);
});
