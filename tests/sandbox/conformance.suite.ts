// The linked-account API as documented, over plain HTTP: for the sandbox, and for Omise's test mode.
//
//     OMISE_BASE_URL=https://api.omise.co OMISE_SECRET_KEY=skey_test_… node --test tests/sandbox/conformance.suite.ts
//
// (with Node 22.18 or newer). The key's account needs direct debit from KBank. With OMISE_LINKED_ACCOUNT=lnac_test_…, an account that
// somebody registered by hand, the rest is tried too: THIS DELETES IT.
//
// It makes some hundred requests, one after the other, and four linked accounts, which nobody registers: they expire. What was made is
// said at the end.
//
// Each name says how much its source weighs, and which source it is:
//
// - documented: Omise's own pages say so. If Omise's answer is another, then our reading of them is wrong, or they are.
// - observed: Omise's samples, captured answers, its OpenAPI file or its own clients show it, and no page promises it.
// - unofficial: a reference that is not Omise's says so.
// - ours: no source. The sandbox had to do something; where Omise does another thing, the sandbox is to follow.
//
// Not tried: the documented 500 for a call without an id, since that path is the list.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import * as http from "node:http";
import * as https from "node:https";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";

const { OMISE_BASE_URL: BASE_URL, OMISE_SECRET_KEY: KEY, OMISE_LINKED_ACCOUNT: REGISTERED } = process.env;
if (!BASE_URL || !KEY) {
  throw new Error(
    "set OMISE_BASE_URL (https://api.omise.co, or a sandbox's address) and OMISE_SECRET_KEY (skey_test_…)",
  );
}
if (!KEY.startsWith("skey_test_")) throw new Error("OMISE_SECRET_KEY: expected a test key, skey_test_…");

/** An answer, as it came and as it is read. */
interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: it is what is being tested
  body: any;
}

interface Request {
  key?: string | null;
  headers?: Record<string, string>;
  body?: string;
}

const FORM = { "content-type": "application/x-www-form-urlencoded" };
const JSON_BODY = { "content-type": "application/json" };
const VERSION = "2019-05-29";

let requests = 0;

/** By no means `fetch`, which sends no body with a GET. A connection for each request: one that was idle may be closed. */
async function call(method: string, path: string, { key = KEY ?? "", headers, body }: Request = {}) {
  requests++;
  const url = new URL(path, BASE_URL);
  const { request } = url.protocol === "http:" ? http : https;
  const authorization = key === null ? {} : { authorization: `Basic ${btoa(`${key}:`)}` };
  const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
  const sent = request(url, {
    method,
    agent: false,
    headers: { "omise-version": VERSION, ...authorization, ...length, ...headers },
  });
  sent.end(body);
  const [response] = (await once(sent, "response")) as [http.IncomingMessage];
  const received = await text(response);
  const answer: Answer = {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text: received,
    body: JSON.parse(received),
  };
  return answer;
}

const get = async (path: string) => await call("GET", path);
const form = async (fields: Record<string, string>) =>
  await call("POST", "/linked_accounts", {
    headers: FORM,
    body: new URLSearchParams(fields).toString(),
  });

type Weight = "documented" | "observed" | "unofficial" | "ours";

/** A case: what its source weighs, the source, what it says. */
function expect(weight: Weight, source: string, what: string, run: () => Promise<void>): void {
  test(`${weight} (${source}): ${what}`, run);
}

const documented = expect.bind(null, "documented");
const observed = expect.bind(null, "observed");
const unofficial = expect.bind(null, "unofficial");
const ours = expect.bind(null, "ours", "no source");

const OBJECT = "Linked Account API, the object";
const CREATE = "Linked Account API, create";
const RETRIEVE = "Linked Account API, retrieve";
const DELETE = "Linked Account API, delete";
const SAMPLES = "Linked Account API, samples";
const ERRORS = "Linked Account API, errors";
const LISTS = "Pagination and lists";
const SEARCH = "Search API";
const SCHEMA = "schema export";
const CAPTURES = "captured answers";

const RUN = `conformance-${randomBytes(6).toString("hex")}`;
/** Every account that is made has the mark of the run in it. */
const RETURN_URI = `https://shop.example/return?run=${RUN}&x=%20`;
const GOOD = { type: "direct_debit_kbank", return_uri: RETURN_URI };
const CITIZEN_ID = "1101700230708";
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const UNKNOWN = "lnac_test_5zylnmmt2kl9chq3ip1";

const ATTRIBUTES = [
  "object",
  "id",
  "livemode",
  "location",
  "registration_uri",
  "return_uri",
  "type",
  "status",
  "last_digits",
  "metadata",
  "failure_code",
  "failure_message",
  "registered_at",
  "expires_at",
  "created_at",
];

/** What was made, in order. */
const made: Answer[] = [];
/** Creates an account. */
async function create(headers: Record<string, string>, body: string): Promise<Answer> {
  const answer = await call("POST", "/linked_accounts", { headers, body });
  if (answer.body.object === "linked_account") made.push(answer);
  return answer;
}

/** The account that most cases look at. */
let first: Answer;
before(async () => {
  const fields = { ...GOOD, "metadata[run]": RUN, "metadata[text]": 'A&B=ก "x" + %41' };
  first = await create(FORM, new URLSearchParams(fields).toString());
  assert.equal(first.status, 200, `no account could be created: ${first.text}`);
});
after(() => {
  const accounts = made.map(({ body }) => `  ${body.id}, until ${body.expires_at}`);
  console.log(`made ${requests} requests, and ${made.length} linked accounts, marked ${RUN}:`);
  console.log(accounts.join("\n"));
  if (REGISTERED) console.log(`and deleted ${REGISTERED}`);
});

const ids = (body: { data: { id: string }[] }) => body.data.map(({ id }) => id);
const sorted = (object: object) => Object.keys(object).sort();
const query = (fields: Record<string, string | number>) =>
  Object.entries(fields)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join("&");

/** Asserts an error in the documented shape. */
function assertError(answer: Answer, status: number, code: string, message?: string): void {
  assert.equal(answer.status, status, answer.text);
  const { object, location } = answer.body;
  assert.deepEqual([object, answer.body.code], ["error", code]);
  assert.equal(location, `https://www.omise.co/api-errors#${code.replaceAll("_", "-")}`);
  if (message !== undefined) assert.equal(answer.body.message, message);
  else assert.notEqual(answer.body.message, "");
}

// create

documented(OBJECT, "a new account has every attribute", async () => {
  assert.deepEqual(
    ATTRIBUTES.filter((name) => !(name in first.body)),
    [],
  );
});
observed(SAMPLES, "it has no others, and in this order", async () => {
  assert.deepEqual(Object.keys(first.body), ATTRIBUTES);
});
documented(OBJECT, "object, livemode, location, return_uri, type, status", async () => {
  const { object, id, livemode, location, return_uri, type, status } = first.body;
  assert.deepEqual(
    { object, livemode, location, return_uri, type, status },
    {
      object: "linked_account",
      livemode: false,
      location: `/linked_accounts/${id}`,
      ...GOOD,
      status: "pending",
    },
  );
});
documented(OBJECT, "an id matches lnac_test_ and letters and digits", async () => {
  assert.match(first.body.id, /^lnac_test_[0-9a-z]+$/);
});
observed(SAMPLES, "nineteen of them", async () => assert.match(first.body.id, /^lnac_test_[0-9a-z]{19}$/));
documented(OBJECT, "the registration_uri is an address that a browser can open", async () => {
  assert.match(new URL(first.body.registration_uri).protocol, /^https?:$/);
});
observed(SAMPLES, "it carries the id in ref", async () => {
  assert.equal(new URL(first.body.registration_uri).searchParams.get("ref"), first.body.id);
});
observed(SAMPLES, "null while nobody has registered", async () => {
  const { last_digits, failure_code, failure_message, registered_at } = first.body;
  assert.deepEqual([last_digits, failure_code, failure_message, registered_at], [null, null, null, null]);
});
documented(OBJECT, "times are UTC, to the second", async () => {
  assert.match(first.body.created_at, TIME);
  assert.match(first.body.expires_at, TIME);
});
observed(SAMPLES, "it expires 24 hours after it was created", async () => {
  const { created_at, expires_at } = first.body;
  assert.equal(Date.parse(expires_at) - Date.parse(created_at), 24 * 60 * 60 * 1_000);
});
observed(SCHEMA, "metadata in form fields, metadata[key]=value, come back as they were", async () => {
  assert.deepEqual(first.body.metadata, { run: RUN, text: 'A&B=ก "x" + %41' });
});
observed("official clients", "a JSON body does as well, with metadata of any JSON", async () => {
  const metadata = { run: RUN, count: 17, gift: true, none: null, nested: { a: [1, "ก"] } };
  const { status, body } = await create(JSON_BODY, JSON.stringify({ ...GOOD, metadata }));
  assert.equal(status, 200);
  assert.deepEqual(body.metadata, metadata);
  assert.deepEqual((await get(`/linked_accounts/${body.id}`)).body.metadata, metadata);
});
documented(CREATE, "a citizen_id is taken, and shown by no call", async () => {
  const fields = { ...GOOD, citizen_id: CITIZEN_ID, "metadata[run]": RUN };
  const { status, text, body } = await create(FORM, new URLSearchParams(fields).toString());
  assert.equal(status, 200);
  const answers = [text];
  for (const path of [
    `/linked_accounts/${body.id}`,
    "/linked_accounts?order=reverse_chronological&limit=5",
    "/linked_accounts/search?order=reverse_chronological&per_page=5",
  ]) {
    answers.push((await get(path)).text);
  }
  for (const answer of answers) {
    assert.ok(!answer.includes(CITIZEN_ID), answer);
    assert.ok(!answer.includes("citizen_id"), answer);
  }
});
ours("a field that nobody knows is passed over", async () => {
  const { status, body } = await create(FORM, new URLSearchParams({ ...GOOD, colour: "red" }).toString());
  assert.equal(status, 200);
  assert.deepEqual(sorted(body), sorted(first.body));
});
observed(SAMPLES, "metadata are {} where none were given", async () => {
  const untold = made.filter(({ body }) => !("run" in body.metadata));
  assert.deepEqual(
    untold.map(({ body }) => body.metadata),
    [{}],
  );
});

for (const [what, fields, message] of [
  ["no type", { return_uri: RETURN_URI }, "Type is required"],
  ["a type that is none", { ...GOOD, type: "direct_debit_nobank" }, "Type is not supported"],
  ["no return_uri", { type: GOOD.type }, "Return uri is required"],
  ["a return_uri that is none", { ...GOOD, return_uri: "not a uri" }, "Return uri is not a valid URI"],
] as const) {
  documented(ERRORS, `create, ${what}`, async () => {
    const refused = await form(fields);
    assertError(refused, 400, "bad_request", message);
    assert.deepEqual(sorted(refused.body), ["code", "location", "message", "object"]);
  });
}
unofficial("create a linked account", "a citizen_id that cannot be one is a 400", async () => {
  assertError(await form({ ...GOOD, citizen_id: "1101700230709" }), 400, "bad_request");
});
unofficial("create a linked account", "metadata of more than 15,000 characters are a 400", async () => {
  assertError(await form({ ...GOOD, "metadata[k]": "a".repeat(15_000) }), 400, "bad_request");
});
ours("of two faults the type's is the answer", async () => {
  assertError(await form({ type: "", return_uri: "x" }), 400, "bad_request", "Type is required");
});
ours("a field that comes twice is refused", async () => {
  const body = `${new URLSearchParams(GOOD)}&type=direct_debit_scb`;
  assertError(await call("POST", "/linked_accounts", { headers: FORM, body }), 400, "bad_request");
});
ours("what is no JSON object is refused", async () => {
  const refused = await call("POST", "/linked_accounts", { headers: JSON_BODY, body: "[]" });
  assertError(refused, 400, "bad_request");
});

// who is calling

documented(ERRORS, "no key", async () => {
  assertError(
    await call("GET", "/linked_accounts", { key: null }),
    401,
    "authentication_failure",
    "authentication failed",
  );
});
for (const [method, path] of [
  ["GET", ""],
  ["POST", ""],
  ["DELETE", "/:id"],
] as const) {
  documented(ERRORS, `${method}, a key that nobody has`, async () => {
    const to = `/linked_accounts${path.replace(":id", first.body.id)}`;
    const refused = await call(method, to, { key: "skey_test_0000000000000000000" });
    assertError(refused, 401, "authentication_failure", "authentication failed");
  });
}
documented("Authentication", "a public key opens none of it", async () => {
  const refused = await call("GET", "/linked_accounts", { key: KEY.replace("skey", "pkey") });
  assert.ok(refused.status === 401 || refused.status === 403, refused.text);
  assert.equal(refused.body.object, "error");
});
ours("and is refused like a key that nobody has", async () => {
  const refused = await call("GET", "/linked_accounts", { key: KEY.replace("skey", "pkey") });
  assertError(refused, 401, "authentication_failure", "authentication failed");
});

// retrieve and delete

documented(RETRIEVE, "the account, as create has shown it", async () => {
  const { status, body } = await get(`/linked_accounts/${first.body.id}`);
  assert.equal(status, 200);
  assert.deepEqual(body, first.body);
});
documented(RETRIEVE, "reading changes nothing: again, to the letter", async () => {
  const path = `/linked_accounts/${first.body.id}`;
  assert.equal((await get(path)).text, (await get(path)).text);
});
for (const method of ["GET", "DELETE"]) {
  documented(ERRORS, `${method}, an id that is of no account`, async () => {
    const refused = await call(method, `/linked_accounts/${UNKNOWN}`);
    assertError(refused, 404, "not_found", `linked account ${UNKNOWN} was not found`);
  });
}
documented(ERRORS, "an id that is too short is of no account, like any other", async () => {
  const id = UNKNOWN.slice(0, -1);
  const refused = await get(`/linked_accounts/${id}`);
  assertError(refused, 404, "not_found", `linked account ${id} was not found`);
});
documented(DELETE, "an account that is not registered stays as it is", async () => {
  const path = `/linked_accounts/${first.body.id}`;
  assertError(await call("DELETE", path), 400, "bad_request", "linked account is not registered");
  assert.deepEqual((await get(path)).body, first.body);
});
observed(SCHEMA, "an account cannot be changed: there is no PATCH", async () => {
  const path = `/linked_accounts/${first.body.id}`;
  const refused = await call("PATCH", path, { headers: FORM, body: "metadata[a]=b" });
  assert.equal(refused.status, 404);
  assert.deepEqual((await get(path)).body, first.body);
});
ours("the 404 of an endpoint that is not there names it, and those that are", async () => {
  const path = `/linked_accounts/${first.body.id}`;
  const refused = await call("PATCH", path, { headers: FORM, body: "" });
  assert.equal(refused.body.code, "not_found");
  assert.ok(refused.body.message.startsWith(`the sandbox has no PATCH ${path}; it has `));
});

// form and headers

observed(CAPTURES, "bodies are indented by two spaces, and end with a line's end", async () => {
  for (const { text } of [first, await get(`/linked_accounts/${UNKNOWN}`)]) {
    assert.match(text, /^\{\n {2}"object": "/);
    assert.match(text, /\n\}\n$/);
  }
});
observed(CAPTURES, "Content-Type, Cache-Control", async () => {
  for (const { headers } of [first, await get(`/linked_accounts/${UNKNOWN}`)]) {
    assert.equal(headers["content-type"], "application/json; charset=utf-8");
    assert.equal(headers["cache-control"], "no-cache, no-store");
  }
});
observed(CAPTURES, "X-Request-Id is a UUID, another one each time", async () => {
  const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
  const again = await get(`/linked_accounts/${first.body.id}`);
  for (const { headers } of [first, again]) assert.match(String(headers["x-request-id"]), uuid);
  assert.notEqual(first.headers["x-request-id"], again.headers["x-request-id"]);
});
observed(CAPTURES, "Omise-Version is echoed", async () => {
  assert.equal(first.headers["omise-version"], VERSION);
});

// list

const newest = async (limit: number, offset: number) =>
  (await get(`/linked_accounts?order=reverse_chronological&limit=${limit}&offset=${offset}`)).body;

documented(LISTS, "the defaults: 20, from 0, chronological, from 1970 to now", async () => {
  const { status, body } = await get("/linked_accounts");
  assert.equal(status, 200);
  assert.deepEqual(
    [body.object, body.limit, body.offset, body.order, body.from],
    ["list", 20, 0, "chronological", "1970-01-01T00:00:00Z"],
  );
  assert.match(body.to, TIME);
  assert.ok(body.to >= first.body.created_at, body.to);
  assert.equal(body.data.length, Math.min(20, body.total));
});
observed(CAPTURES, "the envelope of a list, and its location", async () => {
  const { body } = await get("/linked_accounts?limit=1");
  const keys = ["object", "data", "limit", "offset", "total", "location", "order", "from", "to"];
  assert.deepEqual(sorted(body), keys.sort());
  assert.equal(body.location, "/linked_accounts");
});
documented(
  LISTS,
  "reverse_chronological begins with the newest, and shows each as it is by itself",
  async () => {
    const { data, order, total } = await newest(100, 0);
    assert.equal(order, "reverse_chronological");
    assert.ok(total >= made.length);
    const times: string[] = data.map(({ created_at }: { created_at: string }) => created_at);
    assert.deepEqual(times, times.toSorted().reverse());
    for (const { body } of made) {
      assert.deepEqual(
        data.find(({ id }: { id: string }) => id === body.id),
        body,
      );
    }
  },
);
documented(LISTS, "chronological is the other way round", async () => {
  const from = first.body.created_at;
  const one = (await get(`/linked_accounts?${query({ from, order: "chronological", limit: 100 })}`)).body;
  const to = one.to;
  const fields = { from, to, order: "reverse_chronological", limit: 100 };
  const other = (await get(`/linked_accounts?${query(fields)}`)).body;
  assert.deepEqual(ids(one), ids(other).reverse());
});
documented(LISTS, "limit and offset: parts meet, and overlap nowhere", async () => {
  const whole = await newest(3, 0);
  const parts = [await newest(1, 0), await newest(2, 1)];
  assert.deepEqual(
    parts.map(({ limit, offset, data, total }) => [limit, offset, data.length, total === whole.total]),
    [
      [1, 0, 1, true],
      [2, 1, 2, true],
    ],
  );
  assert.deepEqual(parts.flatMap(ids), ids(whole));
});
documented(LISTS, "from and to bound what is counted", async () => {
  const day = 24 * 60 * 60 * 1_000;
  const iso = (time: number) => `${new Date(time).toISOString().slice(0, 19)}Z`;
  const created = Date.parse(first.body.created_at);
  const part = async (from: number, to: number) =>
    (await get(`/linked_accounts?${query({ from: iso(from), to: iso(to), limit: 100 })}`)).body;
  const around = await part(created - day, created + day);
  assert.deepEqual([around.from, around.to], [iso(created - day), iso(created + day)]);
  assert.ok(around.total >= made.length);
  const later = await part(created + day, created + 2 * day);
  assert.deepEqual([later.data, later.total], [[], 0]);
});
ours("both bounds belong to the part", async () => {
  const time = first.body.created_at;
  const { body } = await get(`/linked_accounts?${query({ from: time, to: time, limit: 100 })}`);
  assert.ok(ids(body).includes(first.body.id));
});
ours("past the end there is nothing, of the same total", async () => {
  const { total } = await newest(1, 0);
  const { status, body } = await get(`/linked_accounts?offset=${total + 1_000}`);
  assert.equal(status, 200);
  assert.deepEqual([body.data, body.total], [[], total]);
});
documented(LISTS, "a limit of 100 is the highest", async () => {
  assert.equal((await get("/linked_accounts?limit=100")).body.limit, 100);
});
unofficial("pagination", "a limit of 101 is a 400", async () => {
  assertError(await get("/linked_accounts?limit=101"), 400, "bad_request");
});
for (const bad of ["limit=0", "offset=-1", "order=newest", "from=yesterday", "colour=red"]) {
  ours(`refused: ${bad}`, async () => {
    assertError(await get(`/linked_accounts?${bad}`), 400, "bad_request");
  });
}
for (const [type, headers, body] of [
  ["form", FORM, "limit=1&order=reverse_chronological"],
  ["JSON", JSON_BODY, '{"limit": 1, "order": "reverse_chronological", "from": null}'],
] as const) {
  const source = type === "form" ? "curl samples" : "official clients";
  observed(source, `the parameters of a GET in its body, ${type}`, async () => {
    const { status, body: list } = await call("GET", "/linked_accounts", { headers, body });
    assert.equal(status, 200);
    assert.deepEqual([list.limit, list.order, list.data.length], [1, "reverse_chronological", 1]);
  });
}

// search

const search = async (fields: Record<string, string | number>) =>
  (await get(`/linked_accounts/search?${query(fields)}`)).body;

observed(SCHEMA, "/linked_accounts/search is a search and no account; its defaults", async () => {
  const { status, body } = await get("/linked_accounts/search");
  assert.equal(status, 200);
  assert.deepEqual([body.object, body.scope, body.page, body.per_page], ["search", "linked_account", 1, 30]);
  assert.equal(body.total_pages, Math.ceil(body.total / 30));
});
observed(CAPTURES, "the envelope of a search", async () => {
  const {
    filters,
    query: words,
    order,
    location,
    ...rest
  } = await search({
    query: RUN,
    "filters[status]": "pending",
    "filters[type]": GOOD.type,
    order: "reverse_chronological",
  });
  assert.deepEqual(filters, { status: "pending", type: GOOD.type });
  assert.deepEqual([words, order, location], [RUN, "reverse_chronological", "/search"]);
  const others = ["object", "export", "data", "page", "per_page", "total", "total_pages", "scope"];
  assert.deepEqual(sorted(rest), [...others, "aggregate_level"].sort());
  assert.deepEqual([rest.export, rest.aggregate_level], [null, null]);
});
observed(SCHEMA, "/search?scope=linked_account is the same", async () => {
  const fields = { "filters[status]": "pending", order: "reverse_chronological", per_page: 3 };
  const { status, body } = await get(`/search?${query({ scope: "linked_account", ...fields })}`);
  assert.equal(status, 200);
  assert.deepEqual(body, await search(fields));
});
observed("official client for Python", "so is /search/", async () => {
  const { status, body } = await get("/search/?scope=linked_account&per_page=1");
  assert.equal(status, 200);
  assert.deepEqual([body.object, body.scope], ["search", "linked_account"]);
});
for (const [name, value] of [
  ["status", "pending"],
  ["type", GOOD.type],
] as const) {
  observed(SCHEMA, `what filters[${name}] lets through has it`, async () => {
    const { data } = await search({ [`filters[${name}]`]: value, per_page: 5 });
    assert.ok(data.length > 0);
    for (const account of data) assert.equal(account[name], value);
  });
}
for (const days of [1, 2]) {
  documented(SEARCH, `filters[created] takes ${days === 1 ? "a day" : "two, with .. between"}`, async () => {
    const last: string = first.body.created_at.slice(0, 10);
    const before = new Date(Date.parse(last) - 24 * 60 * 60 * 1_000).toISOString().slice(0, 10);
    const value = days === 1 ? last : `${before}..${last}`;
    const { data, filters } = await search({ "filters[created]": value, per_page: 5 });
    assert.equal(filters.created, value);
    assert.ok(data.length > 0);
    for (const { created_at } of data) assert.ok(value.includes(created_at.slice(0, 10)), created_at);
  });
}
documented(SEARCH, "in the order that is asked for", async () => {
  for (const order of ["chronological", "reverse_chronological"]) {
    const { data } = await search({ order, per_page: 10 });
    const times: string[] = data.map(({ created_at }: { created_at: string }) => created_at);
    assert.deepEqual(times, order === "chronological" ? times.toSorted() : times.toSorted().reverse());
  }
});
documented(SEARCH, "pages meet, and overlap nowhere", async () => {
  const part = { "filters[type]": GOOD.type, order: "chronological" };
  const both = await search({ ...part, per_page: 4 });
  const pages = [
    await search({ ...part, per_page: 2, page: 1 }),
    await search({ ...part, per_page: 2, page: 2 }),
  ];
  assert.deepEqual(pages.flatMap(ids), ids(both));
  for (const [i, { page, per_page, total, total_pages }] of pages.entries()) {
    assert.deepEqual([page, per_page, total, total_pages], [i + 1, 2, both.total, Math.ceil(both.total / 2)]);
  }
});
observed(CAPTURES, "a page past the end: nothing, and the page and the totals as they are", async () => {
  const { total } = await search({ per_page: 100 });
  const page = Math.ceil(total / 100) + 7;
  const past = await search({ per_page: 100, page });
  assert.deepEqual([past.data, past.page, past.total, past.total_pages], [[], page, total, page - 7]);
});
observed(CAPTURES, "nothing found is no page", async () => {
  const { data, total, total_pages } = await search({ query: `${RUN}-nothing` });
  assert.deepEqual([data, total, total_pages], [[], 0, 0]);
});
ours("a value of metadata finds its accounts", async () => {
  const marked: string[] = made.filter(({ body }) => body.metadata.run === RUN).map(({ body }) => body.id);
  let found: string[] = [];
  // a search may learn of what is new only after a while
  for (let tries = 0; tries < 10; tries++) {
    found = ids(await search({ query: RUN, order: "chronological" }));
    if (found.length === marked.length) break;
    await setTimeout(2_000);
  }
  assert.deepEqual(found.sort(), marked.sort());
});
ours("an id finds its account", async () => {
  assert.deepEqual(ids(await search({ query: first.body.id })), [first.body.id]);
});
for (const bad of ["page=0", "per_page=0", "per_page=101", "filters[status]=open", "filters[colour]=red"]) {
  ours(`refused: ${bad}`, async () => {
    assertError(await get(`/linked_accounts/search?${bad}`), 400, "bad_request");
  });
}
ours("refused: a search without a scope", async () => assertError(await get("/search"), 400, "bad_request"));

// capability

documented("Capability API", "the banks that can be linked are payment methods", async () => {
  const { status, body } = await get("/capability");
  assert.equal(status, 200);
  assert.equal(body.object, "capability");
  const names: string[] = body.payment_methods.map(({ name }: { name: string }) => name);
  assert.ok(names.includes(GOOD.type), names.join());
});
observed(CAPTURES, "what such a payment method has", async () => {
  const { payment_methods } = (await get("/capability")).body;
  const method = payment_methods.find(({ name }: { name: string }) => name === GOOD.type);
  const { object, currencies, card_brands, installment_terms, provider, banks } = method ?? {};
  assert.deepEqual(
    { object, currencies, card_brands, installment_terms, provider, banks },
    {
      object: "payment_method",
      currencies: ["THB"],
      card_brands: null,
      installment_terms: null,
      provider: null,
      banks: [],
    },
  );
});

// an account that was registered: what it is, and its end

const skip = REGISTERED
  ? false
  : "set OMISE_LINKED_ACCOUNT to the id of an account that was registered: it will be deleted";
function registered(weight: Weight, source: string, what: string, run: () => Promise<void>): void {
  test(`${weight} (${source}): ${what}`, { skip }, run);
}
const path = `/linked_accounts/${REGISTERED}`;
/** It, before it was deleted. */
let account: Answer;

registered(
  "documented",
  OBJECT,
  "a registered account is successful, with its last four digits",
  async () => {
    account = await get(path);
    assert.equal(account.status, 200);
    const { status, last_digits, failure_code, failure_message, registered_at } = account.body;
    assert.deepEqual([status, failure_code, failure_message], ["successful", null, null]);
    assert.match(last_digits, /^\d{4}$/);
    assert.match(registered_at, TIME);
    assert.ok(registered_at >= account.body.created_at && registered_at < account.body.expires_at);
  },
);
registered("observed", SCHEMA, "it is found by its status", async () => {
  const { data } = await search({
    "filters[status]": "successful",
    order: "reverse_chronological",
    per_page: 100,
  });
  assert.ok(data.some(({ id }: { id: string }) => id === REGISTERED));
});
registered("documented", DELETE, "it is deleted, and comes back whole", async () => {
  const { status, body } = await call("DELETE", path);
  assert.equal(status, 200);
  assert.deepEqual(body, { ...account.body, status: "deleted" });
});
registered("ours", "no source", "it can still be read", async () => {
  const { status, body } = await get(path);
  assert.equal(status, 200);
  assert.deepEqual(body, { ...account.body, status: "deleted" });
});
registered(
  "ours",
  "no source",
  "to delete it again is like deleting any that is not registered",
  async () => {
    assertError(await call("DELETE", path), 400, "bad_request", "linked account is not registered");
  },
);
