// The attack cases: their tests, the defences whose loss was tried, and docs/attacks.md, which shows both.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Mutation } from "./mutation.ts";

export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** What `mutations.full.ts` writes. */
export const ATTACKS = join(ROOT, "docs/attacks.md");

const FOLDER = "tests/attacks";
const files = readdirSync(join(ROOT, FOLDER)).sort();

/** The specs whose tests are named after a row, from the project's folder. */
export const SPECS = files
  .filter((name) => name.endsWith(".spec.ts") && name !== "mutations.spec.ts")
  .map((name) => `${FOLDER}/${name}`);

const modules = files.filter((name) => name.endsWith(".mutations.ts"));
const lists = await Promise.all(
  modules.map(async (name) => (await import(`./${name}`)) as { default: Mutation[] }),
);

const number = (row: string) => Number(/\d+/.exec(row)?.[0]);
const byRow = (a: string, b: string) => number(a) - number(b) || a.localeCompare(b);

/** Every defence that is taken away, in the order of the rows. */
export const MUTATIONS: Mutation[] = lists
  .flatMap((list) => list.default)
  .sort((a, b) => byRow(a.row, b.row));

/** The tests, by row, as the specs name them. */
export const TESTS: Map<string, string[]> = new Map();
/** The specs that have a row's tests. */
export const SPECS_OF: Map<string, Set<string>> = new Map();
for (const spec of SPECS) {
  for (const [, name = ""] of readFileSync(join(ROOT, spec), "utf8").matchAll(
    /\btest\(\s*"(C\d+b?: [^"]*)"/g,
  )) {
    const row = name.split(":", 1)[0] ?? "";
    TESTS.set(row, [...(TESTS.get(row) ?? []), name]);
    SPECS_OF.set(row, (SPECS_OF.get(row) ?? new Set()).add(spec));
  }
}

/** The rows that have a test, in order. */
export const ROWS: string[] = [...TESTS.keys()].sort(byRow);

/** A defence taken away, and the tests that failed. */
export interface Caught {
  mutation: Mutation;
  by: string[];
}

/** The text of docs/attacks.md. */
export function documented(caught: Caught[]): string {
  const cell = (text: string) => text.replaceAll("|", "\\|");
  const rows = caught.map(
    ({ mutation: { row, removes, file }, by }) =>
      `| ${row} | ${cell(removes)} | \`${file}\` | ${by.map((name) => cell(name.slice(row.length + 2))).join("; ")} |`,
  );
  return `<!-- Written by \`cargo xtask test --only attacks --full\`; a test holds it against tests/attacks/. -->

# Attacks, and the defences against them

Each row is a defence of the Worker that was taken away, in a build of its own, and the test that failed without it. Rows are the
attack cases of [the threat model](threat-model.md); their tests are in \`tests/attacks/\`, and run in workerd with a D1 database.
${caught.length} defences were taken away, one by one.

| row | the Worker no longer … | in | caught by |
|---|---|---|---|
${rows.join("\n")}
`;
}
