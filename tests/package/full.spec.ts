// More projects, which take their time: only with FULL=1.

import assert from "node:assert/strict";
import { cpSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Browser } from "@playwright/test";
import * as vite from "vite";
import { launch } from "./browser.ts";
import { Installed, print } from "./installed.ts";
import { driveFolder, inOnePiece, shop, viteOptions } from "./projects.ts";
import { assertJourney, startWorker, type Worker } from "./worker.ts";

suite("more projects", { skip: process.env.FULL === "1" ? false : "only with FULL=1" }, () => {
  let installed: Installed;
  let worker: Worker;
  let browser: Browser;

  before(async () => {
    installed = new Installed({ tools: true });
    [worker, browser] = await Promise.all([startWorker(), launch()]);
  });
  after(async () => {
    await browser?.close();
    await worker?.close();
  });

  /** A module of the tools that are installed beside the package. */
  // biome-ignore lint/suspicious/noExplicitAny: they are not installed where types are checked
  async function tool(name: string): Promise<any> {
    const { resolve } = createRequire(join(installed.folder, "package.json"));
    return import(String(pathToFileURL(resolve(name))));
  }

  test("webpack", async () => {
    const project = installed.project("webpack");
    const { default: webpack } = await tool("webpack");
    const compiler = webpack({
      context: project,
      mode: "production",
      entry: "./page.js",
      output: { path: join(project, "dist"), filename: "page.js" },
      performance: { hints: false },
    });
    const stats = await new Promise<{ toJson(): { errors: unknown[]; warnings: unknown[] } }>(
      (resolve, reject) =>
        // biome-ignore lint/suspicious/noExplicitAny: as above
        compiler.run((error: unknown, stats: any) => (error ? reject(error) : resolve(stats))),
    );
    const { errors, warnings } = stats.toJson();
    assert.deepEqual([...errors, ...warnings], []);
    cpSync(join(project, "index.html"), join(project, "dist/index.html"));
    await driveFolder(browser, worker, join(project, "dist"));
  });

  test("Rollup", async () => {
    const project = installed.project("rollup");
    const [{ rollup }, { nodeResolve }] = await Promise.all([
      tool("rollup"),
      tool("@rollup/plugin-node-resolve"),
    ]);
    const warnings: unknown[] = [];
    const bundle = await rollup({
      input: join(project, "page.js"),
      plugins: [nodeResolve({ browser: true })],
      onwarn: (warning: unknown) => warnings.push(warning),
    });
    await bundle.write({ dir: join(project, "dist"), format: "es" });
    await bundle.close();
    assert.deepEqual(warnings, []);
    cpSync(join(project, "index.html"), join(project, "dist/index.html"));
    await driveFolder(browser, worker, join(project, "dist"));
  });

  test("a web worker, built by Vite", async () => {
    const project = installed.project("web-worker");
    await vite.build({ ...viteOptions(project), worker: { format: "es" } });
    await driveFolder(browser, worker, join(project, "dist"));
  });

  test("a service worker, in one piece as it has to be", async () => {
    const project = installed.project("service-worker");
    await inOnePiece(project, "service-worker.js");
    await driveFolder(browser, worker, project);
  });

  suite("without a browser", () => {
    const program = `
      import * as client from "omise-linked-accounts";
      import * as validate from "omise-linked-accounts/validate";
      import * as webhook from "omise-linked-accounts/webhook";
      import { journey } from "./journey.js";
      console.log(JSON.stringify(await journey(client, validate, webhook, JSON.parse(process.argv[2]))));
    `;

    /** Runs the journey in a runtime that npm has, which may do no more than the words after it say. */
    async function run(name: string, file: string, ...args: string[]): Promise<void> {
      const project = installed.project(name);
      writeFileSync(join(project, "main.mjs"), program);
      const env = { ...process.env, DENO_NO_UPDATE_CHECK: "1", DO_NOT_TRACK: "1" };
      const came = await print(file, [...args, "main.mjs", shop(worker)], { cwd: project, env });
      assertJourney(JSON.parse(came), worker);
    }
    const binary = (path: string) => join(installed.folder, "node_modules", path);

    test("Deno, which reads the package's files and asks the Worker, and nothing else", async () => {
      const allowed = [`--allow-net=${new URL(worker.endpoint).host}`, `--allow-read=${installed.folder}`];
      await run("deno", process.execPath, binary("deno/bin.cjs"), "run", "--cached-only", ...allowed);
    });

    test("Bun", async () => {
      const cpu = process.arch === "arm64" ? "aarch64" : process.arch;
      await run("bun", binary(`@oven/bun-${process.platform}-${cpu}/bin/bun`), "run");
    });
  });
});
