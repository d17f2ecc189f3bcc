import type { Issue, WasmSource } from "./types.d.ts";

export type { AccountType, Issue, IssueCode, WasmSource } from "./types.d.ts";

/** An account's id, taken apart. */
export interface ParsedId {
  id: string;
  livemode: boolean;
}

/** What one field is worth: `null` where nothing is wrong with it. */
export type Check = Issue | null;

/** The rules of a form. They are the Worker's own, but for what only the shop's settings say. */
export interface Validator {
  /** Everything that is wrong with the parameters of `create`, in field order; empty where nothing is. */
  validateCreate(params: unknown): Issue[];
  /** An account's id, or `null` where the text is none. */
  parseId(text: string): ParsedId | null;
  /** Whether the customer can be sent back to this address, as far as a page can know: the Worker has the shop's list. */
  checkReturnUri(text: string): Check;
  /** Whether it can be a Thai citizen id (13 digits that fit together) or a passport number. */
  checkCitizenId(text: string): Check;
}

/** Options of {@link loadValidator}. */
export interface ValidatorOptions {
  /** The language of messages: `en`, `th`, `ja`, or a tag such as `th-TH`. The page's `lang`, unless given. */
  locale?: string | undefined;
  /** The module of this entry, in place of the one inside its JavaScript: for those who precache or stream the file. */
  wasm?: WasmSource | undefined;
}

/** Loads the rules, once; a load that failed is tried again. */
export function loadValidator(options?: ValidatorOptions): Promise<Validator>;
