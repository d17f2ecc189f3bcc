// What a page's types have to be. `tsc` is the test: each `@ts-expect-error` is an error if nothing is wrong with its line.

import {
  type AccountType,
  type Client,
  type ClientEvent,
  createClient,
  InvalidRequestError,
  type Issue,
  isLinkedAccountsError,
  type LinkedAccount,
  type LinkedAccountsError,
  LoadError,
  loadValidator,
  NetworkError,
  type Outcome,
  type Reason,
  type Status,
} from "omise-linked-accounts";

/** Compiles for two types only if they are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <_ extends true>() => {};

const links: Client = createClient({
  endpoint: "https://links.shop.example",
  getToken: async () => "token",
  fetch: (request) => fetch(new Request(request, { redirect: "error" })),
  locale: "th-TH",
  onEvent: told,
});
createClient({ endpoint: "https://links.shop.example", getToken: () => "token" });
// @ts-expect-error there is no client without a token
createClient({ endpoint: "https://links.shop.example" });
// @ts-expect-error a token is a text
createClient({ endpoint: "https://links.shop.example", getToken: () => 1 });
// @ts-expect-error the option is called endpoint
createClient({ url: "https://links.shop.example", getToken: () => "token" });

const { signal } = new AbortController();
const account: LinkedAccount = await links.create(
  { type: "direct_debit_kbank", returnUri: "https://shop.example/return" },
  { signal, idempotencyKey: "order-17" },
);
await links.start({
  type: "direct_debit_scb",
  returnUri: "https://shop.example/return",
  citizenId: null,
  metadata: { order: "A-17", first: true, count: 2 },
  replacePending: true,
});
// @ts-expect-error a bank is to be named
await links.create({ returnUri: "https://shop.example/return" });
// @ts-expect-error the parameter is called returnUri
await links.create({ type: "direct_debit_kbank", return_uri: "https://shop.example/return" });
const nested = { a: { b: 1 } };
// @ts-expect-error metadata is flat
await links.create({ type: "direct_debit_kbank", returnUri: "https://shop.example/", metadata: nested });
// An option that is undefined is one that is not given.
await links.retrieve(account.id, { signal: undefined });
await links.list({ status: undefined, limit: undefined }, { signal: undefined });
await links.search({ query: undefined, perPage: undefined });
await links.create(
  {
    type: "direct_debit_kbank",
    returnUri: "https://shop.example/return",
    citizenId: undefined,
    metadata: undefined,
  },
  { signal: undefined, idempotencyKey: undefined },
);
createClient({
  endpoint: "https://links.shop.example",
  getToken: () => "token",
  fetch: undefined,
  locale: undefined,
  onEvent: undefined,
  wasm: undefined,
});
await loadValidator({ locale: undefined, wasm: undefined });

// The module of those who bring their own.
for (const wasm of [
  "/client.wasm",
  new URL("https://shop.example/client.wasm"),
  new Response(),
  new Uint8Array(),
]) {
  await loadValidator({ wasm });
}
await loadValidator({ wasm: new ArrayBuffer(0) });
// @ts-expect-error a number is no module
await loadValidator({ wasm: 1 });

// Words that Omise may add to are open, and those that are known are offered while one types.
const status: Status = "renamed";
const type: AccountType = "direct_debit_new";
const reason: Reason = "unheard_of";
// @ts-expect-error still a text
const number: Status = 1;
account.status satisfies string;
switch (account.status) {
  case "pending":
  case "successful":
  case "renamed":
    break;
}

// What may be null has to be looked at.
// @ts-expect-error an account that is pending has no digits yet
account.last_digits.length;
account.last_digits?.length;
// @ts-expect-error nobody writes to an answer of the Worker's by a name that it has not
account.lastDigits;
account.metadata.order satisfies unknown;

// An outcome tells by its result what else it has.
const outcome: Outcome | null = await links.resume({ signal });
// @ts-expect-error there may be nothing to resume
outcome.result;
if (outcome) show(outcome);
show(await links.waitFor(account.id, { signal }));

function show(outcome: Outcome): string | null {
  holds<Same<Outcome["result"], "linked" | "failed" | "expired" | "deleted" | "pending">>();
  // @ts-expect-error only a failure has words for the customer
  outcome.userMessage;
  switch (outcome.result) {
    case "linked":
      holds<Same<(typeof outcome)["account"]["status"], "successful">>();
      return outcome.account.last_digits;
    case "failed":
      return outcome.userMessage;
    case "expired":
    case "deleted":
    case "pending":
      return outcome.account.id;
    default:
      holds<Same<typeof outcome, never>>();
      return null;
  }
}

// An event tells by its type what else it has.
function told(event: ClientEvent): unknown[] {
  switch (event.type) {
    case "created":
      return [event.accountType, event.replayed, event.ms];
    case "outcome":
      return [event.result, event.failureCode satisfies string | null];
    case "error":
      return [event.call, event.reason, event.status satisfies number | undefined];
    case "returned":
      // @ts-expect-error nothing that says who came back
      return [event.id];
    case "redirect":
    case "deleted":
      return [event.accountType];
  }
}

try {
  await links.delete(account.id);
} catch (error) {
  // @ts-expect-error nothing is known of it yet
  error.reason;
  if (error instanceof InvalidRequestError)
    for (const { field, code, message } of error.issues) [field, code, message];
  if (error instanceof NetworkError)
    holds<Same<typeof error.reason, "offline" | "network_failed" | "timeout">>();
  if (error instanceof LoadError) holds<Same<typeof error.reason, "load_failed" | "wasm_blocked">>();
  if (isLinkedAccountsError(error)) {
    holds<Same<typeof error, LinkedAccountsError>>();
    [error.name, error.code, error.reason, error.retryable, error.userMessage, error.cause];
    error.retryAfter satisfies number | undefined;
    error.linkedAccount?.registration_uri;
    // @ts-expect-error what came is read, not written
    error.reason = "other";
    // @ts-expect-error nor are its issues
    error.issues.push({ field: "type", code: "required", message: "" });
  }
}

const rules = await loadValidator({ locale: "ja" });
const issues: Issue[] = rules.validateCreate({ anything: 1 });
rules.parseId("lnac_test_1")?.livemode satisfies boolean | undefined;
// @ts-expect-error null where nothing is wrong
rules.checkCitizenId("1").message;

const banks = await links.banks();
banks[0]?.names.th satisfies string | undefined;
const { data, total } = await links.list({ limit: 10, order: "reverse_chronological", status: "pending" });
const found = await links.search({ query: "7890", perPage: 10, created: "2026-01-01..2026-01-31" });
// @ts-expect-error there are two orders
await links.list({ order: "random" });
[status, type, reason, number, issues, data, total, found.total_pages];
