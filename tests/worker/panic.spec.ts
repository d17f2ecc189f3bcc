// The WebAssembly instance dies under its requests: each is answered, no account is lost, and the Worker goes on, with its objects.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, beforeEach, test } from "node:test";
import { account, answering, FakeOmise } from "../../harness/omise.ts";
import { STOREFRONT, sessionOf } from "../../harness/session.ts";
import { BUILT, type RunningWorker, randomSecrets, startWorker } from "../../harness/stack.ts";
import { type Answer, assertError, assertStandardHeaders } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";
import { facts } from "../support/facts.ts";

const omise = new FakeOmise();
const secrets = randomSecrets();
const lines: string[] = [];
let worker: RunningWorker;
let omiseUrl: string;
let me: Customer;
/** An account of mine. */
let id: string;
/** A customer who has just read a pending account: one who asks again waits for news. */
let held: Customer;
let heldId: string;

before(async () => {
  omiseUrl = await omise.start();
  // Longer than any test: what waits for the deadline hangs.
  const bindings = { UPSTREAM_DEADLINE_MS: "20000" };
  const log = (line: string) => lines.push(line);
  worker = await startWorker({
    omiseUrl,
    storefrontUrl: STOREFRONT,
    secrets,
    alarms: false,
    fault: true,
    bindings,
    log,
  });
});
after(async () => {
  await worker?.dispose();
  await omise.stop();
});
beforeEach(async () => {
  me = customer();
  omise.answer = works;
  id = (await me.create()).body.id;
  held = customer();
  heldId = (await held.create()).body.id;
  await held.get(heldId);
  omise.requests.length = 0;
  lines.length = 0;
});

/** What an instance may take. */
const MAX_MEMORY = 64 * 1024 * 1024;

/** What kills, and how the log tells of it. */
const WAYS: [string, RegExp][] = [
  ["panic", /^panicked at worker\/src\/common\/fault\.rs:\d+:\d+$/],
  ["unreachable", /^RuntimeError: unreachable at /],
  ["out-of-memory", /^RuntimeError: unreachable at /],
  ["stack-overflow", /^RangeError at /],
  ["shadow-stack-overflow", /^RuntimeError: memory access out of bounds at /],
  ["js-throw", /^TypeError at /],
  ["js-throw-str", /^Error at /],
];

const customer = () => new Customer(worker.url, sessionOf(worker, secrets), { sub: randomUUID() });
const health = () => me.fetch("GET", "/health");
const fault = (way: string, path = "/health") =>
  me.fetch("GET", path, { headers: { "X-Fault": way, Origin: STOREFRONT } });

const faultyCreate = (who: Customer, key: string, way: string) =>
  who.fetch("POST", "/linked_accounts", {
    body: JSON.stringify({ type: "direct_debit_kbank", return_uri: `${STOREFRONT}/return` }),
    headers: { "Content-Type": "application/json", "Idempotency-Key": key, "X-Fault": way },
  });

const works: FakeOmise["answer"] = (request, response, form) => {
  const known = request.method === "GET" && /lnac_\w+/.exec(request.url ?? "")?.[0];
  const body = account({ registration_uri: `${omiseUrl}/register`, ...(known && { id: known }) });
  answering(200, body)(request, response, form);
};

/** Has Omise hold its answers; gives what lets them go. */
function hold(): () => void {
  const held: (() => void)[] = [];
  omise.answer = (...args) => void held.push(() => works(...args));
  return () => {
    omise.answer = works;
    for (const answer of held) answer();
  };
}

/** A request that is answered, and leaves a callback behind; gives what makes it come. */
async function linger(way: string): Promise<() => void> {
  const letGo = hold();
  assert.equal((await fault(`linger ${way} ${omiseUrl}/late`)).status, 200);
  await until(() => omise.requests.some(({ path }) => path === "/late"));
  return letGo;
}

/** Waits, for as long as nobody would. */
async function until(holds: () => boolean): Promise<void> {
  const start = Date.now();
  while (!holds()) {
    assert.ok(Date.now() - start < 30_000, `waited for ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The answer to a request that the instance took with it, and its one line in the log. */
async function assertLost(answer: Answer, detail: RegExp): Promise<void> {
  assertError(answer, 500, "internal");
  assert.equal(answer.body.retryable, true);
  await assertLogged("none", detail, answer.body.request_id);
}

async function assertLogged(route: string, detail: RegExp, requestId?: string): Promise<void> {
  const named = (line: string) => line.includes(requestId ?? `"route":"${route}"`);
  await until(() => lines.some(named));
  const [line, ...more] = lines.filter(named);
  assert.deepEqual(more, []);
  const { ms, request_id, ...rest } = JSON.parse(line ?? "");
  const part = route === "alarm" ? "customer" : "edge";
  assert.deepEqual({ ...rest, detail: "" }, { part, route, status: 500, reason: "internal", detail: "" });
  assert.match(rest.detail, detail);
  assert.ok(rest.detail.length <= 200 && Number.isInteger(ms) && /^[0-9a-f]{32}$/.test(request_id));
}

/** What a create left behind whose answer was lost: an attempt that is never carried out twice. */
async function assertAttempt(who: Customer, key: string): Promise<void> {
  const posts = () => omise.requests.filter(({ method }) => method === "POST").length;
  assert.equal(posts(), 1);
  const object = worker.customer(String(who.claims.sub));
  const row = async () => {
    const sql = "SELECT state, link, current FROM attempts WHERE idempotency_key = ?";
    return { ...(await object.sql(sql, key))[0] };
  };
  assert.deepEqual(await row(), { state: "asked", link: null, current: 1 });
  omise.answer = works;
  assertError(await who.create({}, key), 502, "outcome_unknown");
  await object.sql("UPDATE attempts SET created_at = created_at - 3600000");
  assertError(await who.create({}, key), 409, "attempt_abandoned");
  assert.equal(posts(), 1);
  assert.deepEqual(await row(), { state: "abandoned", link: null, current: 0 });
}

for (const [way, detail] of WAYS) {
  test(`${way}: the request and its neighbours are answered, the next one works`, async () => {
    hold();
    const [other, key] = [customer(), randomUUID()];
    const read = me.get(id);
    const create = other.create({}, key);
    // a third object, in which nothing is asked: it waits for news
    const waits = held.fetch("GET", `/linked_accounts/${heldId}`, { headers: { Prefer: "wait=20" } });
    await until(() => omise.requests.length === 2);

    const answer = await fault(way);
    await assertLost(answer, detail);
    assert.equal(answer.headers.get("Access-Control-Allow-Origin"), STOREFRONT);
    // Not by the next request: a neighbour's callback may come before.
    await until(() => lines.includes("Reinitializing Wasm application"));
    assert.equal((await health()).status, 200);
    await assertLost(await read, detail);
    await assertLost(await create, detail);
    await assertLost(await waits, detail);

    await assertAttempt(other, key);
    assert.equal((await me.get(id)).status, 200);
    assert.ok(!lines.join("\n").includes("1101700230708"), "what the panic quotes stays out of the log");
  });

  test(`${way} in an object, before it does anything`, async () => {
    const read = me.fetch("GET", `/linked_accounts/${id}`, { headers: { "X-Fault": `${way}-in-object` } });
    await assertLost(await read, detail);
    assert.equal((await me.get(id)).status, 200);
  });

  test(`${way} between two writes of a create: neither is there, and Omise is not asked`, async () => {
    const other = customer();
    const key = randomUUID();
    // What is thrown goes through the runtime's own frames, and may be another error then.
    await assertLost(await faultyCreate(other, key, `${way}-in-transaction`), /^(panicked|\w*Error)\b/);
    assert.equal(omise.requests.length, 0);
    const object = worker.customer(String(other.claims.sub));
    await assert.rejects(object.sql("SELECT * FROM attempts"), /no such table/);
    assert.equal((await other.create({}, key)).status, 200);
  });

  test(`${way} once Omise was asked to create`, async () => {
    const key = randomUUID();
    const other = customer();
    const answer = await faultyCreate(other, key, `${way}-after-upstream`);
    await assertLost(answer, detail);
    await assertAttempt(other, key);
  });
}

for (const [way, detail] of WAYS.filter(([way]) => ["panic", "js-throw"].includes(way))) {
  test(`${way} in a promise's callback, which nobody called`, async () => {
    hold();
    await assertLost(await fault(`${way}-in-callback`, `/linked_accounts/${id}`), detail);
    assert.equal((await health()).status, 200);
  });
}

test("an instance that died unseen is replaced by the next request, and its own are answered then", async () => {
  hold();
  const read = me.get(id);
  await until(() => omise.requests.length === 1);
  assert.equal((await fault("stack-overflow-in-callback")).status, 200);
  assert.equal((await health()).status, 200);
  await assertLost(await read, /^the instance was replaced$/);
  assert.equal((await health()).status, 200);
});

test("an instance that dies after its answers, in what was left to do", async () => {
  const late = await linger("panic");
  hold();
  const read = me.get(id);
  await until(() => omise.requests.some(({ path }) => path.endsWith(id)));
  assert.equal((await health()).status, 200);
  late();
  await assertLost(await read, /^panicked at /);
  assert.equal((await health()).status, 200);
});

test("a callback of the old instance does not cost the new one its requests", async () => {
  const late = await linger("nothing");
  await assertLost(await fault("panic"), /^panicked at /);
  const letGo = hold();
  const read = me.get(id);
  await until(() => omise.requests.some(({ path }) => path.endsWith(id)));
  late();
  await until(() => omise.requests.some(({ path }) => path === "/late/done"));
  letGo();
  assert.equal((await read).status, 200);
});

test("no answer could be built: the same answer, and the instance lives", async () => {
  const letGo = hold();
  const read = me.get(id);
  await until(() => omise.requests.length === 1);
  await assertLost(await fault("error"), /^no answer could be built$/);
  letGo();
  assert.equal((await read).status, 200);
});

test("the answer is the one that Rust gives to a defect of ours", async () => {
  const { internal } = facts("worker");
  const answer = await fault("panic");
  // the headers of the connection, and those that differ each time
  const other =
    /^(connection|content-encoding|content-length|date|keep-alive|server-timing|transfer-encoding|x-request-id)$/;
  const headers = Object.fromEntries([...answer.headers].filter(([name]) => !other.test(name)));
  const { request_id: _, ...body } = answer.body;
  assert.deepEqual(
    { status: answer.status, headers, body },
    { ...internal, headers: { ...internal.headers, "access-control-allow-origin": STOREFRONT } },
  );
});

test("other origins are not let in by a fault", async () => {
  for (const origin of ["https://evil.example", `${STOREFRONT}.evil.example`, "null", ""]) {
    const answer = await me.fetch("GET", "/health", { headers: { "X-Fault": "panic", Origin: origin } });
    assertError(answer, 500, "internal");
    assert.equal(answer.headers.get("Access-Control-Allow-Origin"), null);
  }
  const answer = await me.fetch("GET", "/health", { headers: { "X-Fault": "panic" } });
  assertStandardHeaders(answer);
  assert.equal(answer.headers.get("Access-Control-Allow-Origin"), null);
});

test("an alarm that dies is logged, and so are the calls that it took with it", async () => {
  const doomed = new Customer(worker.url, sessionOf(worker, secrets), {
    sub: `alarm dies by panic: ${randomUUID()}`,
  });
  assert.equal((await doomed.create()).status, 200);
  hold();
  const read = me.get(id);
  await until(() => omise.requests.some(({ path }) => path.endsWith(id)));
  await assert.rejects(worker.customer(String(doomed.claims.sub)).runAlarm(), /panicked at /);
  await assertLogged("alarm", /panicked at /);
  await assertLost(await read, /^panicked at /);
  assert.equal((await health()).status, 200);
  assert.equal(lines.filter((line) => line.includes("Reinitializing")).length, 1);
});

test("fault after fault: the Worker goes on, and dead instances are collected", async () => {
  const before = addressSpace();
  for (const [way] of WAYS) {
    for (let round = 0; round < 20; round++) {
      assertError(await fault(way), 500, "internal");
      assert.equal((await health()).status, 200);
    }
  }
  // Each has its whole memory set aside from the start. The engine collects dead ones once there are some 40.
  const instances = Math.round((addressSpace() - before) / MAX_MEMORY);
  assert.ok(instances < 80, `${instances} of ${WAYS.length * 20} instances are still there`);
});

test("the instance runs out of memory before the isolate does, which has 128 MB", () => {
  for (const folder of [`worker/build${BUILT}`, `worker/build-fault${BUILT}`]) {
    assert.equal(memoryLimit(readFileSync(`${folder}/index_bg.wasm`)), MAX_MEMORY);
  }
});

test("what is shipped has no faults, and what is run here has", () => {
  const files = (folder: string) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile())
      .map((file) => readFileSync(`${file.parentPath}/${file.name}`, "latin1"));
  const withFaults = (folder: string) => files(folder).filter((text) => /x-fault/i.test(text)).length;
  assert.equal(withFaults(`worker/build${BUILT}`), 0);
  assert.equal(withFaults(`worker/build-fault${BUILT}`), 1);
});

/** How many bytes of addresses workerd has in use: the process that this one has started. */
function addressSpace(): number {
  const statuses = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/status`, "utf8")];
      } catch {
        // gone meanwhile
        return [];
      }
    });
  const ours = statuses.find(
    (text) => /^Name:\s*workerd$/m.test(text) && text.includes(`PPid:\t${process.pid}\n`),
  );
  const kilobytes = /^VmSize:\s*(\d+) kB$/m.exec(ours ?? "")?.[1];
  assert.ok(kilobytes, "workerd is there");
  return Number(kilobytes) * 1024;
}

/** How many bytes of memory a module takes at most, by its section of that name. */
function memoryLimit(module: Buffer): number | undefined {
  let at = 8;
  const number = () => {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = module.readUInt8(at++);
      value += (byte & 0x7f) << shift;
      shift += 7;
      if (byte < 0x80) return value;
    }
  };
  while (at < module.length) {
    const [section, length] = [number(), number()];
    if (section !== 5) {
      at += length;
      continue;
    }
    const [count, flags, , max] = [number(), number(), number(), number()];
    return count === 1 && flags === 1 ? max * 65_536 : undefined;
  }
  return undefined;
}
