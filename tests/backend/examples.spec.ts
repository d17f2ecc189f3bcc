// The programs of examples/backend and examples/create.rs, which the crate's documentation shows: what a Rust backend copies
// from has to work.

import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { after, before, suite, test } from "node:test";
import { fileURLToPath } from "node:url";
import { FakeOmise } from "../../harness/omise.ts";
import { type RunningSandbox, randomSecrets, startSandbox } from "../../harness/stack.ts";
import { sign as signWith } from "../support/webhook.ts";

type Program = ChildProcessByStdio<null, Readable, Readable>;

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Starts a program; cargo becomes it, so that killing the one kills the other. */
function start(name: string, args: string[], env: Record<string, string>): Program {
  // only what is given here: settings of the developer's own must not decide
  const inherited = Object.entries(process.env).filter(([name]) => !/^(OMISE_|PORT$)/.test(name));
  const target =
    name === "create"
      ? ["--package", "omise-linked-accounts", "--example", name]
      : ["--package", "omise-linked-accounts-backend-example", "--bin", name];
  const cargo = ["run", "--quiet", ...target, "--"];
  return spawn(process.env.CARGO ?? "cargo", [...cargo, ...args], {
    cwd: ROOT,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

/** Runs a program to its end. In `stderr` cargo's warnings may come before what the program says. */
async function run(name: string, args: string[], env: Record<string, string>) {
  const program = start(name, args, env);
  const [stdout, stderr, [code]] = await Promise.all([
    program.stdout.setEncoding("utf8").toArray(),
    program.stderr.setEncoding("utf8").toArray(),
    once(program, "close"),
  ]);
  return { code, stdout: stdout.join(""), stderr: stderr.join("") };
}

suite("create_account", () => {
  const secrets = randomSecrets();
  const args = ["direct_debit_scb", "https://shop.example/return?a=1", "A-17"];
  let sandbox: RunningSandbox;

  before(async () => {
    sandbox = await startSandbox({ secrets });
  });
  after(() => sandbox?.dispose());

  const accounts = async () =>
    (await (await sandbox.db()).prepare("SELECT * FROM accounts").all<Record<string, string>>()).results;
  const create = (env: Record<string, string>, more: string[] = args) =>
    run("create_account", more, {
      OMISE_API_URL: sandbox.url,
      OMISE_SECRET_KEY: secrets.OMISE_SECRET_KEY,
      ...env,
    });

  test("an account is created and read again", async () => {
    const { code, stdout, stderr } = await create({});
    assert.equal(code, 0, stderr);
    const [account, ...others] = await accounts();
    assert.ok(account);
    assert.deepEqual(others, []);
    assert.equal(account.type, "direct_debit_scb");
    assert.equal(account.return_uri, "https://shop.example/return?a=1");
    assert.deepEqual(JSON.parse(account.metadata ?? ""), { order: "A-17" });
    assert.deepEqual(stdout.split("\n"), [
      `id: ${account.id}`,
      "status: pending",
      `registration_uri: ${sandbox.url}/register?ref=${account.id}`,
      "status, read again: pending",
      "",
    ]);
  });

  test("with another key nothing is created, and the key is not shown", async () => {
    const before = await accounts();
    const key = randomSecrets().OMISE_SECRET_KEY;
    const { code, stdout, stderr } = await create({ OMISE_SECRET_KEY: key });
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(stderr, /^create: omise answered 401 authentication_failure$/m);
    assert.ok(!stderr.includes(key));
    assert.deepEqual(await accounts(), before);
  });

  test("whatever goes wrong, create is sent once, and a doubt is said", async () => {
    const omise = new FakeOmise();
    const url = await omise.start();
    try {
      const rails = '{"status":500,"error":"Internal Server Error"}';
      const cases: [FakeOmise["answer"], RegExp][] = [
        [(_, response) => void response.writeHead(429).end(), /^create: omise answered 429/m],
        [
          (_, response) => void response.writeHead(500).end(rails),
          /^create is in doubt: .*: omise answered 500/m,
        ],
        [
          (_, response) => void response.writeHead(302, { Location: "/elsewhere" }).end(),
          /^create is in doubt/m,
        ],
        [(_, response) => void response.writeHead(200).end("<html>"), /^create is in doubt/m],
        [(request) => void request.socket.destroy(), /^create is in doubt/m],
      ];
      for (const [answer, message] of cases) {
        omise.requests.length = 0;
        omise.answer = answer;
        const { code, stderr } = await create({ OMISE_API_URL: url });
        assert.equal(code, 1);
        assert.match(stderr, message);
        assert.deepEqual(
          omise.requests.map(({ method, path }) => `${method} ${path}`),
          ["POST /linked_accounts"],
        );
        assert.equal(omise.requests[0]?.headers["omise-version"], "2019-05-29");
      }
    } finally {
      await omise.stop();
    }
  });

  test("what is wrong is said, without the key, and nothing is sent", async () => {
    const before = await accounts();
    const live = ["skey", "5xuy4w91xqz7d1w9u0t"].join("_");
    const cases: [Record<string, string>, string[], RegExp][] = [
      [{ OMISE_SECRET_KEY: "" }, args, /^OMISE_SECRET_KEY: expected an Omise secret key/m],
      [
        { OMISE_SECRET_KEY: "pkey_test_5xuy4w91xqz7d1w9u0t" },
        args,
        /^OMISE_SECRET_KEY: .* found a public key/m,
      ],
      // a live key is for https alone
      [{ OMISE_SECRET_KEY: live }, args, /^OMISE_API_URL: expected https/m],
      [{ OMISE_API_URL: "http://api.omise.co" }, args, /^OMISE_API_URL: expected https/m],
      [{ OMISE_API_URL: `${sandbox.url}/` }, args, /^OMISE_API_URL: expected no path/m],
      [{}, [], /^usage: /m],
      [{}, [...args, "more"], /^usage: /m],
      [{}, ["individual", "https://shop.example/"], /^TYPE: expected one of direct_debit_bay, /m],
      [{}, ["direct_debit_scb", "http://shop.example/"], /^RETURN_URI: expected https/m],
    ];
    for (const [env, more, message] of cases) {
      const { code, stdout, stderr } = await create(env, more);
      assert.equal(code, 1, stderr);
      assert.equal(stdout, "");
      assert.match(stderr, message);
      assert.ok(!stderr.includes("5xuy4w91xqz7d1w9u0t"), stderr);
      assert.ok(!stderr.includes(secrets.OMISE_SECRET_KEY), stderr);
    }
    assert.deepEqual(await accounts(), before);
  });
});

suite("create", () => {
  const secrets = randomSecrets();
  const attempt = randomUUID();
  const create = (url: string, more: string[] = [attempt]) =>
    run("create", more, { OMISE_API_URL: url, OMISE_SECRET_KEY: secrets.OMISE_SECRET_KEY });

  test("the example of the crate's documentation creates an account in the sandbox", async () => {
    const sandbox = await startSandbox({ secrets });
    try {
      const { code, stdout, stderr } = await create(sandbox.url);
      assert.equal(code, 0, stderr);
      const accounts = (await sandbox.db()).prepare("SELECT * FROM accounts").all<Record<string, string>>();
      const [account, ...others] = (await accounts).results;
      assert.ok(account);
      assert.deepEqual(others, []);
      assert.equal(account.type, "direct_debit_kbank");
      assert.deepEqual(JSON.parse(account.metadata ?? ""), { attempt });
      assert.equal(stdout, `${account.id}: pending\nregister at ${sandbox.url}/register?ref=${account.id}\n`);
    } finally {
      await sandbox.dispose();
    }
  });

  test("the example of the crate's documentation sends every header, tells a refusal from doubt, and shows no key", async () => {
    const omise = new FakeOmise();
    const url = await omise.start();
    try {
      const error = '{"object":"error","location":"x","code":"bad_request","message":"m"}';
      const cases: [FakeOmise["answer"], RegExp][] = [
        [
          (_, response) => void response.writeHead(400).end(error),
          /^refused: omise answered 400 bad_request$/m,
        ],
        [(_, response) => void response.writeHead(500).end(error), /^Error: Api\(/m],
        [(_, response) => void response.writeHead(200).end("<html>"), /^Error: Unreadable\(/m],
        [(_, response) => void response.writeHead(302, { Location: "/elsewhere" }).end(), /^Error: /m],
        [(request) => void request.socket.destroy(), /^Error: /m],
      ];
      for (const [answer, message] of cases) {
        omise.requests.length = 0;
        omise.answer = answer;
        const { code, stdout, stderr } = await create(url);
        assert.equal(code, 1);
        assert.equal(stdout, "");
        assert.match(stderr, message);
        assert.ok(!stderr.includes(secrets.OMISE_SECRET_KEY), stderr);
        const [request, ...others] = omise.requests;
        assert.deepEqual(others, []);
        assert.equal(`${request?.method} ${request?.path}`, "POST /linked_accounts");
        const credentials = Buffer.from(`${secrets.OMISE_SECRET_KEY}:`).toString("base64");
        assert.equal(request?.headers.authorization, `Basic ${credentials}`);
        assert.equal(request?.headers["content-type"], "application/x-www-form-urlencoded");
        assert.equal(request?.headers["omise-version"], "2019-05-29");
        assert.equal(request?.headers["idempotency-key"], attempt);
      }
      omise.requests.length = 0;
      const { code, stderr } = await create(url, []);
      assert.equal(code, 1);
      assert.match(stderr, /usage: create ATTEMPT_ID/);
      assert.deepEqual(omise.requests, []);
    } finally {
      await omise.stop();
    }
  });
});

suite("webhook", () => {
  const [secret, older] = [randomBytes(32).toString("base64"), randomBytes(32).toString("base64")];
  const EVENT = `{
  "object": "event",
  "id": "evnt_test_5zylnmmt2kl9chq3ip1",
  "livemode": false,
  "location": "/events/evnt_test_5zylnmmt2kl9chq3ip1",
  "webhook_deliveries": [],
  "data": { "object": "linked_account", "id": "lnac_test_5zylnmmt2kl9chq3ip1", "status": "successful" },
  "key": "linked_account.complete",
  "created_at": "2024-06-03T04:11:14Z"
}
`;
  let program: Program;
  let lines: AsyncIterator<string>;
  let url: string;

  before(async () => {
    program = start("webhook", [], { OMISE_WEBHOOK_SECRETS: `${secret},${older}`, PORT: "0" });
    program.stderr.resume();
    lines = createInterface(program.stdout)[Symbol.asyncIterator]();
    url = (await line()).replace("listening on ", "");
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/webhooks\/omise$/);
  });
  after(async () => {
    if (program.exitCode === null && program.kill()) await once(program, "close");
  });

  /** The next line that the program prints. */
  const line = async () => {
    const { value, done } = await lines.next();
    assert.ok(!done, "it ended");
    return value as string;
  };
  const now = () => Math.floor(Date.now() / 1000);
  const sign = (body: string, time: number, by = secret) => signWith(by, String(time), body);
  const deliver = async (body: string, time: number, signature: string) => {
    const headers = { "Omise-Signature": signature, "Omise-Signature-Timestamp": `${time}` };
    return (await fetch(url, { method: "POST", headers, body })).status;
  };

  test("a signed event is taken, and says what to read again", async () => {
    const read =
      "evnt_test_5zylnmmt2kl9chq3ip1 linked_account.complete: read GET /linked_accounts/lnac_test_5zylnmmt2kl9chq3ip1";
    for (const signature of [
      sign(EVENT, now()),
      sign(EVENT, now(), older),
      `${"0".repeat(64)}, ${sign(EVENT, now())}`,
    ]) {
      assert.equal(await deliver(EVENT, now(), signature), 200);
      assert.equal(await line(), read);
    }
  });

  test("an event of something else is taken", async () => {
    const charge = EVENT.replaceAll("linked_account", "charge");
    assert.equal(await deliver(charge, now(), sign(charge, now())), 200);
    assert.equal(await line(), "evnt_test_5zylnmmt2kl9chq3ip1 charge.complete: not about a linked account");
  });

  test("forged, changed and stale deliveries are refused", async () => {
    const time = now();
    const forger = randomBytes(32).toString("base64");
    for (const [name, body, sentTime, signature] of [
      ["forged", EVENT, time, sign(EVENT, time, forger)],
      ["changed", EVENT.replace("successful", "failed"), time, sign(EVENT, time)],
      ["written again", JSON.stringify(JSON.parse(EVENT)), time, sign(EVENT, time)],
      ["of another time", EVENT, time + 1, sign(EVENT, time)],
      ["stale", EVENT, time - 400, sign(EVENT, time - 400)],
      ["of the future", EVENT, time + 400, sign(EVENT, time + 400)],
      ["empty signature", EVENT, time, ""],
    ] as const) {
      assert.equal(await deliver(body, sentTime, signature), 401, name);
    }
  });

  test("an unsigned delivery is refused", async () => {
    assert.equal((await fetch(url, { method: "POST", body: EVENT })).status, 401);
  });

  test("what is signed but no event is a bad request", async () => {
    for (const body of ["{", "{}", '{"object":"charge"}', ""]) {
      assert.equal(await deliver(body, now(), sign(body, now())), 400, body);
    }
  });

  test("what is too large is not read", async () => {
    const body = " ".repeat(300 * 1024);
    assert.equal(await deliver(body, now(), sign(body, now())), 413);
  });

  test("there is one route", async () => {
    assert.equal((await fetch(url)).status, 405);
    assert.equal((await fetch(new URL("/", url), { method: "POST" })).status, 404);
  });

  test("without good secrets it does not start", async () => {
    const cases: [Record<string, string>, RegExp][] = [
      [{}, /^OMISE_WEBHOOK_SECRETS: /m],
      [{ OMISE_WEBHOOK_SECRETS: "" }, /^OMISE_WEBHOOK_SECRETS: expected one or more/m],
      [{ OMISE_WEBHOOK_SECRETS: `${secret},` }, /^OMISE_WEBHOOK_SECRETS, number 2: .* at least 16 bytes/m],
      [{ OMISE_WEBHOOK_SECRETS: `${secret}!` }, /^OMISE_WEBHOOK_SECRETS, number 1: .* in Base64/m],
      [{ OMISE_WEBHOOK_SECRETS: secret, PORT: "x" }, /^PORT: expected a number/m],
    ];
    for (const [env, message] of cases) {
      const { code, stdout, stderr } = await run("webhook", [], env);
      assert.equal(code, 1);
      assert.equal(stdout, "");
      assert.match(stderr, message);
      assert.ok(!stderr.includes(secret));
    }
  });
});
