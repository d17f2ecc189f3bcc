// Bundlers: pages while developing and built, and servers built, moved to a folder without `node_modules` and run there.

import { cpSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import type { Browser } from "@playwright/test";
import { launch } from "./browser.ts";
import { drivePage, driveServer, Framework, ONLY_FULL, type Running } from "./framework.ts";
import { driveFolder } from "./projects.ts";
import { serve, startWorker, type Worker } from "./worker.ts";

suite("bundlers", ONLY_FULL, () => {
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

  /** A suite of a project, installed for it alone. */
  function suiteOf(title: string, name: string, tests: () => void, harmless: readonly RegExp[] = []): void {
    suite(title, () => {
      before(async () => {
        project = await Framework.install(name, harmless);
      });
      after(() => project?.remove());
      tests();
    });
  }

  /** Drives a server's page, and stops the server. */
  async function drive(starting: Promise<Running>, options: { dev?: boolean } = {}): Promise<void> {
    const server = await starting;
    try {
      await drivePage(browser, worker, server, options);
    } finally {
      await server.close();
    }
  }

  /** Runs a program that was built into a folder of the project, in another place. */
  async function driveMoved(folder: string, program: string): Promise<void> {
    const elsewhere = mkdtempSync(join(realpathSync(tmpdir()), "moved-"));
    try {
      cpSync(join(project.folder, folder), elsewhere, { recursive: true });
      const server = await project.serve(undefined, [join(elsewhere, program)], {}, elsewhere);
      try {
        await driveServer(worker, server);
      } finally {
        await server.close();
      }
    } finally {
      rmSync(elsewhere, { recursive: true });
    }
  }

  suiteOf("webpack 5", "webpack-5", () => {
    // otherwise it lists the modules that it takes, by their folders
    const quiet = ["--stats", "errors-warnings"];

    test("while developing", () =>
      drive(
        project.serve("webpack", [
          ...["serve", "./page.js", "--mode", "development", ...quiet],
          ...["--host", "127.0.0.1", "--port", "auto"],
        ]),
        { dev: true },
      ));

    test("built", async () => {
      await project.run("webpack", ["./page.js", "--mode", "production", ...quiet]);
      cpSync(join(project.folder, "public/index.html"), join(project.folder, "dist/index.html"));
      await driveFolder(browser, worker, join(project.folder, "dist"));
    });

    test("built for Node, and moved", async () => {
      const node = ["--target", "node", "--output-path", "server"];
      await project.run("webpack", ["./server.js", "--mode", "production", ...node, ...quiet]);
      await driveMoved("server", "main.js");
    });
  });

  suiteOf(
    "Rspack 2",
    "rspack-2",
    () => {
      const entry = ["--entry", "./page.js"];

      test("while developing", () =>
        drive(
          project.serve("rspack", [
            ...["serve", ...entry, "--mode", "development"],
            ...["--host", "127.0.0.1", "--port", "0"],
          ]),
          { dev: true },
        ));

      test("built", async () => {
        await project.run("rspack", ["build", ...entry, "--mode", "production"]);
        cpSync(join(project.folder, "public/index.html"), join(project.folder, "dist/index.html"));
        await driveFolder(browser, worker, join(project.folder, "dist"));
      });

      test("built for Node, and moved", async () => {
        await project.run("rspack", ["build", "--config", "server.config.js", "--mode", "production"]);
        await driveMoved("server", "main.js");
      });
    },
    // it builds pieces when they are asked for, and names them
    [/^<i> \[rspack-dev-middleware\] wait until bundle finished: /],
  );

  suiteOf("Rsbuild 2", "rsbuild-2", () => {
    const address = ["--host", "127.0.0.1", "--port", "0"];

    test("while developing", () => drive(project.serve("rsbuild", ["dev", ...address]), { dev: true }));

    test("built", async () => {
      await project.run("rsbuild", ["build"]);
      await drive(project.serve("rsbuild", ["preview", ...address]));
    });
  });

  suiteOf("Rollup 4", "rollup-4", () => {
    test("built", async () => {
      await project.run("rollup", ["--config"]);
      cpSync(join(project.folder, "index.html"), join(project.folder, "dist/index.html"));
      await driveFolder(browser, worker, join(project.folder, "dist"));
    });
  });

  suiteOf("esbuild for Node", "esbuild-node", () => {
    for (const [format, program] of [
      ["cjs", "server.cjs"],
      ["esm", "server.mjs"],
    ] as const) {
      test(`built as ${format}, and moved`, async () => {
        const options = [
          "--bundle",
          "--platform=node",
          `--format=${format}`,
          `--outfile=${format}/${program}`,
        ];
        await project.run("esbuild", ["server.js", ...options]);
        await driveMoved(format, program);
      });
    }
  });

  suiteOf("Parcel 2", "parcel-2", () => {
    test("while developing", async () => {
      const { origin, close } = await serve(() => {});
      await close();
      const address = ["--host", "127.0.0.1", "--port", new URL(origin).port];
      await drive(project.serve("parcel", ["index.html", ...address]), { dev: true });
    });

    test("built: it inlines an import map, which the page's policy has to allow", async () => {
      await project.run("parcel", ["build", "index.html"]);
      await driveFolder(browser, worker, join(project.folder, "dist"), " 'unsafe-inline'");
    });

    test("built for browserslist's defaults: no import map, so the package's own policy is enough", async () => {
      writeFileSync(join(project.folder, ".browserslistrc"), "defaults");
      await project.run("parcel", ["build", "index.html", "--dist-dir", "older"]);
      await driveFolder(browser, worker, join(project.folder, "older"));
    });
  });
});
