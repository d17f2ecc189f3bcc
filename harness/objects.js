// The Worker as it is shipped, whose objects let the tests look into them.

import { AuditLog as Log, Customer as Of, default as worker } from "./entry.js";

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

/** Where tests reach into objects. A Worker's module exports nothing but handlers: harness/stack.ts says it too. */
const REACH = "http://objects.invalid/";

/**
 * @typedef {object} Reach
 * @property {"CUSTOMER" | "AUDIT_LOG"} binding
 * @property {string} [name]
 * @property {string} [id]
 * @property {string} method
 * @property {unknown[]} values
 */

/**
 * Calls a method of an object: what came of it.
 * @param {Reach} reach
 * @param {Env} env
 */
async function reach({ binding, name = "", id, method, values }, env) {
  const namespace = env[binding];
  const stub = namespace.get(id === undefined ? namespace.idFromName(name) : namespace.idFromString(id));
  try {
    // @ts-expect-error: the methods above
    return { done: (await stub[method](...values)) ?? null };
  } catch (error) {
    return { failed: String(error) };
  }
}

export default {
  /**
   * @param {Request} request
   * @param {Env} env
   * @param {ExecutionContext} ctx
   */
  async fetch(request, env, ctx) {
    if (!request.url.startsWith(REACH)) return worker.fetch(request, env, ctx);
    return Response.json(await reach(await request.json(), env));
  },
};
