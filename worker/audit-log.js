// The audit log of one UTC day: what every customer's object has written into its own audit that day.

import { DurableObject } from "cloudflare:workers";
import { run } from "./rescue.js";

export class AuditLog extends DurableObject {
  /**
   * @param {string} customer
   * @param {string | undefined} subject
   * @param {string} incarnation
   * @param {string} rows
   */
  async append(customer, subject, incarnation, rows) {
    const storage = this.ctx.storage;
    const failure = await run((rust) => rust.auditAppend(storage, customer, subject, incarnation, rows));
    if (failure !== undefined) throw new Error(failure);
  }

  /**
   * @param {number | undefined} before
   * @param {number} limit
   */
  async page(before, limit) {
    const rows = await run((rust) => rust.auditPage(this.ctx.storage, before, limit));
    if (typeof rows === "string") throw new Error(rows);
    return rows;
  }
}
