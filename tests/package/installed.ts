// The package as users get it: the packed tarball, installed into an empty folder.

import { execFile, execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";

const NPM = resolve("target/npm");
const PROJECTS = resolve("tests/package/projects");

/** The tarball's name. */
export const tarball =
  readdirSync(NPM).find((name) => /^omise-linked-accounts-\d.*\.tgz$/.test(name)) ?? "no tarball";

/** Where the package is before it is packed. */
export const unpacked = join(NPM, "package");

/** What the projects share. */
const SHARED = ["journey.js", "page.js", "index.html"];

/** A folder with the package in its `node_modules`. It goes with the process: a file of specs is one. */
export class Installed {
  readonly folder = mkdtempSync(join(tmpdir(), "omise-linked-accounts-"));
  readonly package = join(this.folder, "node_modules/omise-linked-accounts");
  /** The folder of the modules in the package, which is named by their content. */
  readonly wasm: string;

  constructor() {
    process.on("exit", () => rmSync(this.folder, { recursive: true }));
    writeFileSync(join(this.folder, "package.json"), '{ "private": true, "type": "module" }');
    // the package has no dependencies
    const install = ["install", "--ignore-scripts", "--offline", join(NPM, tarball)];
    execFileSync("npm", install, { cwd: this.folder, stdio: "pipe" });
    this.wasm = readdirSync(this.package).find((name) => /^wasm-[0-9a-f]{8}$/.test(name)) ?? "no modules";
  }

  /** A project: what all of them share, and what `tests/package/projects/<name>` has of its own. */
  project(name: string): string {
    const folder = join(this.folder, name);
    const own = join(PROJECTS, name);
    for (const file of SHARED) cpSync(join(PROJECTS, file), join(folder, file));
    if (existsSync(own)) cpSync(own, folder, { recursive: true });
    return folder;
  }

  /** Writes a program into the folder, runs it there in this Node, and gives what it printed. */
  async run(
    program: string,
    options: { name?: string; flags?: string[]; args?: string[] } = {},
  ): Promise<string> {
    const { name = "main.mjs", flags = [], args = [] } = options;
    writeFileSync(join(this.folder, name), program);
    return print(process.execPath, [...flags, name, ...args], { cwd: this.folder });
  }
}

/** Runs a program to its end and gives what it printed; where it fails, what it printed is the error's message. */
export function print(
  file: string,
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { maxBuffer: 64 * 1024 * 1024, ...options }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${error.message}\n${stdout}\n${stderr}`));
      else resolve(stdout.trim());
    });
  });
}

/** Folders of this machine, which nothing that is published may name. */
export const OUR_FOLDERS = [homedir(), resolve(".")];
