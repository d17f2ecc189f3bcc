import type { LinkedAccountsError } from "./error.d.ts";
import type { AccountType, Issue, LinkedAccount, Status, WasmSource } from "./types.d.ts";
import type { Validator, ValidatorOptions } from "./validate.d.ts";

export * from "./error.js";
export type * from "./types.d.ts";
export type { Check, ParsedId, Validator, ValidatorOptions } from "./validate.d.ts";

/** Options of {@link createClient}. */
export interface ClientOptions {
  /** The address of the shop's Worker, such as `https://links.shop.example`. */
  endpoint: string;
  /**
   * Gives the session token that the shop's backend mints for its signed-in customer. Called for every request but that of
   * `banks`, and once more where the Worker does not take the token: it may have expired on the way.
   */
  getToken: () => string | Promise<string>;
  /** In place of the global `fetch`. It is given a `Request`. */
  fetch?: ((request: Request) => Promise<Response>) | undefined;
  /** The language of messages for customers: `en`, `th`, `ja`, or a tag such as `th-TH`. The page's `lang`, unless given. */
  locale?: string | undefined;
  /** Told what happens, for analytics. What it is told holds no address, id of a customer, identity number or token. */
  onEvent?: ((event: ClientEvent) => void) | undefined;
  /** The client's module, in place of the one inside its JavaScript: for those who precache or stream the file. */
  wasm?: WasmSource | undefined;
}

/** What every call takes. */
export interface CallOptions {
  /** Ends the call: it rejects with the signal's reason. What was sent is not undone. */
  signal?: AbortSignal | undefined;
}

/** What to link. */
export interface CreateParams {
  /** Which bank. */
  type: AccountType;
  /** Where the customer comes back to; the Worker's list must have it. */
  returnUri: string;
  /** The account holder's citizen id or passport number, where the bank wants it. */
  citizenId?: string | null | undefined;
  /** Strings, numbers and booleans to keep with the account; they cannot be changed later. */
  metadata?: Record<string, string | number | boolean> | null | undefined;
  /** Create another account although one of this type is waiting for the bank. */
  replacePending?: boolean | null | undefined;
}

/** Options of {@link Client.create} and {@link Client.start}. */
export interface CreateOptions extends CallOptions {
  /**
   * Makes a repeated call the same call: 1 to 255 visible ASCII characters. Without one the client makes one, and keeps it for
   * calls with the same parameters until it knows what came of them.
   */
  idempotencyKey?: string | undefined;
}

/** A bank where an account can be linked. */
export interface Bank {
  object: "bank";
  type: AccountType;
  /** Such as `KBANK`. */
  short_code: string;
  names: Words;
  /** What else to do when unlinking. */
  note: Words | null;
}

/** A text in each language. */
export interface Words {
  en: string;
  th: string;
  ja: string;
}

/** Which accounts to list. Times are UTC, `YYYY-MM-DDThh:mm:ssZ`. */
export interface ListParams {
  /** 20 unless given, at most 100. */
  limit?: number | undefined;
  offset?: number | undefined;
  order?: "chronological" | "reverse_chronological" | undefined;
  from?: string | undefined;
  to?: string | undefined;
  status?: Status | undefined;
  type?: AccountType | undefined;
}

/** A part of a list. */
export interface List {
  object: "list";
  data: LinkedAccount[];
  limit: number;
  offset: number;
  /** How many there are in all. */
  total: number;
  location: string | null;
  order: string | null;
  from: string;
  to: string;
}

/** What to search for. */
export interface SearchParams {
  /** Found within ids, last digits and metadata values. */
  query?: string | undefined;
  status?: Status | undefined;
  type?: AccountType | undefined;
  /** A day, or two with `..` between them: `2026-01-01..2026-01-31`. */
  created?: string | undefined;
  order?: "chronological" | "reverse_chronological" | undefined;
  page?: number | undefined;
  /** 30 unless given, at most 100. */
  perPage?: number | undefined;
}

/** A page of what was found. */
export interface Search {
  object: "search";
  data: LinkedAccount[];
  page: number;
  per_page: number;
  total: number;
  total_pages: number;
  filters: Record<string, string>;
  location: string | null;
  order: string | null;
  query: string;
  scope: string;
}

/** How linking ended; `pending` where the bank has not answered yet. */
export type Outcome =
  | { result: "linked"; account: LinkedAccount & { status: "successful" } }
  | {
      result: "failed";
      account: LinkedAccount;
      /** What to tell the customer, in the client's language. */
      userMessage: string;
    }
  | { result: "expired" | "deleted" | "pending"; account: LinkedAccount };

/** What happened. `ms` is how long it took. */
export type ClientEvent =
  /** An account was created, or the one that the same call had created before was found (`replayed`). */
  | { type: "created"; accountType: AccountType; replayed: boolean; ms: number }
  /** The customer is sent to the bank. */
  | { type: "redirect"; accountType: AccountType }
  /** The customer came back from the bank. */
  | { type: "returned" }
  /** It is known how linking ended, or that the bank has not answered yet. */
  | {
      type: "outcome";
      accountType: AccountType;
      result: Outcome["result"];
      failureCode: string | null;
      ms: number;
    }
  /** An account was unlinked. */
  | { type: "deleted"; accountType: AccountType }
  /** A call failed. */
  | {
      type: "error";
      call: string;
      reason: string;
      status: number | undefined;
      requestId: string | undefined;
    };

/** Links bank accounts for one signed-in customer. Methods reject with a {@link LinkedAccountsError}. */
export interface Client {
  /** The banks where the shop can link an account. */
  banks(options?: CallOptions): Promise<Bank[]>;
  /** Creates an account; then send the customer to its `registration_uri`. Calls at once with the same parameters are one. */
  create(params: CreateParams, options?: CreateOptions): Promise<LinkedAccount>;
  /**
   * Creates an account and sends the customer to the bank. Where one of this type is waiting for the bank already, the customer is
   * sent to that one. The promise resolves as the page is about to be left; at once where the account is linked already. Where
   * there is no page, it rejects with a `TypeError`.
   */
  start(params: CreateParams, options?: CreateOptions): Promise<LinkedAccount>;
  /**
   * On the return page: confirms the account that this return belongs to and waits for the bank's answer, for half a minute at
   * most; `null` where there is nothing to resume. Reloading the page gives the same answer.
   */
  resume(options?: CallOptions): Promise<Outcome | null>;
  /**
   * Waits until an account is not pending any more, be it for a day. While nobody looks at the page nothing is asked; a network that is
   * away is waited for.
   */
  waitFor(id: string, options?: CallOptions): Promise<Outcome>;
  /** Reads an account. */
  retrieve(id: string, options?: CallOptions): Promise<LinkedAccount>;
  /** A part of the customer's accounts, oldest first unless asked otherwise. */
  list(params?: ListParams, options?: CallOptions): Promise<List>;
  /** Searches the customer's accounts. */
  search(params?: SearchParams, options?: CallOptions): Promise<Search>;
  /** Unlinks an account; again: the same answer. */
  delete(id: string, options?: CallOptions): Promise<LinkedAccount>;
}

/** Makes a client. Nothing is loaded or sent until a method is called. */
export function createClient(options: ClientOptions): Client;

/** The rules of a form, from the module that the client uses too. See `omise-linked-accounts/validate` for the rules alone. */
export function loadValidator(options?: ValidatorOptions): Promise<Validator>;

export type { Issue };
