// The package as users get it: the packed tarball, installed into an empty project.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";

const NPM = resolve("target/npm");
const [tarball = ""] = readdirSync(NPM).filter((name) => /^omise-linked-accounts-\d.*\.tgz$/.test(name));
const project = mkdtempSync(join(tmpdir(), "omise-linked-accounts-"));
const installed = join(project, "node_modules/omise-linked-accounts");

before(() => {
  writeFileSync(join(project, "package.json"), '{ "private": true, "type": "module" }');
  // offline: the package has no dependencies
  execFileSync("npm", ["install", "--offline", "--ignore-scripts", join(NPM, tarball)], {
    cwd: project,
    stdio: "pipe",
  });
});
after(() => rmSync(project, { recursive: true }));

/** Runs a module in the project, as a user's own code, and gives what it printed. */
function run(source: string, ...args: string[]): string {
  writeFileSync(join(project, "main.mjs"), source);
  return execFileSync(process.execPath, ["main.mjs", ...args], { cwd: project, encoding: "utf8" }).trim();
}

test("holds what users need, and nothing else", () => {
  assert.deepEqual(readdirSync(installed).sort(), [
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "client.js",
    "error.js",
    "index.d.ts",
    "index.js",
    "index.node.js",
    "index.workerd.js",
    "omise_linked_accounts.js",
    "omise_linked_accounts_bg.wasm",
    "package.json",
  ]);
  const { version, dependencies } = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  assert.equal(dependencies, undefined);
  assert.equal(tarball, `omise-linked-accounts-${version}.tgz`);
  assert.match(readFileSync("Cargo.toml", "utf8"), new RegExp(`^version = "${version}"$`, "m"));
});

test("names no secret, and no folder of the machine that built it", () => {
  for (const name of readdirSync(installed)) {
    const bytes = readFileSync(join(installed, name), "latin1");
    for (const word of [
      "skey_",
      "OMISE_SECRET_KEY",
      "SESSION_SECRET",
      "FINGERPRINT_KEY",
      homedir(),
      resolve("."),
    ]) {
      assert.ok(!bytes.includes(word), `${name} has ${word}`);
    }
  }
});

test("importing it does nothing", () => {
  const printed = run(`
    globalThis.fetch = () => { throw new Error("fetched") };
    const compiled = WebAssembly.instantiate;
    WebAssembly.instantiate = () => { throw new Error("compiled") };
    const { createClient } = await import("omise-linked-accounts");
    createClient({ endpoint: "https://links.shop.example", getToken: () => "t" });
    console.log("quiet");
  `);
  assert.equal(printed, "quiet");
});

test("create, retrieve and delete in Node, over HTTP", async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    const status = request.method === "DELETE" ? "deleted" : "pending";
    response.end(JSON.stringify({ object: "linked_account", id: "lnac_test_1", status }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    writeFileSync(
      join(project, "main.mjs"),
      `
      import { createClient } from "omise-linked-accounts";
      const links = createClient({ endpoint: process.argv[2], getToken: async () => "token-1" });
      const { id } = await links.create({ type: "direct_debit_scb", returnUri: "https://shop.example/" });
      console.log(id, (await links.retrieve(id)).status, (await links.delete(id)).status, await links.resume());
    `,
    );
    const { execFile } = await import("node:child_process");
    const { promisify } = await import("node:util");
    const { stdout } = await promisify(execFile)(process.execPath, ["main.mjs", endpoint], { cwd: project });
    assert.equal(stdout.trim(), "lnac_test_1 pending deleted null");
  } finally {
    server.close();
  }
  assert.deepEqual(asked, [
    "POST /linked_accounts Bearer token-1",
    "GET /linked_accounts/lnac_test_1 Bearer token-1",
    "DELETE /linked_accounts/lnac_test_1 Bearer token-1",
  ]);
});

test("failures are LinkedAccountsErrors", () => {
  const printed = run(`
    import { createClient, LinkedAccountsError } from "omise-linked-accounts";
    const links = createClient({ endpoint: "http://127.0.0.1:9", getToken: () => "t" });
    for (const call of [
      () => links.create({ type: "direct_debit_scb" }),
      () => links.create(),
      () => links.retrieve("nonsense"),
      () => links.retrieve("lnac_test_1"),
    ]) {
      const error = await call().catch((error) => error);
      const { name, code, reason, retryable, issues, cause } = error;
      console.log(error instanceof LinkedAccountsError, error instanceof Error, name, code, reason, retryable,
        issues.map((issue) => issue.field).join(), cause instanceof Error);
    }
    for (const options of [{ endpoint: "links.shop.example", getToken() {} }, { endpoint: "https://x.example" }]) {
      try { createClient(options) } catch (error) { console.log(error.name, error.message.split(",")[0]) }
    }
  `);
  assert.equal(
    printed,
    `
true true LinkedAccountsError bad_request invalid_request false return_uri false
true true LinkedAccountsError bad_request invalid_request false  false
true true LinkedAccountsError not_found not_found false  false
true true LinkedAccountsError internal_error network_failed true  true
TypeError createClient: expected endpoint to be the Worker's address
TypeError createClient: expected getToken to be a function that gives a session token`.trim(),
  );
});

test("a load that failed is tried again", () => {
  const printed = run(`
    import { renameSync } from "node:fs";
    import { createClient } from "omise-linked-accounts";
    const links = createClient({ endpoint: "http://127.0.0.1:9", getToken: () => "t" });
    const wasm = "node_modules/omise-linked-accounts/omise_linked_accounts_bg.wasm";
    const reason = () => links.retrieve("nonsense").catch((error) => error.reason);
    renameSync(wasm, wasm + ".away");
    console.log(await reason(), await reason());
    renameSync(wasm + ".away", wasm);
    console.log(await reason());
  `);
  assert.equal(printed, "load_failed load_failed\nnot_found");
});
