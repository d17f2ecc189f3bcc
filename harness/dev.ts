// Runs the development stack until it is told to stop: by SIGINT, SIGTERM or SIGHUP, or by the end of its standard input.
//
// `cargo xtask dev` starts this, holding the other end of that input, so that the stack cannot outlive it. With `--watch` it writes the
// name of each part that it has built again, a line each.

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs, parseEnv } from "node:util";
import { InUse, lock } from "../sandbox/npm/lock.ts";
import { watchWorkerd } from "../sandbox/npm/watch.ts";
import { type Env, type Part, type Secrets, type Stack, startStack } from "./stack.ts";

/** How long the parts may take to stop. Whatever is left of workerd then is killed as this process exits. */
const STOP_MS = 5_000;
/** How long a part may take to answer its first request. */
const ANSWER_MS = 30_000;

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = join(root, "target/dev");
const envFile = join(folder, "env.json");
const state = join(folder, "state");
/** Whether the state is this process's, and with it the file: another stack may run. */
let locked = false;

const stopping = Promise.withResolvers<"stopped">();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  // Stays for the second Ctrl-C of an impatient person: it must not end this before the parts are gone.
  process.on(signal, () => stopping.resolve("stopped"));
}
// However this ends: Miniflare has handlers of its own, which kill workerd and exit at the first SIGINT or SIGTERM.
process.on("exit", forget);
/** The parts that were built again, and are to be started again. */
const built = new Set<Part>();
let wake = () => {};
createInterface(process.stdin)
  .on("line", (part) => {
    built.add(part as Part);
    wake();
  })
  .on("close", () => stopping.resolve("stopped"));
process.stdin.on("error", () => stopping.resolve("stopped"));

process.exitCode = await main();
process.exit();

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { "port-base": { type: "string", default: "8787" }, steps: { type: "string", default: "" } },
  });
  const watch = performance.now();
  const base = Number(values["port-base"]);
  const starting = start(base);
  try {
    const result = await Promise.race([starting, stopping.promise]);
    if (result === "stopped") return 0;
    say(result.env, values.steps, (performance.now() - watch) / 1_000);
    await restart(result);
    return 0;
  } catch (error) {
    if (error instanceof InUse) {
      console.error(`${error.message}: stop that one first`);
      return 1;
    }
    console.error(error);
    console.error(`To start with empty databases, delete ${relative(process.cwd(), state)}`);
    return 1;
  } finally {
    forget();
    // A stack that is still starting is waited for: it cannot be stopped before it is there.
    const stopped = starting.then((stack) => stack.dispose()).catch(() => {});
    await Promise.race([stopped, timeout(STOP_MS)]);
  }
}

/** Starts parts again as they are built again, one after the other, until the end. */
async function restart(stack: Stack): Promise<void> {
  for (;;) {
    const woken = new Promise<"built">((resolve) => {
      wake = () => resolve("built");
    });
    for (const part of [...built]) {
      built.delete(part);
      await stack.restart(part).catch((error) => console.error(`${part} did not start again:`, error));
      console.log(`  ${part} runs as it is now`);
    }
    if ((await Promise.race([woken, stopping.promise])) === "stopped") return;
  }
}

async function start(base: number): Promise<Stack> {
  mkdirSync(state, { recursive: true });
  const { fd, listensAt } = await lock(state);
  locked = true;
  watchWorkerd([fd], (line) => console.error(line));
  forget();
  const stack = await startStack({
    ports: { worker: base, sandbox: base + 1, storefront: base + 2 },
    statePath: state,
    secrets: secrets(),
    storefront: true,
    log: (line) => console.error(line),
  });
  try {
    await Promise.all([
      answers(`${stack.workerUrl}/health`),
      answers(stack.sandboxUrl),
      answers(stack.storefrontUrl),
    ]);
    write(stack.env);
    listensAt(stack.storefrontUrl);
    return stack;
  } catch (error) {
    await stack.dispose();
    throw error;
  }
}

/** The secrets that xtask made. */
function secrets(): Secrets {
  const read = (name: string) => parseEnv(readFileSync(join(root, name, ".dev.vars"), "utf8"));
  const all: Record<string, string | undefined> = { ...read("sandbox"), ...read("worker") };
  const need = (name: string) => {
    const value = all[name];
    if (!value) throw new Error(`${name} is in no .dev.vars; run \`cargo xtask dev\``);
    return value;
  };
  return {
    OMISE_SECRET_KEY: need("OMISE_SECRET_KEY"),
    SESSION_SECRET: need("SESSION_SECRET"),
    LEDGER_KEY: need("LEDGER_KEY"),
    WEBHOOK_SECRET: need("WEBHOOK_SECRET"),
    CONTROL_TOKEN: need("CONTROL_TOKEN"),
  };
}

/** Any answer counts but that of a part that is broken; the first one may wait for the code to be compiled. */
async function answers(url: string): Promise<void> {
  const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS), redirect: "manual" });
  const text = await response.text();
  if (response.status >= 500) throw new Error(`${url} answered ${response.status}: ${text}`);
}

/** Whoever waits for the file finds it whole; only its owner can read it, for it holds secrets. */
function write(env: Env): void {
  mkdirSync(folder, { recursive: true });
  const unfinished = `${envFile}.tmp`;
  rmSync(unfinished, { force: true });
  writeFileSync(unfinished, `${JSON.stringify(env, null, 2)}\n`, { mode: 0o600 });
  renameSync(unfinished, envFile);
}

function forget(): void {
  if (locked) rmSync(envFile, { force: true });
}

/** Prints what took how long, and last of all the address to open. */
function say(env: Env, report: string, seconds: number): void {
  if (report) {
    const { steps, seconds: built } = JSON.parse(report) as { steps: [string, number][]; seconds: number };
    console.log();
    for (const [what, took] of [...steps, ["start the parts", seconds] as const])
      console.log(`  ${took.toFixed(1).padStart(7)} s  ${what}`);
    console.log(`  ${(built + seconds).toFixed(1).padStart(7)} s  in all, some of it side by side`);
  }
  console.log(`
  worker   ${env.worker_url}
  sandbox  ${env.sandbox_url}
  control  ${env.sandbox_url}/sandbox (its token is sandbox_control_token in ${relative(process.cwd(), envFile)})

  The shop is open (Ctrl-C closes it): ${env.storefront_url}`);
}

function timeout(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
