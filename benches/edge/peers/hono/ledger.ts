// Who owns what, and which creates were begun: one D1 database for all customers, made by ../migrations/.

import { env } from "cloudflare:workers";
import type { Account } from "./omise.ts";
import type { List } from "./schema.ts";

const DAY = 86_400_000;

export interface Attempt {
  id: string;
  fingerprint: string;
  state: string;
  link: string | null;
}

export interface Link {
  owner: string;
  account: Account;
  read_at: number;
  confirmed_at: number | null;
}

interface LinkRow extends Omit<Link, "account"> {
  account: string;
}

/** Who did it, for the audit. */
export interface Actor {
  requestId: string;
  subject: string;
}

export interface NewAttempt {
  id: string;
  owner: string;
  key: string;
  fingerprint: string;
  type: string;
  replacePending: boolean;
  linkStateHash: string;
}

/** `tooMany`: seconds until there is room again. */
export type Begun = { started: true } | { known: Attempt } | { pending: Attempt } | { tooMany: number };

/** Begins a create, if nothing stands against it; one transaction. */
export async function begin(attempt: NewAttempt): Promise<Begun> {
  const { id, owner, key, fingerprint, type, replacePending, linkStateHash } = attempt;
  const now = Date.now();
  const ofADay = "FROM attempts WHERE owner = ?1 AND created_at > ?2";
  const room = `(SELECT count(*) ${ofADay}) < ${Number(env.CREATES_PER_DAY)}`;
  const demote = env.DB.prepare(
    `UPDATE attempts SET current = 0 WHERE owner = ?1 AND type = ?3 AND current = 1 AND ${room}
     AND NOT EXISTS (SELECT 1 FROM attempts WHERE owner = ?1 AND idempotency_key = ?4)`,
  ).bind(owner, now - DAY, type, key);
  const insert = env.DB.prepare(
    `INSERT INTO attempts
       (id, owner, idempotency_key, fingerprint, type, state, open, current, link_state_hash, looked_at, created_at)
     SELECT ?3, ?1, ?4, ?5, ?6, 'in_flight', 1, 1, ?7, 0, ?8 WHERE ${room}
     ON CONFLICT DO NOTHING RETURNING id`,
  ).bind(owner, now - DAY, id, key, fingerprint, type, linkStateHash, now);
  const results = await env.DB.batch(replacePending ? [demote, insert] : [insert]);
  if (results.at(-1)?.results.length) return { started: true };

  const columns = "SELECT id, fingerprint, state, link FROM attempts";
  const known = await env.DB.prepare(`${columns} WHERE owner = ? AND idempotency_key = ?`)
    .bind(owner, key)
    .first<Attempt>();
  if (known) return { known };
  const pending = await env.DB.prepare(`${columns} WHERE owner = ? AND type = ? AND current = 1`)
    .bind(owner, type)
    .first<Attempt>();
  if (pending && !replacePending) return { pending };
  const oldest = await env.DB.prepare(`SELECT min(created_at) AS first ${ofADay}`)
    .bind(owner, now - DAY)
    .first<{ first: number | null }>();
  return { tooMany: Math.max(1, Math.ceil(((oldest?.first ?? now) + DAY - now) / 1_000)) };
}

/** The attempt made this account. */
export async function link(attempt: string, account: Account, readAt: number, actor: Actor): Promise<void> {
  const open = account.status === "pending" ? 1 : 0;
  await env.DB.batch([
    env.DB.prepare(
      `INSERT INTO links (id, owner, attempt, type, status, account, read_at, link_state_hash, created_at)
       SELECT ?2, owner, id, ?3, ?4, ?5, ?6, link_state_hash, ?7 FROM attempts WHERE id = ?1 AND state <> 'linked'`,
    ).bind(
      attempt,
      account.id,
      account.type,
      account.status,
      JSON.stringify(account),
      readAt,
      Date.parse(account.created_at),
    ),
    env.DB.prepare(
      "UPDATE attempts SET state = 'linked', link = ?2, open = ?3, current = min(current, ?3) WHERE id = ?1",
    ).bind(attempt, account.id, open),
    audited("create", account, readAt, actor),
  ]);
}

/** Omise refused: the key is free again. */
export async function forget(attempt: string): Promise<void> {
  await env.DB.prepare("DELETE FROM attempts WHERE id = ? AND state <> 'linked'").bind(attempt).run();
}

/** Omise's answer is not known. */
export async function doubt(attempt: string): Promise<void> {
  await env.DB.prepare("UPDATE attempts SET state = 'unknown' WHERE id = ? AND state = 'in_flight'")
    .bind(attempt)
    .run();
}

export async function find(id: string): Promise<Link | null> {
  const row = await env.DB.prepare("SELECT owner, account, read_at, confirmed_at FROM links WHERE id = ?")
    .bind(id)
    .first<LinkRow>();
  return row && linkOf(row);
}

/** Records a reading that changed an account. */
export async function record(action: string, account: Account, readAt: number, actor: Actor): Promise<void> {
  await env.DB.batch([
    env.DB.prepare(
      `UPDATE links SET status = ?2, account = ?3, read_at = ?4
       WHERE id = ?1 AND read_at <= ?4 AND status <> 'deleted'`,
    ).bind(account.id, account.status, JSON.stringify(account), readAt),
    env.DB.prepare(
      `UPDATE attempts SET open = 0, current = 0
       WHERE id = (SELECT attempt FROM links WHERE id = ? AND status <> 'pending') AND open = 1`,
    ).bind(account.id),
    audited(action, account, readAt, actor),
  ]);
}

/** A part of the owner's accounts, and how many there are in all. */
export async function list(owner: string, wanted: List): Promise<{ links: Link[]; total: number }> {
  const matches = `owner = ?1 AND created_at BETWEEN ?2 AND ?3
    AND (?4 IS NULL OR status = ?4) AND (?5 IS NULL OR type = ?5)`;
  const values = [
    owner,
    wanted.from ? Date.parse(wanted.from) : 0,
    wanted.to ? Date.parse(wanted.to) + 999 : Number.MAX_SAFE_INTEGER,
    wanted["filters[status]"] ?? null,
    wanted["filters[type]"] ?? null,
  ];
  const direction = wanted.order === "chronological" ? "ASC" : "DESC";
  const [page, count] = await env.DB.batch<LinkRow & { total: number }>([
    env.DB.prepare(
      `SELECT owner, account, read_at, confirmed_at FROM links WHERE ${matches}
       ORDER BY created_at ${direction}, id ${direction} LIMIT ${wanted.limit} OFFSET ${wanted.offset}`,
    ).bind(...values),
    env.DB.prepare(`SELECT count(*) AS total FROM links WHERE ${matches}`).bind(...values),
  ]);
  return { links: (page?.results ?? []).map(linkOf), total: count?.results[0]?.total ?? 0 };
}

function audited(action: string, account: Account, at: number, actor: Actor) {
  return env.DB.prepare(
    "INSERT INTO audit (at, request_id, actor, action, link, outcome) VALUES (?, ?, ?, ?, ?, ?)",
  ).bind(at, actor.requestId, actor.subject, action, account.id, account.status);
}

function linkOf({ owner, account, read_at, confirmed_at }: LinkRow): Link {
  return { owner, account: JSON.parse(account), read_at, confirmed_at };
}
