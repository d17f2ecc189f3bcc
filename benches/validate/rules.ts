// The package's rules for a form, as users of two well-known libraries would write them: type, return address, identity number,
// metadata, and no other field. Each finds the same issues as ours in the cases below, or the bench stops.

import * as v from "valibot";
import * as z from "zod";

const TYPES = [
  "direct_debit_bay",
  "direct_debit_bbl",
  "direct_debit_kbank",
  "direct_debit_ktb",
  "direct_debit_scb",
] as const;

const MAX_METADATA = 14_948;

/** As far as the platform's own parser takes it; ours is stricter. */
function isReturnUri(text: string): boolean {
  if (text.length > 2_048 || !URL.canParse(text)) return false;
  const url = new URL(text);
  const loopback = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  const secure = url.protocol === "https:" || (url.protocol === "http:" && loopback);
  return secure && !url.username && !url.password && !url.hash && !url.searchParams.has("link_state");
}

function isCitizenId(text: string): boolean {
  if (!/^[0-9A-Za-z]{5,20}$/.test(text)) return false;
  if (!/^[0-9]{13}$/.test(text)) return true;
  let sum = 0;
  for (let i = 0; i < 12; i++) sum += Number(text[i]) * (13 - i);
  return (11 - (sum % 11)) % 10 === Number(text[12]);
}

const isExact = (number: number) => !Number.isInteger(number) || Number.isSafeInteger(number);
const isName = (name: string) => name !== "" && !/[[\]]/.test(name) && !name.startsWith("linked_accounts_");
const fits = (metadata: Record<string, string | number | boolean>) =>
  JSON.stringify(metadata).length <= MAX_METADATA;

const valibotSchema = v.strictObject({
  type: v.picklist(TYPES),
  returnUri: v.pipe(v.string(), v.check(isReturnUri)),
  citizenId: v.nullish(v.pipe(v.string(), v.check(isCitizenId))),
  metadata: v.nullish(
    v.pipe(
      v.record(
        v.pipe(v.string(), v.check(isName)),
        v.union([v.string(), v.boolean(), v.pipe(v.number(), v.finite(), v.check(isExact))]),
      ),
      v.check(fits),
    ),
  ),
  replacePending: v.nullish(v.boolean()),
});

const zodSchema = z.strictObject({
  type: z.enum(TYPES),
  returnUri: z.string().refine(isReturnUri),
  citizenId: z.string().refine(isCitizenId).nullish(),
  metadata: z
    .record(z.string().refine(isName), z.union([z.string(), z.boolean(), z.number().refine(isExact)]))
    .refine(fits)
    .nullish(),
  replacePending: z.boolean().nullish(),
});

/** The fields that have an issue, each once. */
export type Judge = (params: unknown) => string[];

const wire: Record<string, string> = {
  returnUri: "return_uri",
  citizenId: "citizen_id",
  replacePending: "replace_pending",
};
const named = (path: readonly PropertyKey[]) => path.map((key) => wire[String(key)] ?? String(key)).join(".");

/** Issues as each library tells them. */
export const peers: Record<string, (params: unknown) => readonly unknown[]> = {
  "valibot 1.5": (params) => v.safeParse(valibotSchema, params).issues ?? [],
  "zod 4": (params) => zodSchema.safeParse(params).error?.issues ?? [],
};

/** The same by field, to compare. */
export const fieldsOf: Record<string, Judge> = {
  "valibot 1.5": (params) =>
    (v.safeParse(valibotSchema, params).issues ?? []).map((issue) =>
      named((issue.path ?? []).map((item) => item.key as PropertyKey)),
    ),
  "zod 4": (params) =>
    (zodSchema.safeParse(params).error?.issues ?? []).flatMap((issue) =>
      issue.code === "unrecognized_keys" ? issue.keys : [named(issue.path)],
    ),
};

/** What forms bring, and the fields that are wrong. */
export const CASES: { name: string; params: unknown; wrong: string[] }[] = [
  {
    name: "good, as most shops send it",
    params: { type: "direct_debit_kbank", returnUri: "https://shop.example/return" },
    wrong: [],
  },
  {
    name: "good, with everything",
    params: {
      type: "direct_debit_scb",
      returnUri: "https://shop.example/return?lang=th&step=2",
      citizenId: "1101700230708",
      metadata: { order: "A-17", amount: 1250.5, gift: false, note: "ของขวัญ", channel: "web" },
      replacePending: true,
    },
    wrong: [],
  },
  {
    name: "half typed",
    params: { type: "", returnUri: "https://shop.example/return", citizenId: "110170023070" },
    wrong: ["type"],
  },
  {
    name: "wrong throughout",
    params: {
      type: "direct_debit_uob",
      returnUri: "http://shop.example/return",
      citizenId: "1101700230709",
      metadata: { linked_accounts_a: "x" },
      livemode: true,
    },
    wrong: ["type", "return_uri", "citizen_id", "metadata.linked_accounts_a", "livemode"],
  },
];
