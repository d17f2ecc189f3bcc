// The attack cases: the specs that try them, the mutations, and the text of docs/attacks.md, which shows both.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Mutation, Patch, Substitution } from "./mutation.ts";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** Written by `mutations.full.ts`. */
export const ATTACKS = join(ROOT, "docs/attacks.md");

const FOLDER = "tests/attacks";
const files = readdirSync(join(ROOT, FOLDER)).sort();

/** The specs whose tests are named after a row, relative to the project's folder. */
export const SPECS = files
  .filter((name) => name.endsWith(".spec.ts") && name !== "mutations.spec.ts")
  .map((name) => `${FOLDER}/${name}`);

const substitutions = await Promise.all(
  files
    .filter((name) => name.endsWith(".mutations.ts"))
    .map(async (name) => (await import(`./${name}`)) as { default: Substitution[] }),
);

const patches = readdirSync(join(ROOT, FOLDER, "mutations"))
  .sort()
  .map(patch);

function patch(name: string): Patch {
  const path = join(ROOT, FOLDER, "mutations", name);
  const text = readFileSync(path, "utf8");
  const field = (pattern: RegExp) => {
    const found = pattern.exec(text)?.[1];
    assert.ok(found, `${FOLDER}/mutations/${name}: expected a line ${pattern}`);
    return found;
  };
  return {
    row: field(/^Row: (.+)$/m),
    removes: field(/^Removes: (.+)$/m),
    file: field(/^diff --git a\/(\S+) /m),
    patch: path,
  };
}

const number = (row: string) => Number(/\d+/.exec(row)?.[0]);
export const byRow = (a: string, b: string) => number(a) - number(b) || a.localeCompare(b);

/** Every mutation, in the order of the rows. */
export const MUTATIONS: Mutation[] = [...substitutions.flatMap((list) => list.default), ...patches].sort(
  (a, b) => byRow(a.row, b.row),
);

/** A mutation, and the tests that failed with it. */
export interface Caught {
  mutation: Mutation;
  by: string[];
}

/** A row of the table in docs/attacks.md. */
export interface Documented {
  row: string;
  removes: string;
  file: string;
  /** Names of tests. */
  by: string[];
}

/** Reads docs/attacks.md. */
export function documented(): Documented[] {
  const lines = readFileSync(ATTACKS, "utf8").split("\n");
  return lines
    .filter((line) => line.startsWith("| C"))
    .map((line) => {
      const [row = "", removes = "", file = "", by = ""] = line
        .slice(2, -2)
        .split(" | ")
        .map((cell) => cell.replaceAll("\\|", "|"));
      return {
        row,
        removes,
        file: file.replaceAll("`", ""),
        by: by.split("; ").map((name) => `${row}: ${name}`),
      };
    });
}

/** Writes docs/attacks.md as text. */
export function document(caught: Caught[]): string {
  const cell = (text: string) => text.replaceAll("|", "\\|");
  const rows = caught.map(
    ({ mutation: { row, removes, file }, by }) =>
      `| ${row} | ${cell(removes)} | \`${file}\` | ${by.map((name) => cell(name.slice(row.length + 2))).join("; ")} |`,
  );
  return `<!-- Written by \`cargo xtask test --only attacks --full\`; tests compare it with tests/attacks/. -->

# Attacks, and the defences against them

Each line is a defence that was taken out of the Worker, and the tests that failed without it. Rows are the attack cases of [the
threat model](threat-model.md); their tests are in \`tests/attacks/\`, and run in workerd with Durable Objects. ${caught.length} defences were
taken out, one at a time.

| row | the Worker no longer … | in | caught by |
|---|---|---|---|
${rows.join("\n")}
`;
}
