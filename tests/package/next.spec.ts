// Next.js: a client component, a server component and a route handler, while developing, as built, and on its own in another folder.

import assert from "node:assert/strict";
import { cpSync, existsSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import type { Browser } from "@playwright/test";
import { launch, policy } from "./browser.ts";
import { drivePage, driveServer, Framework, ONLY_FULL, type Running, whileRunning } from "./framework.ts";
import { startWorker, type Worker } from "./worker.ts";

const HOST = ["--hostname", "127.0.0.1", "--port", "0"];

suite("Next.js 16", ONLY_FULL, () => {
  let worker: Worker;
  let browser: Browser;
  let project: Framework;

  before(async () => {
    [worker, browser] = await Promise.all([startWorker(), launch()]);
    project = await Framework.install("next");
  });
  after(async () => {
    await browser?.close();
    await worker?.close();
    project?.remove();
  });

  async function drive(server: Running): Promise<void> {
    await driveServer(worker, server);
    await driveServer(worker, server, "/route");
    // a built project answers under a policy of its own, with a nonce: none is added here
    await drivePage(browser, worker, server, { dev: true });
  }
  const env = (more: NodeJS.ProcessEnv = {}) => ({ NEXT_TELEMETRY_DISABLED: "1", ...more });
  const built = (more: NodeJS.ProcessEnv = {}) =>
    env({ NODE_ENV: "production", POLICY: policy(worker.endpoint), ...more });

  test("while developing", () => whileRunning(project.serve("next", ["dev", ...HOST], env()), drive));

  for (const bundler of ["turbopack", "webpack"]) {
    test(`as built by ${bundler}`, async () => {
      await project.run("next", ["build", `--${bundler}`], built());
      await whileRunning(project.serve("next", ["start", ...HOST], built()), drive);
    });
  }

  for (const [where, EXTERNAL] of [
    ["in the server's bundle", "0"],
    ["in node_modules", "1"],
  ] as const) {
    test(`output "standalone" in another folder, the package ${where}`, async () => {
      await project.run("next", ["build"], built({ STANDALONE: "1", EXTERNAL }));
      const elsewhere = mkdtempSync(join(realpathSync(tmpdir()), "next-standalone-"));
      try {
        cpSync(join(project.folder, ".next/standalone"), elsewhere, {
          recursive: true,
          verbatimSymlinks: true,
        });
        const has = existsSync(join(elsewhere, "node_modules/omise-linked-accounts"));
        assert.equal(has, EXTERNAL === "1");
        cpSync(join(project.folder, ".next/static"), join(elsewhere, ".next/static"), { recursive: true });
        const server = project.serve(
          undefined,
          [join(elsewhere, "server.js")],
          built({ HOSTNAME: "127.0.0.1", PORT: "0" }),
        );
        await whileRunning(server, drive);
      } finally {
        rmSync(elsewhere, { recursive: true, force: true });
      }
    });
  }
});
