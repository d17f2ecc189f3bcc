// Nuxt: a page and a server route, while developing, built for Node, and built for Cloudflare.

import { after, before, suite, test } from "node:test";
import type { Browser } from "@playwright/test";
import { launch } from "./browser.ts";
import { drivePage, driveServer, Framework, freePort, ONLY_FULL, type Running } from "./framework.ts";
import { startWorker, type Worker } from "./worker.ts";
import { serveWorkerd } from "./workerd.ts";

const HARMLESS = [
  // Nuxt's own use of Vite
  /^\[warn\] The `css\.devSourcemap` option is deprecated\./,
  // Vite's optimizer lists what it prepared
  /^\[info\] dependencies optimized: /,
  // files of Nuxt's own error pages, as the build lists them
  /\berror-(404|500)\b/,
  // our modules, as the build lists them with their sizes
  /^ {2}[├└]─ \.output\/server\/wasm\/\w+_bg-[0-9a-f]+\.wasm \([^()]+\) \([^()]+\)$/,
];

suite("Nuxt 4", ONLY_FULL, () => {
  let worker: Worker;
  let browser: Browser;
  let project: Framework;

  before(async () => {
    [worker, browser, project] = await Promise.all([
      startWorker(),
      launch(),
      Framework.install("nuxt-4", HARMLESS, { journey: "shared/journey.js" }),
    ]);
  });
  after(async () => {
    await browser?.close();
    await worker?.close();
    project?.remove();
  });

  /** Drives the server route and the page of a server, and ends it. */
  async function drive(server: Running, { dev = false } = {}): Promise<void> {
    try {
      await driveServer(worker, server);
      // Nuxt has its settings in a script in the page
      await drivePage(browser, worker, server, { dev, also: " 'unsafe-inline'" });
    } finally {
      await server.close();
    }
  }

  test("while developing", async () => {
    const args = ["dev", "--host", "127.0.0.1", "--port", await freePort()];
    await drive(await project.serve("nuxt", args), { dev: true });
  });

  test("built for Node", async () => {
    await project.run("nuxt", ["build"]);
    await drive(
      await project.serve(undefined, [".output/server/index.mjs"], { HOST: "127.0.0.1", PORT: "0" }),
    );
  });

  test("built for Cloudflare, with Nitro's flag for WebAssembly: all of it works", async () => {
    await project.run("nuxt", ["build", "--envName", "wasm"]);
    await drive(await serveWorkerd(project, ".output/server/wrangler.json"));
  });

  test("built for Cloudflare, with nothing set: pages work", async () => {
    await project.run("nuxt", ["build", "--envName", "cloudflare"]);
    const server = await serveWorkerd(project, ".output/server/wrangler.json");
    try {
      await drivePage(browser, worker, server, { also: " 'unsafe-inline'" });
    } finally {
      await server.close();
    }
  });
});
