import type { KnownAccountType, KnownIssueCode, KnownReason, KnownStatus } from "./generated.d.ts";

/** A status as Omise names it; new ones may come. */
export type Status = KnownStatus | (string & {});

/** An account type as Omise names it; new ones may come. */
export type AccountType = KnownAccountType | (string & {});

/** Why a call failed, for programs; new ones may come. */
export type Reason = KnownReason | (string & {});

/** What is wrong with a field, for programs; new ones may come. */
export type IssueCode = KnownIssueCode | (string & {});

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

/** One thing that is wrong with the parameters, in the shape a form can show. */
export interface Issue {
  /** The field by its wire name, such as `return_uri` or `metadata.order`. */
  field: string;
  code: IssueCode;
  /** For the customer, in their language; for fields that only the shop fills in, for the shop. */
  message: string;
}

/**
 * A WebAssembly module of this package, in place of the one inside its JavaScript: the address of the file, a `Response` with it, its
 * bytes, or a `WebAssembly.Module`, a name that TypeScript does not know everywhere.
 */
export type WasmSource = string | object;
