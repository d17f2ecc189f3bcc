// What the Worker is bound to: a D1 database in place of our objects, and the rest as ours. The part of Cloudflare's types that it needs.

export interface D1PreparedStatement {
  bind(...values: unknown[]): D1PreparedStatement;
  first<Row = Record<string, unknown>>(): Promise<Row | null>;
  run(): Promise<unknown>;
}

export interface D1Database {
  prepare(sql: string): D1PreparedStatement;
  batch<Row = Record<string, unknown>>(statements: D1PreparedStatement[]): Promise<{ results: Row[] }[]>;
}

export interface RateLimit {
  limit(options: { key: string }): Promise<{ success: boolean }>;
}

export interface Env {
  OMISE_API_URL: string;
  OMISE_SECRET_KEY: string;
  ALLOWED_ORIGINS: string;
  RETURN_URIS: string;
  REGISTRATION_ORIGINS: string;
  ACCOUNT_TYPES: string;
  SESSION_ISSUER: string;
  SESSION_AUDIENCE: string;
  SESSION_SECRET: string;
  LEDGER_KEY: string;
  CREATES_PER_DAY: string;
  DB: D1Database;
  READS_BY_SUBJECT: RateLimit;
  CREATES_BY_SUBJECT: RateLimit;
  READS_BY_NETWORK: RateLimit;
  CREATES_BY_NETWORK: RateLimit;
}

/** A setting that lists several values. */
export function listed(setting: string): string[] {
  return setting.split(",").map((item) => item.trim());
}
