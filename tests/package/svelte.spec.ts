// SvelteKit: pages and endpoints, while developing, built for Node, and built for Cloudflare.

import { after, before, suite, test } from "node:test";
import type { Browser } from "@playwright/test";
import { launch } from "./browser.ts";
import { drivePage, driveServer, Framework, freePort, ONLY_FULL, type Running } from "./framework.ts";
import { startWorker, type Worker } from "./worker.ts";
import { serveWorkerd } from "./workerd.ts";

const HARMLESS = [
  // SvelteKit's own files, as the build lists them
  /^\.svelte-kit\/output\/server\/\S*\b(error\.svelte|server-errors)\.js /,
  // requests that were answered, as the development server of version 3 lists them
  /^200 GET \//,
];

/** SvelteKit sets FORCE_COLOR for what it starts, and Node warns where there is NO_COLOR too. */
const COLOURFUL = { NO_COLOR: undefined };

suite("SvelteKit", ONLY_FULL, () => {
  let worker: Worker;
  let browser: Browser;

  before(async () => {
    [worker, browser] = await Promise.all([startWorker(), launch()]);
  });
  after(async () => {
    await browser?.close();
    await worker?.close();
  });

  /** Drives the endpoint and the page of a server, and ends it. */
  async function drive(server: Running, { dev = false } = {}): Promise<void> {
    try {
      await driveServer(worker, server);
      // SvelteKit starts a page by a script in the page, and hides its announcer from sight by a style in it
      const also = " 'unsafe-inline'; style-src 'self' 'unsafe-inline'";
      await drivePage(browser, worker, server, { dev, also });
    } finally {
      await server.close();
    }
  }

  for (const version of [2, 3]) {
    suite(`SvelteKit ${version}`, () => {
      let project: Framework;
      before(async () => {
        project = await Framework.install(`sveltekit-${version}`, HARMLESS, { journey: "src/journey.js" });
      });
      after(() => project?.remove());

      test("while developing", async () => {
        await drive(await project.serve("vite", ["dev", "--host", "127.0.0.1", "--port", "0"]), {
          dev: true,
        });
      });

      test("built, adapter-node, which bundles the package as a devDependency", async () => {
        await project.run("vite", ["build"], COLOURFUL);
        const env = { HOST: "127.0.0.1", PORT: await freePort() };
        await drive(await project.serve(undefined, ["build/index.js"], env));
      });

      // adapter-cloudflare has no release for SvelteKit 3 yet
      if (version === 2) {
        test("built, adapter-cloudflare, in workerd", async () => {
          await project.run("vite", ["build"], { ...COLOURFUL, ADAPTER: "cloudflare" });
          await drive(await serveWorkerd(project, "wrangler.jsonc"));
        });
      }
    });
  }
});
