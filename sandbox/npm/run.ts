// What a Worker needs around it, wherever it is started from: the settings that every workerd here has, migrations, and the tick.

import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { Log, LogLevel, type Miniflare } from "miniflare";

const HOST = "127.0.0.1";
/** How often the scheduled handler runs, in milliseconds. */
const TICK_MS = 1_000;

/** The part of D1 that is needed to migrate, and by tests. */
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

/** A file of `migrations/`, as single statements. */
export interface Migration {
  name: string;
  statements: string[];
}

/** The part of a Worker that a cron calls. */
interface Scheduled {
  scheduled(options: { cron: string }): Promise<{ outcome: string }>;
}

/** How every Worker runs: on loopback, calling nobody, and saying all that it has to say to `log`. */
export function surroundings(log: (line: string) => void) {
  return {
    host: HOST,
    // Would be fetched from the network otherwise.
    cf: false as const,
    telemetry: { enabled: false },
    log: new LogTo(log),
    logRequests: false,
    handleRuntimeStdio: (stdout: Readable, stderr: Readable) => {
      for (const stream of [stdout, stderr]) createInterface(stream).on("line", log);
    },
  };
}

/**
 * Has a Worker listen for itself. Through Miniflare's own entry answers would come compressed, requests with headers that nobody sent,
 * and some paths would never arrive.
 */
export const DIRECT = { unsafeDirectSockets: [{ host: HOST, port: 0 }] };

/** The origin of a Worker that listens for itself. */
export async function directUrl(mf: Miniflare): Promise<string> {
  return (await mf.unsafeGetDirectURL()).origin;
}

/** Applies what was not applied yet, in the order that they are given in, with wrangler's own bookkeeping. */
export async function migrate(db: Database, migrations: Migration[]): Promise<void> {
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
  for (const { name, statements } of migrations.filter(({ name }) => !applied.has(name))) {
    const done = db.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name);
    // One transaction: a migration is applied as a whole or not at all.
    await db.batch([...statements.map((sql) => db.prepare(sql)), done]).catch((cause: unknown) => {
      throw new Error(`${name} cannot be applied: is the database older than a change to it?`, { cause });
    });
  }
}

/** Runs a Worker's scheduled handler as of a trigger; gives the outcome. */
export async function scheduled(mf: Miniflare, cron: string): Promise<string> {
  // Its declared type is that of a request of the host's own.
  const worker = (await mf.getWorker()) as unknown as Scheduled;
  return (await worker.scheduled({ cron })).outcome;
}

/**
 * Runs the scheduled handler each second, one after the other, until it is told to stop. A handler that fails is said to `log`, for
 * workerd does not; where there is no workerd any more, this rejects.
 */
export async function tick(mf: Miniflare, signal: AbortSignal, log: (line: string) => void): Promise<void> {
  while (!signal.aborted) {
    try {
      await setTimeout(TICK_MS, undefined, { signal });
      const outcome = await scheduled(mf, "* * * * *");
      if (outcome !== "ok") log(`the tick's outcome is ${outcome}`);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
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
