// What the Worker's JavaScript uses of the runtime: far less than Cloudflare's own types, which replace those of the browser.

/** What wrangler.toml binds, and its text settings. */
interface Env {
  ALLOWED_ORIGINS?: string;
  CUSTOMER: DurableObjectNamespace<import("./customer.js").Customer>;
  AUDIT_LOG: DurableObjectNamespace<import("./audit-log.js").AuditLog>;
}

interface ExecutionContext {
  waitUntil(promise: Promise<unknown>): void;
}

interface DurableObjectId {
  toString(): string;
}

interface DurableObjectNamespace<Class> {
  idFromName(name: string): DurableObjectId;
  idFromString(id: string): DurableObjectId;
  get(id: DurableObjectId, options?: { locationHint?: string }): Class;
}

interface DurableObjectStorage {
  sql: { exec(statement: string, ...values: unknown[]): { toArray(): Record<string, unknown>[] } };
  transactionSync<Done>(work: () => Done): Done;
  setAlarm(at: number): Promise<void>;
  getAlarm(): Promise<number | null>;
}

interface DurableObjectState {
  id: DurableObjectId;
  storage: DurableObjectStorage;
  abort(reason?: string): void;
}

declare module "cloudflare:workers" {
  export class DurableObject {
    protected ctx: DurableObjectState;
    protected env: Env;
    constructor(ctx: DurableObjectState, env: Env);
    alarm?(): void | Promise<void>;
  }
}
