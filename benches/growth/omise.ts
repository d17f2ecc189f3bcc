// Omise at its quickest: an HTTP server in this process that knows every account by its id, and answers at once.

import type { IncomingMessage, ServerResponse } from "node:http";
import { account, FakeOmise, listOf } from "../../harness/omise.ts";

/** The letter that an id of the filled ledger carries for its account's status: nobody has to remember a million of them. */
export const STATUSES = {
  p: "pending",
  s: "successful",
  f: "failed",
  e: "expired",
  d: "deleted",
} as const;
type Letter = keyof typeof STATUSES;
/** Where that letter is, in an id. */
export const LETTER_AT = "lnac_test_6000000000000".length;

/** How ids begin of what is created here: later than those of any filled ledger, as Omise's would be. */
export const MADE = "lnac_test_9";

/** An account that was created here. */
interface Made {
  type: string;
  status: string;
  returnUri: string;
  metadata: Record<string, string>;
  createdAt: string;
}

/** An account of those that were there before, as Omise at `origin` has it. */
export function seeded(id: string, origin: string): Record<string, unknown> {
  const status = STATUSES[id[LETTER_AT] as Letter];
  const isRegistered = status === "successful" || status === "deleted";
  return account({
    id,
    registration_uri: `${origin}/register?ref=${id}`,
    return_uri: "https://shop.example/account/banks/return?order=A-123456",
    type: "direct_debit_kbank",
    status,
    last_digits: isRegistered ? "7890" : null,
    metadata: { order: "A-123456", channel: "web" },
    registered_at: isRegistered ? "2026-01-01T00:01:00Z" : null,
    created_at: "2026-01-01T00:00:00Z",
  });
}

/** A server in Omise's place. */
export class Omise {
  /** How often it was asked, whatever it was. */
  requests = 0;
  /** What a list is answered with. */
  listed: string[] = [];
  readonly #made = new Map<string, Made>();
  // longer than any part of the bench: a connection that closes under a request is not what is measured
  readonly #server = new FakeOmise({ keepRequests: false, keepAliveTimeout: 600_000 });
  #url = "";
  /** How many accounts were made. */
  #count = 0;

  async start(): Promise<string> {
    this.#server.answer = (request, response, body) => this.#answer(request, response, body);
    this.#url = await this.#server.start();
    return this.#url;
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }

  /** The bank's customer has approved. */
  approve(id: string): void {
    const made = this.#made.get(id);
    if (made) made.status = "successful";
  }

  /** What the bank's redirect brings back for an account that was created here. */
  linkState(id: string): string {
    const uri = new URL(this.#made.get(id)?.returnUri ?? "");
    return uri.searchParams.get("link_state") ?? "";
  }

  /** Forgets the account: it will not be asked for again. */
  forget(id: string): void {
    this.#made.delete(id);
  }

  #answer(request: IncomingMessage, response: ServerResponse, body: string): void {
    this.requests++;
    const { method, url = "" } = request;
    const { pathname } = new URL(url, this.#url);
    const json = JSON.stringify(this.#answerTo(method, pathname, body));
    response.writeHead(200, { "Content-Type": "application/json" }).end(json);
  }

  #answerTo(method: string | undefined, path: string, body: string): unknown {
    if (method === "POST") return this.#account(this.#make(new URLSearchParams(body)));
    if (path === "/linked_accounts") return this.#list();
    const id = path.slice("/linked_accounts/".length);
    const made = this.#made.get(id);
    if (method === "DELETE" && made) made.status = "deleted";
    return this.#account(id);
  }

  #make(form: URLSearchParams): string {
    const id = `${MADE}${String(++this.#count).padStart(18, "0")}`;
    const metadata: Record<string, string> = {};
    for (const [name, value] of form) {
      const [, key] = /^metadata\[(.+)\]$/.exec(name) ?? [];
      if (key) metadata[key] = value;
    }
    const createdAt = `${new Date().toISOString().slice(0, 19)}Z`;
    this.#made.set(id, {
      type: form.get("type") ?? "",
      status: "pending",
      returnUri: form.get("return_uri") ?? "",
      metadata,
      createdAt,
    });
    return id;
  }

  #list(): unknown {
    const data = this.listed.map((id) => this.#account(id));
    return listOf(data, { order: "reverse_chronological" });
  }

  #account(id: string): unknown {
    const made = this.#made.get(id);
    if (!made) return seeded(id, this.#url);
    const { type, status, returnUri, metadata, createdAt } = made;
    const isRegistered = status === "successful" || status === "deleted";
    return account({
      id,
      registration_uri: `${this.#url}/register?ref=${id}`,
      return_uri: returnUri,
      type,
      status,
      last_digits: isRegistered ? "7890" : null,
      metadata,
      registered_at: isRegistered ? "2026-01-01T00:01:00Z" : null,
      created_at: createdAt,
    });
  }
}
