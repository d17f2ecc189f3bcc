// The lock of a state folder, by itself; npx.spec.ts has whole sandboxes that contend for one.

import { strict as assert } from "node:assert";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, beforeEach, suite, test } from "node:test";
import { InUse, lock } from "../../sandbox/npm/lock.ts";

const root = mkdtempSync(join(tmpdir(), "lock-"));
after(() => rmSync(root, { recursive: true }));
let folder = "";
let file = "";
const holders = new Set<ChildProcess>();
afterEach(() => {
  for (const holder of holders) holder.stdin?.end();
  holders.clear();
});
beforeEach(() => {
  folder = mkdtempSync(join(root, "state-"));
  file = join(folder, "lock");
});

/** A process that holds the lock, and the file says that `pid` does. It ends with its standard input. */
async function held(says: string): Promise<{ release(): void }> {
  const holder = spawn("flock", [file, "sh", "-c", "echo; cat"], { stdio: ["pipe", "pipe", "inherit"] });
  holders.add(holder);
  await once(holder.stdout, "data");
  writeFileSync(file, says);
  return { release: () => holder.stdin.end() };
}

/** The id of a process that has ended. */
const dead = () => spawnSync("true").pid;

suite("a folder that is free", () => {
  test("is locked, and the file names the process, then its address", async () => {
    const { fd, listensAt } = await lock(folder);
    assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), { pid: process.pid });
    listensAt("http://127.0.0.1:8788");
    assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), {
      pid: process.pid,
      url: "http://127.0.0.1:8788",
    });
    assert.equal(statSync(file).mode & 0o777, 0o600);
    await assert.rejects(lock(folder), InUse);
    closeSync(fd);
    closeSync((await lock(folder)).fd);
  });

  test("is locked, although the file of an earlier sandbox says otherwise", async () => {
    writeFileSync(file, `${JSON.stringify({ pid: process.pid, url: "http://127.0.0.1:1" })} and more`);
    const { fd } = await lock(folder);
    assert.deepEqual(JSON.parse(readFileSync(file, "utf8")), { pid: process.pid });
    closeSync(fd);
  });
});

suite("a folder that is in use", () => {
  for (const [says, which] of [
    [
      JSON.stringify({ pid: process.pid, url: "http://127.0.0.1:1" }),
      ` (process ${process.pid}, http://127.0.0.1:1)`,
    ],
    [JSON.stringify({ pid: process.pid }), ` (process ${process.pid})`],
    ["", ""],
    ["{", ""],
    ["null", ""],
    ['{"pid":-1,"url":1}', ""],
  ] as const) {
    test(`is refused, with what the file tells: ${says}`, async () => {
      await held(says);
      await assert.rejects(lock(folder), { message: `another sandbox uses ${folder}${which}` });
      assert.equal(readFileSync(file, "utf8"), says);
    });
  }

  test("by what ends the workerd of a sandbox that is gone is waited for", async () => {
    const { release } = await held(JSON.stringify({ pid: dead() }));
    const locked = lock(folder);
    // it has found the folder locked by now
    release();
    closeSync((await locked).fd);
  });
});

test("a folder that is not there is an error of its own", async () => {
  await assert.rejects(lock(join(folder, "none")), { code: "ENOENT" });
});
