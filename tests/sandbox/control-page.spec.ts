// The control page, by HTTP.

import { strict as assert } from "node:assert";
import { suite, test } from "node:test";
import { until } from "../support/until.ts";
import { controlled } from "./control.ts";
import { sandbox } from "./sandbox.ts";

const { url, token, key, control, call, create, pending, registered, answer, lines } = await controlled();
const has = (page: string, ...texts: string[]) => {
  for (const text of texts) assert.ok(page.includes(text), `${text}\nis not in\n${page}`);
};
const statusOf = async (id: string) => (await call("GET", `/linked_accounts/${id}`)).body.status;
const clockIs = async () => (await control("GET", "/clock")).body;

/** Posts a form as the page does, with other headers where they are given. */
async function post(path: string, fields: Record<string, string>, headers: Record<string, string> = {}) {
  return await fetch(url + path, {
    method: "POST",
    body: new URLSearchParams(fields),
    headers: { origin: url, connection: "close", ...headers },
    redirect: "manual",
  });
}
const signIn = async (text: string, headers: Record<string, string> = {}) =>
  await post("/sandbox/session", { token: text }, headers);
const cookie = (await signIn(token)).headers.getSetCookie()[0]?.split(";")[0] ?? "";
const look = async (headers: Record<string, string> = { cookie }) =>
  await fetch(`${url}/sandbox`, { headers });
const press = async (fields: Record<string, string>, headers: Record<string, string> = {}) =>
  await post("/sandbox", fields, { cookie, ...headers });

suite("signing in", () => {
  test("with the token: a cookie that does not tell it", async () => {
    const response = await signIn(token);
    assert.equal(response.status, 303);
    assert.equal(response.headers.get("location"), "/sandbox");
    const [set] = response.headers.getSetCookie();
    assert.match(set ?? "", /^sandbox_control=[\w-]{43}; Path=\/sandbox; HttpOnly; SameSite=Strict$/);
    assert.ok(!set?.includes(token));
  });

  test("with anything else: the form again", async () => {
    for (const wrong of ["", `${token}0`, token.slice(0, -1), cookie, key]) {
      const response = await signIn(wrong);
      assert.equal(response.status, 403);
      assert.equal(response.headers.get("set-cookie"), null);
      const page = await response.text();
      has(page, '<p class="problem" role="alert">That is not the token.</p>', 'action="/sandbox/session"');
      assert.ok(wrong === "" || !page.includes(wrong));
    }
  });

  test("without it there is nothing to see or to press", async () => {
    const id = await pending();
    const other = await sandbox({ CONTROL_TOKEN: "another-token-of-some-length" });
    const theirs = await fetch(`${other.url}/sandbox/session`, {
      method: "POST",
      body: new URLSearchParams({ token: "another-token-of-some-length" }),
      headers: { origin: other.url },
      redirect: "manual",
    });
    assert.equal(theirs.status, 303);
    for (const wrong of [
      "",
      "sandbox_control=",
      `sandbox_control=${token}`,
      cookie.slice(0, -1),
      cookie.replace("sandbox_", ""),
      theirs.headers.getSetCookie()[0]?.split(";")[0] ?? "",
    ]) {
      const shown = await look({ cookie: wrong });
      assert.equal(shown.status, 403);
      const page = await shown.text();
      has(page, '<label for="token">Control token</label>');
      assert.ok(!page.includes("lnac_test_") && !page.includes("alert"));
      const pressed = await press({ action: "approve", id }, { cookie: wrong });
      assert.equal(pressed.status, 403);
    }
    // the token itself opens the API, not the page; the cookie the page, not the API
    assert.equal((await look({ authorization: `Bearer ${token}` })).status, 403);
    assert.equal((await fetch(`${url}/sandbox/clock`, { headers: { cookie } })).status, 401);
    assert.equal(await statusOf(id), "pending");
  });

  test("a form of another page does nothing, whatever it brings", async () => {
    const id = await pending();
    const { port } = new URL(url);
    for (const origin of [
      "https://shop.example",
      "null",
      "",
      `http://127.0.0.1:${Number(port) + 1}`,
      `https://127.0.0.1:${port}`,
      `http://localhost:${port}`,
      `${url}/`,
      `${url}.evil.example`,
      "http://127.0.0.1",
    ]) {
      const pressed = await press({ action: "approve", id }, { origin });
      assert.equal(pressed.status, 403, origin);
      has(await pressed.text(), "<h1>Not from here</h1>");
      const signed = await signIn(token, { origin });
      assert.equal(signed.status, 403);
      assert.equal(signed.headers.get("set-cookie"), null);
    }
    const bare = {
      method: "POST",
      body: new URLSearchParams({ action: "approve", id }),
      headers: { cookie },
    };
    assert.equal((await fetch(`${url}/sandbox`, bare)).status, 403);
    assert.equal(await statusOf(id), "pending");
  });

  test("headers", async () => {
    for (const response of [
      await look(),
      await look({}),
      await signIn("x"),
      await press({}, { origin: "null" }),
    ]) {
      const { headers } = response;
      assert.equal(
        headers.get("content-security-policy"),
        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
      );
      assert.equal(headers.get("content-type"), "text/html; charset=utf-8");
      assert.equal(headers.get("cache-control"), "no-store");
      assert.equal(headers.get("cross-origin-opener-policy"), "same-origin");
      assert.equal(headers.get("referrer-policy"), "same-origin");
      assert.equal(headers.get("x-content-type-options"), "nosniff");
      const page = await response.text();
      assert.doesNotMatch(page, /<script|<img|style=|<svg/);
      has(
        page,
        '<html lang="en">',
        "Sandbox — not Omise, not a bank.",
        '<link rel="stylesheet" href="/sandbox/control.css">',
      );
      assert.ok(!page.includes(token) && !page.includes(key));
    }
    const sheet = await fetch(`${url}/sandbox/control.css`);
    assert.equal(sheet.status, 200);
    assert.equal(sheet.headers.get("content-type"), "text/css; charset=utf-8");
  });
});

suite("what it shows", () => {
  test("accounts, newest first, with buttons for those that are pending", async () => {
    await control("DELETE", "/state");
    await control("PUT", "/clock", { now: "2030-01-01T00:00:00Z", stand: true });
    const done = await registered();
    await control("PUT", "/clock", { advance: 1 });
    const failed = await pending({ type: "direct_debit_scb" });
    await answer(failed, { action: "decline" });
    await control("PUT", "/clock", { advance: 1 });
    const open = await pending({ type: "direct_debit_bay" });
    const page = await (await look()).text();
    has(page, "<caption>3, newest first</caption>", '<th scope="col" role="columnheader">Status</th>');
    const rows = [...page.matchAll(/<tr role="row"><th scope="row".*?<\/tr>/gs)].map(([row]) => row);
    const [first = "", second = "", third = ""] = rows;
    has(first, open, "Bank of Ayudhya (Krungsri)", '<span class="status pending">pending</span>', "expires ");
    has(first, 'value="approve"', 'value="decline"', 'value="expire"', `href="/register?ref=${open}"`);
    has(
      first,
      `<input type="hidden" name="id" value="${open}">`,
      '<time datetime="2030-01-01T00:00:02Z">2030-01-01 00:00:02</time>',
    );
    has(second, failed, "Siam Commercial Bank", "failed", ">registration_rejected</code>");
    has(third, done, "Kasikornbank", "successful", "registered ");
    assert.match(third, / ••\d{4}/);
    assert.ok(!second.includes("<button") && !third.includes("<button"));
  });

  test("the newest 50 of more", async () => {
    await control("DELETE", "/state");
    await Promise.all(Array.from({ length: 51 }, () => pending()));
    const page = await (await look()).text();
    has(page, "<caption>The newest 50 of 51</caption>");
    assert.equal(
      new Set([...page.matchAll(/name="id" value="(lnac_test_\w+)"/g)].map(([, id]) => id)).size,
      50,
    );
  });

  test("requests, the last 50, newest first, and nothing secret", async () => {
    await control("DELETE", "/state");
    for (let i = 0; i < 51; i++) await call("GET", `/linked_accounts/lnac_test_${i}`);
    await create({ citizen_id: "1101700230708", "metadata[order]": "<b>17</b>" });
    const page = await (await look()).text();
    has(page, "The last 50, newest first", "metadata[order]=&lt;b&gt;17&lt;/b&gt;", "citizen_id=[redacted]");
    const paths = [...page.matchAll(/<code>(\w+ \/linked_accounts[^<]*)<\/code>/g)].map(([, path]) => path);
    assert.equal(paths.length, 50);
    assert.deepEqual(paths.slice(0, 2), ["POST /linked_accounts", "GET /linked_accounts/lnac_test_50"]);
    assert.ok(!page.includes("1101700230708") && !page.includes("<b>"));
  });

  test("where events go, and what came of them, to be sent again", async () => {
    await control("DELETE", "/state");
    const at = await (await look()).text();
    has(at, '<h2 id="deliveries">Webhooks</h2>', "Events go nowhere.");
    // nobody listens there
    await control("PUT", "/webhook", { url: "http://127.0.0.1:9/<b>" });
    const id = await pending();
    await control("POST", `/accounts/${id}/settle`, { outcome: "expire" });
    const deliveries = async () => (await control("GET", "/deliveries")).body.data;
    await until(async () => (await deliveries())[0]?.error != null);
    const [delivery] = await deliveries();
    const page = await (await look()).text();
    has(
      page,
      'Events go to <code class="whole">http://127.0.0.1:9/%3Cb%3E</code>.',
      delivery.event,
      "no connection, or it broke",
      `<input type="hidden" name="id" value="${delivery.id}">`,
    );
    assert.equal((await press({ action: "redeliver", id: delivery.id })).status, 303);
    const [again] = await deliveries();
    assert.deepEqual([again.event, again.id === delivery.id], [delivery.event, false]);
    const unknown = await press({ action: "redeliver", id: "whdl_test_0" });
    assert.equal(unknown.status, 404);
    has(await unknown.text(), "delivery whdl_test_0 was not found");
    await control("DELETE", "/state");
  });

  test("faults, as long as there are any", async () => {
    await control("DELETE", "/state");
    has(await (await look()).text(), "None. They are set by <code>PUT /sandbox/faults</code>.");
    const status = { kind: "status", status: 503, code: "x", message: "<i>", committed: true };
    await control("PUT", "/faults", {
      faults: [
        { route: "create", ...status, count: 3 },
        { route: "*", kind: "latency", ms: 20, probability: 0.5, seed: 7 },
      ],
    });
    const page = await (await look()).text();
    has(
      page,
      "3 more",
      "503, x, &lt;i&gt;, after the work is done",
      "probability 0.5, seed 7",
      "20 ms",
      "every call",
    );
  });

  test("nothing yet", async () => {
    await control("DELETE", "/state");
    const page = await (await look()).text();
    has(page, "<p>None yet.</p>");
    assert.ok(!page.includes("<table"));
  });
});

suite("its buttons", () => {
  for (const [action, status] of [
    ["approve", "successful"],
    ["decline", "failed"],
    ["expire", "expired"],
  ] as const) {
    test(action, async () => {
      const [id, other] = [await pending(), await pending()];
      const pressed = await press({ action, id });
      assert.equal(pressed.status, 303);
      assert.equal(pressed.headers.get("location"), "/sandbox");
      assert.equal(await statusOf(id), status);
      assert.equal(await statusOf(other), "pending");

      const again = await press({ action: "approve", id });
      assert.equal(again.status, 409);
      const problem = `linked account ${id} is not pending: it is ${status}`;
      has(await again.text(), `<p class="problem" role="alert">${problem}</p>`, '<h2 id="accounts">');
      assert.equal(await statusOf(id), status);
    });
  }

  test("an account that is not there", async () => {
    const pressed = await press({ action: "approve", id: "<script>" });
    assert.equal(pressed.status, 404);
    has(await pressed.text(), "linked account &lt;script&gt; was not found");
  });

  test("the clock: an hour, a day, stand and go", async () => {
    await control("PUT", "/clock", { now: "2030-01-01T00:00:00Z", stand: true });
    const id = await pending();
    await press({ action: "hour" });
    assert.deepEqual(await clockIs(), { now: "2030-01-01T01:00:00Z", stand: true });
    has(await (await look()).text(), "2030-01-01 01:00:00", "stands still", 'value="go"');
    await press({ action: "day" });
    assert.deepEqual(await clockIs(), { now: "2030-01-02T01:00:00Z", stand: true });
    assert.equal(await statusOf(id), "expired");
    await press({ action: "go" });
    assert.equal((await clockIs()).stand, false);
    has(await (await look()).text(), "2030-01-02 01:00:", ">goes<", 'value="stand"');
    await press({ action: "stand" });
    assert.equal((await clockIs()).stand, true);
  });

  test("clear the faults", async () => {
    await control("PUT", "/faults", { faults: [{ route: "webhook", kind: "reorder", count: 1 }] });
    has(await (await look()).text(), 'value="clear_faults"', "webhooks");
    assert.equal((await press({ action: "clear_faults" })).status, 303);
    assert.deepEqual((await control("GET", "/faults")).body, { faults: [] });
  });

  test("reset", async () => {
    await pending();
    await control("PUT", "/clock", { now: "2040-01-01T00:00:00Z", stand: true });
    assert.equal((await press({ action: "reset" })).status, 303);
    const { accounts, clock } = (await control("GET", "/state")).body;
    assert.deepEqual({ accounts, clock }, { accounts: [], clock: { ahead_ms: 0, stands_at_ms: null } });
  });

  test("what is no button does nothing", async () => {
    const id = await pending();
    for (const fields of [{}, { action: "" }, { action: "delete", id }, { id }] as Record<string, string>[]) {
      const pressed = await press(fields);
      assert.equal(pressed.status, 400);
      has(await pressed.text(), "no such button");
    }
    assert.equal(await statusOf(id), "pending");
  });
});

test("the log never has the token, nor the cookie", () => {
  const log = lines.join("\n");
  assert.ok(log.includes("POST /sandbox/session 303"));
  assert.ok(!log.includes(token) && !log.includes(cookie.replace("sandbox_control=", "")));
});
