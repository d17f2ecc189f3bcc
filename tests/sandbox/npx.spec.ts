// The sandbox as users get it: the packed tarball, installed into an empty folder with what it depends on, and run there.

import { strict as assert } from "node:assert";
import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { text } from "node:stream/consumers";
import { after, afterEach, suite, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { BUILT, randomSecrets } from "../../harness/stack.ts";
import { facts } from "../support/facts.ts";
import { basic, read } from "./sandbox.ts";

const NAME = "omise-linked-accounts-sandbox";
const NPM = `target/npm${BUILT}`;
const TARBALL =
  readdirSync(NPM).find((name) => name.startsWith(`${NAME}-`)) ??
  assert.fail("no tarball: run `cargo xtask build --only sandbox-package`");

const folder = mkdtempSync(join(tmpdir(), `${NAME}-`));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, "package.json"), '{ "private": true }');
// What the tools of the project were installed from is in npm's cache.
execFileSync(
  "npm",
  ["install", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", resolve(NPM, TARBALL)],
  { cwd: folder, stdio: "pipe" },
);
const installed = join(folder, "node_modules", NAME);
const program = join(folder, "node_modules/.bin", NAME);
const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
const readme = readFileSync(join(installed, "README.md"), "utf8");

/** The environment of a person who has set nothing. */
const ENV = { PATH: process.env.PATH, HOME: process.env.HOME };

/** One that runs. */
interface Started {
  child: ChildProcess;
  url: string;
  key: string;
  /** What it printed, by the words before it. */
  told: Map<string, string>;
  /** All that it has printed. */
  printed(): string;
  /** Calls the API. */
  call(method: string, path: string, body?: Record<string, string>): ReturnType<typeof read>;
  /** Sends a signal and gives the code that it ends with. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

const children = new Set<ChildProcess>();
afterEach(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const exit = once(child, "exit");
    child.kill();
    await exit;
  }
  children.clear();
});

/** Starts one, on a free port unless told otherwise, and waits until it has said that it is there. */
async function start(args: string[] = [], env: Record<string, string> = {}): Promise<Started> {
  const child = spawn(program, args.includes("--port") ? args : ["--port", "0", ...args], {
    cwd: folder,
    env: { ...ENV, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.add(child);
  let out = "";
  let all = "";
  child.stderr.on("data", (bytes) => (all += bytes));
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (bytes) => {
      out += bytes;
      all += bytes;
      if (out.includes("Ctrl-C stops it.\n")) resolve();
    });
    child.on("close", (code) => reject(new Error(`it ended with ${code}: ${all}`)));
  });
  const rows = [...out.matchAll(/^ {2}(\S+(?: \S+)*) {2,}(.+)$/gm)];
  const told = new Map(rows.map(([, what = "", value = ""]) => [what, value]));
  const url = told.get("API") ?? "";
  const key = told.get("secret key") ?? "";
  return {
    child,
    url,
    key,
    told,
    printed: () => all,
    call: async (method, path, body) =>
      await read(
        await fetch(url + path, {
          method,
          headers: { authorization: basic(env.OMISE_SECRET_KEY ?? key) },
          ...(body && { body: new URLSearchParams(body) }),
        }),
      ),
    end: async (signal = "SIGTERM") => {
      const exit = once(child, "exit");
      child.kill(signal);
      return (await exit)[0];
    },
  };
}

/** Runs one that is not to start. */
function refused(
  args: string[],
  env: Record<string, string> = {},
): { status: number | null; stderr: string } {
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: folder,
    env: { ...ENV, ...env },
    encoding: "utf8",
    timeout: 60_000,
  });
  assert.equal(stdout, "");
  return { status, stderr };
}

/** For a test that awaits the end of processes: one that stays must not keep the suite waiting. */
const TIMED = { timeout: 120_000 };
const ACCOUNT = { type: "direct_debit_kbank", return_uri: "https://shop.example/return?order=7" };

/** The processes that a process has started. */
const offspring = (pid = 0) =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);

/** A file of a process's, empty once the process is gone. */
function fileOf(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return "";
  }
}

/** Whether a process is there; one that has ended and was not asked for its code is not. */
const lives = (pid: number) => /\) [^ZX] /.test(fileOf(pid, "stat"));

/** The one workerd of a sandbox that runs. */
function workerdOf({ pid }: ChildProcess): number {
  const found = offspring(pid).filter(isWorkerd);
  assert.equal(found.length, 1);
  return found[0] ?? 0;
}

/** Whether a process is workerd: not the copy of Node that becomes it, for which Node would wait. */
const isWorkerd = (pid: number) => fileOf(pid, "cmdline").includes("/bin/workerd");

/** Waits until a sandbox that starts has started workerd. */
async function workerd({ pid }: ChildProcess, signal: AbortSignal): Promise<number[]> {
  while (!offspring(pid).some(isWorkerd)) await setTimeout(5, undefined, { signal });
  return offspring(pid);
}

/** Waits until none of these processes is there. */
async function gone(pids: number[], signal: AbortSignal): Promise<void> {
  while (pids.some(lives)) await setTimeout(5, undefined, { signal });
}

suite("the package", () => {
  test("has these files and no others", () => {
    assert.deepEqual(readdirSync(installed, { recursive: true }).map(String).sort(), [
      ...["LICENSE-APACHE", "LICENSE-MIT", "README.md", "build", "build/index.js", "build/index_bg.wasm"],
      ...["entry.js", "main.js", "package.json", "run.js", "worker.json"],
    ]);
  });

  test("depends on the runtime that the tests use, and on nothing else", () => {
    const { devDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
    assert.deepEqual(manifest.dependencies, { miniflare: devDependencies.miniflare });
    for (const name of ["devDependencies", "peerDependencies", "optionalDependencies", "scripts"]) {
      assert.equal(manifest[name], undefined, name);
    }
  });

  test("is of the project's version", () => {
    assert.equal(TARBALL, `${NAME}-${manifest.version}.tgz`);
    assert.equal(manifest.version, facts("core").version);
  });

  test("asks for a Node that its runtime can use", () => {
    const { engines } = JSON.parse(readFileSync(join(folder, "node_modules/miniflare/package.json"), "utf8"));
    assert.equal(manifest.engines.node, engines.node);
  });

  test("names no folder of this machine", () => {
    for (const name of ["build/index.js", "build/index_bg.wasm", ...readdirSync(installed)]) {
      if (name === "build") continue;
      const bytes = readFileSync(join(installed, name), "latin1");
      for (const ours of [homedir(), resolve(".")])
        assert.ok(!bytes.includes(`${ours}/`), `${name}: ${ours}`);
    }
  });
});

suite("the command line", () => {
  test("npx runs it", () => {
    const printed = execFileSync("npx", ["--offline", NAME, "--version"], { cwd: folder, encoding: "utf8" });
    assert.equal(printed, `${manifest.version}\n`);
  });

  test("--help and the README tell of the same options", () => {
    const help = execFileSync(program, ["--help"], { encoding: "utf8" });
    const options = (text: string) => [...new Set(text.match(/--[a-z][a-z-]*/g))].sort();
    assert.deepEqual(options(help), [
      ...["--help", "--port", "--profile", "--seed", "--state", "--version", "--webhook-url"],
    ]);
    assert.deepEqual(options(readme), options(help));
  });

  for (const [args, says] of [
    [["--prot", "1"], "Unknown option '--prot'; --help shows what there is"],
    [["8788"], "Unexpected argument '8788'; --help shows what there is"],
    [["--port"], "Option '--port <value>' argument missing; --help shows what there is"],
    [["--port", "65536"], "--port: expected a number up to 65535"],
    [["--port", "http"], "--port: expected a number up to 65535"],
    [["--port=-1"], "--port: expected a number up to 65535"],
    [["--port="], "--port: expected a number up to 65535"],
    [["--profile", "Official"], "--profile: expected official or extended"],
    [["--seed", "1.5"], "--seed: expected a whole number up to 9007199254740991"],
    [["--seed=-1"], "--seed: expected a whole number up to 9007199254740991"],
    [["--seed", "9007199254740992"], "--seed: expected a whole number up to 9007199254740991"],
    [["--state="], "--state: expected a folder"],
    [["--webhook-url", "ftp://x"], "--webhook-url: expected an address that begins with http:// or https://"],
    [["--webhook-url", "x"], "--webhook-url: expected an address that begins with http:// or https://"],
    [["--help=yes"], "Option '--help' does not take an argument; --help shows what there is"],
  ] as const) {
    test(`${args.join(" ")} is refused`, () => {
      assert.deepEqual(refused([...args]), { status: 2, stderr: `${NAME}: ${says}\n` });
    });
  }

  test("a port that is taken", async () => {
    const { url } = await start();
    const { port } = new URL(url);
    const { status, stderr } = refused(["--port", port]);
    assert.equal(status, 1);
    assert.equal(
      stderr,
      `${NAME}: port ${port} is taken: free it, or choose another with --port N, or a free one with --port 0\n`,
    );
    assert.equal((await fetch(url)).status < 500, true, "the first one is still there");
  });

  test("a state that cannot be", () => {
    const file = join(folder, "a-file");
    writeFileSync(file, "");
    const { status, stderr } = refused(["--port", "0", "--state", file]);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^omise-linked-accounts-sandbox: --state: .*a-file cannot be used: (EEXIST|ENOTDIR)/,
    );
  });
});

suite("what it prints", () => {
  test("all that opens it, with every row", async () => {
    const { told, url, key } = await start([
      "--profile",
      "extended",
      "--seed",
      "7",
      "--webhook-url",
      "http://127.0.0.1:9/w",
    ]);
    assert.deepEqual(
      [...told.keys()],
      [
        ...[
          "API",
          "secret key",
          "control page",
          "control token",
          "webhooks",
          "webhook secret",
          "profile",
          "seed",
          "state",
        ],
      ],
    );
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.match(key, /^skey_test_[0-9a-z]{19}$/);
    assert.equal(told.get("control page"), `${url}/sandbox`);
    assert.match(told.get("control token") ?? "", /^[0-9a-f]{32}$/);
    assert.equal(told.get("webhooks"), "to http://127.0.0.1:9/w");
    assert.equal(Buffer.from(told.get("webhook secret") ?? "", "base64").length, 32);
    assert.equal(told.get("profile"), "extended");
    assert.equal(told.get("seed"), "7");
    assert.equal(told.get("state"), "in memory; --state DIR keeps it");
  });

  test("secrets of the environment are used and not shown", async () => {
    const secrets = { ...randomSecrets(), CONTROL_TOKEN: "a-control-token-of-ones-own" };
    const { OMISE_SECRET_KEY, WEBHOOK_SECRET, CONTROL_TOKEN } = secrets;
    const { told, call, printed, end } = await start([], { OMISE_SECRET_KEY, WEBHOOK_SECRET, CONTROL_TOKEN });
    assert.equal((await call("GET", "/linked_accounts")).status, 200);
    assert.equal(told.get("secret key"), "as in the environment, OMISE_SECRET_KEY");
    await end();
    for (const secret of [OMISE_SECRET_KEY, WEBHOOK_SECRET, CONTROL_TOKEN]) {
      assert.ok(!printed().includes(secret));
    }
  });

  for (const key of [
    "skey_5xuy4w91xqz7d1w9u0t",
    ["skey", "live", "5xuy4w91xqz7d1w9u0t"].join("_"),
    "pkey_test_5xuy4w91xqz7d1w9u0t",
  ]) {
    test(`a key that is not one for tests is refused and not shown: ${key.slice(0, 10)}`, () => {
      const { status, stderr } = refused(["--port", "0"], { OMISE_SECRET_KEY: key });
      assert.equal(status, 2);
      assert.match(stderr, /the sandbox is not configured: OMISE_SECRET_KEY: expected/);
      assert.ok(!stderr.includes("5xuy4w91xqz7d1w9u0t"));
    });
  }
});

suite("while it runs", () => {
  test("an account from creation to deletion, by way of the bank's page", async () => {
    const { url, call } = await start();
    const made = await call("POST", "/linked_accounts", ACCOUNT);
    assert.equal(made.status, 200);
    const { id, registration_uri } = made.body;
    assert.equal(new URL(registration_uri).origin, url);

    const page = await fetch(registration_uri);
    assert.equal(page.status, 200);
    assert.match(await page.text(), /Kasikornbank/);
    const approved = await fetch(`${url}/register`, {
      method: "POST",
      body: new URLSearchParams({ ref: id, action: "approve", account: "savings" }),
      redirect: "manual",
    });
    assert.equal(approved.status, 303);
    assert.equal(approved.headers.get("location"), ACCOUNT.return_uri);

    assert.equal((await call("GET", `/linked_accounts/${id}`)).body.status, "successful");
    assert.equal((await call("DELETE", `/linked_accounts/${id}`)).body.status, "deleted");
    assert.equal((await call("GET", `/linked_accounts/${id}`)).body.status, "deleted");
  });

  test("the walk through it in the README", async () => {
    const { url, key } = await start();
    const [, walk = ""] = readme.split("## A walk through it");
    const script = /```sh\n([\s\S]*?)```/.exec(walk)?.[1] ?? assert.fail();
    const { stdout } = await promisify(execFile)("sh", ["-euc", script], {
      env: { ...ENV, URL: url, KEY: key },
    });
    const statuses = [...stdout.matchAll(/"status": "(\w+)"/g)].map(([, status]) => status);
    assert.deepEqual(statuses, ["pending", "successful", "successful", "deleted"]);
    assert.match(stdout, /^HTTP\/1\.1 303 [\s\S]*^location: https:\/\/shop\.example\/return\r$/im);
    assert.match(stdout, /"total": 1/);
  });

  test("the address that was asked is the one that the bank's page has", async () => {
    const { url, key } = await start();
    const local = url.replace("127.0.0.1", "localhost");
    const asked = request(`${url}/linked_accounts`, {
      method: "POST",
      headers: {
        host: new URL(local).host,
        authorization: basic(key),
        "content-type": "application/x-www-form-urlencoded",
      },
    }).end(String(new URLSearchParams(ACCOUNT)));
    const [response] = await once(asked, "response");
    const { registration_uri } = JSON.parse(await text(response));
    assert.equal(new URL(registration_uri).origin, local);
  });

  test("a page of another name gets nothing", {
    todo: "the Worker does not look at the name yet",
  }, async () => {
    const { url } = await start();
    const asked = request(`${url}/register`, { headers: { host: "shop.example" } }).end();
    const [response] = await once(asked, "response");
    assert.equal(response.statusCode, 403);
    assert.equal(response.headers["access-control-allow-origin"], undefined);
    assert.match(await text(response), /the sandbox is for this machine alone/);
  });

  test("an answer comes as the Worker made it, not as Miniflare would pass it on", async () => {
    const { url } = await start();
    const asked = request(url, { headers: { "accept-encoding": "gzip" } }).end();
    const [response] = await once(asked, "response");
    const body = await text(response);
    assert.equal(response.headers["content-encoding"], undefined);
    assert.equal(response.headers["content-length"], String(Buffer.byteLength(body)));
  });
});

suite("state", () => {
  test("is kept in a folder that only its owner can read, secrets and all", async () => {
    const state = join(folder, "deep", "state");
    const first = await start(["--state", state]);
    const { body } = await first.call("POST", "/linked_accounts", ACCOUNT);
    assert.equal(await first.end("SIGINT"), 0);
    assert.equal(statSync(state).mode & 0o777, 0o700);
    assert.equal(statSync(join(state, "secrets.json")).mode & 0o777, 0o600);

    const second = await start(["--state", state]);
    assert.equal(second.told.get("state"), state);
    for (const what of ["secret key", "control token", "webhook secret"]) {
      assert.equal(second.told.get(what), first.told.get(what), what);
    }
    const { registration_uri: _, ...account } = (await second.call("GET", `/linked_accounts/${body.id}`))
      .body;
    const { registration_uri: __, ...before } = body;
    assert.deepEqual(account, before);
    assert.deepEqual(readdirSync(state).sort(), ["lock", "miniflare-D1DatabaseObject", "secrets.json"]);
  });

  test("survives an end without warning, and is free at once", async () => {
    const state = join(folder, "killed");
    const first = await start(["--state", state]);
    const { body } = await first.call("POST", "/linked_accounts", ACCOUNT);
    const orphan = workerdOf(first.child);
    await first.end("SIGKILL");
    const second = await start(["--state", state]);
    assert.ok(!lives(orphan), "two workerds have used one folder");
    assert.equal((await second.call("GET", `/linked_accounts/${body.id}`)).status, 200);
    assert.equal((await second.call("POST", "/linked_accounts", ACCOUNT)).status, 200);
  });

  test("is free again after a start that failed", async () => {
    const state = join(folder, "no-port");
    const { url } = await start();
    assert.match(refused(["--port", new URL(url).port, "--state", state]).stderr, /: port \d+ is taken: /);
    await start(["--state", state]);
  });

  test("is for one sandbox at a time: a second one says which one has it, and what to do", async () => {
    const state = join(folder, "shared");
    const { child, url, call } = await start(["--state", state]);
    // by another name too
    const link = join(folder, "shared-link");
    symlinkSync(state, link);
    for (const name of [state, link]) {
      const says = `another sandbox uses ${name} (process ${child.pid}, ${url}): stop that one, or choose another folder`;
      assert.deepEqual(refused(["--port", "0", "--state", name]), {
        status: 1,
        stderr: `${NAME}: --state: ${says}\n`,
      });
    }
    assert.equal((await call("POST", "/linked_accounts", ACCOUNT)).status, 200);
  });

  test("goes to one of the sandboxes that start at the same moment", async () => {
    const state = join(folder, "contended");
    const started = await Promise.allSettled([1, 2, 3, 4].map(() => start(["--state", state])));
    const errors = started.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
    assert.equal(errors.length, 3);
    for (const { message } of errors) assert.match(message, /^it ended with 1: .*: another sandbox uses /);
  });

  for (const text of [
    "{",
    '"skey_test_5xuy4w91xqz7d1w9u0t',
    '{ "OMISE_SECRET_KEY": "skey_test_5xuy4w91xqz7d1w9u0t" }',
    "null",
  ]) {
    test(`with other secrets than its own is refused: ${text.slice(0, 12)}`, () => {
      const state = mkdtempSync(join(folder, "strange-"));
      writeFileSync(join(state, "secrets.json"), text);
      const says = "secrets.json does not hold OMISE_SECRET_KEY, CONTROL_TOKEN, WEBHOOK_SECRET";
      assert.deepEqual(refused(["--port", "0", "--state", state]), {
        status: 1,
        stderr: `${NAME}: --state: ${state} cannot be used: ${says}\n`,
      });
    });
  }

  test("of another sandbox, whose tables are not these, is refused", async () => {
    const state = join(folder, "other");
    await (await start(["--state", state])).end();
    const databases = join(state, "miniflare-D1DatabaseObject");
    for (const name of readdirSync(databases).filter((name) => /^[0-9a-f]+\.sqlite$/.test(name))) {
      const database = new DatabaseSync(join(databases, name));
      database.exec("DELETE FROM d1_migrations");
      database.close();
    }
    const { status, stderr } = refused(["--port", "0", "--state", state]);
    assert.equal(status, 1);
    const says =
      "0001_accounts.sql cannot be applied: is the database older than a change to it? An empty folder starts anew.";
    assert.equal(stderr, `${NAME}: --state: ${state}: ${says}\n`);
  });

  test("in memory is gone, and the next one has secrets of its own", async () => {
    const first = await start();
    await first.call("POST", "/linked_accounts", ACCOUNT);
    await first.end();
    const second = await start();
    assert.notEqual(second.key, first.key);
    assert.equal((await second.call("GET", "/linked_accounts")).body.total, 0);
  });
});

suite("the end", () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    test(`by ${signal}, with whatever hangs, and nothing is left behind`, TIMED, async (t) => {
      const { child, url, end } = await start();
      const processes = offspring(child.pid);
      const runtime = workerdOf(child);
      // a request that never becomes whole
      const hanging = connect(Number(new URL(url).port), "127.0.0.1").on("error", () => {});
      hanging.write("POST /linked_accounts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nx");
      await once(hanging, "connect");
      const closed = new Promise((resolve) => hanging.on("close", resolve));
      assert.equal(await end(signal), 0);
      await closed;
      assert.ok(!lives(runtime));
      await gone(processes, t.signal);
    });
  }

  test("by SIGKILL, with whatever hangs, and nothing is left behind", TIMED, async (t) => {
    const { child, url, end } = await start();
    const processes = offspring(child.pid);
    assert.ok(processes.some(isWorkerd));
    const hanging = connect(Number(new URL(url).port), "127.0.0.1").on("error", () => {});
    hanging.write("POST /linked_accounts HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\nx");
    await once(hanging, "connect");
    assert.equal(await end("SIGKILL"), null);
    await gone(processes, t.signal);
  });

  test("by SIGKILL while it starts", TIMED, async (t) => {
    const child = spawn(program, ["--port", "0"], { cwd: folder, env: ENV, stdio: "ignore" });
    children.add(child);
    const exit = once(child, "exit");
    const processes = await workerd(child, t.signal);
    child.kill("SIGKILL");
    assert.deepEqual(await exit, [null, "SIGKILL"]);
    await gone(processes, t.signal);
  });

  test("by SIGKILL, though workerd cannot go on", TIMED, async (t) => {
    const { child, end } = await start();
    const processes = offspring(child.pid);
    process.kill(workerdOf(child), "SIGSTOP");
    await end("SIGKILL");
    await gone(processes, t.signal);
  });

  test("by a signal that comes while it starts", TIMED, async (t) => {
    const child = spawn(program, ["--port", "0"], {
      cwd: folder,
      env: ENV,
      stdio: ["ignore", "pipe", "ignore"],
    });
    children.add(child);
    const exit = once(child, "exit");
    const processes = await workerd(child, t.signal);
    child.kill();
    assert.deepEqual(await exit, [0, null]);
    await gone(processes, t.signal);
  });

  test("by two of them, for the impatient, though workerd cannot go on", TIMED, async (t) => {
    const child = spawn(program, ["--port", "0"], { cwd: folder, env: ENV, stdio: "ignore" });
    children.add(child);
    const exit = once(child, "exit");
    const processes = await workerd(child, t.signal);
    process.kill(workerdOf(child), "SIGSTOP");
    child.kill("SIGINT");
    child.kill("SIGTERM");
    assert.deepEqual(await exit, [1, null]);
    await gone(processes, t.signal);
  });

  test("when workerd has ended", async () => {
    const { child, printed } = await start();
    const exit = once(child, "close");
    process.kill(workerdOf(child), "SIGKILL");
    assert.deepEqual(await exit, [1, null]);
    assert.match(printed(), /^omise-linked-accounts-sandbox: workerd has stopped: /m);
  });
});
