// What the projects of the matrix have in common once they are built.

import { cpSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "@playwright/test";
import * as esbuild from "esbuild";
import { open, policy, serveFolder } from "./browser.ts";
import type { Installed } from "./installed.ts";
import { assertJourney, delivery, type Worker } from "./worker.ts";

/** What a project needs to know, as JSON. */
export const shop = ({ endpoint }: Worker) => JSON.stringify({ endpoint, delivery: delivery() });

/** Opens the page of a project's server, and looks at what it came to. */
export async function drive(browser: Browser, worker: Worker, origin: string): Promise<void> {
  const page = `${origin}/#${encodeURIComponent(shop(worker))}`;
  assertJourney(await open(browser, page, worker.endpoint), worker);
}

/** The same, for a project that is files in a folder. */
export async function driveFolder(browser: Browser, worker: Worker, folder: string): Promise<void> {
  const { origin, close } = await serveFolder(folder, policy(worker.endpoint));
  try {
    await drive(browser, worker, origin);
  } finally {
    await close();
  }
}

/** Puts the modules beside a bundle, as the README asks of those whose bundler leaves their address alone. */
export function copyModules(installed: Installed, folder: string): void {
  cpSync(join(installed.package, "wasm"), join(folder, "wasm"), {
    recursive: true,
    filter: (name) => !name.endsWith(".js"),
  });
}

/** Has esbuild put an entry and all that it imports into one file, in the entry's place. */
export async function inOnePiece(installed: Installed, project: string, entry: string): Promise<void> {
  await esbuild.build({
    absWorkingDir: project,
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    outdir: ".",
    allowOverwrite: true,
  });
  copyModules(installed, project);
}

/** Vite as it is without settings, but for words that nobody reads. */
export const viteOptions = (root: string) => ({ root, configFile: false, logLevel: "warn" }) as const;
