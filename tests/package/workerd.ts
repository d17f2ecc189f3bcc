// A Worker that a framework has built: bundled by wrangler as for a deploy, and run in workerd with its assets.

import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { Miniflare } from "miniflare";
import type { Framework, Running } from "./framework.ts";

/** Starts the Worker that a project's wrangler configuration (JSON, `main` and `assets` relative to it) names. */
export async function serveWorkerd(project: Framework, configuration: string): Promise<Running> {
  const file = join(project.folder, configuration);
  const { main, assets, compatibility_date, compatibility_flags } = JSON.parse(readFileSync(file, "utf8"));
  const bundle = join(project.folder, "bundle");
  await project.run(
    resolve("node_modules/.bin/wrangler"),
    ["deploy", "--dry-run", "--outdir", bundle, "--config", file],
    { WRANGLER_SEND_METRICS: "false", WRANGLER_LOG: "warn" },
  );
  let printed = "";
  const read = (stream: Readable) => stream.on("data", (chunk) => (printed += chunk));
  const workerd = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    // made up, not asked of Cloudflare
    cf: false,
    modulesRoot: bundle,
    modules: [
      { type: "ESModule", path: join(bundle, basename(main).replace(/\.mjs$/, ".js")) },
      ...readdirSync(bundle)
        .filter((name) => name.endsWith(".wasm"))
        .map((name) => ({ type: "CompiledWasm" as const, path: join(bundle, name) })),
    ],
    compatibilityDate: compatibility_date,
    compatibilityFlags: compatibility_flags,
    assets: {
      directory: resolve(dirname(file), assets.directory),
      binding: assets.binding,
      routerConfig: { has_user_worker: true },
    },
    handleRuntimeStdio(stdout: Readable, stderr: Readable) {
      read(stdout);
      read(stderr);
    },
  });
  const { origin } = await workerd.ready;
  return {
    origin,
    async close() {
      await workerd.dispose();
      project.assertQuiet(printed);
    },
  };
}
