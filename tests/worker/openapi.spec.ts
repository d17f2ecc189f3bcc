// The contract is sound, complete and kept, and what breaks it is noticed.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { randomSecrets, type Stack, startStack } from "../../harness/stack.ts";
import { type Answer, assertError, issuesOf } from "../support/answer.ts";
import {
  assertContract,
  document,
  find,
  operations,
  type Parameter,
  reasonsOf,
  resolve,
  type Schema,
  validator,
} from "../support/contract.ts";
import { Customer, register } from "../support/customer.ts";
import { facts } from "../support/facts.ts";
import { deliver as deliverTo } from "../support/webhook.ts";

let stack: Stack;
let returnUri: string;
const customer = (more: Record<string, unknown> = {}) =>
  new Customer(stack.workerUrl, stack.env.session, { sub: randomUUID(), ...more });
const operator = () => customer({ scope: "linked_accounts:operate" });

before(async () => {
  stack = await startStack({ secrets: randomSecrets(), storefront: false });
  returnUri = `${stack.storefrontUrl}/return`;
});
after(() => stack?.dispose());

const core = facts("core");
const worker = facts("worker");

/** Every reason that the Worker answers with, and its status. */
const STATUSES = new Map(
  core.reasons.flatMap(({ name, status }) => (status === null ? [] : [[name, String(status)]])),
);

/** An id of the sandbox's form that it has given to no account. */
const UNKNOWN = `lnac_test_${"0".repeat(19)}`;

/** A request, and how it was answered. */
interface Exchange {
  method: string;
  path: string;
  answer: Answer;
}

const deliver = (event: Record<string, unknown>) =>
  deliverTo(stack.workerUrl, stack.env.webhook_secret, JSON.stringify(event));

/** Has every operation succeed once. */
async function successes(): Promise<Exchange[]> {
  const me = customer();
  const created = await me.create();
  const { id } = created.body;
  const get = async (path: string, who = me): Promise<Exchange> => {
    const answer = await who.fetch("GET", path);
    return { method: "GET", path: String(path.split("?")[0]), answer };
  };
  const exchanges = [
    { method: "POST", path: "/linked_accounts", answer: created },
    await get("/linked_accounts"),
    await get("/linked_accounts/search"),
    await get(`/linked_accounts/${id}`),
    await get("/banks"),
    await get("/health"),
    await get("/ready"),
    await get("/openapi.json"),
  ];
  const back = await register(created.body.registration_uri, "approve");
  const event = {
    object: "event",
    livemode: false,
    id: `evnt_test_${randomUUID().replaceAll("-", "").slice(0, 19)}`,
    key: "linked_account.complete",
    data: { ...created.body, status: "successful" },
    created_at: "2030-01-01T00:00:00Z",
  };
  const webhook = await deliver(event);
  const confirmed = await me.confirm(back.searchParams.get("link_state"));
  const deleted = await me.delete(id);
  exchanges.push(
    { method: "POST", path: "/webhooks/omise", answer: webhook },
    { method: "POST", path: "/linked_accounts/confirm", answer: confirmed },
    { method: "DELETE", path: `/linked_accounts/${id}`, answer: deleted },
    // a customer's own has entries at once, and comes to its end
    await get(`/audit?subject=${me.claims.sub}`, operator()),
    await get(`/audit?account=${id}&limit=2`, operator()),
    await get("/audit", operator()),
  );
  for (const { method, path, answer } of exchanges) {
    assert.equal(answer.status, 200, `${method} ${path}: ${JSON.stringify(answer.body)}`);
  }
  const [whole, page] = exchanges.slice(-3).map(({ answer }) => answer.body);
  assert.deepEqual([whole.data.length > 2, whole.cursor], [true, null]);
  assert.deepEqual([page.data.length, typeof page.cursor], [2, "string"]);
  return exchanges;
}

/** Refusals of many kinds. */
async function refusals(): Promise<Exchange[]> {
  const me = customer();
  const { id } = (await me.create()).body;
  const key = { "Idempotency-Key": randomUUID() };
  const exchange = async (method: string, path: string, answer: Promise<Answer>, reason: string) => {
    const found = await answer;
    assertError(found, found.status, reason);
    return { method, path, answer: found };
  };
  const post = (answer: Promise<Answer>, reason: string) =>
    exchange("POST", "/linked_accounts", answer, reason);
  const audit = (query: string, reason: string) =>
    exchange("GET", "/audit", operator().fetch("GET", `/audit?${query}`), reason);
  return [
    await post(me.json("/linked_accounts", {}, key), "invalid_request"),
    await post(me.create(), "already_pending"),
    await post(me.fetch("POST", "/linked_accounts", { headers: key }), "unsupported_media_type"),
    await exchange("DELETE", `/linked_accounts/${id}`, me.delete(id), "not_registered"),
    await exchange("GET", `/linked_accounts/${id}`, customer().get(id), "not_found"),
    await exchange("GET", "/audit", me.fetch("GET", "/audit"), "operator_only"),
    await audit(`account=${UNKNOWN}`, "not_found"),
    await audit("account=x", "not_found"),
    await audit(`account=${UNKNOWN.replace("_test", "")}`, "mode_mismatch"),
    await audit("cursor=x", "invalid_request"),
    await audit("subject=a&account=b", "invalid_request"),
    await exchange("PATCH", "/banks", me.fetch("PATCH", "/banks"), "method_not_allowed"),
    await exchange("GET", "/nope", me.fetch("GET", "/nope"), "route_not_found"),
    await exchange(
      "GET",
      "/linked_accounts",
      me.fetch("GET", "/linked_accounts", { headers: { Authorization: "none" } }),
      "unauthenticated",
    ),
  ];
}

test("the document is valid OpenAPI 3.1, of the workspace's version, and has nothing to spare", async () => {
  const openapi = new Validator();
  const { valid, errors } = await openapi.validate(structuredClone(document));
  assert.ok(valid, JSON.stringify(errors));
  assert.equal(openapi.version, "3.1");
  assert.equal(document.info.version, core.version);

  const references = new Set<string>();
  JSON.stringify(document, (name, value) => {
    if (name === "$ref") references.add(value);
    return value;
  });
  for (const $ref of references) resolve({ $ref });
  for (const [kind, components] of Object.entries(document.components)) {
    if (kind === "securitySchemes") continue;
    for (const name of Object.keys(components)) {
      assert.ok(references.has(`#/components/${kind}/${name}`), `no reference to ${kind}/${name}`);
    }
  }
  const ids = operations().map(({ operation }) => operation.operationId);
  assert.equal(new Set(ids).size, ids.length, "operations have names of their own");
});

test("an invalid document would be noticed", async () => {
  for (const spoil of [
    (it: Schema) => delete it.info,
    (it: Schema) => Object.assign(it, { stranger: 1 }),
    (it: Schema) => Object.assign(it, { paths: { "/x": { get: { responses: { "200": {} } } } } }),
  ]) {
    const spoilt = structuredClone<Schema>(document);
    spoil(spoilt);
    assert.equal((await new Validator().validate(spoilt)).valid, false, String(spoil));
  }
});

test("GET /openapi.json serves it", async () => {
  const answer = await customer().fetch("GET", "/openapi.json");
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.body, document);
});

test("it has the routes and methods that the Worker has", async () => {
  assert.deepEqual(Object.keys(document.paths).sort(), worker.routes.map(({ path }) => path).sort());
  for (const { path, methods } of worker.routes) {
    const answer = await customer().fetch("PATCH", path);
    assertError(answer, 405, "method_not_allowed");
    assert.deepEqual(answer.headers.get("Allow")?.split(", ").sort(), methods, path);
    const documented = operations().filter((each) => each.path === path);
    assert.deepEqual([...documented.map(({ method }) => method), "OPTIONS"].sort(), methods, path);
  }
});

test("its words are those of the core, each under its own status", () => {
  const { code, reason } = document.components.schemas.Error.properties;
  assert.deepEqual([...(reason?.enum ?? [])].sort(), [...STATUSES.keys()].sort());

  const used = new Set<string>();
  const check = (where: string, status: string, reasons: string[]) => {
    for (const each of reasons) {
      assert.equal(STATUSES.get(each), status, `${where}: ${each}`);
      used.add(each);
    }
  };
  for (const { method, path, operation } of operations()) {
    const where = `${method} ${path}`;
    for (const status of Object.keys(operation.responses).filter((each) => each >= "400")) {
      const reasons = reasonsOf(operation, status);
      assert.notEqual(reasons.length, 0, `${where} has no reason for ${status}`);
      check(where, status, reasons);
    }
    for (const status of Object.keys(operation["x-reasons"] ?? {})) {
      assert.ok(operation.responses[status], `${where} has reasons for ${status}, but no answer`);
    }
  }
  for (const [status, response] of Object.entries(document["x-other-path"])) {
    check("other paths", status, resolve(response)["x-reasons"] ?? []);
  }
  for (const [name, response] of Object.entries(document.components.responses)) {
    const { "x-reasons": reasons = [] } = response;
    for (const each of reasons) assert.ok(used.has(each), `${name}: no operation has ${each}`);
  }
  assert.deepEqual([...used].sort(), [...STATUSES.keys()].sort(), "every reason is some operation's");

  const codes = core.reasons.map(({ code }) => code);
  assert.deepEqual(code?.enum, [...new Set(codes)].sort());
  assert.deepEqual(document.components.schemas.Issue.properties.code?.enum, core.issue_codes);
});

test("its limits are those of the core and the Worker", () => {
  const { limits } = core;
  const component = (path: string) => resolve<Schema>({ $ref: `#/components/${path}` });
  assert.equal(component("schemas/Create/properties/return_uri").maxLength, limits.return_uri_bytes);
  assert.equal(component("schemas/Account/properties/id").maxLength, limits.id_bytes);
  assert.equal(component("schemas/Error/properties/issues").maxItems, limits.issues);
  assert.equal(component("parameters/Limit/schema").maximum, limits.list_limit);
  assert.equal(component("parameters/Offset/schema").maximum, limits.list_offset);
  const schema = (method: string, path: string, wanted: string) => {
    const parameters = find(method, path)?.parameters?.map((parameter) => resolve(parameter));
    return parameters?.find(({ name }) => name === wanted)?.schema ?? assert.fail(wanted);
  };
  const search = (name: string) => schema("GET", "/linked_accounts/search", name);
  assert.equal(search("query").maxLength, limits.search_query_characters);
  assert.equal(search("page").maximum, limits.search_page);
  assert.equal(search("per_page").maximum, limits.search_per_page);

  const validate = validator(schema("POST", "/linked_accounts", "Idempotency-Key"));
  const { min_length, max_length, characters } = worker.idempotency_key;
  for (const length of [min_length, max_length]) assert.ok(validate("k".repeat(length)));
  for (const length of [min_length - 1, max_length + 1]) assert.ok(!validate("k".repeat(length)));
  for (let code = 0; code < 256; code++) {
    const character = String.fromCharCode(code);
    assert.equal(validate(character), characters.includes(character), `character ${code}`);
  }
});

test("every operation succeeds as documented, and an answer that differs is refused", async () => {
  const seen = new Set<string>();
  for (const { method, path, answer } of await successes()) {
    seen.add(String(find(method, path)?.operationId));
    // of itself the document says no more than that it is an object
    if (path !== "/openapi.json") assertSpoiltIsRefused(method, path, answer);
  }
  assert.deepEqual(
    [...seen].sort(),
    operations()
      .map(({ operation }) => operation.operationId)
      .sort(),
  );
});

test("refusals are as documented, and one that differs is refused", async () => {
  for (const { method, path, answer } of await refusals()) {
    assertSpoiltIsRefused(method, path, answer);
    for (const reason of ["internal", "load_failed", "nonsense"]) {
      assertRefused(method, path, { ...answer, body: { ...answer.body, reason } });
    }
  }
});

function assertRefused(
  method: string,
  path: string,
  answer: Answer,
  what = JSON.stringify(answer.body),
): void {
  assert.throws(
    () => assertContract(method, path, answer),
    assert.AssertionError,
    `${method} ${path} may be answered ${answer.status} ${what}`,
  );
}

function assertSpoiltIsRefused(method: string, path: string, answer: Answer): void {
  assertContract(method, path, answer);
  const spoilt = [...spoil(answer.body)];
  assert.ok(spoilt.length > 5);
  for (const { what, value } of spoilt) assertRefused(method, path, { ...answer, body: value }, what);
  assertRefused(method, path, { ...answer, body: undefined });

  for (const status of [100, 201, 304, 402, 418, 501]) assertRefused(method, path, { ...answer, status });
  const assertHeaderRefused = (name: string, value?: string) => {
    const headers = new Headers(answer.headers);
    if (value === undefined) headers.delete(name);
    else headers.set(name, value);
    assertRefused(method, path, { ...answer, headers }, `with ${name}: ${value}`);
  };
  const required = ["Allow", "WWW-Authenticate", "Content-Type"].filter((name) => answer.headers.has(name));
  for (const name of [...required, ...Object.keys(document["x-every-answer"])]) {
    assertHeaderRefused(name);
    assertHeaderRefused(name, "?");
  }
  for (const name of ["Set-Cookie", "Server", "ETag"]) assertHeaderRefused(name, "x");
}

/** The body in every way in which one thing is wrong with it: a member too few, one too many, or of another type. */
function* spoil(body: unknown, path: string[] = []): Generator<{ what: string; value: unknown }> {
  const name = path.at(-1);
  const at = (what: string, value: unknown) => ({ what: `${path.join(".")} ${what}`, value });
  yield at("is of another type", another(body));
  if (name === "object") yield at("is another object", "charge");
  if (Array.isArray(body)) {
    // of many alike, one is enough
    for (const { what, value } of body.length > 0 ? spoil(body[0], [...path, "0"]) : []) {
      yield { what, value: body.with(0, value) };
    }
  } else if (typeof body === "object" && body !== null) {
    // the shop may put any name into metadata, except those that the Worker reserves
    const stranger = name === "metadata" ? "linked_accounts_stamp" : "stranger";
    yield at(`has a ${stranger}`, { ...body, [stranger]: "x" });
    for (const [member, value] of Object.entries(body)) {
      const { [member]: _, ...rest } = body as Record<string, unknown>;
      // what is optional may be absent
      if (member !== "linked_account" || path.length > 0) yield at(`has no ${member}`, rest);
      for (const each of spoil(value, [...path, member])) {
        yield { what: each.what, value: { ...body, [member]: each.value } };
      }
    }
  }
}

function another(value: unknown): unknown {
  if (Array.isArray(value)) return {};
  if (value === null || typeof value === "string") return 7;
  return typeof value === "object" ? [] : String(value);
}

test("what only a closer look shows is refused", async () => {
  const me = customer();
  const created = await me.create();
  const changed = (change: Schema): Answer => ({ ...created, body: { ...created.body, ...change } });
  for (const change of [
    { id: "lnac_test_A" },
    { id: `lnac_test_${"0".repeat(60)}` },
    { created_at: "2030-01-01T00:00:00+07:00" },
    { expires_at: "tomorrow" },
    { confirmed_at: 1_700_000_000 },
    { capabilities: [7] },
    { name: null },
  ]) {
    assertRefused("POST", "/linked_accounts", changed(change));
  }
  for (const change of [{ name: "Malee", capabilities: ["refunds"] }, { status: "frozen" }]) {
    assertContract("POST", "/linked_accounts", changed(change));
  }
  const replayed = new Headers({ ...Object.fromEntries(created.headers), "Idempotent-Replayed": "true" });
  assertContract("POST", "/linked_accounts", { ...created, headers: replayed });
  assertRefused("GET", `/linked_accounts/${created.body.id}`, { ...created, headers: replayed }, "replayed");

  // the account is told with one reason alone, and a reason by those who have it
  const pending = await me.create();
  assertError(pending, 409, "already_pending");
  const other = { ...pending.body, reason: "attempt_in_flight" };
  assertRefused("POST", "/linked_accounts", { ...pending, body: other });
  const { linked_account: _, ...alone } = other;
  assertContract("POST", "/linked_accounts", { ...pending, body: alone });

  // a create alone can be one too many of a day
  const headers = new Headers({ ...Object.fromEntries(pending.headers), "Retry-After": "86400" });
  const tooMany = { status: 429, headers, body: { ...alone, reason: "too_many_creates" } };
  assertContract("POST", "/linked_accounts", tooMany);
  assertRefused("GET", "/linked_accounts", tooMany);
  assertRefused("DELETE", `/linked_accounts/${created.body.id}`, tooMany);
  assertRefused("POST", "/linked_accounts", { ...tooMany, headers: pending.headers }, "without Retry-After");
  const invalid = await me.fetch("GET", "/linked_accounts?limit=0");
  assertError(invalid, 400, "invalid_request");
  assertRefused("GET", `/linked_accounts/${created.body.id}`, invalid);
  assertRefused("GET", "/banks", invalid);
  assertRefused("GET", "/nope", invalid);

  // a method that the path knows is not refused, one that it does not know is
  const refused = await me.fetch("PATCH", "/banks");
  assertError(refused, 405, "method_not_allowed");
  assertRefused("GET", "/banks", refused);
  assertRefused("PATCH", "/banks", await me.fetch("GET", "/banks"));
  assertRefused("OPTIONS", "/banks", refused);
  assertContract("OPTIONS", "/banks", await me.fetch("OPTIONS", "/banks"));
  assertRefused("GET", "/ready", await me.fetch("GET", "/health"));
});

/** Values that a parameter takes, and such as it does not take. */
function values({ name, schema }: Parameter): { good: string[]; bad: string[] } {
  const { enum: words, format, minimum, maximum, maxLength } = resolve<Schema>(schema);
  if (words) return { good: words as string[], bad: ["nonsense"] };
  if (format) return { good: ["2024-06-03T04:11:14Z"], bad: ["yesterday", "2024-06-03"] };
  if (maxLength)
    return { good: ["x", "ก".repeat(Number(maxLength))], bad: ["x".repeat(Number(maxLength) + 1)] };
  if (name === "cursor") return { good: ["2024-06-03", "2024-06-03.7"], bad: [] };
  if (name === "subject") return { good: ["x", "ก"], bad: [] };
  // an account that Omise does not have is not found: `refusals` has that
  if (name === "account") return { good: [], bad: [] };
  if (name === "filters[created]") {
    return { good: ["2024-06-03", "2024-06-03..2024-06-30"], bad: ["2024", "2024-06-03.."] };
  }
  assert.ok(minimum !== undefined && maximum !== undefined, `what does ${name} take?`);
  return {
    good: [String(minimum), String(maximum)],
    bad: [String(Number(minimum) - 1), String(Number(maximum) + 1), "1.5", "x"],
  };
}

test("the Worker takes the parameters of the document as the document has them, and no others", async () => {
  const who = { audit: operator() } as Record<string, Customer>;
  const lists = operations().filter(({ operation }) =>
    ["list", "search", "audit"].includes(operation.operationId),
  );
  assert.equal(lists.length, 3);
  const every = new Set<string>();
  for (const { operation } of lists) {
    for (const parameter of operation.parameters ?? []) every.add(resolve(parameter).name);
  }
  for (const { path, operation } of lists) {
    const me = who[operation.operationId] ?? customer();
    const ask = (name: string, value: string) =>
      me.fetch("GET", `${path}?${new URLSearchParams({ [name]: value })}`);
    const known = new Set((operation.parameters ?? []).map((reference) => resolve(reference).name));
    const taken = core.parameters[operation.operationId as keyof typeof core.parameters];
    assert.deepEqual([...known].sort(), taken, "the document has every parameter that the core reads");
    for (const reference of operation.parameters ?? []) {
      const parameter = resolve(reference);
      const { good, bad } = values(parameter);
      const validate = validator(parameter.schema);
      const typed = (text: string) =>
        resolve<Schema>(parameter.schema).type === "integer" ? Number(text) : text;
      for (const value of good) {
        assert.ok(validate(typed(value)), `${parameter.name}=${value}`);
        const answer = await ask(parameter.name, value);
        assert.equal(
          answer.status,
          200,
          `${path} ${parameter.name}=${value}: ${JSON.stringify(answer.body)}`,
        );
      }
      for (const value of bad) {
        assert.ok(!validate(typed(value)), `${parameter.name}=${value}`);
        const answer = await ask(parameter.name, value);
        assertError(answer, 400, "invalid_request");
        assert.deepEqual(issuesOf(answer), [`${parameter.name} invalid`]);
      }
    }
    for (const name of every) {
      if (known.has(name)) continue;
      const answer = await ask(name, "1");
      assertError(answer, 400, "invalid_request");
      assert.deepEqual(issuesOf(answer), [`${name} unknown_field`]);
    }
  }
});

test("what the document asks of a body is what the Worker asks", async () => {
  const me = customer();
  const good: Record<string, Schema> = {
    "/linked_accounts": {
      type: "direct_debit_scb",
      return_uri: returnUri,
      citizen_id: "1101700230708",
      metadata: { order: "A-17" },
      replace_pending: false,
    },
    "/linked_accounts/confirm": { link_state: "A".repeat(22) },
  };
  for (const [path, whole] of Object.entries(good)) {
    const reference = find("POST", path)?.requestBody?.content?.["application/json"].schema;
    assert.ok(reference);
    const schema = resolve<Schema>(reference);
    const validate = validator(schema);
    const properties = Object.keys(schema.properties as Schema);
    assert.deepEqual(properties, Object.keys(whole));
    assert.ok(validate(whole), JSON.stringify(validate.errors));

    const bodies: Schema[] = [whole];
    for (const name of properties) {
      const { [name]: _, ...without } = whole;
      bodies.push(without);
      for (const value of [null, true, 7, "", "no such thing", [], {}, { a: 1, b: true }]) {
        bodies.push({ ...whole, [name]: value });
      }
    }
    if (path === "/linked_accounts") {
      for (const metadata of [
        { linked_accounts_a: "x" },
        { "a[b]": "x" },
        { a: null },
        { a: {} },
        { "": "x" },
      ]) {
        bodies.push({ ...whole, metadata });
      }
      bodies.push({ ...whole, return_uri: `${returnUri}/${"x".repeat(2048)}` });
      for (const citizen_id of ["1234", "A".repeat(20), "A".repeat(21), "A-1234567"]) {
        bodies.push({ ...whole, citizen_id });
      }
    }
    for (const body of bodies) {
      // a stranger has it refused in any case, so that nothing is made
      const spoilt = { ...body, stranger: 1 };
      assert.ok(!validate(spoilt));
      const faulty = new Set(
        validate.errors?.map(({ instancePath, params }) => {
          const member = params.missingProperty ?? params.additionalProperty;
          return String(instancePath.split("/")[1] ?? member);
        }),
      );
      const answer = await me.json(path, spoilt, { "Idempotency-Key": randomUUID() });
      assertError(answer, 400, "invalid_request");
      const found = new Set(issuesOf(answer).map((issue) => String(issue.split(/[ .]/)[0])));
      assert.deepEqual([...found].sort(), [...faulty].sort(), JSON.stringify(body));
    }
  }
});
