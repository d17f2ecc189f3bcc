// The Worker as it is shipped, whose objects let the tests look into them.

import { AuditLog as Log, Customer as Of, default as worker } from "./entry.js";

/**
 * What came of work: Miniflare hands over no error.
 * @param {() => unknown} work
 */
async function attempt(work) {
  try {
    return { done: await work() };
  } catch (error) {
    return { failed: String(error) };
  }
}

/** The objects of customers that were there since the isolate began. @type {Set<string>} */
const customers = new Set();

/**
 * @template {new (...args: any[]) => import("cloudflare:workers").DurableObject} Class
 * @param {Class} Class
 */
const open = (Class) =>
  class extends Class {
    /**
     * @param {string} statement
     * @param {unknown[]} values
     */
    sql(statement, ...values) {
      return attempt(() => this.ctx.storage.sql.exec(statement, ...values).toArray());
    }

    runAlarm() {
      return attempt(() => this.alarm?.());
    }

    alarmAt() {
      return this.ctx.storage.getAlarm();
    }

    reset() {
      this.ctx.abort("reset by a test");
    }
  };

export class Customer extends open(Of) {
  /**
   * @param {DurableObjectState} ctx
   * @param {Env} env
   */
  constructor(ctx, env) {
    super(ctx, env);
    customers.add(ctx.id.toString());
  }
}
export class AuditLog extends open(Log) {
  /** Every customer's object, by its id. */
  customers() {
    return [...customers];
  }
}
export default worker;
