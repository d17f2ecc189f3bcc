// React by itself, and the two frameworks on Vite that render it on a server.

import assert from "node:assert/strict";
import { after, before, suite, test } from "node:test";
import type { Browser } from "@playwright/test";
import { freePort } from "../../harness/stack.ts";
import { launch, open } from "./browser.ts";
import { drivePage, driveServer, Framework, ONLY_FULL, type Running, whileRunning } from "./framework.ts";
import { shop } from "./projects.ts";
import { startWorker, type Worker } from "./worker.ts";

const VITE = ["--host", "127.0.0.1", "--port", "0"];

suite("React", ONLY_FULL, () => {
  let worker: Worker;
  let browser: Browser;
  let project: Framework;

  before(async () => {
    [worker, browser] = await Promise.all([startWorker(), launch()]);
  });
  after(async () => {
    await browser?.close();
    await worker?.close();
  });

  /** Drives what a server renders, then the page that it serves. */
  async function drive(server: Running, page: { dev?: boolean; also?: string }): Promise<void> {
    await driveServer(worker, server);
    await drivePage(browser, worker, server, page);
  }

  suite("React 19 in StrictMode, by Vite 8", () => {
    before(async () => {
      project = await Framework.install("react");
    });
    after(() => project?.remove());

    test("a page while developing", () =>
      whileRunning(project.serve("vite", VITE), (server) =>
        drivePage(browser, worker, server, { dev: true }),
      ));

    /** Has two effects create an account each; returns what they came to. */
    const createTwice = async ({ origin }: Running, search = "") => {
      const page = `${origin}/create${search}#${encodeURIComponent(shop(worker))}`;
      const came = await open(browser, page, worker.endpoint);
      assert.deepEqual(worker.asked(), ["POST /linked_accounts Bearer token-1"]);
      return came;
    };

    test("two effects that create an account send one request and get the same account", () =>
      whileRunning(project.serve("vite", VITE), async (server) => {
        const [first, second] = (await createTwice(server)) as string[];
        assert.match(first ?? "", /^lnac_test_/);
        assert.equal(second, first);
      }));

    test("the account is created once where the first effect's clean-up aborts its call", () =>
      whileRunning(project.serve("vite", VITE), async (server) => {
        const [first, second] = (await createTwice(server, "?abort")) as string[];
        assert.equal(first, "AbortError");
        assert.match(second ?? "", /^lnac_test_/);
      }));

    test("a page as built", async () => {
      await project.run("vite", ["build"]);
      await whileRunning(project.serve("vite", ["preview", ...VITE]), (server) =>
        drivePage(browser, worker, server),
      );
    });
  });

  for (const version of [7, 8]) {
    suite(`React Router ${version}`, () => {
      const harmless = [
        // the list of what Vite prepares for the browser
        /\[vite\] \(client\) dependencies optimized: omise-linked-accounts[\w/, -]*$/,
      ];
      // a line about the changes of version 8, and one about an option that it gives to Vite 8 by its old name
      const older = [
        /^ *⚠️ {2}Future Flag Warning: /,
        /^The `envFile` option is deprecated, please use `envDir: false`/,
      ];

      before(async () => {
        project = await Framework.install(`react-router-${version}`, [
          ...harmless,
          ...(version === 7 ? older : []),
        ]);
      });
      after(() => project?.remove());

      for (const [where, BUNDLED] of [
        ["in node_modules", "0"],
        ["in the server's bundle", "1"],
      ] as const) {
        test(`page and server while developing, the package ${where}`, () =>
          whileRunning(project.serve("react-router", ["dev", ...VITE], { BUNDLED }), (server) =>
            drive(server, { dev: true }),
          ));

        test(`page and server as built, the package ${where}`, async () => {
          await project.run("react-router", ["build"], { BUNDLED });
          const env = { HOST: "127.0.0.1", PORT: String(await freePort()), NODE_ENV: "production" };
          await whileRunning(
            project.serve("react-router-serve", ["build/server/index.js"], env),
            // React Router writes scripts into its pages
            (server) => drive(server, { also: " 'unsafe-inline'" }),
          );
        });
      }
    });
  }

  suite("TanStack Start", () => {
    before(async () => {
      project = await Framework.install("tanstack-start", [
        // the list of what was built
        /^\.output\/server\/_libs\/omise-linked-accounts\.mjs +[\d.]+ kB/,
      ]);
    });
    after(() => project?.remove());

    test("page and server while developing", async () => {
      const vite = project.serve("vite", ["--host", "127.0.0.1", "--port", String(await freePort())]);
      await whileRunning(vite, (server) => drive(server, { dev: true }));
    });

    test("page and server as built", async () => {
      await project.run("vite", ["build"]);
      const env = { HOST: "127.0.0.1", PORT: String(await freePort()), NODE_ENV: "production" };
      await whileRunning(
        project.serve(undefined, [".output/server/index.mjs"], env),
        // TanStack Start writes scripts into its pages
        (server) => drive(server, { also: " 'unsafe-inline'" }),
      );
    });
  });
});
