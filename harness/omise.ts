// Fake Omise: a loopback server that answers as the test or bench says, and the objects that Omise answers with.

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

/** A request that the server received. */
export interface OmiseRequest {
  method: string;
  path: string;
  headers: IncomingMessage["headers"];
  body: string;
}

export interface FakeOmiseOptions extends ServerOptions {
  /** Whether to keep every request in `requests`; a bench sends too many. Default: true. */
  keepRequests?: boolean;
}

/** A server in Omise's place. It answers each request by `answer` and keeps what it received. */
export class FakeOmise {
  readonly requests: OmiseRequest[] = [];
  /** Answers a request, whose body has been read. */
  answer: (request: IncomingMessage, response: ServerResponse, body: string) => void = (_, response) => {
    response.writeHead(500).end();
  };
  readonly #server: Server;

  constructor({ keepRequests = true, ...options }: FakeOmiseOptions = {}) {
    this.#server = createServer(options, (request, response) => {
      let body = "";
      request.setEncoding("utf8");
      request.on("data", (chunk: string) => {
        body += chunk;
      });
      request.on("end", () => {
        const { method = "", url = "", headers } = request;
        if (keepRequests) this.requests.push({ method, path: url, headers, body });
        this.answer(request, response, body);
      });
    });
  }

  /** Listens on a free port; returns the origin. */
  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await once(this.#server.close(), "close");
  }
}

/** Returns a handler that answers with JSON. The account that answers a create gets the metadata stamp of that create. */
export function answering(
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): FakeOmise["answer"] {
  return (request, response, form) =>
    void response
      .writeHead(status, { "Content-Type": "application/json", ...headers })
      .end(JSON.stringify(request.method === "POST" ? stamped(body, form) : body));
}

/** The stamp of every account that was made, by its id. */
const stamps = new Map<unknown, string>();

/** Returns an account that was made with its stamp, as Omise has it and shows it in events; anything else as it is. */
export function withStamp(data: unknown): unknown {
  const { id, metadata } = (data ?? {}) as Record<string, unknown>;
  const stamp = stamps.get(id);
  if (!stamp) return data;
  return { ...(data as object), metadata: { ...(metadata as object), linked_accounts_stamp: stamp } };
}

/** The stamp that a create sends. */
export function stampIn(form: string): string {
  return new URLSearchParams(form).get("metadata[linked_accounts_stamp]") ?? "";
}

/** Returns the account with the stamp of the create that asks for it. */
function stamped(body: unknown, form: string): unknown {
  const { object, metadata } = (body ?? {}) as Record<string, unknown>;
  const stamp = stampIn(form);
  if (object !== "linked_account" || !stamp) return body;
  stamps.set((body as { id?: unknown }).id, stamp);
  return { ...(body as object), metadata: { linked_accounts_stamp: stamp, ...(metadata as object) } };
}

/** Returns a linked account as Omise sends it: pending, with a random id, unless `overrides` say otherwise. */
export function account(overrides: Record<string, unknown> = {}): Record<string, unknown> {
  const id =
    (overrides.id as string | undefined) ?? `lnac_test_${randomUUID().replaceAll("-", "").slice(0, 19)}`;
  return {
    object: "linked_account",
    id,
    livemode: false,
    location: `/linked_accounts/${id}`,
    registration_uri: "http://127.0.0.1:1/register",
    return_uri: "http://127.0.0.1:1/return",
    type: "direct_debit_kbank",
    status: "pending",
    last_digits: null,
    metadata: {},
    failure_code: null,
    failure_message: null,
    registered_at: null,
    expires_at: "2030-01-02T00:00:00Z",
    created_at: "2030-01-01T00:00:00Z",
    ...overrides,
  };
}

/** Returns Omise's list envelope. */
export function listOf(data: unknown[], more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    object: "list",
    data,
    limit: 20,
    offset: 0,
    total: data.length,
    location: "/linked_accounts",
    order: "chronological",
    from: "1970-01-01T00:00:00Z",
    to: "2030-01-01T00:00:00Z",
    ...more,
  };
}

/** Returns Omise's search envelope. */
export function searchOf(data: unknown[], more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    object: "search",
    export: null,
    data,
    page: 1,
    per_page: 30,
    total: data.length,
    total_pages: 1,
    filters: {},
    location: "/search",
    order: "chronological",
    query: "",
    scope: "linked_account",
    aggregate_level: null,
    ...more,
  };
}
