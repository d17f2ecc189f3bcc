// A Worker for one account, as far as the journey goes, and a webhook that Omise would send.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { signedHeaders } from "../support/webhook.ts";

const ID = "lnac_test_5zylnmmt2kl9chq3ip1";

/** A loopback server that answers as it is told. */
export async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ origin: string; close(): Promise<void> }> {
  const server: Server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

export interface Worker {
  endpoint: string;
  /** What it was asked since it was last looked at: method, path, token. */
  asked(): string[];
  close(): Promise<void>;
}

/** The account is pending until somebody waits for it. */
export async function startWorker(): Promise<Worker> {
  let asked: string[] = [];
  const { origin, close } = await serve((request, response) => {
    response.setHeader("Access-Control-Allow-Origin", request.headers.origin ?? "*");
    response.setHeader(
      "Access-Control-Allow-Headers",
      "Authorization, Content-Type, Idempotency-Key, Prefer",
    );
    response.setHeader("Access-Control-Allow-Methods", "GET, POST, DELETE");
    if (request.method === "OPTIONS") {
      response.writeHead(204).end();
      return;
    }
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    const path = new URL(request.url ?? "/", origin).pathname;
    response.setHeader("Content-Type", "application/json; charset=utf-8");
    const list = LISTS[path];
    if (list && request.method === "GET") {
      response.end(JSON.stringify(list()));
      return;
    }
    const status =
      request.method === "DELETE"
        ? "deleted"
        : request.headers.prefer === "wait=25"
          ? "successful"
          : "pending";
    response.end(JSON.stringify(account(status)));
  });
  return {
    endpoint: origin,
    asked() {
      const before = asked;
      asked = [];
      return before;
    },
    close,
  };
}

/** What is not about the one account, as far as calls read it. */
const LISTS: Record<string, () => unknown> = {
  "/banks": () => ({
    object: "list",
    data: [{ object: "bank", type: "direct_debit_scb", names: { en: "SCB", th: "ไทยพาณิชย์", ja: "SCB" } }],
  }),
  "/linked_accounts": () => ({ object: "list", data: [account("successful")], total: 1 }),
  "/linked_accounts/search": () => ({ object: "search", data: [account("successful")], total: 1 }),
};

/** An account as the Worker shows it. */
export function account(status: string) {
  return {
    object: "linked_account",
    id: ID,
    livemode: false,
    location: `/linked_accounts/${ID}`,
    registration_uri: `http://127.0.0.1:9/register?ref=${ID}`,
    return_uri: "https://shop.example/return",
    type: "direct_debit_scb",
    status,
    last_digits: status === "pending" ? null : "7890",
    metadata: {},
    failure_code: null,
    failure_message: null,
    registered_at: status === "pending" ? null : time(0),
    expires_at: time(24 * 60 * 60),
    created_at: time(0),
    confirmed_at: null,
  };
}

/** A time in seconds from now. */
const time = (seconds: number) => `${new Date(Date.now() + seconds * 1000).toISOString().slice(0, 19)}Z`;

export interface Delivery {
  body: string;
  headers: Record<string, string>;
  /** As Omise's dashboard shows it. */
  secret: string;
}

/** Returns a delivery that is signed now, with a new secret. */
export function delivery(): Delivery {
  const body = JSON.stringify(event, null, 2);
  const secret = randomBytes(32);
  return { body, headers: signedHeaders(secret, body), secret: secret.toString("base64") };
}

export const event = {
  object: "event",
  id: "evnt_test_5zylnmmt2kl9chq3ip1",
  livemode: false,
  location: "/events/evnt_test_5zylnmmt2kl9chq3ip1",
  webhook_deliveries: [],
  data: { object: "linked_account", id: ID, status: "successful" },
  key: "linked_account.complete",
  created_at: "2026-06-03T04:15:00Z",
};

/** What the journey comes to, wherever it is made. */
export function assertJourney(came: unknown, worker: Worker): void {
  assert.deepEqual(came, {
    banks: ["direct_debit_scb"],
    statuses: ["pending", "linked", "deleted"],
    missing: ["LinkedAccountsError", "not_found", true],
    told: true,
    issues: [["citizen_id", "invalid", true]],
    event: event.id,
    forged: ["WebhookError", "signature_mismatch", true],
    nothingToResume: null,
  });
  assert.deepEqual(worker.asked(), [
    "GET /banks undefined",
    "POST /linked_accounts Bearer token-1",
    `GET /linked_accounts/${ID} Bearer token-1`,
    `GET /linked_accounts/${ID} Bearer token-1`,
    `DELETE /linked_accounts/${ID} Bearer token-1`,
  ]);
}
