// Pages in which the package cannot be loaded, in a real browser: each is told why, and the next call tries again.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import type { Browser } from "@playwright/test";
import { launch, policy, serveFolder } from "./browser.ts";
import { Installed } from "./installed.ts";

const WORKER = "http://127.0.0.1:9";

const installed = new Installed();
let browser: Browser;

before(async () => {
  writeFileSync(join(installed.package, "page.html"), "<!doctype html><title>Shop</title>");
  browser = await launch();
});
after(async () => {
  await browser?.close();
});

/** What the first use of an entry comes to, and the second, for which nothing is in the way any more. */
async function tryTwice(
  entry: string,
  contentSecurityPolicy: string,
  inTheWay: (path: string, response: ServerResponse) => boolean = () => false,
): Promise<string[]> {
  let broken = true;
  const shop = await serveFolder(
    installed.package,
    contentSecurityPolicy,
    (path, response) => broken && inTheWay(path, response),
  );
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    await page.goto(`${shop.origin}/page.html`);
    const reason = () =>
      page.evaluate(async (name) => {
        const entry = await import(`/${name}.js`);
        const use: Record<string, () => Promise<unknown>> = {
          index: () =>
            entry
              .createClient({ endpoint: "http://127.0.0.1:9", getToken: () => "token" })
              .retrieve("nonsense"),
          validate: () => entry.loadValidator(),
          webhook: () => entry.verifyWebhook("", {}, "c2VjcmV0"),
        };
        return use[name]?.().then(
          () => "loaded",
          (error) => `${error.name} ${error.reason}`,
        );
      }, entry);
    const first = await reason();
    broken = false;
    return [first ?? "", (await reason()) ?? ""];
  } finally {
    await context.close();
    await shop.close();
  }
}

for (const [entry, module, loaded] of [
  ["index", "client", "LinkedAccountsError not_found"],
  ["validate", "validate", "loaded"],
  ["webhook", "webhook", "WebhookError header_missing"],
] as const) {
  suite(entry, () => {
    const ours = policy(WORKER);
    const inside = `/${installed.wasm}/${module}-bytes.js`;

    test("a policy without 'wasm-unsafe-eval'", async () => {
      const reasons = await tryTwice(entry, ours.replace(" 'wasm-unsafe-eval'", ""));
      assert.deepEqual(reasons, ["LoadError wasm_blocked", "LoadError wasm_blocked"]);
    });

    test("a page in the module's place, as servers have one for what they do not know", async () => {
      const reasons = await tryTwice(entry, ours, (path, response) => {
        if (path !== inside) return false;
        response.setHeader("Content-Type", "text/html; charset=utf-8");
        response.end("<!doctype html><title>Shop</title>");
        return true;
      });
      assert.deepEqual(reasons, ["LoadError load_failed", loaded]);
    });

    test("no module, a broken connection, half of it, glue that does not come", async () => {
      const bytes = readFileSync(join(installed.package, inside));
      for (const [path, answer] of [
        [inside, (response: ServerResponse) => response.writeHead(404).end()],
        [inside, (response: ServerResponse) => response.destroy()],
        [
          inside,
          (response: ServerResponse) => {
            response.writeHead(200, { "Content-Type": "text/javascript", "Content-Length": bytes.length });
            response.write(bytes.subarray(0, 1000), () => response.destroy());
          },
        ],
        [`/${installed.wasm}/${module}.js`, (response: ServerResponse) => response.writeHead(503).end()],
      ] as const) {
        const reasons = await tryTwice(entry, ours, (asked, response) => {
          if (asked !== path) return false;
          answer(response);
          return true;
        });
        assert.deepEqual(reasons, ["LoadError load_failed", loaded], `${path} ${answer}`);
      }
    });
  });
}

for (const [name, entry, use] of [
  ["createClient", "index", "createClient"],
  ["loadValidator of the client's entry", "index", "loadValidator"],
  ["loadValidator", "validate", "loadValidator"],
] as const) {
  test(`${name} takes a module by its address, as it streams, and asks for no other`, async () => {
    const module = { index: "client", validate: "validate" }[entry];
    const asked: string[] = [];
    const shop = await serveFolder(installed.package, policy(WORKER), (path) => {
      asked.push(path);
      return false;
    });
    const context = await browser.newContext();
    try {
      const page = await context.newPage();
      await page.goto(`${shop.origin}/page.html`);
      const streamed = await page.evaluate(
        async ([entry, wasm, use]) => {
          let streamed = 0;
          const { instantiateStreaming } = WebAssembly;
          WebAssembly.instantiateStreaming = (...given) => {
            streamed += 1;
            return instantiateStreaming(...given);
          };
          const { createClient, loadValidator } = await import(`/${entry}.js`);
          // biome-ignore lint/suspicious/noExplicitAny: a reason, or a validator
          const uses: Record<string, () => Promise<any>> = {
            createClient: () =>
              createClient({ endpoint: "http://127.0.0.1:9", getToken: () => "t", wasm }).retrieve(
                "nonsense",
              ),
            loadValidator: () => loadValidator({ wasm }),
          };
          const came = await uses[use]?.().catch((error) => error.reason);
          return [streamed, came === "not_found" || typeof came.validateCreate === "function"];
        },
        [entry, `/${installed.wasm}/${module}_bg.wasm`, use] as const,
      );
      assert.deepEqual(streamed, [1, true]);
      const ofModules = asked.filter((path) => path.startsWith("/wasm-")).sort();
      assert.deepEqual(ofModules, [
        `/${installed.wasm}/${module}.js`,
        `/${installed.wasm}/${module}_bg.wasm`,
      ]);
    } finally {
      await context.close();
      await shop.close();
    }
  });
}
