// The errors that Omise documents, word for word, and those for which it documents nothing.

import { strict as assert } from "node:assert";
import { suite, test } from "node:test";
import { RETURN_URI, sandbox } from "./sandbox.ts";

const { url, call, send, create, pending, registered, answer, lapse, db, lines } = await sandbox();

const error = (code: string, message: string) => `{
  "object": "error",
  "location": "https://www.omise.co/api-errors#${code.replaceAll("_", "-")}",
  "code": "${code}",
  "message": "${message}"
}
`;
const badRequest = (message: string) => error("bad_request", message);

const form = async (body: string) =>
  await call("POST", "/linked_accounts", {
    body,
    headers: { "content-type": "application/x-www-form-urlencoded" },
  });
const json = async (body: string) =>
  await call("POST", "/linked_accounts", { body, headers: { "content-type": "application/json" } });

suite("create", () => {
  const good = { type: "direct_debit_kbank", return_uri: RETURN_URI };
  const refused: [string, Record<string, unknown>, string][] = [
    ["nothing", {}, "Type is required"],
    ["an empty type", { ...good, type: "" }, "Type is required"],
    ["type before return_uri", { return_uri: "x" }, "Type is required"],
    ["another type", { ...good, type: "direct_debit_uob" }, "Type is not supported"],
    ["a type of other documents", { ...good, type: "individual" }, "Type is not supported"],
    ["type supported before return_uri", { type: "x" }, "Type is not supported"],
    ["no return_uri", { type: "direct_debit_kbank" }, "Return uri is required"],
    ["an empty return_uri", { ...good, return_uri: "" }, "Return uri is required"],
    [
      "return_uri before citizen_id",
      { type: "direct_debit_kbank", citizen_id: "1" },
      "Return uri is required",
    ],
    ["a return_uri without scheme", { ...good, return_uri: "shop.example" }, "Return uri is not a valid URI"],
    ["a path", { ...good, return_uri: "/return" }, "Return uri is not a valid URI"],
    ["no host", { ...good, return_uri: "https:///return" }, "Return uri is not a valid URI"],
    ["a script", { ...good, return_uri: "javascript:alert(1)" }, "Return uri is not a valid URI"],
    ["markup", { ...good, return_uri: 'https://x/"><script>' }, "Return uri is not a valid URI"],
    ["a header", { ...good, return_uri: "https://x/\r\nx: y" }, "Return uri is not a valid URI"],
    ["a short citizen_id", { ...good, citizen_id: "1" }, "Citizen id is invalid"],
    ["a wrong check digit", { ...good, citizen_id: "1101700230709" }, "Citizen id is invalid"],
    ["long metadata", { ...good, metadata: { k: "ก".repeat(14_993) } }, "Metadata is too long"],
  ];
  for (const [name, fields, message] of refused) {
    test(name, async () => {
      const { metadata, ...rest } = fields;
      const params = new URLSearchParams(rest as Record<string, string>);
      for (const [key, value] of Object.entries(metadata ?? {})) params.append(`metadata[${key}]`, value);
      for (const refused of [await form(params.toString()), await json(JSON.stringify(fields))]) {
        assert.equal(refused.status, 400);
        assert.equal(refused.text, badRequest(message));
      }
    });
  }

  const good_form = new URLSearchParams(good).toString();
  for (const body of [
    `${good_form}&type=direct_debit_scb`,
    `${good_form}&return_uri=${encodeURIComponent(RETURN_URI)}`,
    `${good_form}&citizen_id=AA1234567&citizen_id=AA1234567`,
    `${good_form}&metadata[a]=1&metadata[a]=2`,
  ]) {
    test(`a duplicate: ${body.slice(good_form.length)}`, async () => {
      const refused = await form(body);
      assert.equal(refused.status, 400);
      assert.equal(refused.text, badRequest("a parameter appears twice"));
    });
  }
  test("a duplicate in JSON", async () => {
    const refused = await json(
      '{"type":"direct_debit_scb","type":"direct_debit_scb","return_uri":"https://x"}',
    );
    assert.equal(refused.status, 400);
    assert.equal(refused.text, badRequest("the body is not a JSON object of these parameters"));
  });
  for (const body of ["{", "[]", "null", "", '{"type":1}', '{"type":"direct_debit_scb","metadata":[]}']) {
    test(`no JSON object of parameters: ${body}`, async () => {
      const refused = await json(body);
      assert.equal(refused.status, 400);
      assert.equal(refused.body.code, "bad_request");
    });
  }

  test("a refused create makes nothing", async () => {
    const { results } = await (await db()).prepare("SELECT id FROM accounts").all();
    await create({ type: "direct_debit_uob" });
    assert.equal(
      (await (await db()).prepare("SELECT id FROM accounts").all()).results.length,
      results.length,
    );
  });

  test("neither answer nor log repeats the identity number", async () => {
    const number = "1101700230709";
    const refused = await create({ citizen_id: number });
    assert.equal(refused.status, 400);
    assert.ok(!refused.text.includes(number));
    assert.ok(lines.includes("POST /linked_accounts 400"));
    assert.ok(!lines.join("\n").includes(number));
  });
});

suite("retrieve and delete", () => {
  const unknown = [
    "lnac_test_5zylnmmt2kl9chq3ip",
    "lnac_test_5zylnmmt2kl9chq3ip1",
    "lacct_test_1",
    "Search",
    "search%20",
    "1",
    "%3Cscript%3E",
    "'%20OR%201=1--",
    "..%2f..",
    "a".repeat(300),
  ];
  for (const method of ["GET", "DELETE"]) {
    for (const id of unknown) {
      test(`${method} an unknown id: ${id.slice(0, 40)}`, async () => {
        const refused = await call(method, `/linked_accounts/${id}`);
        assert.equal(refused.status, 404);
        assert.equal(refused.text, error("not_found", `linked account ${id} was not found`));
      });
    }
  }
  const NOT_REGISTERED = badRequest("linked account is not registered");
  const notRegistered: [string, () => Promise<string>][] = [
    ["pending", pending],
    [
      "failed",
      async () => {
        const id = await pending();
        await answer(id, { action: "decline" });
        return id;
      },
    ],
    [
      "expired",
      async () => {
        const id = await pending();
        await lapse(id);
        return id;
      },
    ],
    [
      "deleted",
      async () => {
        const id = await registered();
        assert.equal((await call("DELETE", `/linked_accounts/${id}`)).status, 200);
        return id;
      },
    ],
  ];
  for (const [status, make] of notRegistered) {
    test(`DELETE of an account that is ${status}`, async () => {
      const id = await make();
      const refused = await call("DELETE", `/linked_accounts/${id}`);
      assert.equal(refused.status, 400);
      assert.equal(refused.text, NOT_REGISTERED);
      assert.equal((await call("GET", `/linked_accounts/${id}`)).body.status, status);
    });
  }
});

const ENDPOINTS = [
  ...["POST /linked_accounts", "GET /linked_accounts", "GET /linked_accounts/search"],
  ...["GET /linked_accounts/:id", "DELETE /linked_accounts/:id"],
  ...["GET /search?scope=linked_account", "GET /capability"],
].join(", ");

suite("a path or method that the sandbox lacks is named, with a list of the endpoints that it has", () => {
  for (const [method, path] of [
    // endpoints of Omise's
    ["GET", "/charges"],
    ["POST", "/charges"],
    ["POST", "/customers"],
    ["GET", "/customers/cust_test_1"],
    ["POST", "/tokens"],
    ["GET", "/account"],
    // none of Omise's
    ["POST", "/"],
    ["GET", "/capabilities"],
    ["GET", "/sandbox_x"],
    ["GET", "/%22%0a%3Cscript%3E"],
    ["DELETE", "/register"],
    // where a key is asked for
    ["PUT", "/linked_accounts"],
    ["DELETE", "/linked_accounts"],
    ["OPTIONS", "/linked_accounts"],
    ["POST", "/linked_accounts/search"],
    ["DELETE", "/linked_accounts/search"],
    ["PATCH", "/linked_accounts/lnac_test_1"],
    ["GET", "/linked_accounts/lnac_test_1/events"],
    ["POST", "/search"],
    ["GET", "/search/1"],
    ["POST", "/search/"],
    ["POST", "/capability"],
    // more than one slash at the end
    ["GET", "//"],
    ["POST", "/linked_accounts//"],
    ["GET", "/linked_accounts//"],
    ["GET", "/linked_accounts/lnac_test_1//"],
    ["GET", "/linked_accounts/search//"],
    ["GET", "/search//"],
    ["GET", "/capability//"],
    ["GET", "/register//"],
    // or before it
    ["GET", "//linked_accounts"],
  ] as const) {
    test(`${method} ${path}`, async () => {
      const refused = await send(method, path, {});
      assert.equal(refused.status, 404);
      assert.equal(
        refused.text,
        error("not_found", `the sandbox has no ${method} ${path}; it has ${ENDPOINTS}`),
      );
    });
  }
});

suite("one slash at the end of a path changes nothing", () => {
  test("of a create, a form as Omise's client for PHP posts it", async () => {
    const made = await call("POST", "/linked_accounts/", {
      body: new URLSearchParams({ type: "direct_debit_kbank", return_uri: RETURN_URI }),
    });
    assert.equal(made.status, 200);
    assert.equal(made.body.status, "pending");
    assert.equal(made.body.location, `/linked_accounts/${made.body.id}`);
    assert.deepEqual((await call("GET", `/linked_accounts/${made.body.id}/`)).body, made.body);
  });
  for (const path of [
    "/linked_accounts",
    "/linked_accounts/search",
    "/search?scope=linked_account",
    "/capability",
  ]) {
    test(`of GET ${path}`, async () => {
      const [name = "", query] = path.split("?");
      const slashed = await call("GET", [`${name}/`, query].filter(Boolean).join("?"));
      const plain = await call("GET", path);
      // `to` of a list is the time of the request
      const body = ({ to: _, ...rest }: Record<string, unknown>) => rest;
      assert.deepEqual([slashed.status, body(slashed.body)], [200, body(plain.body)]);
    });
  }
  test("of a delete", async () => {
    const id = await registered();
    const deleted = await call("DELETE", `/linked_accounts/${id}/`);
    assert.deepEqual([deleted.status, deleted.body.status], [200, "deleted"]);
  });
  test("of an unknown id: it is named without the slash", async () => {
    const refused = await call("GET", "/linked_accounts/lnac_test_1/");
    assert.equal(refused.status, 404);
    assert.equal(refused.text, error("not_found", "linked account lnac_test_1 was not found"));
  });
  test("of the bank's page", async () => {
    const ref = await pending();
    const [slashed, plain] = await Promise.all([
      fetch(`${url}/register/?ref=${ref}`),
      fetch(`${url}/register?ref=${ref}`),
    ]);
    assert.equal(slashed.status, 200);
    assert.equal(await slashed.text(), await plain.text());
  });
});

suite("headers of an error", () => {
  test("are those of a success", async () => {
    const { headers } = await call("GET", "/linked_accounts/x");
    assert.equal(headers.get("content-type"), "application/json; charset=utf-8");
    assert.equal(headers.get("cache-control"), "no-cache, no-store");
    assert.equal(headers.get("omise-version"), "2019-05-29");
    assert.match(headers.get("x-request-id") ?? "", /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });
  test("let no page in", async () => {
    for (const [method, path] of [
      ["OPTIONS", "/linked_accounts"],
      ["POST", "/linked_accounts"],
      ["GET", "/register?ref=x"],
    ] as const) {
      const headers = { origin: "https://shop.example", "access-control-request-method": "POST" };
      const response = await fetch(url + path, { method, headers });
      const cors = [...response.headers.keys()].filter((name) => name.startsWith("access-control"));
      assert.deepEqual(cors, [], `${method} ${path}`);
    }
  });
});

// Last: it takes the database away.
test("a database that fails", async () => {
  const id = await pending();
  await (await db()).prepare("ALTER TABLE accounts RENAME TO elsewhere").run();
  const rails = '{"status":500,"error":"Internal Server Error"}';
  for (const failed of [
    await create({ citizen_id: "1101700230708" }),
    await call("GET", `/linked_accounts/${id}`),
    await call("DELETE", `/linked_accounts/${id}`),
    await call("GET", "/linked_accounts"),
    await call("GET", `/linked_accounts/search?query=${id}`),
  ]) {
    assert.equal(failed.status, 500);
    assert.equal(failed.text.trimEnd(), rails);
  }
  for (const page of [await fetch(`${url}/register?ref=${id}`), await answer(id, { action: "decline" })]) {
    assert.equal(page.status, 500);
    assert.match(await page.text(), /<h1>Something went wrong<\/h1>/);
  }
  assert.ok(lines.some((line) => line.includes("no such table")));
  for (const secret of [id, RETURN_URI, "1101700230708"]) {
    const found = lines.filter((line) => line.includes(secret) && !line.includes(`/linked_accounts/${id}`));
    assert.deepEqual(found, []);
  }
});
