// The Worker keeps its contract whatever it is sent: Schemathesis makes requests from the document, good and bad, and holds the
// answers against it. That it finds what breaks the contract is shown by documents and answers that are wrong on purpose.
//
// SEED=… makes other requests than usual, FULL=1 many more.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as forward, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { OPERATE, token } from "../../harness/session.ts";
import { randomSecrets, type Stack, startStack } from "../../harness/stack.ts";
import { Customer, register } from "../support/customer.ts";
import { Ledgers } from "../support/ledgers.ts";
import { until } from "../support/until.ts";
import { type ContractDocument, documentFor, type Kind, type Known } from "./document.ts";

const FULL = process.env.FULL === "1";
const SEED = process.env.SEED ?? "1";
/** Of each operation, in each way of making them. */
const EXAMPLES = FULL ? 1_000 : 30;
const BANKS = ["bay", "bbl", "kbank", "ktb", "scb"];

const folder = mkdtempSync(join(tmpdir(), "contract-"));
const secrets = randomSecrets();
/** How often the Worker gave which answer since the last run began: route, status, reason. */
const answers = new Map<string, number>();
let stack: Stack;
let me: Customer;
let known: Known;

before(async () => {
  stack = await startStack({
    secrets,
    storefront: false,
    workerBindings: { ACCOUNT_TYPES: BANKS.map((bank) => `direct_debit_${bank}`).join() },
    log: (line) => {
      if (!line.startsWith('{"request_id"')) return;
      const { part, route, status, reason } = JSON.parse(line);
      if (part !== "edge") return;
      const answer = reason ? `${route} ${status} ${reason}` : `${route} ${status}`;
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    },
  });
  me = customer();
  known = { returnUri: `${stack.storefrontUrl}/return`, ids: [], linkStates: [] };
  for (const end of ["approve", "approve", "approve", "decline", "delete", "nothing"] as const) {
    await link(me, end);
  }
  await link(customer(), "approve");
});
after(async () => {
  await stack?.dispose();
  rmSync(folder, { recursive: true });
});

const now = () => Math.floor(Date.now() / 1_000);

const customer = () => new Customer(stack.workerUrl, stack.env.session, { sub: randomUUID() });

/** Begins a link that requests can be about, and brings it to an end. */
async function link(owner: Customer, end: "approve" | "decline" | "delete" | "nothing"): Promise<void> {
  const { body } = await owner.create();
  known.ids.push(body.id);
  if (end === "nothing") return;
  const back = await register(body.registration_uri, end === "decline" ? "decline" : "approve");
  known.linkStates.push(back.searchParams.get("link_state") ?? "");
  assert.equal((await owner.get(body.id)).body.status, end === "decline" ? "failed" : "successful");
  if (end === "delete") assert.equal((await owner.delete(body.id)).body.status, "deleted");
}

/** A token for as long as a run may last. */
const lasting = (claims: Record<string, unknown> = {}) =>
  token(stack.env.session, { sub: randomUUID(), exp: now() + 3_600, ...claims });

/** Whose tokens requests carry. */
interface Caller {
  kind: Kind;
  token: string;
  /** Operations whose requests others send in turn, and their `Authorization`; null is none. */
  operations: string[];
  others: (string | null)[];
}

/** A caller whose accounts are made by many: one has at most one that is pending of each type. */
function among(kind: Kind, claims: Record<string, unknown>): Caller {
  const crowd = Array.from(
    { length: FULL ? 2_000 : 100 },
    () => `Bearer ${lasting({ ...claims, sub: randomUUID() })}`,
  );
  return {
    kind,
    token: lasting(claims),
    operations: ["create"],
    // each often enough to meet what they made before
    others: crowd.flatMap((one) => Array<string>(10).fill(one)),
  };
}

/** What is tried other than usual. */
interface Trial {
  url?: string;
  lie?: (document: ContractDocument) => void;
  flags?: string[];
}

/** What Schemathesis found: each failure's name, and the operations that have it. */
interface Report {
  failures: { title: string; operations: string[] }[];
  operations: { total: number; tested: number };
  test_cases: { generated: number };
  printed: string;
}

/** Runs Schemathesis as this caller. */
async function fuzz({ kind, ...caller }: Caller, trial: Trial = {}): Promise<Report> {
  const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
  const there = (name: string) => join(folder, name);
  const document = documentFor(kind, known);
  trial.lie?.(document);
  writeFileSync(there("document.json"), JSON.stringify(document));
  writeFileSync(there("caller.json"), JSON.stringify({ ...caller, webhook_secret: secrets.WEBHOOK_SECRET }));
  rmSync(there("report.json"), { force: true });
  answers.clear();
  const { SCHEMATHESIS = "schemathesis" } = process.env;
  const child = spawn(
    SCHEMATHESIS,
    [
      `--config-file=${here("schemathesis.toml")}`,
      "run",
      there("document.json"),
      `--url=${trial.url ?? stack.workerUrl}`,
      `--seed=${SEED}`,
      `--max-examples=${EXAMPLES}`,
      "--report=json",
      `--report-json-path=${there("report.json")}`,
      "--no-color",
      ...(trial.flags ?? []),
    ],
    {
      // for whatever it leaves behind
      cwd: folder,
      env: {
        ...process.env,
        PYTHONDONTWRITEBYTECODE: "1",
        HOOKS: here("hooks.py"),
        TOKEN: caller.token,
        CALLER: there("caller.json"),
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const closed = once(child, "close");
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await closed;
  const printed = `SEED=${SEED}\n${out}${errors}`;
  // 0: nothing was found; 1: something was; all else is no verdict
  assert.ok(code === 0 || code === 1, printed);
  const report = JSON.parse(readFileSync(there("report.json"), "utf8"));
  assert.deepEqual([report.exit_code, report.complete, report.errors], [code, true, []], printed);
  return { ...report, printed };
}

/** Fails with what Schemathesis printed unless it found nothing, though it tried everything. */
function assertKept(t: TestContext, { failures, operations, test_cases, printed }: Report): void {
  assert.deepEqual(failures, [], printed);
  assert.equal(operations.tested, operations.total, printed);
  t.diagnostic(`SEED=${SEED}, ${test_cases.generated} requests`);
}

/** Fails unless the requests of the last run got as far as each of these answers. */
async function assertAnswered(...wanted: string[]): Promise<void> {
  const missing = () => wanted.filter((answer) => !answers.has(answer));
  // the log comes after the answers
  await until(async () => missing().length === 0).catch(() => {});
  assert.deepEqual(missing(), [], JSON.stringify(Object.fromEntries(answers)));
}

/** Fails unless these operations, and no others, were found to have at least these failures. */
function assertFound({ failures, printed }: Report, wanted: Record<string, string>): void {
  const titles = (operation: string) =>
    failures.filter(({ operations }) => operations.includes(operation)).map(({ title }) => title);
  const blamed = new Set(failures.flatMap(({ operations }) => operations));
  assert.deepEqual([...blamed].sort(), Object.keys(wanted).sort(), printed);
  for (const [operation, title] of Object.entries(wanted)) {
    assert.ok(titles(operation).includes(title), `${operation}: ${titles(operation)}\n${printed}`);
  }
}

/** What every run gets to whose caller is somebody. */
const USUAL = [
  "banks 200",
  "confirm 200",
  "confirm 400 invalid_request",
  "confirm 404 not_found",
  "create 200",
  "create 400 idempotency_key_invalid",
  "create 400 invalid_request",
  "create 409 already_pending",
  "create 415 unsupported_media_type",
  "create 422 idempotency_key_reused",
  "delete 200",
  "delete 400 not_registered",
  "list 200",
  "list 400 invalid_request",
  "list 401 unauthenticated",
  "none 405 method_not_allowed",
  "retrieve 200",
  "search 200",
  "search 400 invalid_request",
  "webhook 200",
  "webhook 400 malformed_json",
  "webhook 401 unauthenticated",
];

test("a customer is answered as documented, whatever they send", async (t) => {
  const attempts = async () => (await new Ledgers(stack).all("SELECT id FROM attempts")).length;
  const before = await attempts();
  assertKept(t, await fuzz(among("customer", me.claims)));
  await assertAnswered(...USUAL, "audit 403 operator_only", "delete 404 not_found", "retrieve 404 not_found");
  const made = (await attempts()) - before;
  assert.ok(
    made > 0 && (answers.get("create 200") ?? 0) > made,
    `${made} were made, ${answers.get("create 200")} answered`,
  );
});

test("an operator is answered as documented, whatever they send", async (t) => {
  assertKept(t, await fuzz(among("operator", { ...me.claims, ...OPERATE })));
  await assertAnswered(...USUAL, "audit 200", "audit 400 invalid_request");
});

test("nobody is told more than 401 where a token is needed, whatever they send", async (t) => {
  const { session } = stack.env;
  const good = lasting(OPERATE);
  const [head, payload, signature = ""] = good.split(".");
  const none = Buffer.from('{"alg":"none"}').toString("base64url");
  const bad = [
    "",
    "x",
    `${good}, Bearer ${good}`,
    `${head}.${payload}.`,
    `${head}.${payload}.${[...signature].reverse().join("")}`,
    `${none}.${payload}.`,
    `${none}.${payload}.${signature}`,
    lasting({ exp: now() + 7_200 }),
    lasting({ exp: undefined }),
    lasting({ nbf: now() + 3_000 }),
    lasting({ iss: session.aud }),
    lasting({ aud: session.iss }),
    lasting({ sub: "" }),
    token({ ...session, secret: `${session.secret}x` }, OPERATE),
  ];
  const report = await fuzz(
    {
      kind: "nobody",
      token: lasting({ exp: now() - 3_600 }),
      operations: ["audit", "confirm", "create", "delete", "list", "retrieve", "search"],
      others: [null, `Basic ${good}`, good, ...bad.map((one) => `Bearer ${one}`)],
    },
    // good data does not help them
    { flags: ["--exclude-checks=positive_data_acceptance"] },
  );
  assertKept(t, report);
  await assertAnswered(
    "create 401 unauthenticated",
    "retrieve 401 unauthenticated",
    "webhook 200",
    "ready 200",
  );
});

/** Few, since what is wrong is wrong each time. */
const FEW = ["--max-examples=10", "--phases=coverage,fuzzing"];

test("a document that the Worker does not keep is found out", async () => {
  const lie = ({ paths, components: { schemas } }: ContractDocument) => {
    const response = (path: string, method: string, status: number) => paths[path][method].responses[status];
    delete paths["/health"].get.responses[200];
    response("/ready", "get", 200).headers["X-Request-Id"].schema = { const: "x" };
    response("/linked_accounts/{id}", "delete", 401).headers["WWW-Authenticate"].schema = { const: "Basic" };
    response("/openapi.json", "get", 200).content = { "text/html": {} };
    response("/linked_accounts", "get", 400).content["application/json"].schema.allOf[1] = {
      properties: { reason: { enum: ["upstream_refused"] } },
    };
    schemas.Banks.properties.data.items.properties.short_code = { type: "integer" };
    schemas.Confirm.properties.id = { type: "string" };
    schemas.Confirm.required.push("id");
    schemas.Webhook.properties.outcome = { const: "updated" };
    const [key] = paths["/linked_accounts"].post.parameters;
    key.required = false;
    for (const parameter of paths["/linked_accounts/search"].get.parameters) {
      if (parameter.name === "per_page") parameter.schema.maximum = 50;
    }
  };
  const report = await fuzz(among("customer", me.claims), { lie, flags: FEW });
  assertFound(report, {
    "DELETE /linked_accounts/{id}": "Response header does not conform to the schema",
    "GET /banks": "Response violates schema",
    "GET /health": "Undocumented status code",
    "GET /linked_accounts": "Response violates schema",
    "GET /linked_accounts/search": "Schema-violating request accepted",
    "GET /openapi.json": "Undocumented Content-Type",
    "GET /ready": "Response header does not conform to the schema",
    "POST /linked_accounts": "Schema-valid request rejected",
    "POST /linked_accounts/confirm": "Schema-valid request rejected",
    "POST /webhooks/omise": "Response violates schema",
  });
});

test("answers that break the contract are found out", async () => {
  const caller = among("customer", me.claims);
  const proxy = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    const route = `${method} ${url.split("?", 1)[0]}`;
    // to be read here
    headers["accept-encoding"] = "identity";
    // alone on its connection, as in Customer.fetch
    headers.connection = "close";
    // as if nobody looked at the token
    if (route === "GET /linked_accounts") headers.authorization = `Bearer ${caller.token}`;
    const onward = forward(stack.workerUrl + url, { method, headers }, async (answer) => {
      const kept: IncomingHttpHeaders = { ...answer.headers };
      let status = answer.statusCode ?? 0;
      let body = await text(answer);
      if (route === "GET /banks") body = body.replace('"total":', '"count":');
      if (route === "GET /health") status = 500;
      if (route === "GET /openapi.json") delete kept["x-request-id"];
      if (route.endsWith(" /ready") && status === 405) delete kept.allow;
      if (route === "POST /linked_accounts/confirm" && status === 415) status = 200;
      if (route === "POST /webhooks/omise" && status === 401) status = 202;
      delete kept["content-length"];
      response.writeHead(status, kept).end(body);
    });
    onward.on("error", (error) => response.destroy(error));
    request.pipe(onward);
  }).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  try {
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const report = await fuzz(caller, { url, flags: FEW });
    assertFound(report, {
      "GET /banks": "Response violates schema",
      "GET /health": "Server error",
      "GET /linked_accounts": "API accepts requests without authentication",
      "GET /openapi.json": "Missing required response headers",
      "POST /linked_accounts/confirm": "Schema-violating request accepted",
      "POST /webhooks/omise": "Undocumented status code",
      "TRACE /ready": "Wrong response to undeclared method",
    });
  } finally {
    proxy.closeAllConnections();
    await once(proxy.close(), "close");
  }
});
