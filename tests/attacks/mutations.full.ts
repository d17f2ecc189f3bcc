// Every defence is taken away once, in a copy of the project and a build of the dev profile, and the tests of its row have to
// fail. What caught what is written to docs/attacks.md.
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
import { ATTACKS, type Caught, documented, MUTATIONS, ROOT, SPECS, SPECS_OF } from "./attacks.ts";
import type { Build } from "./mutation.ts";

const FOLDER = join(ROOT, "target/mutants");
const TREE = join(FOLDER, "tree");
const only = process.env.ONLY?.split(",");
const caught: Caught[] = [];
/** The build that the last mutation left without its defence. */
let spoilt: Build | undefined;

before(() => {
  copyTree();
  for (const out of ["build", "build-fault"] as const) build(out);
  // On the same build, or what fails without a defence proves nothing.
  const { failed, passed } = run(".*", SPECS);
  assert.deepEqual(failed, []);
  assert.ok(passed > 0);
});

after(() => {
  if (only === undefined && caught.length === MUTATIONS.length) writeFileSync(ATTACKS, documented(caught));
});

for (const mutation of MUTATIONS) {
  if (only !== undefined && !only.includes(mutation.row)) continue;
  test(`${mutation.row}, ${mutation.removes}`, (t) => {
    if (spoilt && spoilt !== (mutation.build ?? "build")) build(spoilt);
    const path = join(TREE, mutation.file);
    const text = readFileSync(path, "utf8");
    writeFileSync(
      path,
      text.replace(mutation.find, () => mutation.replace),
    );
    try {
      build(mutation.build ?? "build");
      spoilt = mutation.build ?? "build";
      const { failed } = run(mutation.row, [...(SPECS_OF.get(mutation.row) ?? [])]);
      assert.notEqual(failed.length, 0, "nothing noticed");
      for (const name of failed) t.diagnostic(`caught by: ${name}`);
      caught.push({ mutation, by: failed });
    } finally {
      writeFileSync(path, text);
    }
  });
}

/** The project as git sees it, committed or about to be. Files that did not change keep their time, for cargo. */
function copyTree(): void {
  const listed = command("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], ROOT);
  for (const name of listed.split("\0").filter((name) => name && existsSync(join(ROOT, name)))) {
    const [from, to] = [join(ROOT, name), join(TREE, name)];
    if (existsSync(to) && readFileSync(from).equals(readFileSync(to))) continue;
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(from, to);
  }
  for (const name of ["node_modules", "sandbox/build"]) {
    rmSync(join(TREE, name), { recursive: true, force: true });
    symlinkSync(join(ROOT, name), join(TREE, name));
  }
}

/** Compiles what is in the tree; a mutation that does not compile fails here. */
function build(out: Build): void {
  const worker_build = process.env.WORKER_BUILD;
  assert.ok(worker_build, "run by `cargo xtask test --only attacks --full`");
  const features = out === "build-fault" ? ["--features", "fault"] : [];
  command(worker_build, [".", "--dev", "--no-opt", "--out-dir", out, ...features], join(TREE, "worker"));
}

/** Runs the tests whose row fits; the names of those that failed. */
function run(row: string, specs: string[]): { passed: number; failed: string[] } {
  const args = ["--disable-warning=ExperimentalWarning", "--test", "--test-reporter=tap"];
  args.push("--test-timeout=120000", `--test-name-pattern=/^${row}: /`, ...specs);
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout } = spawnSync(process.execPath, args, { cwd: TREE, env, encoding: "utf8" });
  const names = (start: string) =>
    [...stdout.matchAll(new RegExp(`^ *${start} \\d+ - (${row}: .*)$`, "gm"))].map(([, name = ""]) => name);
  return { passed: names("ok").length, failed: names("not ok") };
}

function command(program: string, args: string[], cwd: string): string {
  const env = { ...process.env, CARGO_TARGET_DIR: join(FOLDER, "cargo"), RUST_BACKTRACE: "0" };
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, env, encoding: "utf8" });
  assert.equal(status, 0, `${program} ${args.join(" ")}\n${stdout}${stderr}`);
  return stdout;
}
