// What customers ask for, all of whoever is measured.

import { randomUUID } from "node:crypto";
import { token } from "../../harness/session.ts";
import { idOf, ownerOf, PER_CUSTOMER, SHOP } from "./seeds.ts";

/** What is asked for. */
export const OPERATIONS = ["create", "retrieve", "delete", "list", "poll"] as const;
export type Operation = (typeof OPERATIONS)[number];

/** The session settings that a token is minted from. */
export type Session = Parameters<typeof token>[0];

/** A request, and its answer. */
export interface Wanted {
  method: "GET" | "POST" | "DELETE";
  path: string;
  headers: Record<string, string>;
  body?: string;
  /** What a right answer has in it. */
  has: string[];
}

/** Mints a session token that outlasts the bench. */
export function tokenOf(session: Session, subject: string): string {
  return token(session, { sub: subject, exp: Math.floor(Date.now() / 1_000) + 1_800 });
}

/** What a customer's browser sends, and what it ought to be answered; without a token. */
export function wantedOf(operation: Operation, number: number): Wanted & { subject: string } {
  const subject = ownerOf(number);
  const headers = { Origin: SHOP, "CF-Connecting-IP": "203.0.113.7" };
  const id = idOf(number);
  const path = `/linked_accounts/${id}`;
  const has = [`"id":"${id}"`];
  switch (operation) {
    case "create": {
      const params = {
        type: "direct_debit_kbank",
        return_uri: `${SHOP}/return`,
        metadata: { order: `B-${number}`, channel: "web" },
      };
      // a customer's second create of a type would be refused
      return {
        subject: `new-${randomUUID()}`,
        method: "POST",
        path: "/linked_accounts",
        headers: { ...headers, "Content-Type": "application/json", "Idempotency-Key": randomUUID() },
        body: JSON.stringify(params),
        has: ['"status":"pending"', `B-${number}`],
      };
    }
    case "delete":
      return { subject, method: "DELETE", path, headers, has: [...has, '"status":"deleted"'] };
    case "list":
      return {
        subject,
        method: "GET",
        path: `/linked_accounts?limit=${PER_CUSTOMER}`,
        headers,
        has: ['"object":"list"', '"status":"successful"'],
      };
    case "retrieve":
      return { subject, method: "GET", path, headers, has: [...has, '"status":"successful"'] };
    case "poll":
      return { subject, method: "GET", path, headers, has: [...has, '"status":"pending"'] };
  }
}
