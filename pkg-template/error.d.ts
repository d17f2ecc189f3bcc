import type { Issue, LinkedAccount, Reason } from "./types.d.ts";

/** What every failure of the client is, but for a call that was ended by its `AbortSignal`. */
export class LinkedAccountsError extends Error {
  readonly name: "LinkedAccountsError" | "InvalidRequestError" | "NetworkError" | "LoadError";
  /** The nearest of Omise's codes. */
  readonly code: string;
  /** Why, for programs: a stable word such as `already_pending` or `network_failed`. */
  readonly reason: Reason;
  /** The HTTP status; `undefined` where the Worker did not answer. */
  readonly status: number | undefined;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  /** Seconds to wait before trying again, where the Worker said so. */
  readonly retryAfter: number | undefined;
  /** Names the request in the Worker's log. */
  readonly requestId: string | undefined;
  /** What is wrong with the parameters; empty unless they are the reason. */
  readonly issues: readonly Issue[];
  /** With reason `already_pending`: the account that is waiting, where it is known. */
  readonly linkedAccount: LinkedAccount | undefined;
  /** What to tell the customer, in the client's language. `message` is for developers. */
  readonly userMessage: string;

  /** The client makes them; so may a shop's own tests. */
  constructor(reason: Reason, details?: ErrorDetails);
}

/** What is known of an error beyond what this package itself says of its reason. */
export interface ErrorDetails {
  code?: string | undefined;
  message?: string | undefined;
  status?: number | undefined;
  retryable?: boolean | undefined;
  retryAfter?: number | undefined;
  requestId?: string | undefined;
  issues?: readonly Issue[] | undefined;
  linkedAccount?: LinkedAccount | undefined;
  cause?: unknown;
}

/** The parameters are wrong: see `issues`. By the rules here, before anything was sent, or by the Worker's. */
export class InvalidRequestError extends LinkedAccountsError {
  readonly name: "InvalidRequestError";
}

/** The Worker was not reached, or its answer did not arrive. */
export class NetworkError extends LinkedAccountsError {
  readonly name: "NetworkError";
  readonly reason: "offline" | "network_failed" | "timeout";

  constructor(reason: NetworkError["reason"], details?: ErrorDetails);
}

/** The package could not be loaded; the message says what to do. The next call tries again. */
export class LoadError extends LinkedAccountsError {
  readonly name: "LoadError";
  readonly reason: "load_failed" | "wasm_blocked";

  constructor(reason: LoadError["reason"], details?: ErrorDetails);
}

/** Whether a value is a {@link LinkedAccountsError}, be it of another copy of this package. */
export function isLinkedAccountsError(value: unknown): value is LinkedAccountsError;
