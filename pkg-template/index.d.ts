/** A status as Omise names it; new ones may come. */
export type Status = "pending" | "successful" | "failed" | "expired" | "deleted" | (string & {});

/** An account type as Omise names it; new ones may come. */
export type AccountType =
  | "direct_debit_bay"
  | "direct_debit_bbl"
  | "direct_debit_kbank"
  | "direct_debit_ktb"
  | "direct_debit_scb"
  | (string & {});

/** A customer's bank account, linked or being linked: Omise's object, and `confirmed_at`. */
export interface LinkedAccount {
  object: "linked_account";
  /** Such as `lnac_test_5zylnmmt2kl9chq3ip1`. */
  id: string;
  livemode: boolean;
  location: string | null;
  /** Where the customer registers the account at the bank. */
  registration_uri: string | null;
  /** Where the customer comes back to, as the page asked for it. */
  return_uri: string | null;
  type: AccountType;
  status: Status;
  /** The last four digits of the account number, once registered. */
  last_digits: string | null;
  metadata: Record<string, unknown>;
  failure_code: string | null;
  failure_message: string | null;
  /** UTC, `YYYY-MM-DDThh:mm:ssZ`, as are the times below. */
  registered_at: string | null;
  expires_at: string | null;
  created_at: string;
  /** When its owner came back from the bank, signed in. Charge confirmed accounts only. */
  confirmed_at: string | null;
}

/** Options of {@link createClient}. */
export interface ClientOptions {
  /** The address of the shop's Worker, such as `https://links.shop.example`. */
  endpoint: string;
  /** Gives the session token that the shop's backend mints for its signed-in customer; called for every request. */
  getToken: () => string | Promise<string>;
}

/** What to link. */
export interface CreateParams {
  /** Which bank. */
  type: AccountType;
  /** Where the customer comes back to; the Worker's list must have it. */
  returnUri: string;
  /** The account holder's citizen id or passport number, where the bank wants it. */
  citizenId?: string | null;
  /** Strings, numbers and booleans to keep with the account; they cannot be changed later. */
  metadata?: Record<string, string | number | boolean> | null;
  /** Create another account although one of this type is waiting for the bank. */
  replacePending?: boolean | null;
  /** Makes a repeated call the same call: 1 to 255 visible ASCII characters. A random one by default. */
  idempotencyKey?: string;
}

/** How linking ended; `pending` where the bank has not answered in half a minute. */
export interface Outcome {
  result: "linked" | "failed" | "expired" | "deleted" | "pending";
  account: LinkedAccount;
}

/** One thing that is wrong with the parameters, in the shape a form can show. */
export interface Issue {
  /** The field by its wire name, such as `return_uri` or `metadata.order`. */
  field: string;
  code:
    | "required"
    | "wrong_type"
    | "unknown_field"
    | "duplicate"
    | "invalid"
    | "too_long"
    | "not_supported"
    | "not_allowed"
    | "reserved"
    | (string & {});
  message: string;
}

/** Links bank accounts for one signed-in customer. Methods reject with a {@link LinkedAccountsError}. */
export interface Client {
  /** Creates an account; then send the customer to its `registration_uri`. */
  create(params: CreateParams): Promise<LinkedAccount>;
  /** Creates an account and sends the customer to the bank. */
  start(params: CreateParams): Promise<LinkedAccount>;
  /** On the return page: confirms the account that this return belongs to and waits for the bank's answer; `null` where
   * there is nothing to resume. Reloading the page gives the same answer. */
  resume(): Promise<Outcome | null>;
  /** Reads an account. */
  retrieve(id: string): Promise<LinkedAccount>;
  /** Unlinks an account; again: the same answer. */
  delete(id: string): Promise<LinkedAccount>;
}

/** Makes a client. Nothing is loaded or sent until a method is called. */
export function createClient(options: ClientOptions): Client;

/** Properties of a {@link LinkedAccountsError}. */
export interface LinkedAccountsErrorFields {
  message: string;
  /** The nearest of Omise's codes. */
  code: string;
  /** Why, for programs: a stable word such as `already_pending` or `network_failed`. */
  reason: string;
  /** The HTTP status; `undefined` where the Worker did not answer. */
  status?: number | undefined;
  /** Whether the same call may succeed later. */
  retryable?: boolean | undefined;
  /** Seconds, as the Worker sent them. */
  retryAfter?: string | undefined;
  requestId?: string | undefined;
  issues?: Issue[] | undefined;
  linkedAccount?: LinkedAccount | undefined;
  cause?: unknown;
}

/** What every failure of the client is. */
export class LinkedAccountsError extends Error {
  constructor(fields: LinkedAccountsErrorFields);
  readonly name: "LinkedAccountsError";
  /** The nearest of Omise's codes. */
  readonly code: string;
  /** Why, for programs: a stable word such as `already_pending` or `network_failed`. */
  readonly reason: string;
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
}
