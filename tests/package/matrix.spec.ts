// The package in the projects that people have, each built as its own documentation says, and each driven to the end in the browser or
// the runtime that it is for. More of them are in the specs of frameworks, which only FULL=1 runs.

import assert from "node:assert/strict";
import { cpSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, suite, test } from "node:test";
import type { Browser } from "@playwright/test";
import * as esbuild from "esbuild";
import { Miniflare } from "miniflare";
import * as vite from "vite";
import { launch, policy } from "./browser.ts";
import { Installed, print } from "./installed.ts";
import { drive, driveFolder, inOnePiece, shop, viteOptions } from "./projects.ts";
import { assertJourney, startWorker, type Worker } from "./worker.ts";

const installed = new Installed();
let worker: Worker;
let browser: Browser;

before(async () => {
  [worker, browser] = await Promise.all([startWorker(), launch()]);
});
after(async () => {
  await browser?.close();
  await worker?.close();
});

suite("in a browser", () => {
  test('<script type="module">, from the files of the tarball alone', async () => {
    const project = installed.project("plain");
    cpSync(installed.package, join(project, "omise-linked-accounts"), { recursive: true });
    await driveFolder(browser, worker, project);
  });

  test("Vite, while developing", async () => {
    const server = await vite.createServer({
      ...viteOptions(installed.project("vite-dev")),
      server: {
        host: "127.0.0.1",
        port: 0,
        headers: { "Content-Security-Policy": policy(worker.endpoint) },
      },
    });
    try {
      await server.listen();
      const [url = ""] = server.resolvedUrls?.local ?? [];
      await drive(browser, worker, new URL(url).origin);
    } finally {
      await server.close();
    }
  });

  test("Vite, built", async () => {
    const project = installed.project("vite");
    await vite.build(viteOptions(project));
    await driveFolder(browser, worker, join(project, "dist"));
  });

  test("esbuild, in pieces", async () => {
    const project = installed.project("esbuild");
    await esbuild.build({
      absWorkingDir: project,
      entryPoints: ["page.js"],
      bundle: true,
      minify: true,
      format: "esm",
      splitting: true,
      outdir: ".",
      allowOverwrite: true,
    });
    await driveFolder(browser, worker, project);
  });

  for (const format of ["esm", "iife"] as const) {
    test(`esbuild, in one piece, ${format}`, async () => {
      const project = installed.project(`esbuild-${format}`);
      await inOnePiece(project, "page.js", { format });
      await driveFolder(browser, worker, project);
    });
  }
});

suite("without a browser", () => {
  const program = (load: string) => `
    ${load}
    main().then((came) => console.log(JSON.stringify(came)));
    async function main() {
      const { journey } = await import("./node/journey.js");
      return journey(client, validate, webhook, JSON.parse(process.argv[2]));
    }
  `;
  before(() => installed.project("node"));

  test("Node, import", async () => {
    const source = program(`
      import * as client from "omise-linked-accounts";
      import * as validate from "omise-linked-accounts/validate";
      import * as webhook from "omise-linked-accounts/webhook";
    `);
    assertJourney(JSON.parse(await installed.run(source, { args: [shop(worker)] })), worker);
  });

  test("Node, require", async () => {
    const source = program(`
      const client = require("omise-linked-accounts");
      const validate = require("omise-linked-accounts/validate");
      const webhook = require("omise-linked-accounts/webhook");
    `);
    assertJourney(
      JSON.parse(await installed.run(source, { name: "main.cjs", args: [shop(worker)] })),
      worker,
    );
  });

  test("workerd, bundled by wrangler", async () => {
    const project = installed.project("workerd");
    await print(
      process.execPath,
      [resolve("node_modules/wrangler/bin/wrangler.js"), "deploy", "--dry-run", "--outdir", "dist"],
      {
        cwd: project,
        env: { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_LOG: "error" },
      },
    );
    const dist = join(project, "dist");
    const modules = readdirSync(dist).filter((name) => /\.(js|wasm)$/.test(name));
    assert.equal(modules.filter((name) => name.endsWith(".wasm")).length, 3);
    const workerd = new Miniflare({
      modulesRoot: dist,
      modules: [
        { type: "ESModule", path: join(dist, "worker.js") },
        ...modules
          .filter((name) => name.endsWith(".wasm"))
          .map((name) => ({ type: "CompiledWasm" as const, path: join(dist, name) })),
      ],
      compatibilityDate: "2026-04-01",
    });
    try {
      const response = await workerd.dispatchFetch("http://shop.example/", {
        method: "POST",
        body: shop(worker),
      });
      assert.equal(response.status, 200, await response.clone().text());
      assertJourney(await response.json(), worker);
    } finally {
      await workerd.dispose();
    }
  });
});
