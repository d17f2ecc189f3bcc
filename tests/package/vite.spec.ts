// Vite of each version in use, while developing and built; a library; Vue Router.

import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { Browser } from "@playwright/test";
import { launch, open, policy, serveBehind } from "./browser.ts";
import { drivePage, Framework, ONLY_FULL, whileRunning } from "./framework.ts";
import { shop } from "./projects.ts";
import { account, startWorker, type Worker } from "./worker.ts";

/** A secret that the bank's redirect brings. */
const LINK_STATE = "0123456789abcdefABCDEA";

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
        await whileRunning(project.serve("vite", ["--host", "127.0.0.1", "--port", "0"]), (server) =>
          drivePage(browser, worker, server, { dev: true }),
        );
      });

      test("built", async () => {
        await project.run("vite", ["build"]);
        await whileRunning(
          project.serve("vite", ["preview", "--host", "127.0.0.1", "--port", "0"]),
          (server) => drivePage(browser, worker, server),
        );
      });
    });
  }

  test("a library, built by Vite 8", async () => {
    const project = await Framework.install("vite-library");
    try {
      await project.run("vite", ["build"]);
      const server = await project.serve("vite", ["preview", "--host", "127.0.0.1", "--port", "0"]);
      try {
        for (const format of ["es", "umd"]) {
          await drivePage(browser, worker, server, { path: `/${format}.html` });
        }
      } finally {
        await server.close();
      }
    } finally {
      project.remove();
    }
  });

  suite("Vue Router, which puts back the address that it found", () => {
    let project: Framework;
    before(async () => {
      project = await Framework.install("vue-router");
    });
    after(() => project?.remove());

    /** Opens the page as the bank does, lets it reload itself once, and looks at what both visits saw in the address bar. */
    async function returnFromBank({ origin }: { origin: string }): Promise<void> {
      const state = `?order=1&link_state=${LINK_STATE}`;
      const page = `${origin}/return${state}#${encodeURIComponent(shop(worker))}`;
      assert.deepEqual(await open(browser, page, worker.endpoint), [
        { found: state, taken: "?order=1", ready: state, left: "?order=1", result: "linked" },
        { found: "?order=1", taken: "?order=1", ready: "?order=1", left: "?order=1", result: "linked" },
      ]);
      const visit = ["POST /linked_accounts/confirm", `GET /linked_accounts/${account("pending").id}`];
      assert.deepEqual(
        worker.asked(),
        [...visit, ...visit].map((line) => `${line} Bearer token-1`),
      );
    }

    test("resume() from the root's setup(), while developing", async () => {
      const server = await project.serve("vite", ["--host", "127.0.0.1", "--port", "0"]);
      try {
        await returnFromBank(server);
      } finally {
        await server.close();
      }
    });

    test("resume() from the root's setup(), built", async () => {
      await project.run("vite", ["build"]);
      const server = await project.serve("vite", ["preview", "--host", "127.0.0.1", "--port", "0"]);
      const behind = await serveBehind(server.origin, policy(worker.endpoint));
      try {
        await returnFromBank(behind);
      } finally {
        await behind.close();
        await server.close();
      }
    });
  });
});
