// Takes every defence out of the Worker, one at a time: builds a copy of the project without it, and expects a test of its row to
// fail. Writes docs/attacks.md.
//
// `cargo xtask test --only attacks --full` runs this. ONLY=C1,C2 limits it to some rows, and then nothing is written.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import type { Result } from "../../harness/reporter.ts";
import { ATTACKS, byRow, type Caught, document, documented, MUTATIONS, ROOT, SPECS } from "./attacks.ts";
import type { Build, Mutation } from "./mutation.ts";

const FOLDER = join(ROOT, "target/mutants");
const TREE = join(FOLDER, "tree");
/** Rows about the npm package, the bank's page or the sandbox: the Worker has no part in them. */
const ELSEWHERE = ["C44", "C45", "C47", "C49"];

const only = process.env.ONLY?.split(",");
const caught: Caught[] = [];
/** Tests of the unchanged Worker. */
let tests: Result[] = [];
/** The build that the last mutation left without its defence. */
let spoilt: Build | undefined;

before(() => {
  copyTree();
  xtaskBuild("sandbox");
  for (const product of ["build", "build-fault"] as const) build(product);
  // The same builds pass with every defence in place; otherwise a failure without one proves nothing.
  tests = run(SPECS);
  assert.deepEqual(failed(tests), []);
});

after(() => {
  if (only === undefined && caught.length === MUTATIONS.length) writeFileSync(ATTACKS, document(caught));
});

test("every row of the threat model about the Worker has tests and mutations", () => {
  const model = readFileSync(join(ROOT, "docs/threat-model.md"), "utf8");
  const rows = new Set([...model.matchAll(/^\| (C\d+[a-z]?) \|/gm)].map(([, row = ""]) => row));
  const expected = [...rows].filter((row) => !ELSEWHERE.includes(row)).sort(byRow);
  assert.deepEqual([...new Set(tests.map(rowOf))].sort(byRow), expected);
  assert.deepEqual([...new Set(MUTATIONS.map(({ row }) => row))], expected);
});

test("no two tests have the same name", () => {
  const names = tests.map(nameOf);
  assert.equal(new Set(names).size, names.length);
});

test("docs/attacks.md names tests that exist", { skip: only === undefined && "this run writes it" }, () => {
  const names = new Set(tests.map(nameOf));
  const unknown = documented().flatMap(({ by }) => by.filter((name) => !names.has(name)));
  assert.deepEqual(unknown, [], "run without ONLY to write it again");
});

for (const mutation of MUTATIONS) {
  if (only !== undefined && !only.includes(mutation.row)) continue;
  test(`${mutation.row}, ${mutation.removes}`, (t) => {
    const product = mutation.build ?? "build";
    if (spoilt && spoilt !== product) build(spoilt);
    const undo = apply(mutation);
    try {
      spoilt = product;
      build(product);
      const ofRow = tests.filter((test) => rowOf(test) === mutation.row);
      const specs = new Set(ofRow.map(({ file }) => file));
      const by = failed(run([...specs], mutation.row));
      assert.notEqual(by.length, 0, "no test failed");
      for (const name of by) t.diagnostic(`caught by: ${name}`);
      caught.push({ mutation, by });
    } finally {
      undo();
    }
  });
}

/** Changes the copied tree; the function that it returns changes it back. */
function apply(mutation: Mutation): () => void {
  if ("patch" in mutation) {
    git(["apply", mutation.patch], TREE);
    return () => git(["apply", "--reverse", mutation.patch], TREE);
  }
  const path = join(TREE, mutation.file);
  const text = readFileSync(path, "utf8");
  assert.equal(text.split(mutation.find).length - 1, 1, `occurrences in ${mutation.file}: ${mutation.find}`);
  writeFileSync(
    path,
    text.replace(mutation.find, () => mutation.replace),
  );
  return () => writeFileSync(path, text);
}

/** Copies what git lists, committed or untracked. An unchanged file keeps its time, for cargo. */
function copyTree(): void {
  const listed = git(["ls-files", "-z", "--cached", "--others", "--exclude-standard"], ROOT);
  for (const name of listed.split("\0").filter((name) => name && existsSync(join(ROOT, name)))) {
    const [from, to] = [join(ROOT, name), join(TREE, name)];
    if (existsSync(to) && readFileSync(from).equals(readFileSync(to))) continue;
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(from, to);
  }
  for (const name of [".tools", "node_modules"]) {
    rmSync(join(TREE, name), { recursive: true, force: true });
    symlinkSync(join(ROOT, name), join(TREE, name));
  }
}

/** Builds the Worker of the copied tree. A mutation that does not compile fails here. */
function build(product: Build): void {
  xtaskBuild(product === "build" ? "worker" : "worker-fault");
}

/** Builds a product of the copied tree: quickly, not as shipped. */
function xtaskBuild(product: string): void {
  const target = { CARGO_TARGET_DIR: join(FOLDER, "cargo") };
  command("cargo", ["xtask", "build", "--dev", "--only", product], TREE, target);
}

/** Runs the tests of these specs, or those of one row. */
function run(specs: string[], row?: string): Result[] {
  const reporter = join(TREE, "harness/reporter.ts");
  const args = [
    "--disable-warning=ExperimentalWarning",
    "--test",
    `--test-timeout=${row ? 120_000 : 600_000}`,
  ];
  args.push(`--test-reporter=${reporter}`, ...(row ? [`--test-name-pattern=/^${row}: /`] : []), ...specs);
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
  const env = { ...inherited, BUILD_PROFILE: "wasm-dev" };
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: TREE, env, encoding: "utf8" });
  const results = stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Result)
    .filter(({ titles }) => titles.length === 1);
  assert.notEqual(results.length, 0, `no test ran\n${stderr}`);
  return results;
}

function nameOf({ titles }: Result): string {
  return titles[0] ?? "";
}

/** The row that a test belongs to. */
function rowOf(test: Result): string {
  return nameOf(test).split(":", 1)[0] ?? "";
}

function failed(results: Result[]): string[] {
  return results.filter(({ passed }) => !passed).map(nameOf);
}

/** Runs git. In the copied tree it must not find the project's repository, or it would ignore the tree's files. */
function git(args: string[], cwd: string): string {
  return command("git", args, cwd, cwd === TREE ? { GIT_CEILING_DIRECTORIES: FOLDER } : {});
}

function command(program: string, args: string[], cwd: string, variables: Record<string, string>): string {
  const env = { ...process.env, ...variables };
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, env, encoding: "utf8" });
  assert.equal(status, 0, `${program} ${args.join(" ")}\n${stdout}${stderr}`);
  return stdout;
}
