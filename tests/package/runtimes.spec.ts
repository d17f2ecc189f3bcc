// Bun and Deno: programs, servers, and the pages that Bun bundles.

import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import type { Browser } from "@playwright/test";
import { launch } from "./browser.ts";
import { drivePage, driveServer, Framework, ONLY_FULL, whileRunning } from "./framework.ts";
import { driveFolder, shop } from "./projects.ts";
import { assertJourney, startWorker, type Worker } from "./worker.ts";

suite("runtimes", ONLY_FULL, () => {
  let worker: Worker;
  let browser: Browser;

  before(async () => {
    [worker, browser] = await Promise.all([startWorker(), launch()]);
  });
  after(async () => {
    await browser?.close();
    await worker?.close();
  });

  /** Bun as npm brings it; its own installer's script does not run. */
  function bunOf({ folder }: Framework): string {
    const cpu = process.arch === "arm64" ? "aarch64" : process.arch;
    return join(folder, `node_modules/@oven/bun-${process.platform}-${cpu}/bin/bun`);
  }

  suite("Bun", () => {
    let project: Framework;
    let bun: string;
    before(async () => {
      project = await Framework.install("bun-1");
      bun = bunOf(project);
    });
    after(() => project?.remove());

    test("a program", async () => {
      assertJourney(JSON.parse(await project.run(bun, ["run", "main.js", shop(worker)])), worker);
    });

    test("a server, built in one file", async () => {
      await project.run(bun, ["build", "server.js", "--target", "bun", "--outdir", "server"]);
      await whileRunning(project.serve(bun, ["server/server.js"]), (server) => driveServer(worker, server));
    });

    test("a program, compiled", async () => {
      await project.run(bun, ["build", "main.js", "--compile", "--outfile", "shop"]);
      assertJourney(JSON.parse(await project.run(join(project.folder, "shop"), [shop(worker)])), worker);
    });

    for (const [title, split] of [
      ["a page, built in one file", []],
      ["a page, built in pieces", ["--splitting"]],
    ] as const) {
      test(title, async () => {
        const dist = split.join() || "dist";
        await project.run(bun, ["build", "index.html", "--minify", ...split, "--outdir", dist]);
        await driveFolder(browser, worker, join(project.folder, dist));
      });
    }

    for (const NODE_ENV of ["development", "production"] as const) {
      test(`a page that its server bundles, in ${NODE_ENV}`, async () => {
        await whileRunning(project.serve(bun, ["pages.js"], { NODE_ENV }), (server) =>
          drivePage(browser, worker, server, { dev: NODE_ENV === "development" }),
        );
      });
    }
  });

  suite("Bun before 1.3.3, which has no DecompressionStream", () => {
    let project: Framework;
    before(async () => {
      project = await Framework.install("bun-1.2");
    });
    after(() => project?.remove());

    test("a program", async () => {
      assertJourney(JSON.parse(await project.run(bunOf(project), ["run", "main.js", shop(worker)])), worker);
    });
  });

  suite("Deno", () => {
    let project: Framework;
    before(async () => {
      project = await Framework.install("deno-2");
    });
    after(() => project?.remove());

    test("a program, which may ask the Worker, and do nothing else", async () => {
      const allowed = ["--no-prompt", "--cached-only", `--allow-net=${new URL(worker.endpoint).host}`];
      const came = await project.run("deno", ["run", ...allowed, "main.js", shop(worker)], {
        DENO_NO_UPDATE_CHECK: "1",
      });
      assertJourney(JSON.parse(came), worker);
    });
  });
});
