// The objects of many customers, filled and restored at once: objects.js, as the benches reach it.

import { readFileSync } from "node:fs";
import type { RunningWorker } from "../harness/stack.ts";
import { objectName } from "../tests/support/stamp.ts";

/** The module that workerd is to load in place of the Worker's entry.js. */
export const OBJECTS = "benches/objects.js";

const SCHEMA = readFileSync(new URL("../worker/src/customer/schema.sql", import.meta.url), "utf8");
/** Customers a call. */
const PART = 1_000;

/** What statements have cost. */
export interface Seen {
  statements: number;
  rowsRead: number;
  rowsWritten: number;
}

/** Runs a statement in the objects of these customers, each with its values. */
export async function each(
  worker: RunningWorker,
  statement: string,
  customers: [subject: string, ...values: unknown[]][],
): Promise<void> {
  for (let from = 0; from < customers.length; from += PART) {
    const part = customers.slice(from, from + PART);
    const named = part.map(([subject, ...values]) => [objectName(subject), ...values]);
    await worker.auditLog("each").sql(`each customer: ${statement}`, JSON.stringify(named));
  }
}

/** Makes the tables of these customers, who must not have any. */
export async function found(worker: RunningWorker, subjects: string[]): Promise<void> {
  await each(
    worker,
    SCHEMA,
    subjects.map((subject) => [subject]),
  );
  await each(
    worker,
    "INSERT INTO meta VALUES (1, 1, ?, 'seeded', lower(hex(randomblob(16))), 0)",
    subjects.map((subject) => [subject, subject]),
  );
}

/** What all statements have cost since this was last asked. */
export async function seen(worker: RunningWorker): Promise<Seen> {
  const [sum] = await worker.auditLog("each").sql<Seen>("seen");
  if (!sum) throw new Error("statements are not counted");
  return sum;
}

/** The size of a customer's database, in bytes. */
export async function sizeOf(worker: RunningWorker, subject: string): Promise<number> {
  const [size] = await worker.customer(subject).sql<{ bytes: number }>("size");
  return size?.bytes ?? Number.NaN;
}
