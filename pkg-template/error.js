// What calls reject with.

import reasons from "./reasons.js";

/** The same in every copy of this package that a page may have. */
const BRAND = Symbol.for("omise-linked-accounts.error");

export class LinkedAccountsError extends Error {
  /**
   * @param {string} reason
   * @param {import("./error.d.ts").ErrorDetails} [details]
   */
  constructor(reason, details = {}) {
    const [code, retryable, message] = (Object.hasOwn(reasons, reason) && reasons[reason]) || [];
    super(details.message ?? message, details);
    this.code = details.code ?? code ?? "internal_error";
    this.reason = reason;
    this.status = details.status;
    this.retryable = details.retryable ?? retryable ?? false;
    this.retryAfter = details.retryAfter;
    this.requestId = details.requestId;
    this.issues = details.issues ?? [];
    this.linkedAccount = details.linkedAccount;
    // until there are words in the customer's language
    this.userMessage = this.message;
  }
}

export class InvalidRequestError extends LinkedAccountsError {}

export class NetworkError extends LinkedAccountsError {}

export class LoadError extends LinkedAccountsError {}

// on the prototypes, as built-in errors have it; written out, since bundlers shorten the names of classes
for (const [name, { prototype }] of Object.entries({
  LinkedAccountsError,
  InvalidRequestError,
  NetworkError,
  LoadError,
})) {
  Object.defineProperty(prototype, "name", { value: name, writable: true, configurable: true });
}
Object.defineProperty(LinkedAccountsError.prototype, BRAND, { value: true });

/**
 * @param {unknown} value
 * @returns {value is import("./error.d.ts").LinkedAccountsError}
 */
export function isLinkedAccountsError(value) {
  return value instanceof Error && BRAND in value;
}
