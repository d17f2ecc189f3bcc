// A Worker of equal features, on Hono, jose, zod and D1, for the operations that are measured: written as the documentation of each
// advises, by hand and with care, and with no more than ours does. Sources: hono.dev "Cloudflare Workers", "Best Practices",
// "Validation" and the pages of the middleware that is used; jose's "jwtVerify"; Cloudflare's changelog of 2025-03-17 for `env` in
// the global scope.
//
// It checks session tokens (HS256), rate limits, forms, ownership and keys; notes an attempt before Omise is asked, stamps it into the
// account's metadata and appends `link_state`; answers with the same objects and headers; adds to the audit what it changed, and one
// line to the log. What is left out is not measured, or makes it faster: confirming, searching, webhooks, operators, a scheduled job, other
// algorithms than HS256, held answers (`Prefer: wait`), settling what was left in doubt, retries, an upper limit of Omise's answers,
// `Server-Timing`, and readings that several requests share, which nobody's documentation advises.

import { env } from "cloudflare:workers";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { cors } from "hono/cors";
import { createMiddleware } from "hono/factory";
import { type RequestIdVariables, requestId } from "hono/request-id";
import { secureHeaders } from "hono/secure-headers";
import { base64url } from "jose";
import { listed, type RateLimit } from "./env.ts";
import * as ledger from "./ledger.ts";
import { type Account, create, retrieve, unlink, withLinkState } from "./omise.ts";
import { answerError, Refusal } from "./refusal.ts";
import { type Create, idempotencyKey, validCreate, validList } from "./schema.ts";
import { session } from "./session.ts";

type Variables = RequestIdVariables & { subject: string };

const app = new Hono<{ Variables: Variables }>();

app.use(requestId({ generator: () => crypto.randomUUID().replaceAll("-", "") }));
app.use(async (c, next) => {
  const started = Date.now();
  await next();
  const line = { request_id: c.get("requestId"), route: c.req.method, status: c.res.status };
  console.log(JSON.stringify({ ...line, ms: Date.now() - started }));
});
app.use(
  // the two headers that ours sends of them
  secureHeaders({
    crossOriginOpenerPolicy: false,
    crossOriginResourcePolicy: false,
    originAgentCluster: false,
    strictTransportSecurity: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xFrameOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  }),
);
app.use(
  cors({
    origin: listed(env.ALLOWED_ORIGINS),
    allowMethods: ["GET", "POST", "DELETE"],
    allowHeaders: ["Authorization", "Content-Type", "Idempotency-Key", "Prefer"],
    exposeHeaders: ["X-Request-Id", "Retry-After", "Idempotent-Replayed", "Date"],
    maxAge: 7_200,
  }),
);
app.use(async (c, next) => {
  await next();
  c.header("Cache-Control", "no-store");
});

/** Counts by network, then asks who it is, then counts by subject. */
const counted = (network: RateLimit, subject: RateLimit) =>
  [
    createMiddleware(async (c, next) => {
      await admit(network, c.req.header("CF-Connecting-IP") ?? "");
      await next();
    }),
    session,
    createMiddleware<{ Variables: Variables }>(async (c, next) => {
      await admit(subject, c.get("subject"));
      await next();
    }),
  ] as const;
const forReads = counted(env.READS_BY_NETWORK, env.READS_BY_SUBJECT);
const forCreates = counted(env.CREATES_BY_NETWORK, env.CREATES_BY_SUBJECT);

async function admit(limiter: RateLimit, key: string): Promise<void> {
  const { success } = await limiter.limit({ key });
  if (!success) throw new Refusal("rate_limited", { retryAfter: 60 });
}

const limited = bodyLimit({
  maxSize: 256 * 1_024,
  onError: () => {
    throw new Refusal("body_too_large");
  },
});

app.post("/linked_accounts", ...forCreates, limited, validCreate, async (c) => {
  const key = idempotencyKey(c.req.header("Idempotency-Key"));
  const wanted = c.req.valid("json");
  const actor = { requestId: c.get("requestId"), subject: c.get("subject") };
  const id = base64url.encode(crypto.getRandomValues(new Uint8Array(16)));
  const linkState = base64url.encode(crypto.getRandomValues(new Uint8Array(16)));
  const fingerprint = await fingerprintOf(wanted);
  const begun = await ledger.begin({
    id,
    owner: actor.subject,
    key,
    fingerprint,
    type: wanted.type,
    replacePending: wanted.replace_pending ?? false,
    linkStateHash: await sha256(linkState),
  });

  if ("known" in begun) {
    const { known } = begun;
    if (known.fingerprint !== fingerprint) throw new Refusal("idempotency_key_reused");
    if (!known.link)
      throw new Refusal(known.state === "in_flight" ? "attempt_in_flight" : "outcome_unknown", {
        retryAfter: 2,
      });
    const link = await ledger.find(known.link);
    if (!link) throw new Refusal("internal");
    c.header("Idempotent-Replayed", "true");
    return c.json(await read(link, actor));
  }
  if ("pending" in begun) {
    const link = begun.pending.link ? await ledger.find(begun.pending.link) : null;
    throw new Refusal("already_pending", link ? { linkedAccount: shown(link.account, link) } : {});
  }
  if ("tooMany" in begun) throw new Refusal("too_many_creates", { retryAfter: begun.tooMany });

  const readAt = Date.now();
  const returnUri = withLinkState(wanted.return_uri, linkState);
  const account = await create(wanted, returnUri, id, actor.requestId).catch(async (error: unknown) => {
    await ledger.forget(id);
    throw error;
  });
  if (!account) {
    await ledger.doubt(id);
    throw new Refusal("outcome_unknown", { retryAfter: 10 });
  }
  await ledger.link(id, account, readAt, actor);
  if (!account.registration_uri) throw new Refusal("upstream_failed");
  return c.json(shown(account, null));
});

app.get("/linked_accounts", ...forReads, validList, async (c) => {
  const wanted = c.req.valid("query");
  const { links, total } = await ledger.list(c.get("subject"), wanted);
  return c.json({
    object: "list",
    data: links.map((link) => shown(link.account, link)),
    limit: wanted.limit,
    offset: wanted.offset,
    total,
    location: "/linked_accounts",
    order: wanted.order,
    from: wanted.from ?? "1970-01-01T00:00:00Z",
    to: wanted.to ?? timestamp(Date.now()),
  });
});

app.get("/linked_accounts/:id", ...forReads, async (c) => {
  const actor = { requestId: c.get("requestId"), subject: c.get("subject") };
  return c.json(await read(await owned(c.req.param("id"), actor.subject), actor));
});

app.delete("/linked_accounts/:id", ...forReads, async (c) => {
  const actor = { requestId: c.get("requestId"), subject: c.get("subject") };
  const link = await owned(c.req.param("id"), actor.subject);
  if (link.account.status === "deleted") return c.json(shown(link.account, link));
  const readAt = Date.now();
  const account = await unlink(link.account.id, actor.requestId);
  await ledger.record("delete", account, readAt, actor);
  return c.json(shown(account, link));
});

app.notFound((c) => answerError(new Refusal("route_not_found"), c));
app.onError(answerError);

export default app;

/** The link, if it is the caller's; all else is the same 404. */
async function owned(id: string, subject: string): Promise<ledger.Link> {
  const link = /^(lnac|lacct)_test_[0-9a-z]{1,54}$/.test(id) ? await ledger.find(id) : null;
  if (link?.owner !== subject) throw new Refusal("not_found");
  return link;
}

/** Reads an account anew; the ledger is written only where its status changed. */
async function read(link: ledger.Link, actor: ledger.Actor): Promise<unknown> {
  if (link.account.status === "deleted") return shown(link.account, link);
  const readAt = Date.now();
  const account = await retrieve(link.account.id, actor.requestId);
  if (account.status !== link.account.status) await ledger.record("read", account, readAt, actor);
  return shown(account, link);
}

/** An account as its owner sees it. */
function shown(account: Account, link: ledger.Link | null): unknown {
  const confirmedAt = link?.confirmed_at ?? null;
  return { ...account, confirmed_at: confirmedAt === null ? null : timestamp(confirmedAt) };
}

function timestamp(millis: number): string {
  return `${new Date(millis).toISOString().slice(0, 19)}Z`;
}

async function sha256(text: string): Promise<string> {
  return base64url.encode(
    new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))),
  );
}

/** Keyed, since it covers the citizen id. */
async function fingerprintOf(wanted: Create): Promise<string> {
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(env.LEDGER_KEY), algorithm, false, [
    "sign",
  ]);
  const signature = await crypto.subtle.sign("HMAC", key, encoder.encode(JSON.stringify(wanted)));
  return base64url.encode(new Uint8Array(signature));
}
