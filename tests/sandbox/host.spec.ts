// Whom the sandbox answers: requests to this machine by its own names. A page that rebinds its name to 127.0.0.1 is none.

import { strict as assert } from "node:assert";
import { suite, test } from "node:test";
import { sandbox } from "./sandbox.ts";

const { url, send, call, db } = await sandbox();
const { port } = new URL(url);

const FORM = "type=direct_debit_kbank&return_uri=https://shop.example/";
const FORBIDDEN = `{
  "object": "error",
  "location": "https://www.omise.co/api-errors#not-authorized",
  "code": "not_authorized",
  "message": "the sandbox is for this machine alone: Host: expected 127.0.0.1, localhost or [::1]"
}
`;

suite("this machine", () => {
  for (const host of ["127.0.0.1", `127.0.0.1:${port}`, `localhost:${port}`, "LocalHost", "[::1]:1"]) {
    test(host, async () => {
      const made = await send("POST", "/linked_accounts", { host }, FORM);
      assert.equal(made.status, 200);
      // a customer who came by this name finds the bank by it
      const { origin } = new URL(`http://${host}`);
      assert.equal(made.body.registration_uri, `${origin}/register?ref=${made.body.id}`);
    });
  }
});

suite("any other name", () => {
  for (const host of [
    "evil.example",
    `evil.example:${port}`,
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "127.0.0.2",
    "0.0.0.0",
    "192.168.1.2",
  ]) {
    test(host, async () => {
      for (const [method, path] of [
        ["POST", "/linked_accounts"],
        ["GET", "/linked_accounts"],
        ["GET", "/capability"],
        ["GET", "/register?ref=lnac_test_1"],
        ["POST", "/register"],
        ["GET", "/register.css"],
        ["GET", "/"],
      ] as const) {
        // in chunks: whoever is refused has the answer, though nobody wants what they send
        const chunked = method === "POST" ? { "transfer-encoding": "chunked" } : {};
        const headers = { host, origin: `http://${host}`, ...chunked };
        const refused = await send(method, path, headers, method === "POST" ? FORM : undefined);
        assert.deepEqual([refused.status, refused.text], [403, FORBIDDEN], `${method} ${path}`);
        const cors = [...refused.headers.keys()].filter((name) => name.startsWith("access-control"));
        assert.deepEqual(cors, []);
      }
    });
  }
  test("makes nothing", async () => {
    const { body } = await call("GET", "/linked_accounts");
    await send("POST", "/linked_accounts", { host: "evil.example" }, FORM);
    assert.equal((await call("GET", "/linked_accounts")).body.total, body.total);
    const { results } = await (await db()).prepare("SELECT id FROM accounts").all();
    assert.equal(results.length, body.total);
  });
});

suite("settings that are wrong", () => {
  for (const [name, value, fault] of [
    ["PROFILE", "strict", "expected official or extended"],
    ["SEED", "seven", "expected a whole number from 0 to 18446744073709551615"],
    ["WEBHOOK_URL", "shop.example/hook", "expected an http or https URL without a user name or password"],
    ["CONTROL_TOKEN", "short", "expected at least 16 characters"],
  ] as const) {
    test(name, async () => {
      const { send, call, lines } = await sandbox({ [name]: value });
      const refused = await call("GET", "/capability");
      assert.equal(refused.status, 503);
      assert.equal(refused.body.message, `the sandbox is not configured: ${name}: ${fault}`);
      // what is wrong is nobody else's business
      const elsewhere = await send("GET", "/capability", { host: "evil.example" });
      assert.equal(elsewhere.text, FORBIDDEN);
      assert.ok(lines.includes("GET /capability 503"));
      assert.ok(!lines.join("\n").includes(value));
    });
  }
  test("empty ones are none", async () => {
    const { call } = await sandbox({ PROFILE: "", SEED: "", WEBHOOK_URL: "", CONTROL_TOKEN: "" });
    assert.equal((await call("GET", "/capability")).status, 200);
  });
});
