// The ledgers of all customers, asked as one: for tests that hold all that is stored against what was stored before.

import type { DurableObject, RunningWorker } from "../../harness/stack.ts";

/** A statement on every ledger; `owner` in it stands for the subject whose ledger it is. */
export class Ledgers {
  readonly #worker: Pick<RunningWorker, "customer" | "customers">;

  constructor(worker: Pick<RunningWorker, "customer" | "customers">) {
    this.#worker = worker;
  }

  /** The rows of one customer; none where nothing was ever written. */
  async of<Row = Record<string, unknown>>(
    subject: unknown,
    sql: string,
    ...values: unknown[]
  ): Promise<Row[]> {
    return rowsOf<Row>(this.#worker.customer(String(subject)), sql, values);
  }

  /** The rows of all, in the order in which customers came. */
  async all<Row = Record<string, unknown>>(sql: string, ...values: unknown[]): Promise<Row[]> {
    const objects = await this.#worker.customers();
    const rows = await Promise.all(objects.map((object) => rowsOf<Row>(object, sql, values)));
    return rows.flat();
  }

  /** The first row of all. */
  async first<Row = Record<string, unknown>>(sql: string, ...values: unknown[]): Promise<Row | null> {
    return (await this.all<Row>(sql, ...values))[0] ?? null;
  }

  /** All that is in these tables. */
  async rows(...tables: string[]): Promise<unknown[][]> {
    return Promise.all(tables.map((table) => this.all(`SELECT * FROM ${table}`)));
  }

  /** Runs every customer's alarm, as if the time for all that is to come had come. */
  async alarms(): Promise<void> {
    await this.all("UPDATE attempts SET look_at = 0 WHERE look_at IS NOT NULL");
    await this.all("UPDATE links SET due_at = 0 WHERE due_at IS NOT NULL");
    for (const object of await this.#worker.customers()) await object.runAlarm();
  }
}

async function rowsOf<Row>(object: DurableObject, sql: string, values: unknown[]): Promise<Row[]> {
  const [table] = await object.sql("SELECT name FROM sqlite_master WHERE name = 'meta'");
  const statement = sql.replaceAll(/\bowner\b/g, "(SELECT subject FROM meta)");
  return table ? object.sql<Row>(statement, ...values) : [];
}
