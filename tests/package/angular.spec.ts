// Angular: a page of its development server, a page without a server, and a page and a route of its Express server.

import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import type { Browser } from "@playwright/test";
import { launch } from "./browser.ts";
import { drivePage, driveServer, Framework, ONLY_FULL, whileRunning } from "./framework.ts";
import { driveFolder } from "./projects.ts";
import { startWorker, type Worker } from "./worker.ts";

suite("Angular 22", ONLY_FULL, () => {
  let worker: Worker;
  let browser: Browser;
  let project: Framework;

  before(async () => {
    [worker, browser] = await Promise.all([startWorker(), launch()]);
    project = await Framework.install("angular");
  });
  after(async () => {
    await browser?.close();
    await worker?.close();
    project?.remove();
  });

  test("page and server while developing", () =>
    whileRunning(project.serve("ng", ["serve", "--host", "127.0.0.1", "--port", "0"]), async (server) => {
      await driveServer(worker, server);
      await drivePage(browser, worker, server, { dev: true });
    }));

  test("page as built without a server", async () => {
    await project.run("ng", ["build"]);
    await driveFolder(browser, worker, join(project.folder, "dist/shop/browser"));
  });

  test("page and server as built", async () => {
    await project.run("ng", ["build", "--configuration", "production,server"]);
    await whileRunning(project.serve(undefined, ["dist/shop/server/server.mjs"]), async (server) => {
      await driveServer(worker, server);
      await drivePage(browser, worker, server);
    });
  });
});
