// The client, from the packed tarball, in front of a Worker, a network and a page that misbehave.

import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { cpSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import type * as Package from "../../pkg-template/index.d.ts";
import {
  type Answer,
  type Asked,
  clientOf,
  fails,
  failureOf,
  gate,
  hangs,
  ID,
  installed,
  json,
  LINK_STATE,
  Network,
  omise,
  PARAMS,
  Page,
  replace,
  reply,
  resets,
  shows,
  text,
  Worker,
} from "./client.ts";
import { account } from "./worker.ts";

const {
  createClient,
  InvalidRequestError,
  isLinkedAccountsError,
  LinkedAccountsError,
  LoadError,
  NetworkError,
} = omise;

describe("what is asked", () => {
  test("every method asks the Worker for what it says, and passes on what came", async (t) => {
    const worker = await Worker.start(t);
    const links = clientOf(worker);
    const one = account("pending");
    const list = { object: "list", data: [one], total: 1 };
    const search = { object: "search", data: [one], total_pages: 1, filters: {} };
    const bank = { object: "bank", type: "direct_debit_ktb", short_code: "KTB" };
    const when = { from: "2026-01-01T00:00:00Z", limit: 5, order: "chronological" } as const;
    const calls: [() => Promise<unknown>, body: unknown, line: string, came?: unknown][] = [
      [() => links.banks(), { object: "list", data: [bank] }, "GET /banks", [bank]],
      [() => links.create(PARAMS), one, "POST /linked_accounts"],
      [() => links.retrieve(ID), one, `GET /linked_accounts/${ID}`],
      [() => links.delete(ID), one, `DELETE /linked_accounts/${ID}`],
      [() => links.list(), list, "GET /linked_accounts"],
      [
        () => links.list({ ...when, status: "failed", type: "direct_debit_scb" }),
        list,
        "GET /linked_accounts?from=2026-01-01T00%3A00%3A00Z&limit=5&order=chronological" +
          "&filters%5Bstatus%5D=failed&filters%5Btype%5D=direct_debit_scb",
      ],
      [() => links.search(), search, "GET /linked_accounts/search"],
      [
        () => links.search({ query: "a&b ก", created: "2026-01-01..2026-01-31", page: 2, perPage: 10 }),
        search,
        "GET /linked_accounts/search?query=a%26b+%E0%B8%81&filters%5Bcreated%5D=2026-01-01..2026-01-31&page=2&per_page=10",
      ],
    ];
    for (const [call, body, line, came = body] of calls) {
      worker.answers = [json(200, body)];
      assert.deepEqual(await call(), came, line);
      const { method, path, headers } = worker.asked.at(-1) as Asked;
      assert.equal(`${method} ${path}`, line);
      assert.equal(headers.prefer, undefined, line);
      assert.equal("idempotency-key" in headers, method === "POST", line);
      assert.equal(headers["content-type"], method === "POST" ? "application/json" : undefined, line);
      if (path !== "/banks") assert.equal(headers.authorization, "Bearer token-1", line);
    }
    assert.equal(worker.asked.length, calls.length);
    assert.ok(Object.isFrozen(links));
  });

  test("banks are told to those who are not signed in", async (t) => {
    const worker = await Worker.start(t, json(200, { object: "list", data: [] }));
    const getToken = () => Promise.reject(new Error("signed out"));
    assert.deepEqual(await clientOf(worker, { getToken }).banks(), []);
  });

  test("a create is sent as it was when it was called, by the Worker's names", async (t) => {
    const worker = await Worker.start(t, shows("pending"));
    const metadata: Record<string, string | number> = JSON.parse('{"order":17,"__proto__":"x"}');
    const params = {
      ...PARAMS,
      returnUri: "https://SHOP.example:443/return",
      citizenId: "1101700230708",
      replacePending: true,
      metadata,
    };
    const call = clientOf(worker).create(params);
    params.citizenId = "";
    metadata.order = 18;
    await call;
    assert.equal(
      worker.asked[0]?.body,
      '{"type":"direct_debit_scb","return_uri":"https://shop.example/return","citizen_id":"1101700230708",' +
        '"metadata":{"order":17,"__proto__":"x"},"replace_pending":true}',
    );
  });

  test("what the rules refuse is not sent, and every issue is told in the customer's language", async (t) => {
    const worker = await Worker.start(t, shows("pending"));
    let tokens = 0;
    const links = clientOf(worker, { locale: "th-TH", getToken: () => `token-${++tokens}` });
    const metadata = { "a[b]": 1, nested: {} as never };
    const params = {
      ...PARAMS,
      returnUri: "/return",
      citizenId: "1101700230709",
      metadata,
      idempotencyKey: "k",
    };
    const error = await failureOf(links.create(params));
    assert.ok(error instanceof InvalidRequestError);
    assert.deepEqual([error.code, error.reason, error.status], ["bad_request", "invalid_request", undefined]);
    assert.deepEqual(
      error.issues.map(({ field, code }) => `${field} ${code}`),
      [
        "return_uri invalid",
        "citizen_id invalid",
        "metadata.a[b] invalid",
        "metadata.nested wrong_type",
        "idempotencyKey unknown_field",
      ],
    );
    assert.match(error.issues[1]?.message ?? "", /[\u0e00-\u0e7f]/);
    assert.match(error.userMessage, /[\u0e00-\u0e7f]/);
    for (const none of [undefined, null, 7, "x", []]) {
      assert.ok((await failureOf(links.create(none as never))) instanceof InvalidRequestError);
    }
    for (const id of ["nonsense", "lnac_test_../../banks", "", 7, undefined]) {
      for (const call of [links.retrieve, links.delete, links.waitFor]) {
        assert.equal((await failureOf(call(id as string))).reason, "not_found");
      }
    }
    assert.deepEqual([worker.asked, tokens], [[], 0]);
  });

  test("createClient refuses what it cannot work with", () => {
    const getToken = () => "t";
    for (const endpoint of [
      "links.shop.example",
      "ftp://x.example",
      "https://",
      "https://x.example?a",
      "",
      7,
      undefined,
    ]) {
      assert.throws(
        () => createClient({ endpoint, getToken } as never),
        /^TypeError: createClient: expected endpoint/,
      );
    }
    assert.throws(() => createClient({ endpoint: "https://x.example" } as never), /expected getToken/);
  });

  test("an endpoint may have a path and slashes at its end", async (t) => {
    const worker = await Worker.start(t, shows("pending"));
    await clientOf({ endpoint: `${worker.endpoint}/links//` }).retrieve(ID);
    assert.equal(worker.asked[0]?.path, `/links/linked_accounts/${ID}`);
  });

  test("a fetch of the page's own is given the request", async () => {
    const seen: Request[] = [];
    const fetch = async (request: Request) => {
      seen.push(request);
      return reply("pending");
    };
    await clientOf({ endpoint: "https://links.shop.example" }, { fetch }).retrieve(ID);
    assert.ok(seen[0] instanceof Request);
    assert.equal(seen[0].redirect, "manual");
  });
});

describe("idempotency", () => {
  test("clicks at once make one request; the next call is another", async (t) => {
    const worker = await Worker.start(t, shows("pending"));
    const links = clientOf(worker);
    const [first, second] = await Promise.all([links.create(PARAMS), links.create({ ...PARAMS })]);
    assert.deepEqual(first, second);
    assert.equal(worker.asked.length, 1);
    await Promise.all([links.create(PARAMS), links.create({ ...PARAMS, type: "direct_debit_bbl" })]);
    assert.equal(new Set(worker.keys).size, 3);
  });

  test("who tries again at once does not get the failure of before", async (t) => {
    const worker = await Worker.start(
      t,
      fails(502, "outcome_unknown", { retryable: true }),
      shows("pending"),
    );
    const links = clientOf(worker);
    const again = links.create(PARAMS).catch(() => links.create(PARAMS));
    await failureOf(links.create(PARAMS, { signal: new AbortController().signal }));
    assert.equal((await again).id, ID);
  });

  const unknown: [name: string, answer: Answer][] = [
    ["outcome_unknown", fails(502, "outcome_unknown", { retryable: true })],
    ["attempt_in_flight", fails(409, "attempt_in_flight", { retryable: true })],
    ["rate_limited", fails(429, "rate_limited", { retryable: true })],
    ["unauthenticated", fails(401, "unauthenticated")],
    ["a reset", resets],
    [
      "half an answer",
      (response) =>
        void response.writeHead(200, { "Content-Length": "9" }).write("{", () => response.destroy()),
    ],
    ["a proxy's page", text(502, "<h1>Bad gateway</h1>")],
    ["a captive portal", text(200, "<h1>Accept our terms</h1>")],
  ];
  for (const [name, answer] of unknown) {
    test(`the key is kept after ${name}`, async (t) => {
      const worker = await Worker.start(t, answer);
      const links = clientOf(worker);
      await failureOf(links.create(PARAMS));
      worker.answers = [shows("pending")];
      await links.create(PARAMS);
      assert.equal(new Set(worker.keys).size, 1);
      assert.match(String(worker.keys[0]), /^[0-9a-f]{32}$/);
      await links.create(PARAMS);
      assert.equal(new Set(worker.keys).size, 2, "and dropped once it is known what came");
    });
  }

  for (const [status, reason] of [
    [409, "attempt_abandoned"],
    [409, "already_pending"],
    [400, "upstream_refused"],
    [422, "idempotency_key_reused"],
  ] as const) {
    test(`the key is dropped after ${reason}`, async (t) => {
      const worker = await Worker.start(t, fails(status, reason), shows("pending"));
      const links = clientOf(worker);
      assert.equal((await failureOf(links.create(PARAMS))).reason, reason);
      await links.create(PARAMS);
      assert.equal(new Set(worker.keys).size, 2);
    });
  }

  test("the key is kept after a call that was ended", async (t) => {
    const worker = await Worker.start(t, hangs);
    const links = clientOf(worker);
    const asked = gate();
    worker.answers = [() => asked.open()];
    const ending = new AbortController();
    const call = links.create(PARAMS, { signal: ending.signal });
    await asked.promise;
    ending.abort();
    await assert.rejects(call, { name: "AbortError" });
    worker.answers = [shows("pending")];
    await links.create(PARAMS);
    assert.equal(new Set(worker.keys).size, 1);
  });

  test("a key of the page's own is used as it is, or refused", async (t) => {
    const worker = await Worker.start(t, shows("pending"));
    const links = clientOf(worker);
    await Promise.all([
      links.create(PARAMS, { idempotencyKey: "cart-1" }),
      links.create(PARAMS, { idempotencyKey: "cart-2" }),
    ]);
    assert.deepEqual(worker.keys.sort(), ["cart-1", "cart-2"]);
    for (const idempotencyKey of ["", "a b", "ก", "a\r\nb", "k".repeat(256)]) {
      const error = await failureOf(links.create(PARAMS, { idempotencyKey }));
      assert.ok(error instanceof InvalidRequestError);
      assert.match(error.message, /idempotencyKey/);
    }
    assert.equal(worker.asked.length, 2);
  });
});

describe("tokens", () => {
  test("after 401 there is one more token and one more request, with the same key", async (t) => {
    const worker = await Worker.start(t, fails(401, "unauthenticated"), shows("pending"));
    let tokens = 0;
    const links = clientOf(worker, { getToken: async () => `token-${++tokens}` });
    await links.create(PARAMS);
    assert.deepEqual(
      worker.asked.map(({ headers }) => headers.authorization),
      ["Bearer token-1", "Bearer token-2"],
    );
    assert.equal(new Set(worker.keys).size, 1);

    worker.answers = [fails(401, "unauthenticated", { code: "authentication_failure" })];
    const error = await failureOf(links.retrieve(ID));
    assert.deepEqual([error.reason, error.status, tokens], ["unauthenticated", 401, 4]);
  });

  const noTokens: [name: string, getToken: () => never][] = [
    ["throws", () => assert.fail("no")],
    ["rejects", () => Promise.reject(new Error("no")) as never],
    ["gives nothing", () => undefined as never],
    ["gives an empty text", () => "" as never],
    ["gives an object", () => ({ token: "x" }) as never],
    ["gives what no header takes", () => "a\r\nb" as never],
  ];
  for (const [name, getToken] of noTokens) {
    test(`nothing is sent where getToken ${name}`, async (t) => {
      const worker = await Worker.start(t, shows("pending"));
      const error = await failureOf(clientOf(worker, { getToken }).retrieve(ID));
      assert.deepEqual([error.reason, error.retryable, worker.asked.length], ["token_unavailable", true, 0]);
      if (name === "rejects") assert.equal((error.cause as Error).message, "no");
    });
  }
});

describe("failures", () => {
  test("what the Worker says is all there", async (t) => {
    const more = {
      code: "bad_request",
      retryable: true,
      request_id: "r-1",
      issues: [
        { field: "citizen_id", code: "invalid", message: "the Worker's words" },
        { field: "shoe_size", code: "brand_new", message: "expected another shoe" },
      ],
      linked_account: account("pending"),
    };
    const headers = { "X-Request-Id": "r-1", "Retry-After": "7" };
    const worker = await Worker.start(t, fails(409, "brand_new", more, headers));
    const error = await failureOf(clientOf(worker, { locale: "ja" }).create(PARAMS));
    const { name, code, reason, status, message, retryable, retryAfter, requestId, linkedAccount } = error;
    assert.deepEqual(
      [name, code, reason, status, message, retryable, retryAfter, requestId, linkedAccount?.id],
      ["InvalidRequestError", "bad_request", "brand_new", 409, "it is brand_new", true, 7, "r-1", ID],
    );
    assert.match(error.issues[0]?.message ?? "", /[\u3040-\u30ff]/);
    assert.deepEqual(error.issues[1], more.issues[1]);
    assert.match(error.userMessage, /[\u3040-\u30ff]/);
  });

  const html = { "Content-Type": "text/html; charset=utf-8" };
  const unreadable: [name: string, answer: Answer, status: number, got: string][] = [
    ["the page of a login", text(200, "<h1>Welcome</h1>", html), 200, "text/html; charset=utf-8"],
    ["no body", text(200, "", { "Content-Type": "" }), 200, "no Content-Type"],
    ["an array", json(200, [account("pending")]), 200, "other JSON"],
    ["null", json(200, null), 200, "other JSON"],
    ["another object", json(200, { object: "list", data: [] }), 200, "other JSON"],
    ["an error with 200", fails(200, "not_found"), 200, "other JSON"],
    ["a mock's 201", json(201, account("pending")), 201, "such JSON"],
    ["204", text(204, "", html), 204, "text/html; charset=utf-8"],
    ["a proxy's 502", text(502, "<h1>Bad gateway</h1>", html), 502, "text/html; charset=utf-8"],
    ["an error that is not ours", json(500, { error: "oops" }), 500, "other JSON"],
    [
      "an error without a reason",
      json(500, { object: "error", code: "internal_error", message: "x" }),
      500,
      "other JSON",
    ],
    ["an account with 500", json(500, account("pending")), 500, "such JSON"],
    [
      "a redirect, which is not followed",
      text(302, "", { Location: "/elsewhere", ...html }),
      302,
      "text/html; charset=utf-8",
    ],
  ];
  for (const [name, answer, status, got] of unreadable) {
    test(`${name} cannot be read`, async (t) => {
      const worker = await Worker.start(t, answer);
      const error = await failureOf(clientOf(worker).retrieve(ID));
      assert.deepEqual([error.reason, error.status, error.retryable], ["answer_unreadable", status, true]);
      assert.equal(
        error.message,
        `GET /linked_accounts/${ID}: expected 200 and JSON whose object is "linked_account", got ${status} and ${got}`,
      );
      assert.equal(worker.asked.length, 1);
    });
  }

  test("a network that fails is told from one that is away", async (t) => {
    const worker = await Worker.start(t, resets);
    const network = new Network(t);
    const links = clientOf(worker);
    const failed = await failureOf(links.retrieve(ID));
    assert.ok(failed instanceof NetworkError);
    assert.deepEqual(
      [failed.reason, failed.retryable, failed.cause instanceof Error],
      ["network_failed", true, true],
    );
    network.online = false;
    assert.equal((await failureOf(links.retrieve(ID))).reason, "offline");
    // nothing of a new client is loaded either: many a browser tries an import only once
    const error = await failureOf(clientOf(worker).retrieve(ID));
    assert.deepEqual([error.reason, error.userMessage], ["offline", error.message]);
  });

  test("they are errors of their classes, by name too, in every copy of the package", async () => {
    const other = join(installed.folder, "other");
    cpSync(installed.package, other, { recursive: true });
    const copy = (await import(pathToFileURL(join(other, "index.js")).href)) as typeof Package;
    const error = await failureOf(
      copy.createClient({ endpoint: "https://x.example", getToken: () => "t" }).delete(""),
    );
    assert.ok(!(error instanceof LinkedAccountsError));
    assert.ok(isLinkedAccountsError(error));
    for (const stranger of [new Error("x"), { name: "LinkedAccountsError" }, null, undefined, "x"]) {
      assert.ok(!isLinkedAccountsError(stranger));
    }
    const classes = { LinkedAccountsError, InvalidRequestError, NetworkError, LoadError };
    for (const [name, Class] of Object.entries(classes)) {
      const made = new (Class as typeof LinkedAccountsError)("timeout");
      assert.ok(made instanceof LinkedAccountsError && made instanceof Error);
      assert.equal(made.name, name);
      assert.ok(made.stack?.startsWith(`${name}: `), made.stack);
      assert.ok(!Object.keys(made).includes("name"));
    }
  });

  test("customers are told in the page's language where none is given, and in English in any other", async (t) => {
    const page = new Page(t);
    const told = async (locale?: string) => {
      const client = createClient({
        endpoint: "https://x.example",
        getToken: () => "t",
        ...(locale !== undefined && { locale }),
      });
      return (await failureOf(client.retrieve(""))).userMessage;
    };
    page.document.documentElement.lang = "ja-JP";
    const english = await told("en");
    assert.notEqual(await told(), english);
    assert.equal(await told("de-AT"), english);
    assert.equal(await told("TH"), await told("th_TH"));
  });
});

describe("calls that are ended", () => {
  test("before they begin: nothing is sent", async (t) => {
    const worker = await Worker.start(t, shows("pending"));
    const links = clientOf(worker);
    const options = { signal: AbortSignal.abort("enough") };
    const calls = [
      links.banks(options),
      links.create(PARAMS, options),
      links.retrieve(ID, options),
      links.list({}, options),
      links.search({}, options),
      links.delete(ID, options),
      links.waitFor(ID, options),
    ];
    for (const outcome of await Promise.allSettled(calls)) {
      assert.deepEqual(outcome, { status: "rejected", reason: "enough" });
    }
    assert.deepEqual(worker.asked, []);
  });

  test("while getToken is awaited: nothing is sent", async (t) => {
    const worker = await Worker.start(t, shows("pending"));
    const asked = gate();
    const token = gate<string>();
    const getToken = () => {
      asked.open();
      return token.promise;
    };
    const ending = new AbortController();
    const call = clientOf(worker, { getToken }).retrieve(ID, { signal: ending.signal });
    await asked.promise;
    ending.abort("enough");
    await assert.rejects(call, (reason) => reason === "enough");
    token.open("token-1");
    await new Promise(setImmediate);
    assert.deepEqual(worker.asked, []);
  });

  const steps: [name: string, begin: (response: ServerResponse) => void][] = [
    ["while an answer is awaited", () => {}],
    ["within an answer", (response) => void response.writeHead(200, { "Content-Length": "9" }).write("{")],
  ];
  for (const [name, begin] of steps) {
    test(`${name}: the connection goes`, async (t) => {
      const asked = gate();
      const closed = gate();
      const worker = await Worker.start(t, (response) => {
        response.on("close", () => closed.open());
        begin(response);
        asked.open();
      });
      const ending = new AbortController();
      const call = clientOf(worker).retrieve(ID, { signal: ending.signal });
      await asked.promise;
      ending.abort("enough");
      await assert.rejects(call, (reason) => reason === "enough");
      await closed.promise;
    });
  }

  test("a signal that outlives its calls keeps nothing of them", async (t) => {
    const worker = await Worker.start(t, shows("successful"));
    new Page(t);
    const links = clientOf(worker);
    const { signal } = new AbortController();
    const calls = [
      links.create(PARAMS, { signal }),
      links.start(PARAMS, { signal }),
      links.waitFor(ID, { signal }),
      failureOf(links.banks({ signal })),
    ];
    await Promise.all(calls);
    assert.deepEqual(getEventListeners(signal, "abort"), []);
  });

  test("one of two clicks: the other goes on; with the last of them the request goes", async (t) => {
    const asked = gate<ServerResponse>();
    const worker = await Worker.start(t, (response) => asked.open(response));
    const links = clientOf(worker);
    const [first, second] = [new AbortController(), new AbortController()];
    const calls = [first, second].map(({ signal }) => links.create(PARAMS, { signal }));
    const response = await asked.promise;
    first.abort("enough");
    await assert.rejects(calls[0] as Promise<unknown>, (reason) => reason === "enough");
    assert.ok(!response.destroyed);
    const closed = gate();
    response.on("close", () => closed.open());
    second.abort("enough");
    await assert.rejects(calls[1] as Promise<unknown>, (reason) => reason === "enough");
    await closed.promise;

    worker.answers = [shows("pending")];
    assert.equal((await links.create(PARAMS)).id, ID, "nobody is left with the call that was ended");
  });
});

describe("start", () => {
  test("sends the customer to the bank, once for two clicks", async (t) => {
    const worker = await Worker.start(t, shows("pending"));
    const page = new Page(t);
    const links = clientOf(worker);
    const [account] = await Promise.all([links.start(PARAMS), links.start(PARAMS)]);
    assert.equal(account.id, ID);
    assert.deepEqual(page.visited, [account.registration_uri]);
    // back by the browser's button, with the page as it was left
    await links.start(PARAMS);
    assert.deepEqual([worker.asked.length, page.visited.length], [2, 2]);
  });

  test("sends the customer to the account that is waiting already", async (t) => {
    const waiting = { ...account("pending"), registration_uri: "https://bank.example/register" };
    const worker = await Worker.start(t, fails(409, "already_pending", { linked_account: waiting }));
    const page = new Page(t);
    assert.deepEqual(await clientOf(worker).start(PARAMS), waiting);
    assert.deepEqual(page.visited, ["https://bank.example/register"]);
    for (const answer of [
      fails(409, "already_pending"),
      fails(409, "brand_new", { linked_account: waiting }),
    ]) {
      worker.answers = [answer];
      assert.equal((await failureOf(clientOf(worker).start(PARAMS))).status, 409);
    }
    assert.equal(page.visited.length, 1);
  });

  for (const [registration_uri, livemode] of [
    ["http://bank.example/", true],
    ["http://bank.example/", undefined],
    ["javascript:alert(1)", false],
    ["data:text/html,x", false],
    ["//bank.example/", false],
    ["", false],
    [null, false],
  ] as const) {
    test(`goes nowhere for ${registration_uri}, livemode ${livemode}`, async (t) => {
      const worker = await Worker.start(t, shows("pending", { registration_uri, livemode }));
      const page = new Page(t);
      const error = await failureOf(clientOf(worker).start(PARAMS));
      assert.deepEqual([error.reason, page.visited], ["registration_uri_unsafe", []]);
    });
  }

  test("goes nowhere once it is ended, though the account was made", async (t) => {
    const ending = new AbortController();
    const page = new Page(t);
    const worker = await Worker.start(t, shows("pending"));
    const onEvent = ({ type }: Package.ClientEvent) => type === "created" && ending.abort("enough");
    const call = clientOf(worker, { onEvent }).start(PARAMS, { signal: ending.signal });
    await assert.rejects(call, (reason) => reason === "enough");
    assert.deepEqual([worker.asked.length, page.visited], [1, []]);
  });

  test("makes nothing where there is no page", async (t) => {
    const worker = await Worker.start(t, shows("pending"));
    await assert.rejects(clientOf(worker).start(PARAMS), /^TypeError: start: there is no page here/);
    assert.deepEqual(worker.asked, []);
  });
});

describe("resume", () => {
  test("cleans the address at once, keeps the rest of it, and gives the same after a reload", async (t) => {
    const worker = await Worker.start(t, shows("successful"));
    const page = new Page(t, `https://shop.example/return?a=%20b&link_state=${LINK_STATE}&c#d`);
    page.history.state = { router: 1 };
    const links = clientOf(worker);
    const call = links.resume();
    assert.equal(page.location.href, "https://shop.example/return?a=%20b&c#d");
    assert.deepEqual(page.history.state, { router: 1, "omise-linked-accounts": LINK_STATE });
    const outcome = await call;
    assert.equal(outcome?.result, "linked");
    assert.deepEqual(await clientOf(worker).resume(), outcome);
    for (const { method, path, body, headers } of worker.asked) {
      assert.equal(
        `${method} ${path} ${body}`,
        `POST /linked_accounts/confirm {"link_state":"${LINK_STATE}"}`,
      );
      assert.equal(headers["idempotency-key"], undefined);
    }
  });

  test("cleans the address again where a router has put it back meanwhile, after an answer and after a failure", async (t) => {
    const worker = await Worker.start(t, shows("successful"), fails(500, "internal"));
    const returned = `https://shop.example/return?a=1&link_state=${LINK_STATE}`;
    const page = new Page(t, returned);
    const links = clientOf(worker);
    const outcomes = [];
    for (const answered of [true, false]) {
      page.location.href = returned;
      const call = links.resume();
      page.location.href = returned;
      page.history.state = { router: 1 };
      outcomes.push(answered ? (await call)?.result : (await failureOf(call)).reason);
      assert.equal(page.location.href, "https://shop.example/return?a=1");
      assert.deepEqual(page.history.state, { router: 1, "omise-linked-accounts": LINK_STATE });
    }
    assert.deepEqual(outcomes, ["linked", "internal"]);
  });

  test("there is nothing to resume without a return, nor without a page", async (t) => {
    const worker = await Worker.start(t, shows("successful"));
    assert.equal(await clientOf(worker).resume(), null);
    const page = new Page(t, "https://shop.example/return?a=1");
    assert.equal(await clientOf(worker).resume(), null);
    page.history.state = { "omise-linked-accounts": 7 };
    assert.equal(await clientOf(worker).resume(), null);
    assert.deepEqual(worker.asked, []);
  });

  test("what is no link_state is found nowhere, and sent nowhere", async (t) => {
    const worker = await Worker.start(t, shows("successful"));
    const page = new Page(t, "https://shop.example/return?link_state=junk");
    assert.equal((await failureOf(clientOf(worker).resume())).reason, "not_found");
    assert.equal(page.location.href, "https://shop.example/return");
    assert.deepEqual(worker.asked, []);
  });

  for (const [status, result] of [
    ["successful", "linked"],
    ["failed", "failed"],
    ["rejected", "failed"],
    ["expired", "expired"],
    ["deleted", "deleted"],
  ]) {
    test(`waits by a held answer until the account is ${status}`, async (t) => {
      const failure = { failure_code: status === "failed" ? "registration_rejected" : null };
      const worker = await Worker.start(t, shows("pending"), shows(status as string, failure));
      new Page(t, `https://shop.example/return?link_state=${LINK_STATE}`);
      const outcome = await clientOf(worker).resume();
      assert.deepEqual([outcome?.result, outcome?.account.status], [result, status]);
      assert.deepEqual(
        worker.asked.map(({ path, headers }) => [path, headers.prefer]),
        [
          ["/linked_accounts/confirm", undefined],
          [`/linked_accounts/${ID}`, "wait=25"],
        ],
      );
      const told = outcome?.result === "failed" && outcome.userMessage;
      if (status === "failed") assert.match(String(told), /^The request was declined at your bank/);
      if (status === "rejected") assert.match(String(told), /^Your bank did not link/);
    });
  }

  test("what the Worker says against it is told", async (t) => {
    const worker = await Worker.start(t, fails(404, "not_found", { code: "not_found" }));
    new Page(t, `https://shop.example/return?link_state=${LINK_STATE}`);
    const error = await failureOf(clientOf(worker).resume());
    assert.deepEqual([error.reason, error.status], ["not_found", 404]);
  });
});

test("waitFor ends with what is final", async (t) => {
  const worker = await Worker.start(t, fails(404, "not_found"));
  assert.equal((await failureOf(clientOf(worker).waitFor(ID))).reason, "not_found");
  assert.equal(worker.asked.length, 1);
});

describe("events", () => {
  test("tell the journey, and nothing about the customer", async (t) => {
    const events: Package.ClientEvent[] = [];
    const onEvent = (event: Package.ClientEvent) => void events.push(event);
    const worker = await Worker.start(t, shows("pending", {}, { "Idempotent-Replayed": "true" }));
    const page = new Page(t);
    const links = clientOf(worker, { onEvent, getToken: () => "token-canary" });
    await links.start({ ...PARAMS, citizenId: "1101700230708" });
    page.location.href = `https://shop.example/return?link_state=${LINK_STATE}`;
    worker.answers = [shows("failed", { failure_code: "registration_rejected" })];
    await links.resume();
    await links.resume();
    worker.answers = [shows("deleted")];
    await links.delete(ID);
    worker.answers = [fails(404, "not_found", {}, { "X-Request-Id": "r-1" })];
    await failureOf(links.retrieve(ID));

    const accountType = "direct_debit_scb";
    const outcome = { type: "outcome", accountType, result: "failed", failureCode: "registration_rejected" };
    assert.deepEqual(
      events.map(({ ms, ...event }: Package.ClientEvent & { ms?: number }) => event),
      [
        { type: "created", accountType, replayed: true },
        { type: "redirect", accountType },
        { type: "returned" },
        outcome,
        outcome,
        { type: "deleted", accountType },
        { type: "error", call: "retrieve", reason: "not_found", status: 404, requestId: "r-1" },
      ],
    );
    for (const event of events) if ("ms" in event) assert.ok(Number.isSafeInteger(event.ms) && event.ms >= 0);
    const told = JSON.stringify(events);
    for (const secret of [ID, LINK_STATE, "token-canary", "1101700230708", "https://", "7890"]) {
      assert.ok(!told.includes(secret), secret);
    }
  });

  test("a listener that fails changes nothing, and is reported", async (t) => {
    const reported: unknown[] = [];
    replace(t, "reportError", (error: unknown) => reported.push(error));
    const worker = await Worker.start(t, shows("deleted"));
    const listeners = [() => assert.fail("thrown"), () => Promise.reject(new Error("rejected")) as never];
    for (const onEvent of listeners) {
      assert.equal((await clientOf(worker, { onEvent }).delete(ID)).status, "deleted");
    }
    assert.deepEqual(
      reported.map((error) => (error as Error).message),
      ["thrown", "rejected"],
    );
  });
});

describe("loading", () => {
  /** What a client says of each use, whose module comes by `fetch`. */
  const program = (body: string, wasm = "'https://shop.example/client.wasm'") => `
    import { readFileSync, renameSync } from "node:fs";
    import { createClient, isLinkedAccountsError, LoadError } from "omise-linked-accounts";
    const folder = "node_modules/omise-linked-accounts/${installed.wasm}/";
    const bytes = readFileSync(folder + "client_bg.wasm");
    const type = (type) => ({ headers: { "Content-Type": type } });
    const well = async () => new Response(bytes, type("application/wasm"));
    const events = [];
    const links = createClient({
      endpoint: "https://links.shop.example", getToken: () => "t", onEvent: (event) => events.push(event.reason),
      wasm: ${wasm},
    });
    async function say() {
      const error = await links.retrieve("nonsense").catch((error) => error);
      console.log(error instanceof LoadError, error.reason, error.message, "cause:", error.cause?.message);
    }
    ${body}
  `;

  const reasons: [name: string, broken: string, reason: string, says: RegExp][] = [
    [
      "the module is not there",
      'fetch = async () => new Response("no", { status: 404 });',
      "load_failed",
      /cause: 404/,
    ],
    [
      "the network fails",
      'fetch = async () => { throw new TypeError("Failed to fetch") };',
      "load_failed",
      /cause: Failed to fetch/,
    ],
    [
      "half of it comes",
      "fetch = async () => new Response(bytes.subarray(0, 999));",
      "load_failed",
      /cause: WebAssembly/,
    ],
    [
      "a page comes in its place",
      'fetch = async () => new Response("<!doctype html>", type("text/html"));',
      "load_failed",
      /cause: WebAssembly.*magic/,
    ],
    ...[
      "WebAssembly.instantiate(): Refused to compile or instantiate WebAssembly module because 'unsafe-eval' is not an allowed source of script in the following Content Security Policy directive",
      "call to WebAssembly.instantiate() blocked by CSP",
      "Refused to create a WebAssembly object because 'unsafe-eval' or 'wasm-unsafe-eval' is not an allowed source of script in the following Content Security Policy directive",
      "WebAssembly.instantiate(): Wasm code generation disallowed by embedder",
    ].map((words, i): [string, string, string, RegExp] => [
      `the page or the runtime forbids it, in the words of engine ${i + 1}`,
      `fetch = well;
         const { instantiate, instantiateStreaming } = WebAssembly;
         const refuse = async () => { throw new WebAssembly.CompileError(${JSON.stringify(words)}) };
         WebAssembly.instantiate = refuse; WebAssembly.instantiateStreaming = refuse;
         const mend = () => Object.assign(WebAssembly, { instantiate, instantiateStreaming });`,
      "wasm_blocked",
      /'wasm-unsafe-eval'.*condition workerd.*option wasm/,
    ]),
  ];
  for (const [name, broken, reason, says] of reasons) {
    test(`says what to do where ${name}, and tries again`, async () => {
      const printed = await installed.run(
        program(`
          ${broken}
          await say();
          await say();
          fetch = well;
          ${broken.includes("mend") ? "mend();" : ""}
          await say();
          console.log(events.join());
        `),
      );
      const lines = printed.split("\n");
      for (const line of lines.slice(0, 2)) {
        assert.ok(line.startsWith(`true ${reason} `), line);
        assert.match(line, says);
      }
      assert.match(lines[2] ?? "", /^false not_found/);
      assert.equal(lines[3], `${reason},${reason},not_found`);
    });
  }

  test("says what to do where there is no DecompressionStream, and tries again", async () => {
    const printed = await installed.run(
      program(
        `
        const { DecompressionStream } = globalThis;
        delete globalThis.DecompressionStream;
        process.getBuiltinModule = undefined;
        await say();
        globalThis.DecompressionStream = DecompressionStream;
        await say();
      `,
        "undefined",
      ),
    );
    const [without, found] = printed.split("\n");
    assert.match(without ?? "", /^true load_failed .*cause: .*DecompressionStream.*option wasm/);
    assert.match(found ?? "", /^false not_found/);
  });

  for (const [what, wasm] of [
    ["an address", "'https://shop.example/client.wasm'"],
    ["a URL", "new URL('https://shop.example/client.wasm')"],
    ["a Response", "await well()"],
    ["a Response of a wrong type", "new Response(bytes, type('application/octet-stream'))"],
    ["bytes", "bytes"],
    ["an ArrayBuffer", "await (await well()).arrayBuffer()"],
    ["a module", "new WebAssembly.Module(bytes)"],
  ] as const) {
    test(`takes ${what} as the module, and asks for no other; a load that failed is tried again with it`, async () => {
      const printed = await installed.run(
        program(
          `
          fetch = well;
          const inside = folder + "client-bytes.js";
          const glue = folder + "client.js";
          renameSync(inside, inside + ".away");
          renameSync(glue, glue + ".away");
          try {
            await say();
            renameSync(glue + ".away", glue);
            await say();
          } finally {
            renameSync(inside + ".away", inside);
          }
        `,
          wasm,
        ),
      );
      const [without, found] = printed.split("\n");
      assert.match(without ?? "", /^true load_failed .*cause: Cannot find module/);
      assert.match(found ?? "", /^false not_found/);
    });
  }

  test("several clients and calls at once load once", async () => {
    const printed = await installed.run(
      program(`
        let fetched = 0;
        fetch = () => { fetched += 1; return well(); };
        const other = createClient({ endpoint: "https://links.shop.example", getToken: () => "t" });
        await Promise.all([say(), say(), other.retrieve("").catch(() => {})]);
        console.log(fetched);
      `),
    );
    assert.equal(printed.split("\n").at(-1), "1");
  });

  test("a catalogue that does not come hides no failure", async () => {
    const printed = await installed.run(`
      import { renameSync } from "node:fs";
      import { createClient } from "omise-linked-accounts";
      const messages = "node_modules/omise-linked-accounts/messages";
      renameSync(messages, messages + ".away");
      try {
        const links = createClient({ endpoint: "https://links.shop.example", getToken: () => "t", locale: "th" });
        const error = await links.create({ type: "direct_debit_scb" }).catch((error) => error);
        console.log(error.reason, error.userMessage === error.message, error.issues[0].message);
      } finally {
        renameSync(messages + ".away", messages);
      }
    `);
    assert.equal(printed, "invalid_request true required");
  });

  test("loadValidator has the rules of the client's own module", async () => {
    const rules = await omise.loadValidator({ locale: "en" });
    assert.deepEqual(rules.validateCreate(PARAMS), []);
    assert.deepEqual(rules.parseId(ID), { id: ID, livemode: false });
    assert.equal(rules.checkCitizenId("1101700230709")?.code, "invalid");
  });
});

test("a hundred thousand calls leave nothing behind", async () => {
  const printed = await installed.run(
    `
    import { createClient, loadValidator } from "omise-linked-accounts";
    import * as glue from "./node_modules/omise-linked-accounts/${installed.wasm}/client.js";
    const { instantiate } = WebAssembly;
    let memory;
    WebAssembly.instantiate = async (...given) => {
      const running = await instantiate(...given);
      memory ??= running.instance?.exports.memory;
      return running;
    };
    const rules = await loadValidator({ locale: "en" });
    const pending = JSON.stringify(${JSON.stringify(account("pending"))});
    const fetch = async () => new Response(pending);
    const links = createClient({ endpoint: "https://links.shop.example", getToken: () => "t", fetch, locale: "en" });
    const good = { type: "direct_debit_scb", returnUri: "https://shop.example/", metadata: { order: 1 } };
    const bad = { type: "x", returnUri: "nonsense", citizenId: "1", metadata: { "a[b]": {} }, more: [] };
    function many(count) {
      for (let i = 0; i < count; i += 1) {
        if (glue.nextPoll("pending", i, i % 2 ? i : undefined, true) < 0) throw new Error("stopped");
        rules.validateCreate(i % 2 ? good : bad);
        rules.checkReturnUri("https://shop.example/");
        rules.checkCitizenId("1101700230708");
      }
    }
    async function calls(count) {
      for (let i = 0; i < count; i += 1) {
        await links.create(good);
        await links.create(bad).catch(() => {});
      }
    }
    /** Bytes in use, once whatever is to be collected has been. */
    async function used() {
      for (let i = 0; i < 5; i += 1) {
        await new Promise(setImmediate);
        gc();
      }
      return process.memoryUsage().heapUsed;
    }
    /** By how much the memory grows in the round in which it grows least: caches are filled at some time, a leak never ends. */
    async function growth(round) {
      let least = Infinity;
      for (let i = 0; i < 6; i += 1) {
        const before = await used();
        await round();
        least = Math.min(least, (await used()) - before);
      }
      return least;
    }
    many(100_000);
    const pages = memory.buffer.byteLength;
    const ruling = await growth(() => many(50_000));
    const asking = await growth(() => calls(1_500));
    console.log(JSON.stringify({ ruling, asking, wasm: memory.buffer.byteLength - pages }));
  `,
    { flags: ["--expose-gc"] },
  );
  const { ruling, asking, wasm } = JSON.parse(printed);
  assert.equal(wasm, 0);
  // a byte for each call of a rule would be more, or the least of objects for each call of the Worker
  assert.ok(ruling < 50_000, `${ruling} bytes`);
  assert.ok(asking < 30_000, `${asking} bytes`);
});

test("nothing is put into any storage, nor taken from one", async () => {
  const printed = await installed.run(`
    const touched = [];
    const trap = (object, names) => {
      for (const name of names) {
        const touch = () => void touched.push(name);
        Object.defineProperty(object, name, { get: touch, set: touch });
      }
    };
    trap(globalThis, ["localStorage", "sessionStorage", "indexedDB", "caches", "cookieStore"]);
    globalThis.document = Object.assign(new EventTarget(), { hidden: false, documentElement: { lang: "th" } });
    trap(document, ["cookie"]);
    const visited = [];
    globalThis.location = {
      href: "https://shop.example/return?link_state=${LINK_STATE}",
      assign: (url) => void visited.push(url),
    };
    globalThis.history = { state: null, replaceState() {} };

    const { createClient } = await import("omise-linked-accounts");
    const answers = {
      "/linked_accounts/confirm": ${JSON.stringify(account("successful"))},
      "/linked_accounts/search": { object: "search", data: [] },
      "/linked_accounts?": { object: "list", data: [] },
      "/banks": { object: "list", data: [] },
    };
    const links = createClient({
      endpoint: "https://links.shop.example",
      getToken: () => "token",
      fetch: async ({ method, url }) => {
        const path = url.slice("https://links.shop.example".length) + (method === "GET" ? "?" : "");
        const [, body] = Object.entries(answers).find(([start]) => path.startsWith(start)) ?? [];
        return Response.json(body ?? ${JSON.stringify(account("pending"))});
      },
    });
    const outcome = await links.resume();
    const params = ${JSON.stringify(PARAMS)};
    await links.start(params);
    await links.create(params);
    await links.create({ type: "nonsense" }).catch(() => {});
    await links.list();
    await links.search();
    await links.banks();
    await links.retrieve("${ID}");
    await links.delete("${ID}");
    console.log(JSON.stringify({ touched, result: outcome.result, visited: visited.length }));
  `);
  assert.deepEqual(JSON.parse(printed), { touched: [], result: "linked", visited: 1 });
});
