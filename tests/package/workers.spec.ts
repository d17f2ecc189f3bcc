// Web workers and service workers. A service worker comes in one piece: browsers import nothing there later.

import assert from "node:assert/strict";
import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import type { Browser } from "@playwright/test";
import { launch, open, policy, serveFolder } from "./browser.ts";
import { drivePage, Framework, ONLY_FULL, whileRunning } from "./framework.ts";
import { driveFolder } from "./projects.ts";
import { startWorker, type Worker } from "./worker.ts";

suite("workers of a page", ONLY_FULL, () => {
  let worker: Worker;
  let browser: Browser;

  before(async () => {
    [worker, browser] = await Promise.all([startWorker(), launch()]);
  });
  after(async () => {
    await browser?.close();
    await worker?.close();
  });

  test("a web worker of modules, unbundled", async () => {
    const project = await Framework.install("workers-unbundled");
    try {
      const installed = join(project.folder, "node_modules/omise-linked-accounts");
      cpSync(installed, join(project.folder, "omise-linked-accounts"), { recursive: true });
      await driveFolder(browser, worker, project.folder);
    } finally {
      project.remove();
    }
  });

  suite("Vite 8", () => {
    const address = ["--host", "127.0.0.1", "--port", "0"];
    let project: Framework;
    before(async () => {
      // a line that names the dependencies
      project = await Framework.install("workers-vite-8", [/\[vite\] \(client\).* dependencies optimized: /]);
    });
    after(() => project?.remove());

    test("a web worker, while developing", async () => {
      await whileRunning(project.serve("vite", address), (server) =>
        drivePage(browser, worker, server, { dev: true }),
      );
    });

    test("a web worker and a service worker, built", async () => {
      await project.run("vite", ["build"]);
      const server = await project.serve("vite", ["preview", ...address]);
      try {
        await drivePage(browser, worker, server);
        await drivePage(browser, worker, server, { path: "/?service-worker" });
      } finally {
        await server.close();
      }
    });
  });

  test("Vite 7, told to build web workers as modules", async () => {
    const project = await Framework.install("workers-vite-7");
    try {
      await project.run("vite", ["build"]);
      await driveFolder(browser, worker, join(project.folder, "dist"));
    } finally {
      project.remove();
    }
  });

  suite("webpack 5", () => {
    let project: Framework;
    before(async () => {
      project = await Framework.install("workers-webpack-5");
    });
    after(() => project?.remove());

    // otherwise it lists the modules that it takes, by their folders
    const quiet = ["--stats", "errors-warnings"];

    test("a web worker, while developing", async () => {
      await whileRunning(
        project.serve("webpack", [
          ...["serve", "./page.js", "--mode", "development", ...quiet],
          ...["--host", "127.0.0.1", "--port", "auto"],
        ]),
        (server) => drivePage(browser, worker, server, { dev: true }),
      );
    });

    test("a web worker, built", async () => {
      await project.run("webpack", ["./page.js", "--mode", "production", ...quiet]);
      cpSync(join(project.folder, "public/index.html"), join(project.folder, "dist/index.html"));
      await driveFolder(browser, worker, join(project.folder, "dist"));
    });

    /** Builds the service worker, with the page that has it make the journey, and returns the folder. */
    async function buildService(name: string, ...options: string[]): Promise<string> {
      await project.run("webpack", [
        ...["./service-worker.js", "--mode", "production", "--target", "webworker", ...quiet, ...options],
        ...["--output-path", name, "--output-filename", "service-worker.js"],
      ]);
      const folder = join(project.folder, name);
      cpSync(join(project.folder, "service.html"), join(folder, "index.html"));
      cpSync(join(project.folder, "service.js"), join(folder, "service.js"));
      return folder;
    }

    test("a service worker, told to be in one piece", async () => {
      await driveFolder(browser, worker, await buildService("whole", "--no-output-chunk-loading"));
    });

    test("a service worker in pieces: a LoadError", async () => {
      const shop = await serveFolder(await buildService("pieces"), policy(worker.endpoint));
      try {
        const page = `${shop.origin}/#${encodeURIComponent(JSON.stringify({ endpoint: worker.endpoint }))}`;
        assert.match(String(await open(browser, page, worker.endpoint)), /^LoadError: .*importScripts/);
      } finally {
        await shop.close();
      }
    });
  });

  suite("esbuild", () => {
    let project: Framework;
    before(async () => {
      project = await Framework.install("workers-esbuild");
    });
    after(() => project?.remove());

    test("a service worker", async () => {
      const options = ["--bundle", "--minify", "--outdir=dist"];
      await project.run("esbuild", ["service-worker.js", ...options]);
      for (const file of ["index.html", "page.js"]) {
        cpSync(join(project.folder, file), join(project.folder, "dist", file));
      }
      assert.deepEqual(readdirSync(join(project.folder, "dist")).sort(), [
        "index.html",
        "page.js",
        "service-worker.js",
      ]);
      await driveFolder(browser, worker, join(project.folder, "dist"));
    });
  });
});
