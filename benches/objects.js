// This module takes the place of the Worker's entry.js in the benches. It is the same Worker; its objects can be filled by the thousand, and
// count what their statements cost if the binding METERED asks for that.
//
// The tests reach one object at a time, from another process, in 20 ms each (harness/objects.js). Here the audit log's object passes a
// statement on to the objects of many customers, within workerd.
//
// Alarms do nothing of their own accord: they come half a minute after a write, and would meet what is measured then. `runAlarm` does what
// they would.

import { AuditLog as Log, Customer as Of, default as worker } from "./entry.js";
import { reaching } from "./reach.js";

/** How a statement begins that is for the customers in the first of its values, JSON: `[[object's name, ...values], …]`. */
const EACH = "each customer: ";
/** A statement's text that asks for what all others have cost since it was last asked. */
const SEEN = "seen";
/** A statement's text that asks for the size of the database. */
const SIZE = "size";
/** How many objects work at once. */
const AT_ONCE = 32;

/** Cursors of the statements, which count what they cost until the last row was read. @type {{ rowsRead: number, rowsWritten: number }[]} */
let cursors = [];
let isMetered = false;

/** @param {any} storage */
function meter(storage) {
  isMetered = true;
  const statements = Object.getPrototypeOf(storage.sql);
  const { exec } = statements;
  /** @param {unknown[]} values */
  statements.exec = function (...values) {
    const cursor = exec.apply(this, values);
    cursors.push(cursor);
    return cursor;
  };
  const methods = Object.getPrototypeOf(storage);
  const { setAlarm } = methods;
  /** @param {unknown[]} values */
  methods.setAlarm = function (...values) {
    // Cloudflare bills it so
    cursors.push({ rowsRead: 0, rowsWritten: 1 });
    return setAlarm.apply(this, values);
  };
}

function seen() {
  const sum = { statements: cursors.length, rowsRead: 0, rowsWritten: 0 };
  for (const { rowsRead, rowsWritten } of cursors) {
    sum.rowsRead += rowsRead;
    sum.rowsWritten += rowsWritten;
  }
  cursors = [];
  return sum;
}

export class Customer extends Of {
  /**
   * @param {DurableObjectState} ctx
   * @param {Env} env
   */
  constructor(ctx, env) {
    super(ctx, env);
    if ("METERED" in env && !isMetered) meter(ctx.storage);
  }

  /**
   * @param {string} statement
   * @param {unknown[]} values
   */
  sql(statement, ...values) {
    const { sql } = this.ctx.storage;
    return statement === SIZE ? [{ bytes: sql.databaseSize }] : sql.exec(statement, ...values).toArray();
  }

  /** @override */
  async alarm() {}

  runAlarm() {
    return super.alarm();
  }
}

export class AuditLog extends Log {
  /**
   * @param {string} statement
   * @param {unknown[]} values
   */
  sql(statement, ...values) {
    if (statement === SEEN) return [seen()];
    if (statement.startsWith(EACH)) return this.#each(statement.slice(EACH.length), String(values[0]));
    return this.ctx.storage.sql.exec(statement, ...values).toArray();
  }

  /**
   * @param {string} statement
   * @param {string} customers
   */
  async #each(statement, customers) {
    /** @type {[string, ...unknown[]][]} */
    const left = JSON.parse(customers);
    const one = async () => {
      for (let next = left.pop(); next; next = left.pop()) {
        const [name, ...values] = next;
        const id = this.env.CUSTOMER.idFromName(name);
        await this.env.CUSTOMER.get(id).sql(statement, ...values);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one));
    return [];
  }
}

export default { fetch: reaching(worker.fetch) };
