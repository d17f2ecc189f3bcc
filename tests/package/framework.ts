// A project of a framework, as a shop would have it: `tests/package/frameworks/<name>` in a folder of its own, with all that its
// package.json names and the packed tarball installed from npm. What it prints while it is built and run may not be about the package.

import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { promisify, stripVTControlCharacters } from "node:util";
import type { Browser } from "@playwright/test";
import { open, policy, serveBehind } from "./browser.ts";
import { print, tarball } from "./installed.ts";
import { shop } from "./projects.ts";
import { assertJourney, serve, type Worker } from "./worker.ts";

const execute = promisify(execFile);

const FRAMEWORKS = resolve("tests/package/frameworks");

/** For suites that run in `cargo xtask test --full` alone. */
export const ONLY_FULL = { skip: process.env.FULL === "1" ? false : "only with FULL=1" };

/** Words of a complaint about the package. */
const COMPLAINT = /omise|wasm|webassembly|\bdeprecat|\bwarn(ing)?\b|\berror\b/i;

/** What Rolldown prints where a build takes long, as on a busy machine: it names the bundler's plugins, not the package. */
const SLOW = [/\[PLUGIN_TIMINGS\]/, /^\s+[-\d].* plugin \S+ · \w+$/];

/** A server that was started: where it is, and how to end it. */
export interface Running {
  origin: string;
  close(): Promise<void>;
}

export class Framework {
  readonly folder: string;
  /** What a tool may print although it looks like a complaint: it is not about the package. */
  readonly #harmless: readonly RegExp[];

  private constructor(folder: string, harmless: readonly RegExp[]) {
    this.folder = folder;
    this.#harmless = [...SLOW, ...harmless];
  }

  /**
   * Installs the project of a name. It goes with the process, unless {@link remove} comes first. `journey` is where the project has
   * `journey.js`: some development servers give the browser files of their source folders only.
   */
  static async install(
    name: string,
    harmless: readonly RegExp[] = [],
    { journey = "journey.js" } = {},
  ): Promise<Framework> {
    const folder = mkdtempSync(join(realpathSync(tmpdir()), `shop-${name}-`));
    process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
    copyContents(join(FRAMEWORKS, name), folder);
    cpSync(join(FRAMEWORKS, ".npmrc"), join(folder, ".npmrc"));
    cpSync(resolve("tests/package/projects/journey.js"), join(folder, journey));
    await print("npm", ["install", "--save", resolve("target/npm", tarball)], { cwd: folder });
    return new Framework(folder, harmless);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The path of a program that npm has installed, or of one by its own path. */
  bin(name: string): string {
    const path = resolve(this.folder, "node_modules/.bin", name);
    assert.ok(existsSync(path), `${name} is not installed`);
    return realpathSync(path);
  }

  /** What starts an installed program in this Node, Node itself, or the program of a path. */
  #command(name: string | undefined, args: string[]): [string, string[]] {
    if (name === undefined) return [process.execPath, args];
    return isAbsolute(name) ? [name, args] : [process.execPath, [this.bin(name), ...args]];
  }

  /** Runs a program to its end: an installed one by its name, in this Node, or another by its path. */
  async run(name: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
    const { stdout, stderr } = await execute(...this.#command(name, args), {
      cwd: this.folder,
      env: this.#env(env),
      maxBuffer: 64 * 1024 * 1024,
    }).catch((error) => {
      // its message has what went to stderr alone
      throw new Error(`${error.message}\n${error.stdout}`);
    });
    this.assertQuiet(stdout + stderr);
    return stdout;
  }

  /** Starts a server, and waits for the address that it prints; `args` are Node's where there is no `name`. */
  async serve(
    name: string | undefined,
    args: string[],
    env: NodeJS.ProcessEnv = {},
    cwd = this.folder,
  ): Promise<Running> {
    const server = spawn(...this.#command(name, args), {
      cwd,
      env: this.#env(env),
      stdio: ["ignore", "pipe", "pipe"],
      // with all that it starts in its turn
      detached: true,
    });
    let printed = "";
    const address = new Promise<string>((found, fail) => {
      const read = (chunk: Buffer) => {
        printed += stripVTControlCharacters(chunk.toString());
        const [, port] = /https?:\/\/(?:127\.0\.0\.1|localhost|0\.0\.0\.0|\[::\]):(\d+)/.exec(printed) ?? [];
        if (port) found(`http://127.0.0.1:${port}`);
      };
      server.stdout.on("data", read);
      server.stderr.on("data", read);
      server.on("close", () => fail(new Error(`the server ended:\n${printed}`)));
    });
    return {
      origin: await address,
      close: async () => {
        await end(server);
        this.assertQuiet(printed);
      },
    };
  }

  #env(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
    const { FULL, BUILD_PROFILE, NODE_TEST_CONTEXT, NODE_OPTIONS, FORCE_COLOR, ...own } = process.env;
    return { ...own, CI: "1", NO_COLOR: "1", NO_UPDATE_NOTIFIER: "1", DO_NOT_TRACK: "1", ...env };
  }

  /** Asserts that a program printed nothing that looks like a complaint. */
  assertQuiet(printed: string): void {
    const lines = stripVTControlCharacters(printed)
      // the folder has the package's name
      .replaceAll(this.folder, "")
      // a log of requests repeats the address that driveServer asks for
      .replaceAll(/\?shop=\S*/g, "")
      .split("\n");
    const complaints = lines.filter(
      (line) => COMPLAINT.test(line) && !this.#harmless.some((harmless) => harmless.test(line)),
    );
    assert.deepEqual(complaints, [], printed);
  }
}

/** Copies the files of a folder. What several projects have alike is a link there, and a file here. */
function copyContents(from: string, to: string): void {
  for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const file = join(entry.parentPath, entry.name);
    const copy = join(to, relative(from, file));
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(file, copy);
  }
}

/** Ends a process and what it started. */
async function end(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null || server.pid === undefined) return;
  const closed = once(server, "close");
  process.kill(-server.pid, "SIGKILL");
  await closed;
}

/** A port that is free now, for servers that print the port that they were given, not the one that they got. */
export async function freePort(): Promise<string> {
  const { origin, close } = await serve(() => {});
  await close();
  return new URL(origin).port;
}

/** Uses a server while it runs. */
export async function whileRunning(
  starting: Promise<Running>,
  use: (server: Running) => Promise<void>,
): Promise<void> {
  const server = await starting;
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

/** Drives a page that makes the journey in the browser, under the README's policy; a development server's page under none. */
export async function drivePage(
  browser: Browser,
  worker: Worker,
  { origin }: { origin: string },
  { path = "/", also = "", dev = false } = {},
): Promise<void> {
  const behind = dev
    ? { origin, close: async () => {} }
    : await serveBehind(origin, policy(worker.endpoint, also));
  try {
    const page = `${behind.origin}${path}#${encodeURIComponent(shop(worker))}`;
    assertJourney(await open(browser, page, worker.endpoint), worker);
  } finally {
    await behind.close();
  }
}

/** Asks for what a server makes of the journey by itself: JSON, or a page with it, in Base64, in `<output>`. */
export async function driveServer(
  worker: Worker,
  { origin }: { origin: string },
  path = "/server",
): Promise<void> {
  const response = await fetch(`${origin}${path}?shop=${encodeURIComponent(shop(worker))}`);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const [, came] = /<output[^>]*>([A-Za-z0-9+/=]+)<\/output>/.exec(text) ?? [];
  assertJourney(JSON.parse(came ? atob(came) : text), worker);
}
