// The Worker as it is shipped, whose objects let the tests look into them.

import { AuditLog as Log, Customer as Of, default as worker } from "./entry.js";
import { reaching } from "./reach.js";

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
      return this.ctx.storage.sql.exec(statement, ...values).toArray();
    }

    runAlarm() {
      return super.alarm?.();
    }

    alarm() {
      // a test may want that nothing happens by itself
      return this.env.ALARMS === "off" ? undefined : super.alarm?.();
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

export default { fetch: reaching(worker.fetch) };
