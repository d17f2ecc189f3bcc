// Vite of each version that people have, while developing and built.

import { after, before, suite, test } from "node:test";
import type { Browser } from "@playwright/test";
import { launch } from "./browser.ts";
import { drivePage, Framework, ONLY_FULL } from "./framework.ts";
import { startWorker, type Worker } from "./worker.ts";

suite("Vite", ONLY_FULL, () => {
  let worker: Worker;
  let browser: Browser;

  before(async () => {
    [worker, browser] = await Promise.all([startWorker(), launch()]);
  });
  after(async () => {
    await browser?.close();
    await worker?.close();
  });

  for (const version of [5, 6, 7, 8]) {
    suite(`Vite ${version}`, () => {
      let project: Framework;
      before(async () => {
        project = await Framework.install(`vite-${version}`);
      });
      after(() => project?.remove());

      test("while developing", async () => {
        const server = await project.serve("vite", ["--host", "127.0.0.1", "--port", "0"]);
        try {
          await drivePage(browser, worker, server, { dev: true });
        } finally {
          await server.close();
        }
      });

      test("built", async () => {
        await project.run("vite", ["build"]);
        const server = await project.serve("vite", ["preview", "--host", "127.0.0.1", "--port", "0"]);
        try {
          await drivePage(browser, worker, server);
        } finally {
          await server.close();
        }
      });
    });
  }
});
