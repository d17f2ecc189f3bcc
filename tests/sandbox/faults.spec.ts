// Faults on demand, as they leave the Worker, and those of the network as the front in front of it plays them.

import { strict as assert } from "node:assert";
import { once } from "node:events";
import { request } from "node:http";
import { suite, test } from "node:test";
import { controlled } from "./control.ts";
import { basic, RETURN_URI } from "./sandbox.ts";

const { url, behind, key, token, control, call, create, pending, registered } = await controlled();
const put = async (...faults: object[]) => {
  const set = await control("PUT", "/faults", { faults });
  assert.equal(set.status, 200, set.text);
  return set.body.faults;
};
const left = async () => (await control("GET", "/faults")).body.faults;
const total = async () => (await control("GET", "/state")).body.accounts.length;
const statusOf = async (id: string) => {
  const { accounts } = (await control("GET", "/state")).body;
  return accounts.find((account: { id: string }) => account.id === id).status;
};

/** Calls the API, and reads no JSON. */
async function raw(method: string, path: string, body?: URLSearchParams) {
  const headers = { authorization: basic(key), connection: "close" };
  const response = await fetch(url + path, { method, headers, body: body ?? null });
  return { status: response.status, headers: response.headers, text: await response.text() };
}
const rawCreate = async () =>
  await raw(
    "POST",
    "/linked_accounts",
    new URLSearchParams({ type: "direct_debit_scb", return_uri: RETURN_URI }),
  );

const STATUS = { kind: "status", status: 503, code: "search_unavailable", message: "try later" };
const RAILS = '{"status":500,"error":"Internal Server Error"}\n';

suite("what they do", () => {
  test("status: an error as any other", async () => {
    await put({ route: "list", ...STATUS, count: 1 });
    const struck = await call("GET", "/linked_accounts", { headers: { "omise-version": "2017-11-02" } });
    assert.equal(struck.status, 503);
    assert.deepEqual(struck.body, {
      object: "error",
      location: "https://www.omise.co/api-errors#search-unavailable",
      code: "search_unavailable",
      message: "try later",
    });
    assert.equal(struck.headers.get("omise-version"), "2017-11-02");
    assert.match(struck.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
    assert.equal((await call("GET", "/linked_accounts")).status, 200);
  });

  test("rails", async () => {
    await put({ route: "list", kind: "rails", count: 1 });
    const struck = await raw("GET", "/linked_accounts");
    assert.deepEqual([struck.status, struck.text], [500, RAILS]);
  });

  test("html: a proxy's page", async () => {
    await put({ route: "list", kind: "html", count: 1 });
    const struck = await raw("GET", "/linked_accounts");
    assert.equal(struck.status, 502);
    assert.equal(struck.headers.get("content-type"), "text/html");
    assert.match(struck.text, /^<html>/);
    assert.equal(struck.headers.get("x-request-id"), null);
  });

  test("truncate: half of it, and a length that says so", async () => {
    const id = await pending();
    const whole = await raw("GET", `/linked_accounts/${id}`);
    await put({ route: "retrieve", kind: "truncate", count: 1 });
    const struck = await raw("GET", `/linked_accounts/${id}`);
    assert.equal(struck.status, 200);
    assert.equal(struck.text, whole.text.slice(0, Math.floor(whole.text.length / 2)));
    assert.equal(struck.headers.get("content-type"), whole.headers.get("content-type"));
    assert.match(struck.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/);
  });

  test("oversized: more than anybody should read", async () => {
    await put({ route: "retrieve", kind: "oversized", count: 1 });
    const struck = await raw("GET", "/linked_accounts/lnac_test_1");
    assert.equal(struck.status, 200);
    assert.equal(struck.headers.get("content-type"), "application/json; charset=utf-8");
    assert.ok(struck.text.length > 8 * 1024 * 1024);
    assert.equal(JSON.parse(struck.text).object, "linked_account");
  });

  test("oversized: who hangs up amid it breaks nothing", async () => {
    await put({ route: "retrieve", kind: "oversized", count: 1 });
    const asked = request(`${url}/linked_accounts/lnac_test_1`, { agent: false }).end();
    const [answered] = await once(asked, "response");
    await once(answered, "data");
    asked.destroy();
    assert.equal((await call("GET", "/linked_accounts")).status, 200);
  });

  test("latency: the answer comes, later than one that was asked for after it", async () => {
    const id = await pending();
    await put({ route: "retrieve", kind: "latency", ms: 1_000, count: 1 });
    const order: string[] = [];
    const late = call("GET", `/linked_accounts/${id}`).then((answer) => {
      order.push("late");
      return answer;
    });
    while ((await left()).length > 0);
    await call("GET", `/linked_accounts/${id}`);
    order.push("in time");
    const answer = await late;
    assert.deepEqual(order, ["in time", "late"]);
    assert.equal(answer.body.id, id);
  });

  for (const [fault, header] of [
    [{ kind: "hang" }, "hang"],
    [{ kind: "reset" }, "reset"],
    [{ kind: "cut", after: 0 }, "cut;after=0"],
    [{ kind: "cut", after: 40 }, "cut;after=40"],
  ] as const) {
    test(`${header}: a word to the front`, async () => {
      const id = await pending();
      const whole = await headOf(`/linked_accounts/${id}`);
      assert.equal(whole.header, null);
      await put({ route: "retrieve", ...fault, count: 1 });
      // past whatever plays it
      const struck = await headOf(`/linked_accounts/${id}`);
      assert.equal(struck.header, header);
      assert.equal(struck.text, fault.kind === "cut" ? whole.text : "");
    });
  }
});

suite("what the front plays", () => {
  /** What arrives of an answer, and how it ends. */
  const arrives = (path: string) => {
    const { port } = new URL(url);
    const asked = request({ port, path, headers: { authorization: basic(key) }, agent: false }).end();
    let text = "";
    const ended = new Promise<string>((resolve) => {
      asked.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
      asked.on("response", (answer) => {
        answer.setEncoding("utf8").on("data", (part) => {
          text += part;
        });
        answer.on("end", () => resolve("end")).on("error", (error) => resolve(error.message));
      });
    });
    return { asked, ended, text: () => text };
  };

  test("reset and cut: the connection ends, by RST or within the answer", async () => {
    const id = await pending();
    const whole = (await raw("GET", `/linked_accounts/${id}`)).text;
    await put(
      { route: "retrieve", kind: "reset", count: 1 },
      { route: "retrieve", kind: "cut", after: 40, count: 1 },
    );
    const reset = arrives(`/linked_accounts/${id}`);
    assert.deepEqual([await reset.ended, reset.text()], ["ECONNRESET", ""]);
    const cut = arrives(`/linked_accounts/${id}`);
    assert.deepEqual([await cut.ended, cut.text()], ["aborted", whole.slice(0, 40)]);
    assert.equal((await raw("GET", `/linked_accounts/${id}`)).text, whole);
  });

  test("hang: nothing, though others are answered", async () => {
    await put({ route: "list", kind: "hang", count: 1 });
    const hung = arrives("/linked_accounts");
    while ((await left()).length > 0);
    assert.equal((await call("GET", "/linked_accounts")).status, 200);
    assert.equal(hung.text(), "");
    hung.asked.destroy();
    assert.equal(await hung.ended, "ECONNRESET");
  });
});

suite("before or after the work is done", () => {
  for (const fault of [STATUS, { kind: "rails" }, { kind: "html" }, { kind: "oversized" }]) {
    test(`create, ${fault.kind}`, async () => {
      for (const [committed, made] of [
        [undefined, 0],
        [false, 0],
        [true, 1],
      ] as const) {
        const before = await total();
        await put({ route: "create", ...fault, committed, count: 1 });
        assert.doesNotMatch((await rawCreate()).text, /lnac_test_/);
        assert.equal((await total()) - before, made, `${committed}`);
      }
    });

    test(`delete, ${fault.kind}`, async () => {
      for (const [committed, status] of [
        [false, "successful"],
        [true, "deleted"],
      ] as const) {
        const id = await registered();
        await put({ route: "delete", ...fault, committed, count: 1 });
        assert.doesNotMatch((await raw("DELETE", `/linked_accounts/${id}`)).text, /lnac_test_/);
        assert.equal(await statusOf(id), status);
      }
    });
  }

  for (const kind of ["hang", "reset"]) {
    test(`create, ${kind}`, async () => {
      for (const [committed, made] of [
        [false, 0],
        [true, 1],
      ] as const) {
        const before = await total();
        await put({ route: "create", kind, committed, count: 1 });
        const struck = await headOf("/linked_accounts", `type=direct_debit_scb&return_uri=${RETURN_URI}`);
        assert.equal(struck.header, kind);
        assert.equal((await total()) - before, made, `${committed}`);
      }
    });
  }

  test("truncate and cut are of an answer: the work is done", async () => {
    for (const fault of [{ kind: "truncate" }, { kind: "truncate", committed: true }]) {
      const before = await total();
      await put({ route: "create", ...fault, count: 1 });
      await rawCreate();
      assert.equal((await total()) - before, 1);
    }
  });

  test("latency: the work is done before it, or after it", async () => {
    for (const [committed, made] of [
      [false, 0],
      [true, 1],
    ] as const) {
      const before = await total();
      await put({ route: "create", kind: "latency", ms: 1_500, committed, count: 1 });
      const order: string[] = [];
      const late = create().then((answer) => {
        order.push("answered");
        return answer;
      });
      while ((await left()).length > 0);
      if (committed) while ((await total()) === before);
      else assert.equal((await total()) - before, made);
      order.push("looked at");
      assert.equal((await late).status, 200);
      assert.deepEqual(order, ["looked at", "answered"]);
      assert.equal((await total()) - before, 1);
    }
  });
});

suite("whom they strike", () => {
  test("each its route, `*` all, and nobody the bank or this API", async () => {
    const id = await pending();
    const calls: [string, string, string][] = [
      ["create", "POST", "/linked_accounts"],
      ["retrieve", "GET", `/linked_accounts/${id}`],
      ["list", "GET", "/linked_accounts"],
      ["search", "GET", "/linked_accounts/search"],
      ["search", "GET", "/search?scope=linked_account"],
      ["delete", "DELETE", `/linked_accounts/${id}`],
      ["*", "PATCH", "/linked_accounts"],
    ];
    for (const fault of ["create", "retrieve", "list", "search", "delete", "*"]) {
      for (const [route, method, path] of calls) {
        await put({ route: fault, ...STATUS, status: 599, count: 1 });
        const { status } = await call(method, path);
        assert.equal(status === 599, fault === route || fault === "*", `${fault}: ${method} ${path}`);
      }
    }
    await put({ route: "*", kind: "rails", count: 1 });
    assert.equal((await fetch(`${url}/register?ref=${id}`)).status, 200);
    assert.equal((await fetch(`${url}/register.css`)).status, 200);
    assert.equal((await left()).length, 1);
  });

  test("who has no key, too: a server fails before it asks", async () => {
    await put({ route: "*", kind: "rails", count: 1 });
    assert.equal((await fetch(`${url}/linked_accounts`)).status, 500);
  });

  test("as often as they count; then they are gone", async () => {
    await put({ route: "list", kind: "rails", count: 2 }, { route: "*", kind: "html", count: 1 });
    const seen: number[] = [];
    for (let i = 0; i < 4; i++) {
      const counts = (await left()).map(({ count }: { count: number }) => count);
      assert.deepEqual(counts, [[2, 1], [1, 1], [1], []][i]);
      seen.push((await raw("GET", "/linked_accounts")).status);
    }
    assert.deepEqual(seen, [500, 500, 502, 200]);
  });

  test("of many at once as many as they count", async () => {
    await put({ route: "create", kind: "rails", count: 3 });
    const answers = await Promise.all(Array.from({ length: 8 }, rawCreate));
    assert.equal(answers.filter(({ status }) => status === 500).length, 3);
  });

  test("by chance, and by the same one with the same seed", async () => {
    const run = async (seed: number) => {
      await put({ route: "list", kind: "rails", probability: 0.5, seed });
      const seen: number[] = [];
      for (let i = 0; i < 30; i++) seen.push((await raw("GET", "/linked_accounts")).status);
      return seen;
    };
    const first = await run(7);
    assert.deepEqual([...new Set(first)].sort(), [200, 500]);
    assert.deepEqual(await run(7), first);
    assert.notDeepEqual(await run(8), first);
  });

  test("the journal says which struck", async () => {
    await put({ route: "list", kind: "html", count: 1 });
    await control("DELETE", "/requests");
    await raw("GET", "/linked_accounts");
    await raw("GET", "/linked_accounts");
    const { requests } = (await control("GET", "/requests")).body;
    assert.deepEqual(
      requests.map(({ status, fault }: { status: number; fault: string | null }) => [status, fault]),
      [
        [502, "html"],
        [200, null],
      ],
    );
    assert.equal(requests[0].request_id, null);
  });
});

suite("the list", () => {
  const good = [
    { route: "create", ...STATUS, committed: true, count: 3 },
    { route: "*", kind: "latency", ms: 60_000, probability: 0.125, seed: 9_007_199_254_740_991 },
    { route: "capability", kind: "cut", after: 0, count: 1_000_000 },
    { route: "webhook", kind: "duplicate", count: 1 },
    { route: "webhook", kind: "reorder", probability: 1, seed: 0 },
  ];

  test("it is shown as it was put, replaced as a whole, and cleared", async () => {
    assert.deepEqual(await put(...good), good);
    assert.deepEqual(await left(), good);
    assert.deepEqual((await control("PUT", "/faults", { faults: good })).body, { faults: good });
    const [first] = good;
    assert.deepEqual(await put(first as object), [first]);
    assert.equal((await control("DELETE", "/faults")).status, 204);
    assert.deepEqual(await left(), []);
  });

  for (const [fault, message] of [
    [{ kind: "rails", count: 1 }, /^faults\[1\]: missing field `route`/],
    [{ route: "everything", kind: "rails", count: 1 }, /^faults\[1\]\.route: unknown variant `everything`/],
    [{ route: "*", kind: "fire", count: 1 }, /^faults\[1\]\.kind: unknown variant `fire`/],
    [{ route: "*", kind: "rails" }, /^faults\[1\]\.count: expected one, or probability and seed$/],
    [{ route: "*", kind: "rails", count: "1" }, /^faults\[1\]\.count: invalid type: string "1"/],
    [{ route: "*", kind: "latency", ms: 60_001, count: 1 }, /^faults\[1\]\.ms: expected a whole number/],
    [{ route: "*", kind: "rails", after: 1, count: 1 }, /^faults\[1\]\.after: kind rails has no such field$/],
    [{ route: "webhook", kind: "rails", count: 1 }, /^faults\[1\]\.route: expected another one/],
    [{ route: "*", kind: "rails", count: 1, when: "now" }, /^faults\[1\]\.when: unknown field `when`/],
  ] as const) {
    test(`refused: ${JSON.stringify(fault)}`, async () => {
      await put(...good);
      const refused = await control("PUT", "/faults", { faults: [good[0], fault] });
      assert.equal(refused.status, 400);
      assert.match(refused.body.message, message);
      assert.deepEqual(await left(), good);
    });
  }

  test("a hundred and no more", async () => {
    const hundred = Array.from({ length: 100 }, () => good[0]);
    assert.equal((await control("PUT", "/faults", { faults: hundred })).status, 200);
    const refused = await control("PUT", "/faults", { faults: [...hundred, good[0]] });
    assert.equal(refused.body.message, "faults: expected 100 at most");
  });

  test("none but with the token", async () => {
    const init = { method: "PUT", body: JSON.stringify({ faults: good }) };
    await put();
    assert.equal((await fetch(`${url}/sandbox/faults`, init)).status, 401);
    assert.deepEqual(await left(), []);
    assert.ok(token.length > 16);
  });
});

/** The header that tells the front of a fault, and the body beside it, as the Worker sends them. */
async function headOf(path: string, form?: string) {
  const headers = { authorization: basic(key), "content-type": "application/x-www-form-urlencoded" };
  const method = form === undefined ? "GET" : "POST";
  const response = await fetch(behind + path, { method, headers, body: form ?? null });
  return { header: response.headers.get("x-sandbox-fault"), text: await response.text() };
}
