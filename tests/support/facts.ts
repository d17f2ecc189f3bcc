// Reads the facts that each crate's test `facts` writes: what the compiled code says, so that no spec reads Rust as text.

import { readFileSync } from "node:fs";

interface Reason {
  name: string;
  /** `null` for a reason of the browser's. */
  status: number | null;
  /** One of Omise's error codes. */
  code: string;
  retryable: boolean;
  /** For developers, in English. */
  message: string;
  /** For customers. */
  texts: Record<"en" | "th" | "ja", string>;
}

interface Facts {
  core: {
    /** The version of the workspace. */
    version: string;
    /** In the order of declaration. */
    reasons: Reason[];
    /** Omise's, in alphabetical order. */
    error_codes: string[];
    /** In the order of declaration. */
    issue_codes: string[];
    /** The query parameters that each operation takes, in alphabetical order. */
    parameters: Record<"list" | "search" | "audit", string[]>;
    /** The most of each that is accepted. */
    limits: Record<
      | "body_bytes"
      | "metadata_characters"
      | "return_uri_bytes"
      | "id_bytes"
      | "issues"
      | "list_limit"
      | "list_offset"
      | "search_page"
      | "search_per_page"
      | "search_query_characters",
      number
    >;
  };
  worker: {
    /** Paths as OpenAPI writes them, each with the methods that it takes, in alphabetical order. */
    routes: { path: string; methods: string[] }[];
    /** In alphabetical order. The Worker needs one of `SESSION_SECRET` and `SESSION_JWKS`; neither is marked optional. */
    settings: { name: string; optional: boolean }[];
    /** SQL of the ledger. */
    tables: Record<
      "customer" | "audit_log",
      { schema: string; statements: { name: string; text: string }[] }
    >;
    /** What an `Idempotency-Key` may be. */
    idempotency_key: { min_length: number; max_length: number; characters: string };
    /**
     * The answer with reason `internal` to a page of `https://shop.example`, without `Server-Timing`, `X-Request-Id` and
     * `request_id`. Names of headers are in lower case.
     */
    internal: { status: number; headers: Record<string, string>; body: Record<string, unknown> };
  };
  sandbox: {
    /** SQL of lists, searches and expiry. */
    statements: string[];
  };
}

const COMMAND =
  "cargo test -p omise-linked-accounts -p omise-linked-accounts-worker -p omise-linked-accounts-sandbox -- facts";

/** The facts of a crate. */
export function facts<Crate extends keyof Facts>(crate: Crate): Facts[Crate] {
  const file = new URL(`../../target/facts/${crate}.json`, import.meta.url);
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new Error(`target/facts/${crate}.json cannot be read; \`${COMMAND}\` writes it`, { cause });
  }
}
