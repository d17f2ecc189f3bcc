/**
 * What every failure of the client is.
 *
 * Built from the plain object that the WASM rejects with, whose properties it takes over.
 */
export class LinkedAccountsError extends Error {
  /** @param {import("./index.d.ts").LinkedAccountsErrorFields} fields */
  constructor({
    message,
    cause,
    code,
    reason,
    status,
    retryable,
    retryAfter,
    requestId,
    issues,
    linkedAccount,
  }) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.reason = reason;
    this.status = status;
    this.retryable = retryable === true;
    // seconds; a date, which the Worker never sends, is left out
    this.retryAfter = /^\d+$/.test(retryAfter ?? "") ? Number(retryAfter) : undefined;
    this.requestId = requestId;
    this.issues = issues ?? [];
    this.linkedAccount = linkedAccount;
  }
}

// on the prototype, as built-in errors have it
Object.defineProperty(LinkedAccountsError.prototype, "name", {
  value: "LinkedAccountsError",
  writable: true,
  configurable: true,
});
