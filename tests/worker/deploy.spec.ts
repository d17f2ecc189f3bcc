// Deployment, as far as it goes without a network: what wrangler would send is made, started and asked; what docs/deploy.md says is
// held against wrangler, wrangler.toml and the Worker's own settings.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { homedir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseEnv } from "node:util";
import { Miniflare } from "miniflare";
import { unstable_getMiniflareWorkerOptions, unstable_readConfig } from "wrangler";
import { randomSecrets, type Secrets } from "../../harness/stack.ts";
import { facts } from "../support/facts.ts";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const CONFIG = join(ROOT, "worker/wrangler.toml");
const WRANGLER = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
const DOCS = readFileSync(join(ROOT, "docs/deploy.md"), "utf8");

const ENVIRONMENTS = ["test", "live"] as const;
type Environment = (typeof ENVIRONMENTS)[number];

/** What a bundle may weigh, in KiB of wrangler's gzip: a third of what the smallest plan is said to take. */
const BUDGET = 1024;

/** Wrangler commands that are about no environment. */
const OF_NO_ENVIRONMENT = ["login", "whoami"];

/** What a developer has in their checkout, and no other may see. */
const DEVELOPERS: Secrets = randomSecrets();

/** A folder of the project, for all that the tests write. */
let temp: string;

before(() => {
  mkdirSync(join(ROOT, "target"), { recursive: true });
  temp = mkdtempSync(join(ROOT, "target/deploy-"));
  // The Worker's folder as a developer has it, but with secrets that are known here, wherever wrangler may look for some.
  const folder = join(temp, "worker");
  mkdirSync(folder);
  for (const name of readdirSync(join(ROOT, "worker"))) {
    if (!name.startsWith(".")) symlinkSync(join(ROOT, "worker", name), join(folder, name));
  }
  const secrets = Object.entries(DEVELOPERS).map(([name, value]) => `${name}="${value}"\n`);
  for (const kind of [".dev.vars", ".env"]) {
    for (const suffix of ["", ".local", ".test", ".live"])
      writeFileSync(join(folder, kind + suffix), secrets.join(""));
  }
});

after(() => rmSync(temp, { recursive: true, force: true }));

interface Outcome {
  code: number | null;
  /** Both outputs. */
  output: string;
}

interface Bundle extends Outcome {
  /** What wrangler made. */
  folder: string;
  /** What it would send. */
  upload: string;
}

/** The part of an upload that says what is bound to the Worker. */
interface Metadata {
  main_module: string;
  bindings: { name: string; type: string; namespace_id?: string }[];
}

/** Runs wrangler in the Worker's folder: logged in nowhere, and asking nothing. */
async function wrangler(args: string[], env: Record<string, string> = {}): Promise<Outcome> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(CLOUDFLARE|CF|WRANGLER)_/.test(name));
  const child = spawn(process.execPath, [WRANGLER, ...args], {
    cwd: join(temp, "worker"),
    env: {
      ...Object.fromEntries(inherited),
      PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
      CI: "true",
      NO_COLOR: "1",
      // It also asks for newer versions where it prints one.
      WRANGLER_HIDE_BANNER: "true",
      WRANGLER_LOG_PATH: join(temp, "logs"),
      WRANGLER_SEND_METRICS: "false",
      XDG_CONFIG_HOME: join(temp, "config"),
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output };
}

/** The lines of wrangler's table of bindings: what is in parentheses, by name. */
function bindingsOf(output: string): Map<string, string> {
  const lines = output.matchAll(
    /^env\.(\w+) \((.*)\) +(?:Durable Object|Rate Limit|Environment Variable) *$/gm,
  );
  return new Map([...lines].map(([, name = "", value = ""]) => [name, value]));
}

/** The bundles, made once. */
const bundles = new Map<Environment, Promise<Bundle>>();

function bundle(environment: Environment): Promise<Bundle> {
  const made = bundles.get(environment) ?? make(environment);
  bundles.set(environment, made);
  return made;
}

async function make(environment: Environment): Promise<Bundle> {
  const folder = join(temp, `bundle-${environment}`);
  const upload = join(temp, `upload-${environment}`);
  const flags = ["--env", environment, "--outdir", folder, "--outfile", upload];
  return { ...(await wrangler(["deploy", "--dry-run", ...flags])), folder, upload };
}

for (const environment of ENVIRONMENTS) {
  test(`${environment}: what would be sent is small, bound to its own, and holds no secret`, async (t) => {
    const { code, output, folder, upload } = await bundle(environment);
    assert.equal(code, 0, output);
    const words = output.replaceAll(/\[custom build\]|\s+/g, " ").replaceAll(/ +/g, " ");
    assert.match(words, /build worker\S* unchanged/, "the build is asked for, and has nothing to do");

    const [, raw, gzip] = /Total Upload: ([\d.]+) KiB \/ gzip: ([\d.]+) KiB/.exec(output) ?? [];
    t.diagnostic(`upload: ${raw} KiB, gzip ${gzip} KiB of ${BUDGET}`);
    assert.ok(Number(gzip) > 0 && Number(gzip) <= BUDGET, `gzip: ${gzip} KiB`);

    const bindings = bindingsOf(output);
    assert.equal(bindings.get("CUSTOMER"), "Customer");
    assert.equal(bindings.get("AUDIT_LOG"), "AuditLog");
    assert.equal(bindings.get("READS_BY_SUBJECT"), "60 requests/60s");
    assert.equal(bindings.get("CREATES_BY_SUBJECT"), "10 requests/60s");
    assert.equal(bindings.get("READS_BY_NETWORK"), "600 requests/60s");
    assert.equal(bindings.get("CREATES_BY_NETWORK"), "100 requests/60s");
    assert.equal(bindings.get("MODE"), `"${environment}"`);
    assert.equal(bindings.get("OMISE_API_URL"), '"https://api.omise.co"');
    const config = unstable_readConfig({ config: CONFIG, env: environment });
    assert.deepEqual(without(Object.keys(config.vars), bindings), []);
    const other = environment === "test" ? "live" : "test";
    assert.ok(!output.includes(`omise-linked-accounts-${other}`));

    const sent = readFileSync(upload);
    const form = await formOf(sent);
    const metadata = JSON.parse(String(form.get("metadata"))) as Metadata;
    assert.equal(metadata.main_module, basename(main()));
    assert.equal([...form].length, 3, "metadata, entry and module: no source map, which names folders");
    const module = [...form.values()].find((part) => part instanceof File && part.name.endsWith(".wasm"));
    assert.ok(module instanceof File && WebAssembly.validate(await module.arrayBuffer()));
    const inherited = metadata.bindings.filter(({ type }) => type === "inherit").map(({ name }) => name);
    assert.deepEqual(inherited.toSorted(), required(config).toSorted());

    const local = join(ROOT, "worker/.dev.vars");
    const own = existsSync(local) ? parseEnv(readFileSync(local, "utf8")) : {};
    const secrets = [...Object.values(DEVELOPERS), ...Object.values(own)].filter(
      (value) => value !== undefined,
    );
    const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), "latin1"));
    for (const text of [output, sent.toString("latin1"), ...texts]) {
      for (const secret of secrets) assert.ok(!text.includes(secret), "a secret");
      // The core knows how a key begins.
      assert.doesNotMatch(text, /skey_(?:test_)?[0-9a-z]{8}/);
    }
    for (const place of [homedir(), ROOT]) assert.ok(!sent.includes(place), place);
  });

  test(`${environment}: what would be sent says what is missing, and serves what the documentation sets`, async () => {
    const { folder } = await bundle(environment);
    const config = unstable_readConfig({ config: CONFIG, env: environment });
    const blank = Object.fromEntries(Object.keys(config.vars).map((name) => [name, ""]));
    const given = { MODE: environment, OMISE_API_URL: "https://api.omise.co" };

    // As it is in the repository.
    await running(folder, environment, "empty", { ...blank, ...given }, async (url) => {
      assert.equal((await fetch(`${url}/health`)).status, 200);
      const { status, reason, fields } = await ready(url);
      assert.deepEqual([status, reason], [503, "misconfigured"]);
      const wanted = [...Object.keys(blank), ...required(config)].filter((name) => !(name in given));
      assert.deepEqual(fields.sort(), wanted.sort());
    });

    const secrets = { ...randomSecrets(), OMISE_SECRET_KEY: secretKey(environment) };
    const settings = { ...blank, ...examples(), ...given, ...secrets };

    // With the other environment's key.
    const other = secretKey(environment === "test" ? "live" : "test");
    await running(folder, environment, "empty", { ...settings, OMISE_SECRET_KEY: other }, async (url) => {
      const { reason, fields } = await ready(url);
      assert.deepEqual([reason, fields], ["misconfigured", ["MODE"]]);
    });

    // With the examples of the documentation: there is no database to make.
    await running(folder, environment, `state-${environment}`, settings, async (url) => {
      assert.equal((await ready(url)).status, 200);

      const script = join(temp, "token.mjs");
      writeFileSync(script, /^```js\n(\/\/ token\.mjs.*?)^```$/ms.exec(DOCS)?.[1] ?? "");
      const child = spawn(process.execPath, [script, "customer-1"], { env: settings });
      let token = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        token += text;
      });
      await once(child, "close");
      const headers = { Authorization: `Bearer ${token.trim()}` };
      const response = await fetch(`${url}/linked_accounts`, { headers });
      assert.equal(response.status, 200, await response.clone().text());
      assert.equal(((await response.json()) as { total: number }).total, 0);
    });
  });
}

/** A stand-in for Cloudflare's API that knows no Worker, for as long as `use` takes; the requests that it had. */
async function cloudflare(use: (env: Record<string, string>) => Promise<void>): Promise<string[]> {
  const asked: string[] = [];
  const results: Record<string, object> = {
    deployments: { deployments: [] },
    // it asks which migrations of classes a Worker has seen
    scripts: [],
    subdomain: { subdomain: "shop" },
  };
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const result = results[request.url?.split("/").at(-1) ?? ""] ?? null;
    const success = result !== null;
    response.statusCode = success ? 200 : 404;
    const errors = success ? [] : [{ code: 10090, message: "workers.api.error.service_not_found" }];
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify({ success, result, errors, messages: [] }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as AddressInfo;
    await use({
      CLOUDFLARE_ACCOUNT_ID: "0".repeat(32),
      CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${port}/client/v4`,
      CLOUDFLARE_API_TOKEN: "of no account",
    });
  } finally {
    server.close();
  }
  return asked;
}

test("without an environment that there is, nothing is deployed, changed or deleted", async () => {
  const refusals: [string[], RegExp][] = [
    [["deploy"], /need to provide the name of your worker/],
    [["deploy", "--env="], /need to provide the name of your worker/],
    [["deploy", "--env", "prod"], /No environment found in configuration with name "prod"/],
    [["versions", "upload"], /need to provide the name of your worker/],
    [["secret", "put", "OMISE_SECRET_KEY"], /Required Worker name missing/],
    [["secret", "delete", "OMISE_SECRET_KEY"], /Required Worker name missing/],
  ];
  const asked = await cloudflare((env) =>
    twoAtATime(refusals, async ([args, reason]) => {
      const { code, output } = await wrangler(args, env);
      assert.equal(code, 1, output);
      assert.match(output, reason);
    }),
  );
  assert.deepEqual(asked, []);
  // With a name from the command line there is nothing in it that works.
  for (const [name, value] of Object.entries(unstable_readConfig({ config: CONFIG }).vars))
    assert.equal(value, "", name);
});

test("a deployment without its secrets is refused before anything is sent", async () => {
  const names = required(unstable_readConfig({ config: CONFIG, env: "live" }));
  const asked = await cloudflare(async (env) => {
    const { code, output } = await wrangler(["deploy", "--env", "live"], env);
    assert.equal(code, 1, output);
    assert.ok(output.includes(`secrets have not been set: ${names.join(", ")}`), output);
  });
  assert.ok(asked.length > 0);
  for (const line of asked)
    assert.match(line, /^GET \S+\/(omise-linked-accounts-live(\/\S*)?|workers\/(subdomain|scripts))$/);
});

test("the environments differ in what keeps them apart, and in nothing else", () => {
  const configs: Config[] = [undefined, ...ENVIRONMENTS].map((env) =>
    unstable_readConfig(env ? { config: CONFIG, env } : { config: CONFIG }),
  );
  const all = <T>(pick: (config: Config) => T) => configs.map(pick);
  const same = <T>(values: T[]) => {
    for (const value of values) assert.deepEqual(value, values[0]);
  };
  const different = (values: unknown[]) => assert.equal(new Set(values).size, values.length, values.join());

  assert.deepEqual(
    all(({ name }) => name),
    [undefined, "omise-linked-accounts-test", "omise-linked-accounts-live"],
  );
  assert.deepEqual(
    all(({ vars }) => vars.MODE),
    ["", "test", "live"],
  );
  same(all(({ main }) => main));
  same(all(({ triggers }) => triggers));
  same(all(({ vars }) => Object.keys(vars)));
  const limits = all(({ ratelimits }) => ratelimits as RateLimit[]);
  same(limits.map((of) => of.map(({ name, simple }) => [name, simple.period])));
  different(limits.flat().map(({ namespace_id }) => namespace_id));
  // each Worker has objects of its own: their data goes with the Worker's name
  same(all(({ durable_objects }) => durable_objects));
  same(all(({ migrations }) => migrations));
  same(configs.slice(1).map(required));

  for (const config of configs) {
    // Searches are in addresses, which the lines of Cloudflare's own would hold.
    assert.deepEqual(config.observability?.logs, { enabled: true, invocation_logs: false });
    for (const [name, value] of Object.entries(config.vars))
      assert.doesNotMatch(String(value), /\.example\b|localhost|127\.0\.0\.1|\*/, name);
  }
  for (const { vars, preview_urls } of configs.slice(1)) {
    assert.equal(vars.OMISE_API_URL, "https://api.omise.co");
    assert.equal(preview_urls, false);
  }
});

test("every setting is configured and documented, and nothing else is", () => {
  const { settings } = facts("worker");
  const names = new Set(settings.map(({ name }) => name));
  const optional = new Set(settings.filter((setting) => setting.optional).map(({ name }) => name));

  for (const env of ENVIRONMENTS) {
    const config = unstable_readConfig({ config: CONFIG, env });
    const configured = new Set([...Object.keys(config.vars), ...required(config)]);
    // An operator may set what is optional too.
    assert.deepEqual(without(without(names, configured), optional), [], env);
    assert.deepEqual(without(configured, names), [], env);
  }
  const documented = found(DOCS, /^\| `([A-Z][A-Z0-9_]*)` \|/gm);
  assert.deepEqual([...documented].toSorted(), [...names].toSorted());
});

test("every command of the documentation is one that wrangler knows", async () => {
  const texts = [...found(DOCS, /(?:^|[|`]) *((?:npx )?wrangler [^|`#\n]+)/gm)];
  const commands = texts
    // Others are sentences: "wrangler warns that …"
    .filter((text) => text.startsWith("npx ") || /^wrangler [^A-Z,.;:]*--/.test(text))
    .map((text) => text.replace(/^npx /, "").trim().split(/\s+/).slice(1));
  assert.ok(commands.length >= 15, commands.join("\n"));

  // Names of commands are in small letters, and what they are given is not, or is a name of ours.
  const command = (words: string[]) => {
    const end = words.findIndex((word) => /^-|[A-Z]|^omise-/.test(word));
    return (end < 0 ? words : words.slice(0, end)).join(" ");
  };
  const helps = new Map<string, string>();
  await twoAtATime([...new Set(commands.map(command))], async (names) => {
    const { code, output } = await wrangler([...names.split(" "), "--help"]);
    assert.equal(code, 0, output);
    helps.set(names, output);
  });

  for (const all of commands) {
    const line = all.join(" ");
    const end = all.findIndex((word) => word.startsWith("-"));
    const words = end < 0 ? all : all.slice(0, end);
    const output = helps.get(command(all)) ?? "";
    // "wrangler secret put <key>"
    const usage = /^wrangler (.+)$/m.exec(output)?.[1]?.split(" ") ?? [];
    const names = usage.filter((word) => !/^[<[]/.test(word));
    assert.deepEqual(words.slice(0, names.length), names, line);
    assert.ok(!output.includes("\nCOMMANDS\n"), `${line}: a group of commands`);
    const positionals = usage.slice(names.length);
    const given = words.length - names.length;
    assert.ok(given <= positionals.length, line);
    assert.ok(given >= positionals.filter((word) => word.startsWith("<")).length, line);
    for (const flag of all.filter((word) => word.startsWith("-")))
      assert.match(output, new RegExp(`^ .*(?<![\\w-])${flag}(?![\\w-])`, "m"), `${line}: ${flag}`);

    if (!OF_NO_ENVIRONMENT.includes(names.join(" "))) assert.match(line, /--env (test|live)\b/);
    for (const name of line.match(/omise-linked-accounts-\w+/g) ?? [])
      assert.ok(["omise-linked-accounts-test", "omise-linked-accounts-live"].includes(name), name);
    if (names[0] === "secret")
      assert.ok(
        required(unstable_readConfig({ config: CONFIG, env: "test" })).includes(words[2] ?? ""),
        line,
      );
  }
});

type Config = ReturnType<typeof unstable_readConfig>;

interface RateLimit {
  name: string;
  namespace_id: string;
  simple: { limit: number; period: number };
}

/** What a pattern's group finds in a text. */
function found(text: string, pattern: RegExp): Set<string> {
  return new Set([...text.matchAll(pattern)].map(([, group = ""]) => group));
}

/** The first without what the second has. */
function without(names: Iterable<string>, others: { has(name: string): boolean }): string[] {
  return [...names].filter((name) => !others.has(name));
}

/** The secrets that a deployment must have. */
function required(config: Config): string[] {
  return config.secrets?.required ?? [];
}

function main(): string {
  return unstable_readConfig({ config: CONFIG }).main ?? "";
}

/** What wrangler sends: its first line is the boundary. */
function formOf(upload: Buffer): Promise<FormData> {
  const boundary = upload.subarray(2, upload.indexOf("\r\n")).toString();
  return new Response(new Uint8Array(upload), {
    headers: { "Content-Type": `multipart/form-data; boundary=${boundary}` },
  }).formData();
}

/** The example settings of the documentation. */
function examples(): Record<string, string> {
  const file = join(temp, "examples.toml");
  const [, block = ""] = /```toml\n(\[env\.test\.vars\]\n.*?)```/s.exec(DOCS) ?? [];
  writeFileSync(file, `[env.test]\nname = "examples"\n${block}`);
  const { vars } = unstable_readConfig({ config: file, env: "test" });
  assert.ok(Object.keys(vars).length > 5);
  return vars as Record<string, string>;
}

/** A key as Omise makes them. */
function secretKey(environment: Environment): string {
  const random = `${randomBytes(9).toString("hex")}0`;
  return environment === "test" ? `skey_test_${random}` : `skey_${random}`;
}

/** Runs a bundle in workerd, with its objects in a folder of `temp`, for as long as `use` takes. */
async function running(
  folder: string,
  env: Environment,
  state: string,
  bindings: Record<string, string>,
  use: (url: string) => Promise<void>,
): Promise<void> {
  const config = unstable_readConfig({ config: CONFIG, env });
  const { workerOptions } = unstable_getMiniflareWorkerOptions(config);
  const wasm = readdirSync(folder).find((name) => name.endsWith(".wasm")) ?? "";
  const mf = new Miniflare({
    ...workerOptions,
    name: "worker",
    bindings,
    modulesRoot: folder,
    modules: [
      { type: "ESModule", path: join(folder, basename(main())) },
      { type: "CompiledWasm", path: join(folder, wasm) },
    ],
    host: "127.0.0.1",
    cf: false,
    telemetry: { enabled: false },
    defaultPersistRoot: join(temp, state),
    // its log is not read, and a full pipe would stop it
    handleRuntimeStdio: (stdout: Readable, stderr: Readable) => {
      stdout.resume();
      stderr.resume();
    },
  });
  try {
    await use((await mf.ready).origin);
  } finally {
    await mf.dispose();
  }
}

async function ready(url: string): Promise<{ status: number; reason: string | undefined; fields: string[] }> {
  const response = await fetch(`${url}/ready`);
  const body = (await response.json()) as { reason?: string; issues?: { field: string }[] };
  const fields = (body.issues ?? []).map(({ field }) => field);
  return { status: response.status, reason: body.reason, fields };
}

/** Each of them, two at once: wrangler takes a second or two to start. */
async function twoAtATime<T>(items: T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all([worker(), worker()]);
}
