// The package's rules for a form, as far as a page's own code has them: what the peers share, and what all of them are given.

/** The banks. */
export const TYPES = [
  "direct_debit_bay",
  "direct_debit_bbl",
  "direct_debit_kbank",
  "direct_debit_ktb",
  "direct_debit_scb",
] as const;

/** What fits into Omise's metadata beside the Worker's own, in characters of JSON. */
const MAX_METADATA = 14_871;

/** One thing that is wrong, in the shape a form can show. */
export interface Issue {
  /** By its wire name, such as `return_uri`. */
  field: string;
  message: string;
}

/** What is said of a field, by whoever finds it wrong. */
export const MESSAGES = {
  type: "Choose a bank.",
  returnUri: "Expected a full address that begins with https://.",
  citizenId: "Check the number: the 13 digits of a Thai ID card, or a passport number.",
  metadata: "This is not in the expected form.",
  replacePending: "This is not the kind of value that belongs here.",
  required: "Fill this in.",
  unknown: "This is not one of the fields.",
};

/** As far as the platform's own parser takes it; ours is stricter. */
export function isReturnUri(text: string): boolean {
  const url = text.length > 2_048 ? null : URL.parse(text);
  if (!url) return false;
  const loopback = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  const secure = url.protocol === "https:" || (url.protocol === "http:" && loopback);
  return secure && !url.username && !url.password && !url.hash && !url.searchParams.has("link_state");
}

/** A passport number, or 13 digits the last of which fits the others. */
export function isCitizenId(text: string): boolean {
  if (!/^[0-9A-Za-z]{5,20}$/.test(text)) return false;
  if (!/^[0-9]{13}$/.test(text)) return true;
  let sum = 0;
  for (let i = 0; i < 12; i++) sum += Number(text[i]) * (13 - i);
  return (11 - (sum % 11)) % 10 === Number(text[12]);
}

/** Whether a number is told in JSON as it is. */
export const isExact = (number: number) => !Number.isInteger(number) || Number.isSafeInteger(number);

/** Whether metadata can have a member of this name. */
export const isName = (name: string) =>
  name !== "" && !/[[\]]/.test(name) && !name.startsWith("linked_accounts_");

/** Whether Omise takes so much metadata. */
export const fits = <Metadata extends object>(metadata: Metadata) =>
  JSON.stringify(metadata).length <= MAX_METADATA;

/** What fields are called on the wire, where it is something else. */
const WIRE_NAMES: Record<string, string> = {
  returnUri: "return_uri",
  citizenId: "citizen_id",
  replacePending: "replace_pending",
};

/** A field's wire name, by the path on which a library found it. */
export const wireName = (path: readonly PropertyKey[]) =>
  path.map((key) => WIRE_NAMES[String(key)] ?? String(key)).join(".");

/** What somebody brings, and the fields that are wrong. */
interface Case {
  name: string;
  params: unknown;
  wrong: string[];
}

/** What forms bring. */
export const CASES: Case[] = [
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

/** What forms seldom bring: not measured, but all have to find the same. */
export const SELDOM: Case[] = [
  { name: "nothing", params: {}, wrong: ["type", "return_uri"] },
  {
    name: "kinds that do not belong",
    params: { type: 1, returnUri: true, citizenId: {}, metadata: "x", replacePending: "yes" },
    wrong: ["type", "return_uri", "citizen_id", "metadata", "replace_pending"],
  },
  {
    name: "nothing where nothing is needed",
    params: {
      type: "direct_debit_bay",
      returnUri: "http://localhost:8789/return",
      citizenId: null,
      metadata: null,
      replacePending: undefined,
    },
    wrong: [],
  },
  {
    name: "a passport, and metadata of every kind",
    params: {
      type: "direct_debit_bbl",
      returnUri: "https://user@shop.example/return",
      citizenId: "AA1234567",
      metadata: {
        "": "x",
        "a[b]": 1,
        deep: { er: 1 },
        list: [],
        none: null,
        huge: 2 ** 53,
        inf: Infinity,
        ok: 1,
      },
    },
    wrong: [
      "return_uri",
      "metadata.",
      ...["a[b]", "deep", "list", "none", "huge", "inf"].map((k) => `metadata.${k}`),
    ],
  },
  {
    name: "more metadata than fits",
    params: {
      type: "direct_debit_ktb",
      returnUri: "https://shop.example/return?link_state=1",
      metadata: { note: "x".repeat(15_000) },
    },
    wrong: ["return_uri", "metadata"],
  },
];
