// The bank's page.

import { strict as assert } from "node:assert";
import { suite, test } from "node:test";
import { RETURN_URI, sandbox } from "./sandbox.ts";

const { url, call, create, pending, registered, answer, lapse } = await sandbox();
const status = async (id: string) => (await call("GET", `/linked_accounts/${id}`)).body.status;
const visit = async (ref: string) => await fetch(`${url}/register?ref=${ref}`);
const has = (page: string, ...texts: string[]) => {
  for (const text of texts) assert.ok(page.includes(text), `${text}\nis not in\n${page}`);
};

// The shop, not the address that only whoever answered is sent to: anybody with the link sees these pages.
const BACK = '<a class="button" href="https://shop.example">Back to shop.example</a>';

suite("the question", () => {
  for (const [type, bank, thai] of [
    ["bay", "Bank of Ayudhya (Krungsri)", "ธนาคารกรุงศรีอยุธยา"],
    ["bbl", "Bangkok Bank", "ธนาคารกรุงเทพ"],
    ["kbank", "Kasikornbank", "ธนาคารกสิกรไทย"],
    ["ktb", "Krungthai Bank", "ธนาคารกรุงไทย"],
    ["scb", "Siam Commercial Bank", "ธนาคารไทยพาณิชย์"],
  ] as const) {
    test(bank, async () => {
      const made = await create({ type: `direct_debit_${type}` });
      const response = await fetch(made.body.registration_uri);
      assert.equal(response.status, 200);
      const page = await response.text();
      has(page, `<body class="${type}">`, bank, `<span lang="th">${thai}</span>`, '<html lang="en">');
      has(
        page,
        "Sandbox — not a real bank.</strong> <span>No money moves.</span>",
        "<strong>shop.example</strong> asks",
      );
      assert.doesNotMatch(page, /<script|<img|style=|<svg/);
    });
  }

  test("two accounts that differ, the same ones each time", async () => {
    const id = await pending();
    const digits = async () =>
      [...(await (await visit(id)).text()).matchAll(/ending in <\/span>(\d{4})/g)].map(([, d]) => d);
    const shown = await digits();
    assert.equal(new Set(shown).size, 2);
    assert.deepEqual(await digits(), shown);
  });

  test("headers", async () => {
    const { headers } = await visit(await pending());
    assert.equal(
      headers.get("content-security-policy"),
      "default-src 'none'; style-src 'self'; form-action 'self' https://shop.example; frame-ancestors 'none'; base-uri 'none'",
    );
    assert.equal(headers.get("content-type"), "text/html; charset=utf-8");
    assert.equal(headers.get("cross-origin-opener-policy"), "same-origin");
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("referrer-policy"), "no-referrer");
    assert.equal(headers.get("cache-control"), "no-store");
  });

  test("a return_uri cannot add to the policy", async () => {
    const id = await pending({ return_uri: "https://a;script-src,*'/" });
    const policy = (await visit(id)).headers.get("content-security-policy");
    has(policy ?? "", "form-action 'self' https:;");
  });

  test("a hostile return_uri is text", async () => {
    const uri = "https://shop'onmouseover=alert(1)&quot;&lt;script.example/";
    const id = await pending({ return_uri: uri });
    await answer(id, { action: "decline" });
    const page = await (await visit(id)).text();
    has(page, `href="https://shop'onmouseover=alert(1)&amp;quot;&amp;lt;script.example"`);
  });

  test("the style sheet", async () => {
    const response = await fetch(`${url}/register.css`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "text/css; charset=utf-8");
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    has(await response.text(), ".kbank {", ".scb {");
  });
});

suite("the answer", () => {
  for (const [account, position] of [
    ["savings", 0],
    ["current", 1],
  ] as const) {
    test(`approve, ${account}`, async () => {
      const id = await pending();
      const shown = [...(await (await visit(id)).text()).matchAll(/ending in <\/span>(\d{4})/g)].map(
        ([, d]) => d,
      );
      const response = await answer(id, { action: "approve", account });
      assert.equal(response.status, 303);
      assert.equal(response.headers.get("location"), RETURN_URI);
      assert.equal(response.headers.get("cache-control"), "no-store");
      assert.equal(response.headers.get("referrer-policy"), "no-referrer");
      const { body } = await call("GET", `/linked_accounts/${id}`);
      assert.equal(body.status, "successful");
      assert.equal(body.last_digits, shown[position]);
    });
  }

  test("decline", async () => {
    const id = await pending();
    const response = await answer(id, { action: "decline" });
    assert.equal(response.status, 303);
    assert.equal(response.headers.get("location"), RETURN_URI);
    assert.equal(await status(id), "failed");
  });

  test("the way back is the return_uri as given", async () => {
    for (const return_uri of [
      "HTTP://Shop.Example",
      "http://shop.example:80/a/../b?x=%2e#y",
      "https://a;b/",
    ]) {
      const response = await answer(await pending({ return_uri }), { action: "decline" });
      assert.equal(response.headers.get("location"), return_uri);
    }
  });

  for (const fields of [
    {},
    { action: "approve" },
    { action: "approve", account: "gold" },
    { action: "other", account: "savings" },
    { account: "savings" },
  ]) {
    test(`none: ${JSON.stringify(fields)}`, async () => {
      const id = await pending();
      const response = await answer(id, fields);
      assert.equal(response.status, 400);
      has(await response.text(), "Something is missing", `href="/register?ref=${id}"`);
      assert.equal(await status(id), "pending");
    });
  }

  test("a second one changes nothing", async () => {
    const id = await pending();
    await answer(id, { action: "approve", account: "savings" });
    const before = await call("GET", `/linked_accounts/${id}`);
    const response = await answer(id, { action: "decline" });
    assert.equal(response.status, 200);
    has(await response.text(), "<h1>Already approved</h1>", BACK);
    assert.equal((await call("GET", `/linked_accounts/${id}`)).text, before.text);
  });

  test("of many at once one counts", async () => {
    const id = await pending();
    const fields = [{ action: "approve", account: "savings" }, { action: "decline" }];
    const responses = await Promise.all(
      [...fields, ...fields, ...fields].map(async (answered) => await answer(id, answered)),
    );
    assert.deepEqual(responses.map(({ status }) => status).sort(), [200, 200, 200, 200, 200, 303]);
    const winner = responses.findIndex(({ status }) => status === 303);
    assert.equal(await status(id), winner % 2 === 0 ? "successful" : "failed");
  });
});

suite("nothing left to answer", () => {
  test("approved", async () => {
    const response = await visit(await registered());
    assert.equal(response.status, 200);
    has(
      await response.text(),
      "<h1>Already approved</h1>",
      "linked to shop.example",
      "ending in </span>",
      BACK,
    );
  });
  test("declined", async () => {
    const id = await pending();
    await answer(id, { action: "decline" });
    const response = await visit(id);
    assert.equal(response.status, 200);
    has(await response.text(), "<h1>Already declined</h1>", "Nothing was linked", BACK);
  });
  test("unlinked", async () => {
    const id = await registered();
    await call("DELETE", `/linked_accounts/${id}`);
    const response = await visit(id);
    assert.equal(response.status, 200);
    has(await response.text(), "<h1>Already unlinked</h1>", BACK);
  });
  test("expired", async () => {
    const id = await pending();
    await lapse(id);
    for (const response of [await visit(id), await answer(id, { action: "approve", account: "savings" })]) {
      assert.equal(response.status, 410);
      has(await response.text(), "<h1>This request has expired</h1>", BACK);
    }
    assert.equal(await status(id), "expired");
  });
  test("expired while the page was open, and nobody looked since", async () => {
    const id = await pending();
    await visit(id);
    await lapse(id);
    assert.equal((await answer(id, { action: "approve", account: "savings" })).status, 410);
    assert.equal(await status(id), "expired");
  });
  for (const ref of ["lnac_test_5zylnmmt2kl9chq3ip1", "", "%3Cscript%3E", "'%20OR%201=1--"]) {
    test(`unknown: ${ref}`, async () => {
      const responses = [
        await visit(ref),
        await fetch(`${url}/register`, { method: "POST", body: `ref=${ref}&action=decline` }),
      ];
      for (const response of responses) {
        assert.equal(response.status, 404);
        const page = await response.text();
        has(page, "<h1>No such request</h1>");
        assert.doesNotMatch(page, /<script|<a /);
      }
    });
  }
  test("no reference at all", async () => {
    assert.equal((await fetch(`${url}/register`)).status, 404);
    assert.equal((await fetch(`${url}/register`, { method: "POST" })).status, 404);
  });
  test("such a page leads nowhere but by its link", async () => {
    const policy = (await visit(await registered())).headers.get("content-security-policy");
    has(policy ?? "", "form-action 'self';");
  });
});
