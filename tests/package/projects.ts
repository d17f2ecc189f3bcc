// What the projects of the matrix have in common once they are built.

import type { Browser } from "@playwright/test";
import * as esbuild from "esbuild";
import { open, policy, serveFolder } from "./browser.ts";
import { assertJourney, delivery, type Worker } from "./worker.ts";

/** What a project needs to know, as JSON. */
export const shop = ({ endpoint }: Worker) => JSON.stringify({ endpoint, delivery: delivery() });

/** Opens the page of a project's server, and looks at what it came to. */
export async function drive(browser: Browser, worker: Worker, origin: string): Promise<void> {
  const page = `${origin}/#${encodeURIComponent(shop(worker))}`;
  assertJourney(await open(browser, page, worker.endpoint), worker);
}

/** The same, for a project that is files in a folder; `also` is what a framework's own scripts need of the policy. */
export async function driveFolder(
  browser: Browser,
  worker: Worker,
  folder: string,
  also = "",
): Promise<void> {
  const { origin, close } = await serveFolder(folder, policy(worker.endpoint, also));
  try {
    await drive(browser, worker, origin);
  } finally {
    await close();
  }
}

/** Has esbuild put an entry and all that it imports into one file, in the entry's place. */
export async function inOnePiece(
  project: string,
  entry: string,
  options: esbuild.BuildOptions = {},
): Promise<void> {
  await esbuild.build({
    absWorkingDir: project,
    entryPoints: [entry],
    bundle: true,
    format: "esm",
    outdir: ".",
    allowOverwrite: true,
    ...options,
  });
}

/** Vite as it is without settings, but for words that nobody reads. */
export const viteOptions = (root: string) => ({ root, configFile: false, logLevel: "warn" }) as const;
