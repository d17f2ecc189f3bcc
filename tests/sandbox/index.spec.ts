// The front page: what a person finds who opens the sandbox's address in a browser, or asks it by curl.

import { strict as assert } from "node:assert";
import { suite, test } from "node:test";
import { controlled } from "./control.ts";
import { sandbox } from "./sandbox.ts";

const { url, call } = await controlled();
const README = "README.md in the npm package omise-linked-accounts-sandbox";

/** The endpoints that the 404 of another one lists. */
const endpoints: string[] =
  (await call("GET", "/charges")).body.message.split("; it has ").at(1)?.split(", ") ?? [];

const ask = async (origin: string, accept: string) => {
  const response = await fetch(origin, { headers: { accept, connection: "close" } });
  return { response, text: await response.text() };
};

suite("GET /", () => {
  for (const accept of ["*/*", "application/json", "text/plain"]) {
    test(`is plain text for ${accept}, without a key`, async () => {
      const { response, text } = await ask(url, accept);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8");
      assert.match(
        text,
        /^An offline stand-in for Omise's linked-account API\. Not made or endorsed by Omise\.\n/,
      );
      for (const endpoint of endpoints) {
        assert.ok(text.includes(`\n  ${endpoint} `), endpoint);
      }
      assert.ok(text.includes(`\nControl page: ${url}/sandbox\n`));
      assert.ok(text.endsWith(`\nMore: ${README}\n`));
    });
  }

  test("is a page with the same for a browser", async () => {
    const { response, text } = await ask(
      url,
      "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    );
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "text/html; charset=utf-8");
    assert.equal(response.headers.get("vary"), "Accept");
    assert.match(
      response.headers.get("content-security-policy") ?? "",
      /^default-src 'none'; style-src 'self'; /,
    );
    for (const endpoint of endpoints) assert.ok(text.includes(`<code>${endpoint}</code>`), endpoint);
    assert.ok(text.includes('<a href="/sandbox">'));
    assert.ok(text.includes(`<p>More: ${README}</p>`));
  });

  test("says where no control page is, and how to have one", async () => {
    const { url } = await sandbox({ CONTROL_TOKEN: undefined });
    const { text } = await ask(url, "*/*");
    assert.match(text, /\nControl page: none; set CONTROL_TOKEN to have one\n/);
    const page = await ask(url, "text/html");
    assert.ok(page.text.includes("CONTROL_TOKEN"));
    assert.ok(!page.text.includes('href="/sandbox"'));
  });

  test("lets no page of another origin read it", async () => {
    const response = await fetch(url, { headers: { origin: "https://shop.example" } });
    await response.text();
    assert.deepEqual(
      [...response.headers.keys()].filter((name) => name.startsWith("access-control")),
      [],
    );
  });
});
