#!/usr/bin/env node
// Runs the sandbox until it is told to stop, by Ctrl-C, SIGTERM or the end of its terminal.
//
// What a person has to know is printed to standard output, once it answers; what the Worker logs, to standard error.

import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Front, startFront } from "./front.ts";
import { InUse, type Lock, lock } from "./lock.ts";
import type { Migration } from "./run.ts";
import { given, kept, random, type Secrets } from "./secrets.ts";
import { watchWorkerd } from "./watch.ts";

/** How long it may take to stop. Whatever is left of workerd then is killed as this process exits. */
const STOP_MS = 2_000;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const PROFILES = ["official", "extended"];

const file = (name: string) => new URL(name, import.meta.url);
const { name: NAME, version: VERSION } = JSON.parse(readFileSync(file("package.json"), "utf8"));

const HELP = `${NAME} ${VERSION}: an offline stand-in for Omise's linked-account API. Unofficial.

Usage: npx ${NAME} [options]

  --port N            where it listens, on 127.0.0.1; 0 for a free port (default 8788)
  --profile NAME      official: as Omise documents it (default); extended: with what the documents leave open
  --seed N            same number and requests, same ids and answers; the clock stands until it is moved
  --state DIR         keeps everything in DIR; without it, all is gone when the sandbox stops
  --webhook-url URL   where events are sent; without it there are none
  --version           prints the version
  --help              prints this

The secret key, the control token and the webhook secret are random, and kept in DIR if there is one. Environment
variables OMISE_SECRET_KEY (a test key), CONTROL_TOKEN and WEBHOOK_SECRET set them.`;

/** What was asked for on the command line. */
interface Options {
  port: number;
  profile: string;
  seed?: string | undefined;
  state?: string | undefined;
  webhookUrl?: string | undefined;
}

/** A reason to stop that needs no stack. */
class Refusal extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** A sandbox that runs. */
interface Sandbox {
  url: string;
  /** Rejects where workerd is gone. */
  ticking: Promise<void>;
  stop(): Promise<void>;
}

const stopping = new AbortController();
const stopped = once(stopping.signal, "abort");
for (const signal of SIGNALS) process.on(signal, onSignal);

process.exit(await main().catch(explain));

async function main(): Promise<number> {
  const options = read(process.argv.slice(2));
  if (typeof options === "string") {
    console.log(options);
    return 0;
  }
  const fromEnvironment = given(process.env);
  const held = options.state === undefined ? undefined : await heldIn(options.state);
  const secrets = { ...(held?.secrets ?? random()), ...fromEnvironment };
  watchWorkerd(held ? [held.lock.fd] : [], (line) => console.error(line));
  const sandbox = await start(options, secrets);
  held?.lock.listensAt(sandbox.url);
  console.log(told(sandbox.url, options, secrets, fromEnvironment));
  await Promise.race([stopped, sandbox.ticking]);
  await Promise.race([sandbox.stop(), timeout(STOP_MS)]);
  return 0;
}

/** The command line, or what is to be printed in place of a sandbox. */
function read(args: string[]): Options | string {
  const { values } = parsed(args);
  if (values.help) return HELP;
  if (values.version) return VERSION;

  const { port, profile, seed, state, "webhook-url": webhookUrl } = values;
  const expect = (flag: string, expected: string) => new Refusal(`--${flag}: expected ${expected}`, 2);
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw expect("port", "a number up to 65535");
  if (!PROFILES.includes(profile)) throw expect("profile", PROFILES.join(" or "));
  if (seed !== undefined && !(/^\d+$/.test(seed) && Number.isSafeInteger(Number(seed)))) {
    throw expect("seed", `a whole number up to ${Number.MAX_SAFE_INTEGER}`);
  }
  if (state === "") throw expect("state", "a folder");
  if (webhookUrl !== undefined && !/^https?:$/.test(protocolOf(webhookUrl))) {
    throw expect("webhook-url", "an address that begins with http:// or https://");
  }
  return { port: Number(port), profile, seed, state, webhookUrl };
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        port: { type: "string", default: "8788" },
        profile: { type: "string", default: "official" },
        seed: { type: "string" },
        state: { type: "string" },
        "webhook-url": { type: "string" },
        version: { type: "boolean" },
        help: { type: "boolean" },
      },
    });
  } catch (error) {
    // the first sentence, without the advice about unusual names
    const [message = ""] = (error as Error).message.split(/\.\s|\n/);
    throw new Refusal(`${message}; --help shows what there is`, 2);
  }
}

function protocolOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : "";
}

/** The lock and the secrets of a state, which only its owner may look at. */
async function heldIn(folder: string): Promise<{ lock: Lock; secrets: Secrets }> {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return { lock: await lock(folder), secrets: kept(folder) };
  } catch (error) {
    if (error instanceof InUse)
      throw new Refusal(`--state: ${error.message}: stop that one, or choose another folder`);
    throw new Refusal(`--state: ${folder} cannot be used: ${(error as Error).message}`);
  }
}

/** Starts what listens, then the Worker behind it, and waits for its first answer. */
async function start(options: Options, secrets: Secrets): Promise<Sandbox> {
  let workerRuns = (_: string) => {};
  const front = await listen(options.port, new Promise((resolve) => (workerRuns = resolve)));
  // not before somebody wants a sandbox: they take a while to load
  const [{ Miniflare }, { DIRECT, directUrl, migrate, surroundings, tick }] = await Promise.all([
    import("miniflare"),
    import("./run.ts"),
  ]);
  const { compatibilityDate, migrations }: { compatibilityDate: string; migrations: Migration[] } =
    JSON.parse(readFileSync(file("worker.json"), "utf8"));
  const module = (type: "ESModule" | "CompiledWasm", name: string) => ({
    type,
    path: `/${name}`,
    contents: readFileSync(file(name)),
  });
  const log = (line: string) => console.error(line);
  const bindings = {
    ...secrets,
    PROFILE: options.profile,
    ...(options.seed && { SEED: options.seed }),
    ...(options.webhookUrl && { WEBHOOK_URL: options.webhookUrl }),
  };
  // Miniflare starts workerd again, at another address and with nothing that was in memory: an end is easier to understand.
  let crash = () => {};
  const crashed = new Promise<never>((_, reject) => {
    crash = () => reject(new Refusal("workerd has stopped: it crashed"));
  });
  const mf = new Miniflare({
    ...surroundings(log),
    ...DIRECT,
    unsafeHandleRuntimeRestart: () => crash(),
    name: "sandbox",
    compatibilityDate,
    modulesRoot: "/",
    modules: [
      module("ESModule", "entry.js"),
      module("ESModule", "build/index.js"),
      module("CompiledWasm", "build/index_bg.wasm"),
    ],
    bindings,
    d1Databases: { DB: "sandbox" },
    ...(options.state && { d1Persist: options.state }),
  });
  // Miniflare's own kill workerd and exit, in the middle of whatever is being answered. Ours are never away: a signal would be lost.
  for (const signal of SIGNALS) {
    const others = process.listeners(signal).filter((listener) => listener !== onSignal);
    for (const listener of others) process.off(signal, listener);
  }
  await mf.ready;
  await migrate(await mf.getD1Database("DB"), migrations).catch((error: Error) => {
    if (!options.state) throw error;
    throw new Refusal(`--state: ${options.state}: ${error.message} An empty folder starts anew.`);
  });
  workerRuns(await directUrl(mf));
  await answers(front);

  const ticks = tick(mf, stopping.signal, log).catch((error: Error) => {
    throw new Refusal(`workerd has stopped: ${error.message}`);
  });
  const ticking = Promise.race([ticks, crashed]);
  const stop = async () => {
    await front.close();
    await mf.dispose();
  };
  return { url: front.url, ticking, stop };
}

async function listen(port: number, target: Promise<string>): Promise<Front> {
  try {
    return await startFront(port, target);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const advice = "choose another with --port N, or a free one with --port 0";
    if (code === "EADDRINUSE") throw new Refusal(`port ${port} is taken: free it, or ${advice}`);
    throw new Refusal(`port ${port} cannot be used (${message}): ${advice}`);
  }
}

/** The Worker judges its settings, and says what is wrong with them to whoever asks it anything. */
async function answers(front: Front): Promise<void> {
  const response = await fetch(front.url, { redirect: "manual" });
  const text = await response.text();
  if (response.status === 503) throw new Refusal(JSON.parse(text).message, 2);
  if (response.status >= 500) throw new Refusal(`the first answer was ${text}`);
}

/** What is printed of a sandbox. Of what its user has set, not the secret is shown but where it came from. */
function told(url: string, options: Options, secrets: Secrets, fromEnvironment: Partial<Secrets>): string {
  const secret = (name: keyof Secrets) =>
    name in fromEnvironment ? `as in the environment, ${name}` : secrets[name];
  const rows = [
    ["API", url],
    ["secret key", secret("OMISE_SECRET_KEY")],
    ["control page", `${url}/sandbox`],
    ["control token", secret("CONTROL_TOKEN")],
    ["webhooks", options.webhookUrl ? `to ${options.webhookUrl}` : "none; --webhook-url URL sends them"],
    ["webhook secret", secret("WEBHOOK_SECRET")],
    ["profile", options.profile],
    ...(options.seed === undefined ? [] : [["seed", options.seed]]),
    ["state", options.state ?? "in memory; --state DIR keeps it"],
  ];
  const table = rows.map(([what = "", value = ""]) => `  ${what.padEnd(16)}${value}\n`);
  return `
  ${NAME} ${VERSION}, in place of Omise. No bank, no money.

${table.join("")}
  Ctrl-C stops it.
`;
}

/** Whoever is impatient and asks again does not wait for the end. */
function onSignal(): void {
  if (stopping.signal.aborted) process.exit(1);
  stopping.abort();
}

function explain(error: unknown): number {
  if (!(error instanceof Refusal)) {
    console.error(error);
    return 1;
  }
  console.error(`${NAME}: ${error.message}`);
  return error.exitCode;
}

function timeout(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
