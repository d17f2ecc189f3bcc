// What may be asked for, by zod: the rules of ours.

import { env } from "cloudflare:workers";
import { zValidator } from "@hono/zod-validator";
import { z } from "zod";
import { listed } from "./env.ts";
import { Refusal } from "./refusal.ts";

/** Beside the stamp that is added. */
const MAX_METADATA = 14_871;
const TYPES = listed(env.ACCOUNT_TYPES);
const RETURN_URIS = listed(env.RETURN_URIS).map((text) => new URL(text));

function isReturnUri(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  const loopback = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  const secure = url.protocol === "https:" || (url.protocol === "http:" && loopback);
  const allowed = RETURN_URIS.some(
    ({ origin, pathname }) =>
      origin === url.origin && (url.pathname === pathname || url.pathname.startsWith(`${pathname}/`)),
  );
  const plain = !url.username && !url.password && !url.hash && !url.searchParams.has("link_state");
  return secure && allowed && plain;
}

function isCitizenId(text: string): boolean {
  if (!/^[0-9A-Za-z]{5,20}$/.test(text)) return false;
  if (!/^[0-9]{13}$/.test(text)) return true;
  let sum = 0;
  for (let i = 0; i < 12; i++) sum += Number(text[i]) * (13 - i);
  return (11 - (sum % 11)) % 10 === Number(text[12]);
}

const isName = (name: string) => name !== "" && !/[[\]]/.test(name) && !name.startsWith("linked_accounts_");
const isExact = (number: number) => !Number.isInteger(number) || Number.isSafeInteger(number);
const fits = (metadata: object) => JSON.stringify(metadata).length <= MAX_METADATA;

const create = z.strictObject({
  type: z.enum(TYPES),
  return_uri: z.string().max(2_048).refine(isReturnUri),
  citizen_id: z.string().refine(isCitizenId).nullish(),
  metadata: z
    .record(z.string().refine(isName), z.union([z.string(), z.boolean(), z.number().refine(isExact)]))
    .refine(fits)
    .nullish(),
  replace_pending: z.boolean().nullish(),
});

/** A create that keeps the rules. */
export type Create = z.infer<typeof create>;

const list = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  offset: z.coerce.number().int().min(0).max(1_000_000_000).default(0),
  order: z.enum(["chronological", "reverse_chronological"]).default("chronological"),
  from: z.iso.datetime().optional(),
  to: z.iso.datetime().optional(),
  "filters[status]": z.string().optional(),
  "filters[type]": z.string().optional(),
});

/** The part of a list that is wanted. */
export type List = z.infer<typeof list>;

/** The hook of a validator. */
function refuse(result: { success: boolean; error?: { issues: readonly z.core.$ZodIssue[] } }): void {
  if (result.success) return;
  const issues = (result.error?.issues ?? []).flatMap((issue) => {
    const fields =
      issue.code === "unrecognized_keys" ? issue.keys : [issue.path.map((key) => String(key)).join(".")];
    return fields.map((field) => ({ field, code: issue.code ?? "invalid", message: issue.message }));
  });
  throw new Refusal("invalid_request", { issues });
}

export const validCreate = zValidator("json", create, refuse);
export const validList = zValidator("query", list, refuse);

/** 1 to 255 visible ASCII characters. */
export function idempotencyKey(header: string | undefined): string {
  if (!header || !/^[!-~]{1,255}$/.test(header)) throw new Refusal("idempotency_key_invalid");
  return header;
}
