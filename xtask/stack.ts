// The parts of the development stack: Worker, sandbox and storefront, each on a loopback port of its own.
//
// `cargo xtask dev` and the tests start them from here. The Workers run in workerd through Miniflare's API; what they are bound to is
// read from their wrangler.toml, so that it is written down once.

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { Log, LogLevel, Miniflare } from "miniflare";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const HOST = "127.0.0.1";
/** A rate limit that nobody reaches. */
const NO_LIMIT = 100_000;

// Before wrangler is loaded: it is asked to read configuration, not to talk or to call home.
process.env.WRANGLER_LOG ??= "error";
process.env.WRANGLER_SEND_METRICS ??= "false";
const { unstable_getMiniflareWorkerOptions, unstable_readConfig, unstable_splitSqlQuery } = await import(
  "wrangler"
);

/** What the parts share and nobody else may know. */
export interface Secrets {
  OMISE_SECRET_KEY: string;
  SESSION_SECRET: string;
  FINGERPRINT_KEY: string;
  WEBHOOK_SECRET: string;
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

/** The part of D1 that tests need. */
export interface Database {
  prepare(sql: string): Statement;
  batch(statements: Statement[]): Promise<unknown>;
}

interface Statement {
  bind(...values: unknown[]): Statement;
  all<Row = Record<string, unknown>>(): Promise<{ results: Row[] }>;
  first<Row = Record<string, unknown>>(): Promise<Row | null>;
  run(): Promise<unknown>;
}

/** A rate limit of wrangler.toml. */
interface RateLimit {
  name: string;
  simple: { limit: number; period: 10 | 60 };
}

/** The part of a Worker that the cron calls. */
interface Scheduled {
  scheduled(options: { cron: string }): Promise<{ outcome: string }>;
}

/** A Worker that runs. */
export interface Running {
  /** Bare origin. */
  url: string;
  db(): Promise<Database>;
  /** Runs what the cron would. */
  cron(): Promise<void>;
  /** Runs the cron handler as of a trigger; gives the outcome. */
  scheduled(cron: string): Promise<string>;
  dispose(): Promise<void>;
}

/** What every Worker can be started with. */
export interface RunOptions {
  /** Absent or 0: a free one. */
  port?: number | undefined;
  /** Folder for the database. Absent: in memory. */
  statePath?: string | undefined;
  /** Overrides of the text bindings. */
  bindings?: Bindings | undefined;
  /** Keep the rate limits of wrangler.toml, which otherwise are out of the way. */
  rateLimits?: boolean | undefined;
  /** Rate limits and databases of wrangler.toml to leave out. */
  without?: string[] | undefined;
  /** Folder of migrations in place of the one in wrangler.toml. */
  migrations?: string | undefined;
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
  /** A module of the project's that is loaded in place of entry.js, which it finds beside itself. */
  entry?: string;
}

export interface SandboxOptions extends RunOptions {
  secrets: Pick<Secrets, "OMISE_SECRET_KEY" | "WEBHOOK_SECRET">;
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
  session: Session;
}

export interface Stack {
  workerUrl: string;
  sandboxUrl: string;
  storefrontUrl: string;
  env: Env;
  workerDb(): Promise<Database>;
  workerCron(): Promise<void>;
  sandboxDb(): Promise<Database>;
  dispose(): Promise<void>;
}

/** Starts sandbox, Worker and, if asked, the storefront. If one cannot start, those that did are stopped. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { ports = {}, secrets, log } = options;
  const state = (name: string) => options.statePath && join(options.statePath, name);
  const disposers: (() => Promise<void>)[] = [];
  const dispose = async () => {
    for (const stop of disposers.splice(0).reverse()) await stop();
  };
  try {
    // Worker and storefront have to know each other's address before either is there.
    const [free, free2, free3] = await freePorts();
    const port = {
      worker: ports.worker || free,
      sandbox: ports.sandbox || free2,
      storefront: ports.storefront || free3,
    };
    const workerUrl = `http://${HOST}:${port.worker}`;
    const storefrontUrl = `http://${HOST}:${port.storefront}`;

    const sandbox = await startSandbox({ port: port.sandbox, statePath: state("sandbox"), secrets, log });
    disposers.push(sandbox.dispose);
    const worker = await startWorker({
      port: port.worker,
      statePath: state("worker"),
      omiseUrl: sandbox.url,
      storefrontUrl,
      secrets,
      bindings: options.workerBindings,
      log,
    });
    disposers.push(worker.dispose);

    const session: Session = {
      alg: "HS256",
      secret: secrets.SESSION_SECRET,
      iss: storefrontUrl,
      aud: workerUrl,
    };
    if (options.storefront) {
      const { startStorefront } = await import("../examples/storefront/server.js");
      const storefront = await startStorefront({ port: port.storefront, workerUrl, session });
      disposers.push(async () => storefront.close());
    }
    return {
      workerUrl,
      sandboxUrl: sandbox.url,
      storefrontUrl,
      env: {
        worker_url: workerUrl,
        sandbox_url: sandbox.url,
        storefront_url: storefrontUrl,
        omise_secret_key: secrets.OMISE_SECRET_KEY,
        webhook_secret: secrets.WEBHOOK_SECRET,
        session,
      },
      workerDb: worker.db,
      workerCron: worker.cron,
      sandboxDb: sandbox.db,
      dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Starts the Worker alone, in front of whatever plays Omise. */
export async function startWorker(options: WorkerOptions): Promise<Running> {
  const { omiseUrl, storefrontUrl, secrets } = options;
  const [free] = await freePorts();
  const port = options.port || free;
  return await run("worker", options.fault ? "build-fault" : "build", {
    ...options,
    port,
    bindings: {
      MODE: "test",
      OMISE_API_URL: omiseUrl,
      ALLOWED_ORIGINS: storefrontUrl,
      RETURN_URIS: `${storefrontUrl}/return`,
      REGISTRATION_ORIGINS: omiseUrl,
      SESSION_ISSUER: storefrontUrl,
      SESSION_AUDIENCE: `http://${HOST}:${port}`,
      ACCOUNT_TYPES: "direct_debit_bay,direct_debit_kbank,direct_debit_ktb,direct_debit_scb",
      OMISE_SECRET_KEY: secrets.OMISE_SECRET_KEY,
      SESSION_SECRET: secrets.SESSION_SECRET,
      FINGERPRINT_KEY: secrets.FINGERPRINT_KEY,
      WEBHOOK_SECRET: secrets.WEBHOOK_SECRET,
      ...options.bindings,
    },
  });
}

/** Starts the sandbox alone. */
export async function startSandbox(options: SandboxOptions): Promise<Running> {
  const { OMISE_SECRET_KEY, WEBHOOK_SECRET } = options.secrets;
  return await run("sandbox", "build", {
    ...options,
    bindings: { OMISE_SECRET_KEY, WEBHOOK_SECRET, ...options.bindings },
  });
}

/** Random secrets of the right forms, for tests. */
export function randomSecrets(): Secrets {
  return {
    // 18 hexadecimal digits and one more: Omise's are 19 characters of base 36.
    OMISE_SECRET_KEY: `skey_test_${randomBytes(9).toString("hex")}0`,
    SESSION_SECRET: randomBytes(32).toString("base64url"),
    FINGERPRINT_KEY: randomBytes(32).toString("base64url"),
    WEBHOOK_SECRET: randomBytes(32).toString("base64"),
  };
}

/** Runs a build of the Worker in a folder of the project. */
async function run(
  folder: string,
  out: string,
  options: RunOptions & Pick<WorkerOptions, "entry">,
): Promise<Running> {
  const configPath = join(ROOT, folder, "wrangler.toml");
  const config = unstable_readConfig({ config: configPath });
  const { workerOptions } = unstable_getMiniflareWorkerOptions(config);
  const { log = () => {}, without = [] } = options;
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
      .map(({ name, simple }: RateLimit) => [
        name,
        { simple: options.rateLimits ? simple : { ...simple, limit: NO_LIMIT } },
      ]),
  );
  const databases = Object.entries(workerOptions.d1Databases ?? {}).filter(([name]) => kept(name));
  const mf = new Miniflare({
    ...workerOptions,
    ratelimits,
    d1Databases: Object.fromEntries(databases),
    name: folder,
    bindings,
    modulesRoot: join(ROOT, folder),
    // The entry first, as wrangler.toml names it. It imports from build/, whichever build that is.
    modules: [
      ...(options.entry ? [module("ESModule", basename(options.entry), join("..", options.entry))] : []),
      ...(folder === "worker" ? [module("ESModule", "entry.js"), module("ESModule", "rescue.js")] : []),
      module("ESModule", "build/index.js", `${out}/index.js`),
      module("CompiledWasm", "build/index_bg.wasm", `${out}/index_bg.wasm`),
    ],
    host: HOST,
    port: options.port ?? 0,
    // Would be fetched from the network otherwise.
    cf: false,
    telemetry: { enabled: false },
    log: new LogTo(log),
    logRequests: false,
    handleRuntimeStdio: (stdout: Readable, stderr: Readable) => {
      for (const stream of [stdout, stderr]) createInterface(stream).on("line", log);
    },
    ...(options.statePath && { defaultPersistRoot: options.statePath }),
    ...(options.inspectorPort !== undefined && { inspectorPort: options.inspectorPort }),
  });
  try {
    const url = (await mf.ready).origin;
    for (const { binding, migrations_dir = "migrations" } of config.d1_databases) {
      const migrations = options.migrations ?? join(ROOT, folder, migrations_dir);
      if (kept(binding)) await migrate(await mf.getD1Database(binding), migrations);
    }
    const scheduled = async (cron: string) => {
      // Its declared type is that of a request of the host's own.
      const worker = (await mf.getWorker()) as unknown as Scheduled;
      return (await worker.scheduled({ cron })).outcome;
    };
    const cron = async () => {
      const outcome = await scheduled("*/5 * * * *");
      if (outcome !== "ok") throw new Error(`the cron's outcome is ${outcome}`);
    };
    return { url, db: () => mf.getD1Database("DB"), cron, scheduled, dispose: () => mf.dispose() };
  } catch (error) {
    await mf.dispose();
    throw error;
  }
}

/** Applies what was not applied yet, in the order of the names, with wrangler's own bookkeeping. */
export async function migrate(db: Database, folder: string): Promise<void> {
  await db
    .prepare(
      `CREATE TABLE IF NOT EXISTS d1_migrations(
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT UNIQUE,
        applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
      )`,
    )
    .run();
  const { results } = await db.prepare("SELECT name FROM d1_migrations").all<{ name: string }>();
  const applied = new Set(results.map(({ name }) => name));
  const files = readdirSync(folder).filter((name) => name.endsWith(".sql") && !applied.has(name));
  for (const name of files.sort()) {
    const statements = unstable_splitSqlQuery(readFileSync(join(folder, name), "utf8")).map((sql) =>
      db.prepare(sql),
    );
    const done = db.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name);
    // One transaction: a migration is applied as a whole or not at all.
    await db.batch([...statements, done]).catch((cause: unknown) => {
      throw new Error(`${join(folder, name)} cannot be applied: is the database older than a change to it?`, {
        cause,
      });
    });
  }
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

/** Miniflare's own messages, which it would print. */
class LogTo extends Log {
  readonly #line: (line: string) => void;

  constructor(line: (line: string) => void) {
    super(LogLevel.WARN);
    this.#line = line;
  }

  override log(message: string): void {
    for (const line of message.split("\n")) this.#line(line);
  }
}
