// The parts of the development stack: Worker, sandbox and storefront, each on a loopback port of its own.
//
// `cargo xtask dev` and the tests start them from here. The Workers run in workerd through Miniflare's API; what they are bound to is
// read from their wrangler.toml, so that it is written down once.

import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Miniflare } from "miniflare";
import { startFront } from "../sandbox/npm/front.ts";
import * as shared from "../sandbox/npm/run.ts";
import { random, type Secrets as SandboxSecrets } from "../sandbox/npm/secrets.ts";

export type { Database } from "../sandbox/npm/run.ts";

type Database = shared.Database;

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** What stands behind the name of a folder of builds: xtask builds as shipped, or for the loop of edit and try. */
export const BUILT = process.env.BUILD_PROFILE === "wasm-dev" ? "-dev" : "";

const HOST = "127.0.0.1";
/** A limit that is never reached. */
const NO_LIMIT = 100_000;

// Before wrangler is loaded: it is asked to read configuration, not to talk or to call home.
process.env.WRANGLER_LOG ??= "error";
process.env.WRANGLER_SEND_METRICS ??= "false";
const { unstable_getMiniflareWorkerOptions, unstable_readConfig, unstable_splitSqlQuery } = await import(
  "wrangler"
);

/** What the parts share and nobody else may know. */
export interface Secrets extends SandboxSecrets {
  SESSION_SECRET: string;
  LEDGER_KEY: string;
}

/** A Worker's text bindings. `undefined` takes one away. */
export type Bindings = Record<string, string | undefined>;

/** How session tokens are signed, for whom, and by whom. */
export interface Session {
  alg: "HS256";
  secret: string;
  iss: string;
  aud: string;
}

/** A rate limit of wrangler.toml. */
interface RateLimit {
  name: string;
  namespace_id: string;
  simple: { limit: number; period: 10 | 60 };
}

/** A Worker, or the sandbox, that runs. */
export interface Running {
  /** Bare origin. */
  url: string;
  dispose(): Promise<void>;
}

/** The Worker that runs. */
export interface RunningWorker extends Running {
  /** A customer's object, by the session's subject. */
  customer(subject: string): DurableObject;
  /** The objects of all customers who came since the Worker was started. */
  customers(): Promise<DurableObject[]>;
  /** The audit log of a day, `2026-11-30`. */
  auditLog(day: string): DurableObject;
}

/** A Durable Object, as the tests reach into it: harness/objects.js. */
export interface DurableObject {
  /** Runs a statement on its database; `?1` is the first of the values. */
  sql<Row = Record<string, unknown>>(statement: string, ...values: unknown[]): Promise<Row[]>;
  /** Runs what its alarm would. */
  runAlarm(): Promise<void>;
  /** When its alarm comes, in milliseconds since 1970. */
  alarmAt(): Promise<number | null>;
  /** Resets it, as a deploy does: what it is at work on fails. */
  reset(): Promise<void>;
}

/** A sandbox that runs. */
export interface RunningSandbox extends Running {
  db(): Promise<Database>;
  /** Runs what the cron would. */
  cron(): Promise<void>;
  /** Runs the cron handler as of a trigger; gives the outcome. */
  scheduled(cron: string): Promise<string>;
  /** Runs it each second, until the signal or the end of workerd. */
  tick(signal: AbortSignal): Promise<void>;
  /** Bare origin of its Worker, behind what plays the network's faults. */
  behind: string;
}

/** What every Worker can be started with. */
export interface RunOptions {
  /** Absent or 0: a free one. */
  port?: number | undefined;
  /** Folder for the databases. Absent: in memory. */
  statePath?: string | undefined;
  /** Overrides of the text bindings. */
  bindings?: Bindings | undefined;
  /** Keep the rate limits of wrangler.toml, which otherwise are out of the way. */
  rateLimits?: boolean | undefined;
  /** Rate limits, databases and Durable Objects of wrangler.toml to leave out. */
  without?: string[] | undefined;
  /** Where V8's inspector listens, 0 for a free port. Absent: nowhere. */
  inspectorPort?: number | undefined;
  /** Gets every line that workerd prints. */
  log?: ((line: string) => void) | undefined;
}

export interface WorkerOptions extends RunOptions {
  /** Where Omise is: the sandbox, or a test's own server. */
  omiseUrl: string;
  /** The shop's origin. */
  storefrontUrl: string;
  secrets: Secrets;
  /** Whether to run the build that dies where a request asks for it. */
  fault?: boolean;
  /** `false`: no alarm comes by itself, so that what Omise is asked is asked by the test. */
  alarms?: boolean;
  /** The text of another Worker's only module, to be run in the place of ours: bound to all that ours is. */
  script?: string;
  /** A module of the project's that is loaded in place of entry.js, which it finds beside itself. */
  entry?: string;
}

export interface SandboxOptions extends RunOptions {
  secrets: SandboxSecrets;
}

export interface StackOptions {
  /** Absent or 0: free ones. */
  ports?: { worker?: number; sandbox?: number; storefront?: number };
  /** Folder for the databases. Absent: in memory. */
  statePath?: string;
  secrets: Secrets;
  /** Overrides of the Worker's text bindings. */
  workerBindings?: Bindings;
  /** Whether to start the storefront. Without it its origin is there, but nobody answers. */
  storefront: boolean;
  /** Gets every line that workerd prints. */
  log?: (line: string) => void;
}

/** What `target/dev/env.json` holds. */
export interface Env {
  worker_url: string;
  sandbox_url: string;
  storefront_url: string;
  omise_secret_key: string;
  webhook_secret: string;
  sandbox_control_token: string;
  session: Session;
}

/** The parts of the stack. */
export type Part = "sandbox" | "worker" | "storefront";

export interface Stack {
  workerUrl: string;
  sandboxUrl: string;
  storefrontUrl: string;
  env: Env;
  customer(subject: string): DurableObject;
  /** The objects of all customers who came since the Worker was started. */
  customers(): Promise<DurableObject[]>;
  sandboxDb(): Promise<Database>;
  /** Starts a part again as its files are now, at the same address; with a `statePath`, with the same database. */
  restart(part: Part): Promise<void>;
  dispose(): Promise<void>;
}

/** Starts sandbox, Worker and, if asked, the storefront. If one cannot start, those that did are stopped. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { ports = {}, secrets, log } = options;
  const state = (name: string) => options.statePath && join(options.statePath, name);
  // Worker and storefront have to know each other's address before either is there.
  const [free, free2, free3] = await freePorts();
  const port = {
    worker: ports.worker || free,
    sandbox: ports.sandbox || free2,
    storefront: ports.storefront || free3,
  };
  const origin = (port: number) => `http://${HOST}:${port}`;
  const [workerUrl, sandboxUrl, storefrontUrl] = [
    origin(port.worker),
    origin(port.sandbox),
    origin(port.storefront),
  ];
  const session: Session = {
    alg: "HS256",
    secret: secrets.SESSION_SECRET,
    iss: storefrontUrl,
    aud: workerUrl,
  };

  const starters = {
    sandbox: async () => {
      const sandbox = await startSandbox({
        port: port.sandbox,
        statePath: state("sandbox"),
        secrets,
        bindings: { WEBHOOK_URL: `${workerUrl}/webhooks/omise` },
        log,
      });
      const stopping = new AbortController();
      const ticking = sandbox.tick(stopping.signal).catch((error) => log?.(`the sandbox is gone: ${error}`));
      const dispose = async () => {
        stopping.abort();
        await ticking;
        await sandbox.dispose();
      };
      return { ...sandbox, dispose };
    },
    worker: () =>
      startWorker({
        port: port.worker,
        statePath: state("worker"),
        omiseUrl: sandboxUrl,
        storefrontUrl,
        secrets,
        bindings: options.workerBindings,
        log,
      }),
    storefront: async () => {
      // With another query it is another module, read anew.
      const at = new URL(`../examples/storefront/server.js?${Date.now()}`, import.meta.url);
      const { startStorefront } = (await import(
        at.href
      )) as typeof import("../examples/storefront/server.js");
      const { close } = await startStorefront({ port: port.storefront, workerUrl, session });
      return { dispose: close };
    },
  };
  const parts: {
    sandbox?: RunningSandbox;
    worker?: RunningWorker;
    storefront?: { dispose(): Promise<void> };
  } = {};
  const start = async (name: keyof typeof starters) =>
    void Object.assign(parts, { [name]: await starters[name]() });
  const running = <Name extends "sandbox" | "worker">(part: Name): NonNullable<(typeof parts)[Name]> => {
    const found = parts[part];
    if (!found) throw new Error(`the ${part} is not running`);
    return found;
  };
  const dispose = async () => {
    await parts.storefront?.dispose();
    // The sandbox first, while the Worker still takes the events that are on their way.
    await parts.sandbox?.dispose();
    await parts.worker?.dispose();
  };
  try {
    await start("sandbox");
    await start("worker");
    if (options.storefront) await start("storefront");
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    workerUrl,
    sandboxUrl,
    storefrontUrl,
    env: {
      worker_url: workerUrl,
      sandbox_url: sandboxUrl,
      storefront_url: storefrontUrl,
      omise_secret_key: secrets.OMISE_SECRET_KEY,
      webhook_secret: secrets.WEBHOOK_SECRET,
      sandbox_control_token: secrets.CONTROL_TOKEN,
      session,
    },
    customer: (subject) => running("worker").customer(subject),
    customers: () => running("worker").customers(),
    sandboxDb: () => running("sandbox").db(),
    restart: async (name) => {
      await parts[name]?.dispose();
      await start(name);
    },
    dispose,
  };
}

/** Starts the Worker alone, in front of whatever plays Omise. */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const port = options.port || (await freePort());
  const { mf, url } = await run("worker", options.fault ? "build-fault" : "build", {
    entry: "harness/objects.js",
    ...options,
    port,
    bindings: {
      ...bindingsOf(options, `http://${HOST}:${port}`),
      ...(options.alarms === false && { ALARMS: "off" }),
      ...options.bindings,
    },
  });
  // Not by Miniflare's own stubs: to make one it stops this thread until workerd answers, and workerd stops where nobody reads its log.
  const reach = async <Done>(object: object, method: string, ...values: unknown[]): Promise<Done> => {
    const body = JSON.stringify({ ...object, method, values });
    const response = await mf.dispatchFetch("http://objects.invalid/", { method: "POST", body });
    const outcome = (await response.json()) as { done: Done; failed?: string };
    if (outcome.failed !== undefined) throw new Error(outcome.failed);
    return outcome.done;
  };
  const open = (object: object): DurableObject => ({
    sql: (statement, ...values) => reach(object, "sql", statement, ...values),
    runAlarm: () => reach(object, "runAlarm"),
    alarmAt: () => reach(object, "alarmAt"),
    // It ends the call too.
    reset: () => reach<void>(object, "reset").catch(() => {}),
  });
  return {
    url,
    customer: (subject) =>
      open({ binding: "CUSTOMER", name: createHash("sha256").update(subject).digest("base64url") }),
    customers: async () => {
      const ids = await reach<string[]>({ binding: "AUDIT_LOG", name: "customers" }, "customers");
      return ids.map((id) => open({ binding: "CUSTOMER", id }));
    },
    auditLog: (day) => open({ binding: "AUDIT_LOG", name: day }),
    dispose: () => mf.dispose(),
  };
}

/** Starts another Worker in the place of ours, with a D1 database of its own, made by the migrations of a folder. */
export async function startPeer(
  options: WorkerOptions & { script: string; migrations: string },
): Promise<Running & { db(): Promise<Database> }> {
  const port = options.port || (await freePort());
  const bindings = { ...bindingsOf(options, `http://${HOST}:${port}`), ...options.bindings };
  const { mf, url } = await run("worker", "build", { ...options, port, bindings });
  try {
    await migrate(await mf.getD1Database("DB"), options.migrations);
  } catch (error) {
    await mf.dispose();
    throw error;
  }
  return { url, db: () => mf.getD1Database("DB"), dispose: () => mf.dispose() };
}

/** The Worker's text bindings, for a Worker at `url`. */
export function bindingsOf(
  { omiseUrl, storefrontUrl, secrets }: Pick<WorkerOptions, "omiseUrl" | "storefrontUrl" | "secrets">,
  url: string,
): Record<string, string> {
  return {
    MODE: "test",
    OMISE_API_URL: omiseUrl,
    ALLOWED_ORIGINS: storefrontUrl,
    RETURN_URIS: `${storefrontUrl}/return`,
    REGISTRATION_ORIGINS: omiseUrl,
    SESSION_ISSUER: storefrontUrl,
    SESSION_AUDIENCE: url,
    ACCOUNT_TYPES: "direct_debit_bay,direct_debit_kbank,direct_debit_ktb,direct_debit_scb",
    OMISE_SECRET_KEY: secrets.OMISE_SECRET_KEY,
    SESSION_SECRET: secrets.SESSION_SECRET,
    LEDGER_KEY: secrets.LEDGER_KEY,
    CREATES_PER_DAY: String(NO_LIMIT),
    WEBHOOK_SECRET: secrets.WEBHOOK_SECRET,
  };
}

/** Starts the sandbox alone, behind what plays the network's faults. */
export async function startSandbox(options: SandboxOptions): Promise<RunningSandbox> {
  const { OMISE_SECRET_KEY, WEBHOOK_SECRET, CONTROL_TOKEN } = options.secrets;
  const bindings = { OMISE_SECRET_KEY, WEBHOOK_SECRET, CONTROL_TOKEN, ...options.bindings };
  const { mf, url } = await run("sandbox", "build", { ...options, port: 0, bindings });
  const { log = () => {} } = options;
  try {
    const front = await startFront(options.port ?? 0, Promise.resolve(url));
    const scheduled = (cron: string) => shared.scheduled(mf, cron);
    return {
      url: front.url,
      behind: url,
      db: () => mf.getD1Database("DB"),
      cron: async () => {
        const outcome = await scheduled("*/5 * * * *");
        if (outcome !== "ok") throw new Error(`the cron's outcome is ${outcome}`);
      },
      scheduled,
      tick: (signal) => shared.tick(mf, signal, log),
      dispose: async () => {
        await front.close();
        await mf.dispose();
      },
    };
  } catch (error) {
    await mf.dispose();
    throw error;
  }
}

/** Random secrets of the right forms, for tests. */
export function randomSecrets(): Secrets {
  return {
    ...random(),
    SESSION_SECRET: randomBytes(32).toString("base64url"),
    LEDGER_KEY: randomBytes(32).toString("base64url"),
  };
}

/** What the Worker's entry.js imports of its own folder. */
export const BESIDE = ["audit-log.js", "customer.js", "edge.js", "microtask.js", "rescue.js"];

/** Runs a build of the Worker in a folder of the project. */
async function run(
  folder: string,
  out: string,
  options: RunOptions & Pick<WorkerOptions, "entry" | "script">,
): Promise<{ mf: Miniflare; url: string }> {
  const configPath = join(ROOT, folder, "wrangler.toml");
  const config = unstable_readConfig({ config: configPath });
  const { workerOptions } = unstable_getMiniflareWorkerOptions(config);
  const { log = () => {}, without = [] } = options;
  const built = `${out}${BUILT}`;
  const module = (type: "ESModule" | "CompiledWasm", name: string, from = name) => ({
    type,
    path: join(ROOT, folder, name),
    contents: readFileSync(join(ROOT, folder, from)),
  });

  // In place of wrangler's text bindings, which would hold the developer's own .dev.vars.
  const bindings: Record<string, unknown> = { ...config.vars };
  for (const [name, value] of Object.entries(options.bindings ?? {})) {
    if (value === undefined) delete bindings[name];
    else bindings[name] = value;
  }
  const kept = (name: string) => !without.includes(name);
  const ratelimits = Object.fromEntries(
    config.ratelimits
      .filter(({ name }: RateLimit) => kept(name))
      .map(({ name, namespace_id, simple }: RateLimit) => [
        name,
        { namespace_id, simple: options.rateLimits ? simple : { ...simple, limit: NO_LIMIT } },
      ]),
  );
  const left = <T>(bindings: Record<string, T> | undefined) =>
    Object.fromEntries(Object.entries(bindings ?? {}).filter(([name]) => kept(name)));
  const mf = new Miniflare({
    ...workerOptions,
    ratelimits,
    ...(options.script === undefined
      ? {
          d1Databases: left(workerOptions.d1Databases as Record<string, string>),
          durableObjects: left(workerOptions.durableObjects as Record<string, { className: string }>),
        }
      : { d1Databases: { DB: "peer" }, durableObjects: {} }),
    name: folder,
    bindings,
    modulesRoot: join(ROOT, folder),
    // The entry first, as wrangler.toml names it. It imports from build/, whichever build that is.
    modules:
      options.script === undefined
        ? [
            ...(options.entry
              ? [
                  module("ESModule", basename(options.entry), join("..", options.entry)),
                  module("ESModule", "reach.js", "../harness/reach.js"),
                ]
              : []),
            module("ESModule", "entry.js"),
            ...(folder === "worker" ? BESIDE.map((name) => module("ESModule", name)) : []),
            module("ESModule", "build/index.js", `${built}/index.js`),
            module("CompiledWasm", "build/index_bg.wasm", `${built}/index_bg.wasm`),
          ]
        : [{ type: "ESModule", path: join(ROOT, folder, "script.js"), contents: options.script }],
    ...shared.surroundings(log),
    port: 0,
    unsafeDirectSockets: [{ host: HOST, port: options.port ?? 0 }],
    ...(options.statePath && { defaultPersistRoot: options.statePath }),
    ...(options.inspectorPort !== undefined && { inspectorPort: options.inspectorPort }),
  });
  try {
    await mf.ready;
    const url = await shared.directUrl(mf);
    for (const { binding, migrations_dir = "migrations" } of config.d1_databases) {
      if (kept(binding)) await migrate(await mf.getD1Database(binding), join(ROOT, folder, migrations_dir));
    }
    return { mf, url };
  } catch (error) {
    await mf.dispose();
    throw error;
  }
}

/** Applies what was not applied yet of a folder of migrations. */
export async function migrate(db: Database, folder: string): Promise<void> {
  await shared.migrate(db, migrationsIn(folder));
}

/** The migrations in a folder, in the order of their names. */
export function migrationsIn(folder: string): shared.Migration[] {
  const files = readdirSync(folder).filter((name) => name.endsWith(".sql"));
  return files.sort().map((name) => ({
    name,
    statements: unstable_splitSqlQuery(readFileSync(join(folder, name), "utf8")),
  }));
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts();
  return port;
}

/** Three ports that nobody listens on now, all different: each is held until all are found. */
async function freePorts(): Promise<[number, number, number]> {
  const hold = async () => {
    const server = createServer().listen(0, HOST);
    await once(server, "listening");
    return server;
  };
  const servers = await Promise.all([hold(), hold(), hold()]);
  const [one, two, three] = servers;
  const portOf = (server: Server) => (server.address() as AddressInfo).port;
  const ports: [number, number, number] = [portOf(one), portOf(two), portOf(three)];
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

/** The workerds that this process has started and not yet stopped. */
export function workerds(): number[] {
  const isOurs = (pid: string) => {
    try {
      // pid (name) state parent …
      const [, name, parent] = /\((.*)\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
      return name === "workerd" && Number(parent) === process.pid;
    } catch {
      // gone meanwhile
      return false;
    }
  };
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && isOurs(name))
    .map(Number);
}
