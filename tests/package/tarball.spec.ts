// What is in the tarball, what its entries promise to all who import them, and what its types say.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { suite, test } from "node:test";
import { inflateSync } from "node:zlib";
import { facts } from "../support/facts.ts";
import { Installed, OUR_FOLDERS, print, tarball, unpacked } from "./installed.ts";

const ENTRIES = ["omise-linked-accounts", "omise-linked-accounts/validate", "omise-linked-accounts/webhook"];

const installed = new Installed();

/** Files by their paths in the package, in order. */
const files = readdirSync(installed.package, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(installed.package.length + 1))
  .sort();
const read = (name: string) => readFileSync(join(installed.package, name), "latin1");
const manifest = JSON.parse(read("package.json"));

suite("the files", () => {
  test("are what users need, and nothing else", () => {
    const scripts = ["call-reasons", "client", "entry", "error", "index", "loading", "reasons", "validate"];
    scripts.push("validator", "verifier", "webhook", "words", "messages/en", "messages/ja", "messages/th");
    const declarations = ["error", "generated", "index", "types", "validate", "wasm", "webhook"];
    const modules = ["client", "validate", "webhook"];
    const common = [
      ...scripts.map((name) => `${name}.js`),
      ...declarations.map((name) => `${name}.d.ts`),
      ...modules.flatMap((name) => [`${installed.wasm}/${name}.js`, `${installed.wasm}/${name}-bytes.js`]),
      "package.json",
    ];
    assert.deepEqual(
      files,
      [
        ...["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"],
        ...["index.workerd.js", "validate.workerd.js", "webhook.workerd.js"],
        ...modules.map((name) => `${installed.wasm}/${name}_bg.wasm`),
        ...common,
        ...common.map((name) => `cjs/${name}`),
      ].sort(),
    );
  });

  test("are those that `npm pack --dry-run` lists", () => {
    const listed = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
      cwd: unpacked,
    });
    const [{ filename, files: packed }] = JSON.parse(listed.toString());
    assert.equal(filename, tarball);
    assert.deepEqual(packed.map(({ path }: { path: string }) => path).sort(), files);
  });

  test("bring nobody else's code, and run none when they are installed", () => {
    for (const name of ["dependencies", "peerDependencies", "optionalDependencies", "scripts", "bin"]) {
      assert.equal(manifest[name], undefined, name);
    }
  });

  test("are of one version, which the changelog has words for or will have", () => {
    assert.equal(tarball, `omise-linked-accounts-${manifest.version}.tgz`);
    assert.equal(manifest.version, facts("core").version);
    assert.match(read("CHANGELOG.md"), new RegExp(`^## (${manifest.version}|Unreleased)$`, "m"));
  });

  test("are published for all, with their provenance", () => {
    assert.deepEqual(manifest.publishConfig, { access: "public", provenance: true });
  });

  test("hold each module twice: as a file, and the same bytes inside JavaScript", () => {
    for (const name of ["client", "validate", "webhook"]) {
      const file = readFileSync(join(installed.package, installed.wasm, `${name}_bg.wasm`));
      for (const folder of [installed.wasm, `cjs/${installed.wasm}`]) {
        const [, text = ""] =
          /\binflate\("([A-Za-z0-9+/=]+)"\)/.exec(read(`${folder}/${name}-bytes.js`)) ?? [];
        assert.ok(inflateSync(Buffer.from(text, "base64")).equals(file), `${folder} ${name}`);
      }
    }
  });

  test("name no secret, no folder of the machine that built them, and no third party", () => {
    for (const name of files) {
      const bytes = read(name);
      const words = ["skey_", "OMISE_SECRET_KEY", "SESSION_SECRET", "LEDGER_KEY", ...OUR_FOLDERS];
      for (const word of words) assert.ok(!bytes.includes(word), `${name} has ${word}`);
      if (!/\.(js|wasm)$/.test(name)) continue;
      const addresses = [...bytes.matchAll(/https?:\/\/\w[\w.-]*/g)].map(([address]) => address);
      // as an example, in a message
      assert.deepEqual(
        addresses.filter((address) => address !== "https://links.shop.example"),
        [],
        name,
      );
    }
  });
});

suite("every entry", () => {
  // by import and by require, and in a browser's order of conditions, as bundlers take it on a server
  for (const folder of ["", "cjs/"]) {
    test(`${folder || "./"}: importing it does nothing`, async () => {
      const program = `
        const names = () => Reflect.ownKeys(globalThis).map(String).join();
        const known = names();
        const forbid = (object, name) => {
          object[name] = () => { throw new Error(name) };
        };
        for (const name of ["fetch", "setTimeout", "setInterval", "queueMicrotask"]) forbid(globalThis, name);
        for (const name of ["compile", "compileStreaming", "instantiate", "instantiateStreaming", "Module", "Instance"]) {
          forbid(WebAssembly, name);
        }
        for (const name of ["index", "validate", "webhook"]) {
          await import("./node_modules/omise-linked-accounts/${folder}" + name + ".js");
        }
        const { createClient } = await import("./node_modules/omise-linked-accounts/${folder}index.js");
        createClient({ endpoint: "https://links.shop.example", getToken() { throw new Error("getToken") } });
        console.log(names() === known ? "quiet" : "globals");
      `;
      assert.equal(await installed.run(program), "quiet");
    });
  }

  test("can be required, also where Node cannot require a module", async () => {
    const program = `for (const name of ${JSON.stringify(ENTRIES)}) console.log(Object.keys(require(name)).sort().join());`;
    for (const flags of [[], ["--no-experimental-require-module"]]) {
      assert.equal(
        await installed.run(program, { name: "main.cjs", flags: [...flags, "--throw-deprecation"] }),
        [
          "InvalidRequestError,LinkedAccountsError,LoadError,NetworkError,createClient,isLinkedAccountsError,loadValidator",
          "loadValidator",
          "WebhookError,verifyWebhook",
        ].join("\n"),
      );
    }
  });

  test("has its types, in every way that TypeScript looks for them", async () => {
    const project = installed.project("types");
    for (const config of ["node16", "nodenext", "bundler"]) {
      await print(
        process.execPath,
        [resolve("node_modules/typescript/bin/tsc"), "--project", `${config}.json`],
        {
          cwd: project,
        },
      );
    }
  });

  test("pleases publint, its suggestions too", async () => {
    const printed = await print(process.execPath, [
      resolve("node_modules/publint/src/cli.js"),
      "run",
      "--strict",
      resolve("target/npm", tarball),
    ]);
    assert.match(printed, /All good!/);
  });

  test("pleases arethetypeswrong, imported and required", async () => {
    const attw = resolve("node_modules/@arethetypeswrong/cli/dist/index.js");
    const printed = await print(process.execPath, [
      attw,
      resolve("target/npm", tarball),
      "--profile",
      "node16",
      "--format",
      "json",
    ]);
    const { analysis, problems } = JSON.parse(printed);
    assert.equal(analysis.packageVersion, manifest.version);
    assert.deepEqual(Object.keys(analysis.entrypoints), [
      ".",
      "./validate",
      "./webhook",
      "./wasm",
      "./validate/wasm",
      "./package.json",
    ]);
    // without the profile's leave: TypeScript's oldest way finds no folder within a name
    const found = Object.values(problems as Record<string, { entrypoint: string; resolutionKind: string }[]>);
    assert.deepEqual(
      found.flat().map(({ entrypoint, resolutionKind }) => [entrypoint, resolutionKind]),
      [["./validate/wasm", "node10"]],
    );
  });
});

for (const [entry, its, name] of [
  ["omise-linked-accounts/wasm", "client", "nextPoll"],
  ["omise-linked-accounts/validate/wasm", "validator", "validateCreate"],
] as const) {
  test(`${entry} is the ${its}'s module`, async () => {
    const program = `
      import { readFileSync } from "node:fs";
      const bytes = readFileSync(new URL(import.meta.resolve("${entry}")));
      console.log(WebAssembly.Module.exports(new WebAssembly.Module(bytes)).map(({ name }) => name).join(" "));
    `;
    assert.ok((await installed.run(program)).split(" ").includes(name));
  });
}

suite("in Node", () => {
  test("what a call rejects with", async () => {
    const program = `
      import * as package_ from "omise-linked-accounts";
      const { createClient, isLinkedAccountsError, LinkedAccountsError } = package_;
      const links = createClient({ endpoint: "http://127.0.0.1:9", getToken: () => "t", locale: "en" });
      for (const call of [
        () => links.create({ type: "direct_debit_scb" }),
        () => links.create(),
        () => links.retrieve("nonsense"),
        () => links.retrieve("lnac_test_1"),
      ]) {
        const error = await call().catch((error) => error);
        const { name, code, reason, status, retryable, issues, cause, userMessage } = error;
        console.log(name, error instanceof package_[name], error instanceof LinkedAccountsError, isLinkedAccountsError(error),
          code, reason, status, retryable, issues.map(({ field }) => field).join(), cause instanceof Error, userMessage !== "");
      }
      for (const options of [{ endpoint: "links.shop.example", getToken() {} }, { endpoint: "https://x.example" }]) {
        try { createClient(options) } catch (error) { console.log(error.name, error.message.split(",")[0]) }
      }
    `;
    assert.equal(
      await installed.run(program),
      `
InvalidRequestError true true true bad_request invalid_request undefined false return_uri false true
InvalidRequestError true true true bad_request invalid_request undefined false  false true
LinkedAccountsError true true true not_found not_found undefined false  false true
NetworkError true true true internal_error network_failed undefined true  true true
TypeError createClient: expected endpoint
TypeError createClient: expected getToken`.trim(),
    );
  });

  for (const [entry, module, use] of [
    [
      "",
      "client",
      "entry.createClient({ endpoint: 'http://127.0.0.1:9', getToken: () => 't' }).retrieve('nonsense')",
    ],
    ["/validate", "validate", "entry.loadValidator().then(() => { throw { reason: 'loaded' } })"],
    ["/webhook", "webhook", "entry.verifyWebhook('', {}, 'c2VjcmV0').catch((error) => { throw error })"],
  ] as const) {
    test(`a load that failed is tried again: ${module}`, async () => {
      const inside = join(installed.package, installed.wasm, `${module}-bytes.js`);
      const program = `
        import { renameSync } from "node:fs";
        import * as entry from "omise-linked-accounts${entry}";
        const reason = () => (${use}).catch(({ name, reason, cause }) => [name, reason, cause?.code].join(" "));
        renameSync(process.argv[2], process.argv[2] + ".away");
        console.log(await reason());
        console.log(await reason());
        renameSync(process.argv[2] + ".away", process.argv[2]);
        console.log(await reason());
      `;
      const loaded = {
        client: "LinkedAccountsError not_found ",
        validate: " loaded ",
        webhook: "WebhookError header_missing ",
      }[module];
      const [first, second, third] = (await installed.run(program, { args: [inside] })).split("\n");
      assert.deepEqual([first, second], Array(2).fill("LoadError load_failed ERR_MODULE_NOT_FOUND"));
      assert.equal(third?.trim(), loaded.trim());
    });
  }
});
