// The sandbox does what the documentation says: the suite that knows nothing of it passes, and leaves nothing out.

import { strict as assert } from "node:assert";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { sandbox } from "./sandbox.ts";

const { url, key, registered, call } = await sandbox();

/** A case of the suite. */
interface Case {
  name: string;
  passed: boolean;
  skipped: boolean;
  /** What the runner says of it. */
  report: string;
}

/** Runs the suite with these settings, in a process of its own as anybody would. */
async function run(settings: Record<string, string>): Promise<{ printed: string; cases: Case[] }> {
  const suite = fileURLToPath(new URL("conformance.suite.ts", import.meta.url));
  const args = ["--disable-warning=ExperimentalWarning", "--test", "--test-reporter=tap", suite];
  const printed = await new Promise<string>((resolve) => {
    // It says by its lines which cases failed; the exit code says no more.
    execFile(process.execPath, args, { env: settings, maxBuffer: 2 ** 24 }, (_, stdout, stderr) =>
      resolve(stdout + stderr),
    );
  });
  const cases = printed.split("\n# Subtest: ").flatMap((text) => {
    const report = text.split("\n  ...\n")[0] ?? "";
    const [, not, name, skip] = /^(not )?ok \d+ - (.*?)( # SKIP .*)?$/m.exec(report) ?? [];
    return name === undefined
      ? []
      : [{ name, passed: not === undefined, skipped: skip !== undefined, report }];
  });
  return { printed, cases };
}

test("every case passes, none is skipped", async (t) => {
  const id = await registered();
  const { cases, printed } = await run({
    OMISE_BASE_URL: url,
    OMISE_SECRET_KEY: key,
    OMISE_LINKED_ACCOUNT: id,
  });
  assert.ok(cases.length > 80, printed);
  for (const { name, passed, skipped, report } of cases) {
    await t.test(name, () => assert.ok(passed && !skipped, report));
  }
  assert.match(printed, /^# made \d+ requests, and 4 linked accounts, marked conformance-[0-9a-f]{12}:$/m);
  assert.equal((await call("GET", `/linked_accounts/${id}`)).body.status, "deleted");
});

test("without a registered account, the cases about one are skipped, and say what is missing", async () => {
  const { cases } = await run({ OMISE_BASE_URL: url, OMISE_SECRET_KEY: key });
  const skipped = cases.filter(({ skipped }) => skipped);
  assert.equal(skipped.length, 5);
  for (const { report } of skipped) assert.match(report, /# SKIP set OMISE_LINKED_ACCOUNT /);
});

for (const [what, settings, message] of [
  ["no settings", {}, /set OMISE_BASE_URL .* and OMISE_SECRET_KEY/],
  ["no key", { OMISE_BASE_URL: url }, /set OMISE_BASE_URL .* and OMISE_SECRET_KEY/],
  ["a key that is no test key", { OMISE_BASE_URL: url, OMISE_SECRET_KEY: "skey_1" }, /expected a test key/],
] as const) {
  test(`with ${what} it fails, and says why`, async () => {
    const { cases, printed } = await run(settings);
    assert.deepEqual(
      cases.map(({ passed }) => passed),
      [false],
    );
    assert.match(printed, message);
  });
}
