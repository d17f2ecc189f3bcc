// A Worker that reaches the sandbox through a relay, and what both of them know afterwards.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Relay } from "../../harness/relay.ts";
import { STOREFRONT, sessionOf } from "../../harness/session.ts";
import {
  type Database,
  type Running,
  randomSecrets,
  type Secrets,
  startSandbox,
  startWorker,
} from "../../harness/stack.ts";
import type { Answer } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";
import { deliver, eventOf } from "../support/webhook.ts";

/** The attribute of an account's metadata that names the attempt which made it. */
const STAMP = "linked_accounts_attempt";
/** How long after the deadline an attempt may be in flight, in milliseconds. */
const IN_FLIGHT = 15_000;
/** How long after the deadline an attempt is abandoned that made nothing, in milliseconds. */
const QUIET = 600_000;

/** An account as the sandbox has it. */
export interface Held {
  id: string;
  status: string;
  return_uri: string;
  registration_uri: string;
  metadata: Record<string, string>;
}

/** What the ledger knows of an attempt. */
export interface Attempt {
  id: string;
  state: string;
  open: number;
  link: string | null;
}

export interface RelayedOptions {
  deadlineMs: number;
  /** Folder for the Worker's database. Absent: in memory. */
  statePath?: string;
  /** Called before the Worker is started. */
  beforeWorker?: () => void;
}

export class Relayed {
  readonly secrets: Secrets;
  readonly sandbox: Running;
  readonly relay: Relay;
  readonly lines: string[] = [];
  readonly #options: RelayedOptions;
  #worker: Running | undefined;

  private constructor(secrets: Secrets, sandbox: Running, relay: Relay, options: RelayedOptions) {
    this.secrets = secrets;
    this.sandbox = sandbox;
    this.relay = relay;
    this.#options = options;
  }

  static async start(options: RelayedOptions): Promise<Relayed> {
    const secrets = randomSecrets();
    const sandbox = await startSandbox({ secrets });
    const relayed = new Relayed(secrets, sandbox, await Relay.start(sandbox.url), options);
    await relayed.#startWorker();
    return relayed;
  }

  get worker(): Running {
    assert.ok(this.#worker, "the Worker runs");
    return this.#worker;
  }

  /** Starts the Worker once more after it died, on the same port and with what it has written. */
  async restartWorker(): Promise<void> {
    await this.worker.dispose();
    await this.#startWorker();
  }

  async #startWorker(): Promise<void> {
    const { deadlineMs, statePath, beforeWorker } = this.#options;
    beforeWorker?.();
    this.#worker = await startWorker({
      port: this.#worker && Number(new URL(this.#worker.url).port),
      omiseUrl: this.relay.url,
      storefrontUrl: STOREFRONT,
      secrets: this.secrets,
      statePath,
      bindings: {
        REGISTRATION_ORIGINS: this.sandbox.url,
        UPSTREAM_DEADLINE_MS: String(deadlineMs),
      },
      log: (line) => this.lines.push(line),
    });
  }

  /** Upstream behaves, and nothing of what it was asked is remembered. */
  calm(): void {
    this.relay.fault = () => undefined;
    this.relay.onAnswer = () => {};
    this.relay.exchanges.length = 0;
  }

  async dispose(): Promise<void> {
    await this.#worker?.dispose();
    await this.relay.stop();
    await this.sandbox.dispose();
  }

  customer(claims: Record<string, unknown> = {}): Customer {
    return new Customer(this.worker.url, sessionOf(this.worker, this.secrets), {
      sub: randomUUID(),
      ...claims,
    });
  }

  db(): Promise<Database> {
    return this.worker.db();
  }

  /** Every account that the sandbox holds, oldest first. */
  async held(): Promise<Held[]> {
    const found: Held[] = [];
    for (;;) {
      const page = await this.#ask(`/linked_accounts?limit=100&offset=${found.length}`);
      found.push(...page);
      if (page.length < 100) return found;
    }
  }

  /** The accounts of the sandbox that an owner's attempts made. */
  async heldFor(owner: Customer): Promise<Held[]> {
    const attempts = await this.attempts(owner);
    const found = attempts.map(async ({ id }) =>
      (await this.#ask(`/linked_accounts/search?query=${id}`)).filter(
        ({ metadata }) => metadata[STAMP] === id,
      ),
    );
    return (await Promise.all(found)).flat();
  }

  async #ask(path: string): Promise<Held[]> {
    const key = Buffer.from(`${this.secrets.OMISE_SECRET_KEY}:`).toString("base64");
    const headers = { Authorization: `Basic ${key}`, Connection: "close" };
    const response = await fetch(this.sandbox.url + path, { headers });
    assert.equal(response.status, 200);
    return ((await response.json()) as { data: Held[] }).data;
  }

  /** An owner's attempts, oldest first. */
  async attempts(owner: Customer): Promise<Attempt[]> {
    const sql = "SELECT id, state, open, link FROM attempts WHERE owner = ? ORDER BY created_at, rowid";
    return (await (await this.db()).prepare(sql).bind(owner.claims.sub).all<Attempt>()).results;
  }

  /** Makes an owner's attempts so old that none is in flight any more. */
  async pastInFlight(owner: Customer): Promise<void> {
    await this.#age(owner, this.#options.deadlineMs + IN_FLIGHT + 1_000);
  }

  /** Makes an owner's attempts so old that those which made nothing are over. */
  async pastQuiet(owner: Customer): Promise<void> {
    await this.#age(owner, this.#options.deadlineMs + QUIET + 1_000);
  }

  /** Makes an owner's attempts older, and the accounts that they made. */
  async #age(owner: Customer, ms: number): Promise<void> {
    const held = await this.heldFor(owner);
    const update = "UPDATE attempts SET created_at = created_at - ? WHERE owner = ?";
    await (await this.db()).prepare(update).bind(ms, owner.claims.sub).run();
    const sandbox = await this.sandbox.db();
    const made = `UPDATE accounts SET created_at = strftime('%Y-%m-%dT%H:%M:%SZ', created_at, ?)
                  WHERE id IN (SELECT value FROM json_each(?))`;
    const ids = JSON.stringify(held.map(({ id }) => id));
    await sandbox
      .prepare(made)
      .bind(`-${Math.ceil(ms / 1_000)} seconds`, ids)
      .run();
  }

  /** Whom the ledger says that an account belongs to, its status and whether it was confirmed. */
  async link(id: string): Promise<{ owner: string; status: string; confirmed: number } | null> {
    const sql = "SELECT owner, status, confirmed_at IS NOT NULL AS confirmed FROM links WHERE id = ?";
    return await (await this.db()).prepare(sql).bind(id).first();
  }

  /** How often the audit says that something was done to an account. */
  async audited(action: string, id: string): Promise<number> {
    const sql = "SELECT count(*) AS n FROM audit WHERE action = ? AND link = ?";
    const row = await (await this.db()).prepare(sql).bind(action, id).first<{ n: number }>();
    return row?.n ?? 0;
  }

  async isSeen(event: string): Promise<boolean> {
    const row = await (await this.db()).prepare("SELECT 1 FROM events WHERE id = ?").bind(event).first();
    return row !== null;
  }

  /** Delivers a signed event that an account's registration is complete. */
  async deliver(event: string, account: string): Promise<Answer> {
    const body = JSON.stringify(eventOf({ object: "linked_account", id: account }, { id: event }));
    return deliver(this.worker.url, this.secrets.WEBHOOK_SECRET, body);
  }
}

/** The stamps of accounts, each of which names the one attempt that made it. */
export function stamps(held: Held[]): string[] {
  return held.map(({ metadata }) => metadata[STAMP] ?? "");
}

/** What the Worker cannot do with its database: anything, or one kind of write. */
export type Breakage = "all" | `${"INSERT" | "UPDATE" | "DELETE"} ON ${Table}`;
type Table = (typeof TABLES)[number];
const TABLES = ["attempts", "links", "events", "audit"] as const;

const AWAY = "_away";
const BROKEN = "broken";

/** Breaks the database: its tables are renamed, or a trigger refuses. */
export async function breakDatabase(db: Database, what: Breakage): Promise<void> {
  const statements =
    what === "all"
      ? TABLES.map((table) => `ALTER TABLE ${table} RENAME TO ${table}${AWAY}`)
      : [`CREATE TRIGGER ${BROKEN} BEFORE ${what} BEGIN SELECT raise(ABORT, 'broken'); END`];
  await db.batch(statements.map((sql) => db.prepare(sql)));
}

/** Makes it whole again, however it was broken. */
export async function repairDatabase(db: Database): Promise<void> {
  const tables = await db
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE ?")
    .bind(`%${AWAY}`)
    .all<{ name: string }>();
  const back = tables.results.map(
    ({ name }) => `ALTER TABLE ${name} RENAME TO ${name.slice(0, -AWAY.length)}`,
  );
  const statements = [`DROP TRIGGER IF EXISTS ${BROKEN}`, ...back];
  await db.batch(statements.map((sql) => db.prepare(sql)));
}
