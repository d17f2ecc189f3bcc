// A Worker that reaches the sandbox through a relay, and what both of them know afterwards.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { Relay } from "../../harness/relay.ts";
import { STOREFRONT, sessionOf } from "../../harness/session.ts";
import {
  type DurableObject,
  type RunningSandbox,
  type RunningWorker,
  randomSecrets,
  type Secrets,
  startSandbox,
  startWorker,
  workerds,
} from "../../harness/stack.ts";
import type { Answer } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";
import { objectName, openStamp, STAMP, type Stamp } from "../support/stamp.ts";
import { until } from "../support/until.ts";
import { deliver, eventOf } from "../support/webhook.ts";

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
  current: number;
  link: string | null;
}

export interface RelayedOptions {
  deadlineMs: number;
  /** Folder for the Worker's objects. Absent: in memory. */
  statePath?: string;
}

export class Relayed {
  readonly secrets: Secrets;
  readonly sandbox: RunningSandbox;
  readonly relay: Relay;
  readonly lines: string[] = [];
  readonly #options: RelayedOptions;
  #worker: RunningWorker | undefined;
  /** The process that runs the Worker. */
  #pid = 0;
  /** Every customer, the newest last. */
  readonly #customers: Customer[] = [];

  private constructor(secrets: Secrets, sandbox: RunningSandbox, relay: Relay, options: RelayedOptions) {
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

  get worker(): RunningWorker {
    assert.ok(this.#worker, "the Worker runs");
    return this.#worker;
  }

  /** Starts the Worker once more after it died, on the same port and with what it has written. */
  async restartWorker(): Promise<void> {
    await this.worker.dispose();
    await this.#startWorker();
  }

  async #startWorker(): Promise<void> {
    const { deadlineMs, statePath } = this.#options;
    const others = workerds();
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
    const [pid, ...more] = workerds().filter((each) => !others.includes(each));
    assert.ok(pid && more.length === 0, "the Worker is one process");
    this.#pid = pid;
  }

  /** Kills the Worker, and sees it dead: nothing that it was about to write is written. */
  async kill(): Promise<void> {
    process.kill(this.#pid, "SIGKILL");
    // it is listed no more once Node has buried it
    await until(async () => !workerds().includes(this.#pid));
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
    const customer = new Customer(this.worker.url, sessionOf(this.worker, this.secrets), {
      sub: randomUUID(),
      ...claims,
    });
    this.#customers.push(customer);
    return customer;
  }

  /** A customer's object. */
  object(of: Customer): DurableObject {
    return this.worker.customer(String(of.claims.sub));
  }

  /** Runs a customer's alarm, as if the time for all that is to come had come. */
  async alarm(of: Customer): Promise<void> {
    const object = this.object(of);
    await object.sql("UPDATE attempts SET look_at = 0 WHERE look_at IS NOT NULL");
    await object.sql("UPDATE links SET due_at = 0 WHERE due_at IS NOT NULL");
    await object.runAlarm();
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

  /** The accounts of the sandbox that an owner's attempts made, oldest first. */
  async heldFor(owner: Customer): Promise<Held[]> {
    const name = objectName(String(owner.claims.sub));
    return (await this.held()).filter((account) => this.stamp(account)?.object === name);
  }

  /** What the stamp of an account says. */
  stamp({ metadata }: Held): Stamp | null {
    return openStamp(this.secrets.LEDGER_KEY, metadata[STAMP] ?? "");
  }

  async #ask(path: string): Promise<Held[]> {
    const key = Buffer.from(`${this.secrets.OMISE_SECRET_KEY}:`).toString("base64");
    const headers = { Authorization: `Basic ${key}`, Connection: "close" };
    const response = await fetch(this.sandbox.url + path, { headers });
    assert.equal(response.status, 200);
    return ((await response.json()) as { data: Held[] }).data;
  }

  /** The audit of these customers' objects, and what the audit log has of all customers: an entry a line, sorted. */
  async audits(owners: Customer[]): Promise<{ written: string[]; delivered: string[] }> {
    const columns = "seq, at, request_id, actor, action, link, outcome";
    const own = `SELECT pseudonym AS customer, subject, incarnation, ${columns} FROM audit, meta`;
    const logged = `SELECT customer, subject, incarnation, ${columns} FROM entries WHERE customer <> ''`;
    const rows = (await Promise.all(owners.map((owner) => this.#rows<{ at: number }>(owner, own)))).flat();
    const days = new Set(rows.map(({ at }) => new Date(at).toISOString().slice(0, 10)));
    const logs = await Promise.all([...days].map((day) => this.worker.auditLog(day).sql(logged)));
    const lines = (rows: unknown[]) => rows.map((row) => JSON.stringify(row)).sort();
    return { written: lines(rows), delivered: lines(logs.flat()) };
  }

  /** An owner's attempts, oldest first. */
  attempts(owner: Customer): Promise<Attempt[]> {
    const sql = "SELECT id, state, current, link FROM attempts ORDER BY created_at, rowid";
    return this.object(owner).sql<Attempt>(sql);
  }

  /** Makes an owner's attempts so old that those which made nothing are over. */
  async pastQuiet(owner: Customer): Promise<void> {
    await this.age(owner, this.#options.deadlineMs + QUIET + 1_000);
  }

  /** Makes an owner's attempts older, and the accounts that they made. */
  async age(owner: Customer, ms: number): Promise<void> {
    const held = await this.heldFor(owner);
    await this.object(owner).sql("UPDATE attempts SET created_at = created_at - ?", ms);
    const sandbox = await this.sandbox.db();
    const made = `UPDATE accounts SET created_at = strftime('%Y-%m-%dT%H:%M:%SZ', created_at, ?)
                  WHERE id IN (SELECT value FROM json_each(?))`;
    const ids = JSON.stringify(held.map(({ id }) => id));
    await sandbox
      .prepare(made)
      .bind(`-${Math.ceil(ms / 1_000)} seconds`, ids)
      .run();
  }

  /** Whose object has a link of this account, its status and whether it was confirmed. */
  async link(
    id: string,
    owners = this.#customers.toReversed(),
  ): Promise<{ owner: string; status: string; confirmed: number } | null> {
    const sql = "SELECT status, confirmed_at IS NOT NULL AS confirmed FROM links WHERE id = ?";
    for (const owner of owners) {
      const [row] = await this.#rows<{ status: string; confirmed: number }>(owner, sql, id);
      if (row) return { owner: String(owner.claims.sub), ...row };
    }
    return null;
  }

  /** How often the audit of its owner says that something was done to an account, with another outcome than that it began. */
  async audited(action: string, id: string): Promise<number> {
    const { owner } = (await this.link(id)) ?? {};
    if (owner === undefined) return 0;
    const sql = "SELECT 1 FROM audit WHERE action = ? AND link = ? AND outcome <> 'begun'";
    return (await this.worker.customer(owner).sql(sql, action, id)).length;
  }

  /** Whether a customer's object has dealt with an event. */
  async isSeen(event: string, owner: Customer): Promise<boolean> {
    return (await this.#rows(owner, "SELECT 1 FROM events WHERE id = ?", event)).length > 0;
  }

  /** Rows of a customer's object; none where it was never written to. */
  async #rows<Row>(owner: Customer, sql: string, ...values: unknown[]): Promise<Row[]> {
    const object = this.object(owner);
    const [table] = await object.sql("SELECT name FROM sqlite_master WHERE name = 'links'");
    return table ? await object.sql<Row>(sql, ...values) : [];
  }

  /** Delivers a signed event that an account's registration is complete, which shows the account as the sandbox has it. */
  async deliver(event: string, account: string): Promise<Answer> {
    const [data] = (await this.held()).filter(({ id }) => id === account);
    const body = JSON.stringify(eventOf({ object: "linked_account", id: account, ...data }, { id: event }));
    return deliver(this.worker.url, this.secrets.WEBHOOK_SECRET, body);
  }
}

/** What an object cannot do with its database: anything, or one kind of write. */
export type Breakage = "all" | `${"INSERT" | "UPDATE" | "DELETE"} ON ${Table}`;
type Table = (typeof TABLES)[number];
const TABLES = ["attempts", "links", "events", "audit"] as const;

const AWAY = "_away";
const BROKEN = "broken";

/** Breaks an object's database: its tables are renamed, or a trigger refuses. */
export async function breakDatabase(object: DurableObject, what: Breakage): Promise<void> {
  if (what !== "all") {
    await object.sql(`CREATE TRIGGER ${BROKEN} BEFORE ${what} BEGIN SELECT raise(ABORT, 'broken'); END`);
    return;
  }
  for (const table of TABLES) await object.sql(`ALTER TABLE ${table} RENAME TO ${table}${AWAY}`);
}

/** Makes it whole again, however it was broken. */
export async function repairDatabase(object: DurableObject): Promise<void> {
  await object.sql(`DROP TRIGGER IF EXISTS ${BROKEN}`);
  const away = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE ?";
  for (const { name } of await object.sql<{ name: string }>(away, `%${AWAY}`))
    await object.sql(`ALTER TABLE ${name} RENAME TO ${name.slice(0, -AWAY.length)}`);
}
