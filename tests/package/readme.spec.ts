// The package's README is what it says: each of its snippets is compiled by `tsc`, strictly, and run, under the policy that it names.

import assert from "node:assert/strict";
import { once } from "node:events";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { after, before, suite, test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "@playwright/test";
import * as esbuild from "esbuild";
import { launch } from "./browser.ts";
import { Installed, print } from "./installed.ts";
import { account, delivery, event, startWorker, type Worker } from "./worker.ts";

const SHOP = "https://shop.example";
const WORKER = "https://links.shop.example";

const installed = new Installed();

const readme = readFileSync(join(installed.package, "README.md"), "utf8");
const blocks = [...readme.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, kind = "", text = ""]) => ({
  kind,
  text,
}));
/** The text of the one block of a kind. */
function only(kind: string): string {
  const [block, ...more] = blocks.filter((block) => block.kind === kind);
  assert.deepEqual(more, []);
  return block?.text.trim() ?? "";
}

/** Snippets by the file that their first line names. */
const snippets = new Map(
  blocks
    .filter(({ kind }) => kind === "js")
    .map(({ text }) => [/^\/\/ (\S+)\n/.exec(text)?.[1] ?? "unnamed", text]),
);
for (const [name, text] of snippets) writeFileSync(join(installed.folder, name), text);

test("every block is run by a test below", () => {
  assert.deepEqual([...new Set(blocks.map(({ kind }) => kind))].sort(), ["http", "js", "sh"]);
  assert.deepEqual(
    [...snippets.keys()],
    [
      ["links.js", "checkout.js", "return.js", "account.js", "errors.js", "form.js"],
      ["backend.js", "edge.js", "unbundled.js", "commonjs.cjs"],
    ].flat(),
  );
  const { name } = JSON.parse(readFileSync(join(installed.package, "package.json"), "utf8"));
  assert.equal(only("sh"), `npm install ${name}`);
});

test("the snippets compile, strictly", async () => {
  const options = {
    target: "es2022",
    module: "esnext",
    moduleResolution: "bundler",
    lib: ["es2022", "dom", "dom.iterable"],
    typeRoots: [resolve("node_modules/@types")],
    types: ["node"],
    paths: { "/omise-linked-accounts/*": ["./node_modules/omise-linked-accounts/*"] },
    allowJs: true,
    checkJs: true,
    strict: true,
    noEmit: true,
  };
  const config = { compilerOptions: options, files: [...snippets.keys()] };
  writeFileSync(join(installed.folder, "tsconfig.json"), JSON.stringify(config));
  await print(process.execPath, [resolve("node_modules/typescript/bin/tsc")], { cwd: installed.folder });
});

suite("in a page", () => {
  let worker: Worker;
  let browser: Browser;
  let page: Page;

  before(async () => {
    const inPages = [...snippets.keys()].filter((name) => !/^(backend|edge|unbundled|commonjs)\./.test(name));
    await esbuild.build({
      absWorkingDir: installed.folder,
      entryPoints: inPages,
      bundle: true,
      format: "esm",
      splitting: true,
      outdir: "site",
    });
    cpSync(installed.package, join(installed.folder, "site/omise-linked-accounts"), { recursive: true });
    cpSync(join(installed.folder, "unbundled.js"), join(installed.folder, "site/unbundled.js"));
    [worker, browser] = await Promise.all([startWorker(), launch()]);
  });
  after(async () => {
    await browser?.close();
    await worker?.close();
  });

  /** A page of the shop's, under the policy of the README, with one snippet as its script. */
  async function visit(script: string, query = ""): Promise<Page> {
    await page?.context().close();
    worker.asked();
    const context = await browser.newContext();
    context.setDefaultTimeout(15_000);
    await context.route("**/*", async (route) => {
      const request = route.request();
      const { origin, pathname, search } = new URL(request.url());
      if (origin === WORKER) {
        const response = await route.fetch({ url: worker.endpoint + pathname + search });
        await route.fulfill({ response });
      } else if (origin !== SHOP) {
        await route.fulfill({ contentType: "text/html", body: "<h1>Bank</h1>" });
      } else if (pathname === "/token") {
        await route.fulfill({ json: { token: `token-by-${request.method()}` } });
      } else if (pathname === "/") {
        const [, value = ""] = only("http").split("Content-Security-Policy: ");
        await route.fulfill({
          contentType: "text/html",
          headers: { "Content-Security-Policy": value },
          body: `<!doctype html><html lang="ja"><script type="module" src="/${script}"></script><button id="link">`,
        });
      } else {
        await route.fulfill({ path: join(installed.folder, "site", pathname) });
      }
    });
    page = await context.newPage();
    await page.goto(`${SHOP}/${query}`);
    return page;
  }

  /** Calls what a snippet exports. */
  const call = (name: string, fn: string, ...args: unknown[]) =>
    page.evaluate(
      async ([name, fn, args]) => {
        const snippet = await import(`/${name}`);
        return snippet[fn as string](...(args as unknown[]));
      },
      [name, fn, args] as const,
    );

  test("links.js and checkout.js: off to the bank", async () => {
    await visit("checkout.js");
    await page.click("#link");
    await page.waitForURL(account("pending").registration_uri);
    assert.deepEqual(worker.asked(), ["POST /linked_accounts Bearer token-by-POST"]);
  });

  test("checkout.js: the customer is told what went wrong, in the page's language", async () => {
    await visit("checkout.js");
    await page.context().route("**/client-bytes-*.js", (route) => route.abort());
    const dialog = page.waitForEvent("dialog");
    await page.click("#link", { noWaitAfter: true });
    const told = await dialog;
    assert.match(told.message(), /[\u3040-\u30ff]/);
    await told.dismiss();
  });

  test("return.js: linked, or nothing to resume", async () => {
    await visit("return.js", `?link_state=${"A".repeat(22)}`);
    await page.getByText("Linked: account ending in 7890").waitFor();
    assert.equal(page.url(), `${SHOP}/`);
    await visit("return.js");
    await page.getByText("There is nothing to resume here.").waitFor();
  });

  test("account.js: waits, lists, searches, unlinks", async () => {
    await visit("account.js");
    const { id } = account("pending");
    assert.equal(await call("account.js", "watch", id), "linked");
    assert.deepEqual(await call("account.js", "overview"), {
      names: ["ไทยพาณิชย์"],
      ids: [id],
      total: 1,
      found: 1,
    });
    assert.equal(((await call("account.js", "unlink", id)) as { status: string }).status, "pending");
  });

  test("errors.js: explains", async () => {
    await visit("errors.js");
    const came = await page.evaluate(async () => {
      const [{ links }, { explain }] = await Promise.all(
        ["/links.js", "/errors.js"].map((name) => import(name)),
      );
      return explain(
        await links
          .create({ type: "direct_debit_scb", returnUri: "ftp://x" })
          .catch((error: unknown) => error),
      );
    });
    const { text, again, after, fields } = came;
    assert.match(text, /[\u3040-\u30ff]/);
    assert.equal(again, false);
    assert.equal(after, 0);
    assert.deepEqual(
      fields.map(([field]: string[]) => field),
      ["return_uri"],
    );
  });

  test("form.js: all that is wrong at once, and a hint", async () => {
    await visit("form.js");
    const issues = (await call("form.js", "check", { bank: "direct_debit_x", citizenId: "12" })) as {
      field: string;
    }[];
    assert.deepEqual(
      issues.map(({ field }) => field),
      ["type", "citizen_id"],
    );
    assert.match(String(await call("form.js", "hint", "12")), /[\u0e00-\u0e7f]/);
    assert.equal(await call("form.js", "hint", "1101700230708"), "");
    assert.deepEqual(worker.asked(), []);
  });

  test("unbundled.js: the package's files as they are", async () => {
    await visit("unbundled.js");
    const status = await page.evaluate(async (id) => {
      const { links } = await import("/unbundled.js" as string);
      return (await links.retrieve(id)).status;
    }, account("pending").id);
    assert.equal(status, "pending");
  });
});

suite("in a backend", () => {
  const load = (name: string) => import(String(pathToFileURL(join(installed.folder, name))));

  test("backend.js: believes, does not, or is at fault", async (t) => {
    t.mock.method(console, "log", () => {});
    const { server }: { server: Server } = await load("backend.js");
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    try {
      const { body, headers, secret } = delivery();
      const post = async (body: string) => {
        const { port } = server.address() as AddressInfo;
        return (await fetch(`http://127.0.0.1:${port}`, { method: "POST", headers, body })).status;
      };
      assert.equal(await post(body), 500);
      process.env.OMISE_WEBHOOK = secret;
      assert.deepEqual([await post(body), await post(`${body} `)], [200, 401]);
    } finally {
      delete process.env.OMISE_WEBHOOK;
      server.close();
      server.closeAllConnections();
    }
  });

  test("edge.js: the same", async () => {
    const { default: edge } = await load("edge.js");
    const { body, headers, secret } = delivery();
    const post = (body: string, OMISE_WEBHOOK: string): Promise<Response> =>
      edge.fetch(new Request(SHOP, { method: "POST", headers, body }), { OMISE_WEBHOOK });
    assert.equal(await (await post(body, secret)).text(), event.key);
    assert.equal((await post(`${body} `, secret)).status, 401);
    assert.equal((await post(body, "")).status, 500);
  });

  test("commonjs.cjs: a client", async () => {
    const program = `console.log(Object.keys(require("./commonjs.cjs")).join())`;
    const calls = "banks,create,start,resume,waitFor,retrieve,list,search,delete";
    assert.equal(await installed.run(program, { name: "main.cjs" }), calls);
  });
});
