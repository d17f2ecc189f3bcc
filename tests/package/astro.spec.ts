// Astro: a page with a script, and an endpoint on the server.

import { after, before, suite, test } from "node:test";
import type { Browser } from "@playwright/test";
import { launch } from "./browser.ts";
import { drivePage, driveServer, Framework, freePort, ONLY_FULL, type Running } from "./framework.ts";
import { startWorker, type Worker } from "./worker.ts";

suite("Astro 7", ONLY_FULL, () => {
  let worker: Worker;
  let browser: Browser;
  let project: Framework;

  before(async () => {
    [worker, browser, project] = await Promise.all([startWorker(), launch(), Framework.install("astro-7")]);
  });
  after(async () => {
    await browser?.close();
    await worker?.close();
    project?.remove();
  });

  /** Drives the endpoint and the page of a server, and ends it. */
  async function drive(server: Running, { dev = false } = {}): Promise<void> {
    try {
      await driveServer(worker, server);
      await drivePage(browser, worker, server, { dev });
    } finally {
      await server.close();
    }
  }

  test("while developing", async () => {
    await drive(await project.serve("astro", ["dev", "--host", "127.0.0.1", "--port", "0"]), { dev: true });
  });

  test("built, with the adapter for Node", async () => {
    await project.run("astro", ["build"]);
    const env = { HOST: "127.0.0.1", PORT: await freePort() };
    await drive(await project.serve(undefined, ["dist/server/entry.mjs"], env));
  });
});
