// The control API: who may call it, settling, the clock, what was asked, and the state as a document.

import { strict as assert } from "node:assert";
import { suite, test } from "node:test";
import fc from "fast-check";
import { controlled } from "./control.ts";
import { basic, RETURN_URI, read, sandbox } from "./sandbox.ts";

const { url, token, key, control, call, create, pending, registered, answer, db, lines } = await controlled();
const retrieve = async (id: string) => (await call("GET", `/linked_accounts/${id}`)).body;
const ROUTES: [string, string][] = [
  ["GET", "/state"],
  ["PUT", "/state"],
  ["DELETE", "/state"],
  ["POST", "/accounts/lnac_test_1/settle"],
  ["GET", "/clock"],
  ["PUT", "/clock"],
  ["GET", "/faults"],
  ["PUT", "/faults"],
  ["DELETE", "/faults"],
  ["GET", "/requests"],
  ["DELETE", "/requests"],
  ["GET", "/deliveries"],
  ["POST", "/deliveries/whdl_test_1/redeliver"],
  ["GET", "/webhook"],
  ["PUT", "/webhook"],
  ["POST", "/webhook/secrets"],
  ["GET", "/nothing"],
  ["PATCH", "/state"],
  ["GET", "/clock/"],
  ["GET", "//"],
];

suite("who may call it", () => {
  for (const [method, path] of ROUTES) {
    test(`${method} ${path}, by nobody who has no token`, async () => {
      const wrong = [
        undefined,
        "",
        "Bearer",
        `Bearer ${token}0`,
        `Bearer ${token.slice(0, -1)}`,
        `Bearer ${token.toLowerCase()}`,
        `Basic ${Buffer.from(`${token}:`).toString("base64")}`,
        basic(key),
        token,
      ];
      for (const authorization of wrong) {
        const headers = authorization === undefined ? {} : { authorization };
        const refused = await read(await fetch(`${url}/sandbox${path}`, { method, headers }));
        assert.equal(refused.status, 401, authorization);
        assert.deepEqual(refused.body, {
          object: "error",
          code: "authentication_failure",
          message: "authentication failed",
        });
      }
    });
  }

  test("without a CONTROL_TOKEN there is no such path", async () => {
    const { url } = await sandbox({ CONTROL_TOKEN: undefined });
    const paths = ROUTES.map(([method, path]) => [method, `/sandbox${path}`] as const);
    const page = [
      ["GET", "/sandbox"],
      ["POST", "/sandbox"],
      ["POST", "/sandbox/session"],
      ["GET", "/sandbox/control.css"],
    ] as const;
    for (const [method, path] of [...paths, ...page]) {
      for (const authorization of ["", `Bearer ${token}`, "Bearer ", "Bearer undefined"]) {
        const headers = { authorization, origin: url };
        const answered = await read(await fetch(url + path, { method, headers }));
        assert.equal(answered.status, 404, `${method} ${path}`);
        const { message, ...rest } = answered.body;
        assert.deepEqual(rest, {
          object: "error",
          location: "https://www.omise.co/api-errors#not-found",
          code: "not_found",
        });
        assert.ok(message.startsWith(`the sandbox has no ${method} ${path}; it has POST /linked_accounts, `));
      }
    }
  });

  test("a short CONTROL_TOKEN is a fault of the settings, and not shown", async () => {
    const { url } = await sandbox({ CONTROL_TOKEN: "fifteen-letters" });
    const answered = await read(await fetch(`${url}/sandbox/clock`));
    assert.equal(answered.status, 503);
    assert.equal(
      answered.body.message,
      "the sandbox is not configured: CONTROL_TOKEN: expected at least 16 characters",
    );
  });

  test("what is not there is not there", async () => {
    for (const [method, path] of [
      ["GET", "/nothing"],
      ["PATCH", "/state"],
      ["GET", "//"],
      ["GET", "/clock//"],
    ] as const) {
      const answered = await control(method, path);
      assert.equal(answered.status, 404, `${method} ${path}`);
      assert.deepEqual(answered.body, { object: "error", code: "not_found", message: "not found" });
    }
  });

  test("one slash at the end of a path changes nothing", async () => {
    const answered = await control("GET", "/clock/");
    assert.equal(answered.status, 200);
    assert.deepEqual(Object.keys(answered.body), Object.keys((await control("GET", "/clock")).body));
    const page = await fetch(`${url}/sandbox/`);
    assert.equal(await page.text(), await (await fetch(`${url}/sandbox`)).text());
  });

  test("no page of another origin is let in", async () => {
    const headers = { authorization: `Bearer ${token}`, origin: "https://shop.example" };
    const answered = await fetch(`${url}/sandbox/clock`, { headers });
    assert.deepEqual(
      [...answered.headers.keys()].filter((name) => name.startsWith("access-control")),
      [],
    );
    assert.equal(answered.headers.get("cache-control"), "no-store");
    const preflight = await fetch(`${url}/sandbox/clock`, { method: "OPTIONS", headers });
    assert.deepEqual(
      [...preflight.headers.keys()].filter((name) => name.startsWith("access-control")),
      [],
    );
  });
});

suite("settling", () => {
  for (const account of ["savings", "current"]) {
    test(`approve, ${account}`, async () => {
      const [id, other] = [await pending(), await pending()];
      const settled = await control("POST", `/accounts/${id}/settle`, { outcome: "approve", account });
      assert.equal(settled.status, 200);
      assert.equal(settled.body.status, "successful");
      assert.match(settled.body.last_digits, /^\d{4}$/);
      assert.deepEqual(settled.body, await retrieve(id));
      assert.equal((await retrieve(other)).status, "pending");
    });
  }

  test("the account is the one that the bank's page would have taken", async () => {
    const id = await pending();
    const page = await (await fetch(`${url}/register?ref=${id}`)).text();
    const digits = [...page.matchAll(/(?<!\d)(\d{4})<\/span>/g)].map(([, digits]) => digits);
    const settled = await control("POST", `/accounts/${id}/settle`, {
      outcome: "approve",
      account: "current",
    });
    assert.equal(settled.body.last_digits, digits[1]);
  });

  for (const failure_code of ["registration_rejected", "timeout"]) {
    test(`decline, ${failure_code}`, async () => {
      const id = await pending();
      const settled = await control("POST", `/accounts/${id}/settle`, { outcome: "decline", failure_code });
      assert.equal(settled.status, 200);
      assert.equal(settled.body.status, "failed");
      assert.equal(settled.body.failure_code, failure_code);
      assert.deepEqual(settled.body, await retrieve(id));
    });
  }

  test("expire: its time ends now", async () => {
    const id = await pending();
    const { created_at, expires_at } = await retrieve(id);
    const settled = await control("POST", `/accounts/${id}/settle`, { outcome: "expire" });
    assert.equal(settled.status, 200);
    assert.equal(settled.body.status, "expired");
    assert.ok(settled.body.expires_at >= created_at && settled.body.expires_at < expires_at);
    assert.deepEqual(settled.body, await retrieve(id));
    assert.equal((await fetch(`${url}/register?ref=${id}`)).status, 410);
  });

  const outcomes = [
    { outcome: "approve", account: "savings" },
    { outcome: "decline", failure_code: "registration_rejected" },
    { outcome: "expire" },
  ];
  for (const first of outcomes) {
    test(`${first.outcome}, and then again`, async () => {
      const id = await pending();
      await control("POST", `/accounts/${id}/settle`, first);
      const before = await retrieve(id);
      for (const second of outcomes) {
        const refused = await control("POST", `/accounts/${id}/settle`, second);
        assert.equal(refused.status, 409);
        assert.deepEqual(refused.body, {
          object: "error",
          code: "not_pending",
          message: `linked account ${id} is not pending: it is ${before.status}`,
        });
      }
      assert.deepEqual(await retrieve(id), before);
    });
  }

  test("of many at once one counts", async () => {
    const id = await pending();
    const all = [...outcomes, ...outcomes];
    const answers = await Promise.all(
      all.map((outcome) => control("POST", `/accounts/${id}/settle`, outcome)),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409, 409, 409, 409]);
    const winner = answers.find(({ status }) => status === 200);
    assert.deepEqual(await retrieve(id), winner?.body);
  });

  test("one whose time is over has expired already", async () => {
    const id = await pending();
    const database = await db();
    await database
      .prepare("UPDATE accounts SET expires_at = '2024-06-04T04:11:14Z' WHERE id = ?")
      .bind(id)
      .run();
    const refused = await control("POST", `/accounts/${id}/settle`, outcomes[0]);
    assert.equal(refused.body.message, `linked account ${id} is not pending: it is expired`);
    assert.equal((await retrieve(id)).expires_at, "2024-06-04T04:11:14Z");
  });

  test("none", async () => {
    for (const id of ["lnac_test_5zylnmmt2kl9chq3ip1", "x", "%3Cscript%3E"]) {
      const refused = await control("POST", `/accounts/${id}/settle`, { outcome: "expire" });
      assert.equal(refused.status, 404);
      assert.deepEqual(refused.body, {
        object: "error",
        code: "not_found",
        message: `linked account ${id} was not found`,
      });
    }
  });

  for (const [body, message] of [
    [{}, /^missing field `outcome`/],
    [
      { outcome: "delete" },
      /^outcome: unknown variant `delete`, expected one of `approve`, `decline`, `expire`/,
    ],
    [{ outcome: "approve" }, /^account: expected savings or current$/],
    [{ outcome: "approve", account: 1 }, /^account: invalid type: integer `1`, expected a string/],
    [{ outcome: "decline" }, /^failure_code: expected /],
    [{ outcome: "decline", failure_code: "bored" }, /^failure_code: expected /],
    [{ outcome: "expire", account: "savings" }, /^account: expected none but for outcome approve$/],
    [{ outcome: "expire", force: true }, /^force: unknown field `force`, expected one of/],
  ] as const) {
    test(`refused: ${JSON.stringify(body)}`, async () => {
      const id = await pending();
      const refused = await control("POST", `/accounts/${id}/settle`, body);
      assert.equal(refused.status, 400);
      assert.equal(refused.body.code, "bad_request");
      assert.match(refused.body.message, message);
      assert.equal((await retrieve(id)).status, "pending");
    });
  }
});

suite("the clock", () => {
  test("it goes with the machine's at first", async () => {
    const shown = await control("GET", "/clock");
    assert.equal(shown.status, 200);
    assert.equal(shown.body.stand, false);
    assert.match(shown.body.now, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  test("it is set, stands, and is what accounts are created by", async () => {
    const set = { now: "2031-05-04T03:02:01Z", stand: true };
    const shown = await control("PUT", "/clock", set);
    assert.equal(shown.status, 200);
    assert.deepEqual(shown.body, set);
    assert.deepEqual((await control("GET", "/clock")).body, set);
    const { created_at, expires_at } = (await create()).body;
    assert.deepEqual([created_at, expires_at], ["2031-05-04T03:02:01Z", "2031-05-05T03:02:01Z"]);
    assert.deepEqual((await control("PUT", "/clock", (await control("GET", "/clock")).body)).body, set);
  });

  test("moved on, it lets expire what is due, looked at or not", async () => {
    await control("PUT", "/clock", { now: "2032-01-01T00:00:00Z", stand: true });
    const id = await pending();
    const rowOf = async () => {
      const database = await db();
      return await database.prepare("SELECT status FROM accounts WHERE id = ?").bind(id).first();
    };
    const moved = await control("PUT", "/clock", { advance: 24 * 60 * 60 - 1 });
    assert.deepEqual(moved.body, { now: "2032-01-01T23:59:59Z", stand: true });
    assert.deepEqual(await rowOf(), { status: "pending" });
    await control("PUT", "/clock", { advance: 1 });
    assert.deepEqual(await rowOf(), { status: "expired" });
    assert.equal((await retrieve(id)).expires_at, "2032-01-02T00:00:00Z");
  });

  test("it outlasts what is in memory: it is in the database", async () => {
    await control("PUT", "/clock", { now: "2033-01-01T00:00:00Z", stand: true });
    const database = await db();
    const kept = await database.prepare("SELECT ahead, stands_at FROM clock").all();
    assert.deepEqual(kept.results, [{ ahead: 0, stands_at: Date.parse("2033-01-01T00:00:00Z") }]);
  });

  for (const [body, message] of [
    [{}, /^now: expected it, advance or stand$/],
    [{ now: "soon" }, /^now: expected a UTC time such as 2024-06-03T04:11:14Z/],
    [{ now: "2026-01-01T00:00:00Z", advance: 1 }, /^advance: expected none beside now$/],
    [{ now: "1969-12-31T23:59:59Z" }, /^now: expected a time from 1970 to 4999$/],
    [{ advance: 1e12 }, /^advance: expected a time from 1970 to 4999$/],
    [{ advance: 1.5 }, /^advance: invalid type: floating point `1.5`, expected i64/],
    [{ stand: "yes" }, /^stand: invalid type: string "yes", expected a boolean/],
    [{ stand: true, speed: 2 }, /^speed: unknown field `speed`/],
    [[], /^invalid length 0/],
  ] as const) {
    test(`refused: ${JSON.stringify(body)}`, async () => {
      const before = { now: "2034-01-01T00:00:00Z", stand: true };
      await control("PUT", "/clock", before);
      const refused = await control("PUT", "/clock", body);
      assert.equal(refused.status, 400);
      assert.match(refused.body.message, message);
      assert.deepEqual((await control("GET", "/clock")).body, before);
    });
  }
});

suite("requests", () => {
  const requests = async () => (await control("GET", "/requests")).body.requests;

  test("what was asked, and how it was answered, oldest first", async () => {
    await control("PUT", "/clock", { now: "2035-01-01T00:00:00Z", stand: true });
    await control("DELETE", "/requests");
    const made = await create({ "metadata[order]": "A 17" });
    const id = made.body.id;
    await call("GET", `/search?scope=linked_account&query=A%2017`);
    await fetch(`${url}/linked_accounts/${id}`);
    await answer(id, { action: "decline" });
    await fetch(`${url}/register.css`);
    await fetch(`${url}/elsewhere`);
    const shown = await requests();
    assert.deepEqual(
      shown.map(({ request_id, ...rest }: { request_id: string }) => rest),
      [
        {
          time: "2035-01-01T00:00:00Z",
          method: "POST",
          path: "/linked_accounts",
          query: null,
          body: `type=direct_debit_kbank\nreturn_uri=${RETURN_URI}\nmetadata[order]=A 17`,
          status: 200,
          fault: null,
        },
        {
          time: "2035-01-01T00:00:00Z",
          method: "GET",
          path: "/search",
          query: "scope=linked_account\nquery=A 17",
          body: null,
          status: 200,
          fault: null,
        },
        {
          time: "2035-01-01T00:00:00Z",
          method: "GET",
          path: `/linked_accounts/${id}`,
          query: null,
          body: null,
          status: 401,
          fault: null,
        },
        {
          time: "2035-01-01T00:00:00Z",
          method: "POST",
          path: "/register",
          query: null,
          body: "ref=[redacted]\naction=decline",
          status: 303,
          fault: null,
        },
      ],
    );
    assert.equal(shown[0].request_id, made.headers.get("x-request-id"));
    assert.equal(shown[3].request_id, null);
  });

  test("no identity number, key or token, however it was sent", async () => {
    await control("DELETE", "/requests");
    const [number, passport] = ["1101700230708", "AA1234567"];
    const forms = [
      `citizen_id=${number}`,
      `citizen%5Fid=${passport}`,
      `citizenId=${passport}&CITIZEN-ID=${passport}`,
      `citizen_id[]=${passport}&citizen_id[a]=${passport}`,
      `metadata[citizen_id]=${passport}&metadata[note]=his+number+is+1-1017-00230-70-8`,
      `{"citizen_id":"${number}"}`,
      `key=${key}`,
    ];
    const documents = [
      { citizen_id: number },
      { citizen_id: [passport] },
      { metadata: { deep: [{ citizenID: passport }], number: Number(number), note: `(${number})` } },
    ];
    for (const form of forms) {
      await call("POST", "/linked_accounts", {
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: form,
      });
      await call("GET", `/linked_accounts?${form}`);
      await call("POST", "/linked_accounts", { headers: { "content-type": "application/json" }, body: form });
    }
    for (const document of documents) {
      const body = JSON.stringify(document);
      for (const type of ["application/json", "text/plain"]) {
        await call("POST", "/linked_accounts", { headers: { "content-type": type }, body });
        await call("POST", "/linked_accounts", {
          headers: { "content-type": type },
          body: body.slice(0, -1),
        });
      }
    }
    await call("GET", `/linked_accounts/${number}`);
    await fetch(`${url}/register?ref=lnac_test_5zylnmmt2kl9chq3ip1`);
    const { text, body } = await control("GET", "/requests");
    assert.equal(body.requests.length, forms.length * 3 + documents.length * 4 + 2);
    for (const secret of [number, passport, "1-1017", key, token, "lnac_test_5zyl", "Basic", "Bearer"]) {
      assert.ok(!text.includes(secret), `${secret}\nis in\n${text}`);
    }
    assert.ok(lines.includes("POST /linked_accounts 400"));
    assert.ok(!lines.join("\n").includes(passport));
  });

  test("a long body is cut", async () => {
    await control("DELETE", "/requests");
    await create({ "metadata[a]": "x".repeat(14_000) });
    const [{ body }] = await requests();
    assert.ok(body.endsWith("x…") && body.length === 4_001, `${body.length}`);
  });

  test("the last 500", async () => {
    await control("DELETE", "/requests");
    for (let i = 0; i < 510; i += 10) {
      await Promise.all(
        Array.from({ length: 10 }, (_, j) => call("GET", `/linked_accounts/lnac_test_${i + j}`)),
      );
    }
    const paths: string[] = (await requests()).map(({ path }: { path: string }) => path);
    assert.equal(paths.length, 500);
    const left = new Set(paths);
    for (let i = 20; i < 510; i++) assert.ok(left.has(`/linked_accounts/lnac_test_${i}`), `${i}`);
  });
});

suite("state", () => {
  const dump = async () => await control("GET", "/state");
  const rows = async () => {
    const database = await db();
    const accounts = await database.prepare("SELECT * FROM accounts ORDER BY created_at, id").all();
    const clock = await database.prepare("SELECT * FROM clock").all();
    return { accounts: accounts.results, clock: clock.results };
  };

  test("reset: nothing is left, and the clock goes with the machine's", async () => {
    await registered();
    await control("PUT", "/clock", { now: "2036-01-01T00:00:00Z", stand: true });
    await control("PUT", "/faults", { faults: [{ route: "delete", kind: "rails", count: 1 }] });
    const done = await control("DELETE", "/state");
    assert.equal(done.status, 204);
    assert.equal((await control("GET", "/clock")).body.stand, false);
    assert.ok((await control("GET", "/clock")).body.now < "2036");
    assert.deepEqual((await control("GET", "/faults")).body, { faults: [] });
    assert.deepEqual((await control("GET", "/requests")).body, { requests: [] });
    assert.deepEqual(await rows(), { accounts: [], clock: [] });
    assert.equal((await call("GET", "/linked_accounts")).body.total, 0);
    assert.deepEqual((await dump()).body, {
      version: 1,
      clock: { ahead_ms: 0, stands_at_ms: null },
      chance: { account: 0, event: 0, request: 0 },
      accounts: [],
    });
  });

  test("what was dumped is loaded again, to the letter, and can be searched", async () => {
    await control("DELETE", "/state");
    await control("PUT", "/clock", { now: "2037-01-01T00:00:00Z", stand: true });
    const metadata =
      '{"a":12345678901234567890123,"b":{ "c" : [null, 1.50] },"__proto__":"x","lone":"\\ud800","nul":"a\\u0000b","quote":"\'\\"\\\\","th":"ใบสั่ง"}';
    const made = await call("POST", "/linked_accounts", {
      headers: { "content-type": "application/json" },
      body: `{"type":"direct_debit_bay","return_uri":"http://Shop.Example:80/%e0?a='b'","metadata":${metadata}}`,
    });
    assert.equal(made.status, 200);
    await registered();
    await answer(await pending(), { action: "decline" });
    const deleted = await registered();
    await call("DELETE", `/linked_accounts/${deleted}`);
    await control("POST", `/accounts/${await pending()}/settle`, { outcome: "expire" });

    const [kept, keptRows] = [await dump(), await rows()];
    assert.equal(kept.status, 200);
    assert.equal(kept.body.accounts.length, 5);
    for (const secret of [key, token]) assert.ok(!kept.text.includes(secret));
    await control("DELETE", "/state");
    const loaded = await fetch(`${url}/sandbox/state`, {
      method: "PUT",
      headers: { authorization: `Bearer ${token}` },
      body: kept.text,
    });
    assert.equal(loaded.status, 204, await loaded.text());
    assert.equal((await dump()).text, kept.text);
    assert.deepEqual(await rows(), keptRows);
    assert.equal((await call("GET", `/linked_accounts/${made.body.id}`)).text, made.text);
    assert.equal((await call("GET", "/linked_accounts/search?query=ใบสั่ง")).body.total, 1);
  });

  test("load(dump()) is identity, whatever the accounts", async () => {
    const iso = (time: number) => `${new Date(time).toISOString().slice(0, 19)}Z`;
    const time = fc
      .date({ min: new Date(0), max: new Date("4999-01-01T00:00:00Z"), noInvalidDate: true })
      .map((date) => iso(date.getTime()));
    const account = fc
      .record({
        type: fc.constantFrom("bay", "bbl", "kbank", "ktb", "scb").map((bank) => `direct_debit_${bank}`),
        return_uri: fc.webUrl({ withQueryParameters: true, withFragments: true }),
        metadata: fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue(), { maxKeys: 5 }),
        status: fc.constantFrom("pending", "expired", "successful", "deleted", "failed"),
        digits: fc.integer({ min: 0, max: 9999 }).map((n) => `${n}`.padStart(4, "0")),
        failure: fc.string({ unit: "binary" }),
        times: fc.tuple(time, time, time),
      })
      .map(({ type, return_uri, metadata, status, digits, failure, times }) => {
        const isRegistered = status === "successful" || status === "deleted";
        return {
          type,
          return_uri,
          metadata,
          status,
          last_digits: isRegistered ? digits : null,
          failure_code: status === "failed" ? "registration_rejected" : null,
          failure_message: status === "failed" ? failure : null,
          registered_at: isRegistered ? times[0] : null,
          expires_at: times[1],
          created_at: times[2],
        };
      });
    const clock = fc.record({
      ahead_ms: fc.integer(),
      stands_at_ms: fc.option(fc.nat({ max: Date.parse("4999-01-01T00:00:00Z") })),
    });
    const drawn = fc.nat({ max: 1_000_000_000 });
    const chance = fc.record({ account: drawn, event: drawn, request: drawn });
    const accounts = fc.uniqueArray(fc.tuple(fc.stringMatching(/^[0-9a-z]{19}$/), account), {
      selector: ([id]) => id,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(accounts, clock, chance, async (list, clock, chance) => {
        // whose time is over expires once it is loaded
        const late = iso(clock.stands_at_ms ?? Date.now() + clock.ahead_ms + 60_000);
        const document = {
          version: 1,
          clock,
          chance,
          accounts: list
            .map(([id, rest]) => ({ id: `lnac_test_${id}`, ...rest }))
            .map((one) =>
              one.status === "pending" && one.expires_at <= late ? { ...one, status: "expired" } : one,
            )
            .sort((a, b) => (a.created_at + a.id < b.created_at + b.id ? -1 : 1)),
        };
        const loaded = await control("PUT", "/state", document);
        assert.equal(loaded.status, 204, loaded.text);
        const first = await dump();
        // as JSON has it, where -0 is 0
        assert.deepEqual(first.body, JSON.parse(JSON.stringify(document)));
        const keptRows = await rows();
        assert.equal((await control("PUT", "/state", first.body)).status, 204);
        assert.equal((await dump()).text, first.text);
        assert.deepEqual(await rows(), keptRows);
      }),
      { numRuns: 30 },
    );
  });

  test("many accounts are loaded as one", async () => {
    const accounts = Array.from({ length: 1_500 }, (_, i) => ({
      id: `lnac_test_${`${i}`.padStart(19, "0")}`,
      type: "direct_debit_scb",
      return_uri: RETURN_URI,
      metadata: { text: "ก".repeat(500) },
      status: "pending",
      last_digits: null,
      failure_code: null,
      failure_message: null,
      registered_at: null,
      expires_at: "2038-01-02T00:00:00Z",
      created_at: "2038-01-01T00:00:00Z",
    }));
    const clock = { ahead_ms: 0, stands_at_ms: Date.parse("2038-01-01T00:00:00Z") };
    const document = { version: 1, clock, chance: { account: 1_500, event: 0, request: 0 }, accounts };
    assert.equal((await control("PUT", "/state", document)).status, 204);
    assert.deepEqual((await dump()).body, document);
    assert.equal((await call("GET", "/linked_accounts")).body.total, 1_500);
  });

  test("what is refused changes nothing", async () => {
    const good = {
      id: "lnac_test_5zylnmmt2kl9chq3ip1",
      type: "direct_debit_scb",
      return_uri: RETURN_URI,
      metadata: {},
      status: "pending",
      last_digits: null,
      failure_code: null,
      failure_message: null,
      registered_at: null,
      expires_at: "2024-06-04T04:11:14Z",
      created_at: "2024-06-03T04:11:14Z",
    };
    const clock = { ahead_ms: 0, stands_at_ms: null };
    const chance = { account: 0, event: 0, request: 0 };
    const before = (await dump()).text;
    for (const [document, message] of [
      [{ version: 1, clock, chance }, /^missing field `accounts`/],
      [{ version: 2, clock, chance, accounts: [] }, /^version: expected 1$/],
      [
        { version: 1, clock: { ...clock, ahead_ms: 1e15 }, chance, accounts: [] },
        /^clock\.ahead_ms: expected/,
      ],
      [{ version: 1, clock, chance: { ...chance, key: 1 }, accounts: [] }, /^chance\.key: unknown field/],
      [
        { version: 1, clock, chance: { ...chance, account: -1 }, accounts: [] },
        /^chance\.account: invalid value/,
      ],
      [{ version: 1, clock, chance, accounts: [], faults: [] }, /^faults: unknown field `faults`/],
      [
        { version: 1, clock, chance, accounts: [good, { ...good, id: "x" }] },
        /^accounts\[1\]\.id: expected a linked-account id/,
      ],
      [
        { version: 1, clock, chance, accounts: [{ ...good, created_at: "yesterday" }] },
        /^accounts\[0\]\.created_at: expected a UTC time/,
      ],
      [
        { version: 1, clock, chance, accounts: [{ ...good, status: "successful" }] },
        /^accounts\[0\]\.last_digits: expected four digits/,
      ],
      [{ version: 1, clock, chance, accounts: [good, good] }, /^accounts\[1\]\.id: expected another one/],
      [
        { version: 1, clock, chance, accounts: [{ ...good, citizen_id: "1101700230708" }] },
        /^accounts\[0\]\.citizen_id: unknown field `citizen_id`(?!.*110170)/,
      ],
    ] as const) {
      const refused = await control("PUT", "/state", document);
      assert.equal(refused.status, 400, refused.text);
      assert.match(refused.body.message, message);
    }
    assert.equal((await dump()).text, before);
  });
});

test("the log never has the token", () => {
  assert.ok(lines.length > 0);
  assert.ok(!lines.join("\n").includes(token));
});
