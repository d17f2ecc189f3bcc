// Clients that hang up: what they have begun goes on to its end, nobody else notices, and nothing of it is left behind.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { collect, openIsolates } from "../../harness/inspector.ts";
import { account, answering, FakeOmise } from "../../harness/omise.ts";
import { STOREFRONT, sessionOf, token } from "../../harness/session.ts";
import { freePort, type RunningWorker, randomSecrets, startWorker } from "../../harness/stack.ts";
import { Customer } from "../support/customer.ts";
import { Ledgers } from "../support/ledgers.ts";
import { seedLinks } from "../support/seed.ts";
import { until } from "../support/until.ts";
import { signedHeaders } from "../support/webhook.ts";

/** How many hang up, of each kind. */
const COUNT = process.env.FULL ? 20_000 : 200;
const AT_ONCE = 50;
const CUSTOMERS = 100;
/** A client hangs up after so many milliseconds at most, and Omise answers after so many. */
const PATIENCE = 50;
const OMISE = 20;
/** What may be there beside, in bytes: a request that is being answered, and what grows once to its size. */
const RUST_NOISE = 16 * 1_024;
const HEAP_NOISE = 1;
const PATIENCE_FOR_HEAP = 45_000;

const omise = new FakeOmise({ keepRequests: false });
/** What Omise was asked to do. */
const asked = { POST: 0, DELETE: 0 };
const secrets = randomSecrets();
const lines: string[] = [];
const customers: Customer[] = [];
let inspectorPort: number;
let worker: RunningWorker;

before(async () => {
  const omiseUrl = await omise.start();
  omise.answer = async (request, response, form) => {
    const { method = "", url = "" } = request;
    if (method === "POST" || method === "DELETE") asked[method]++;
    const id = /lnac_\w+/.exec(url)?.[0];
    await setTimeout(OMISE);
    const created_at = `${new Date().toISOString().slice(0, 19)}Z`;
    const status = method === "DELETE" ? "deleted" : "pending";
    const registration_uri = `${omiseUrl}/register`;
    answering(200, account({ registration_uri, created_at, status, ...(id && { id }) }))(
      request,
      response,
      form,
    );
  };
  inspectorPort = await freePort();
  worker = await startWorker({
    omiseUrl,
    storefrontUrl: STOREFRONT,
    secrets,
    fault: true,
    inspectorPort,
    log: (line) => lines.push(line),
  });
  const session = sessionOf(worker, secrets);
  for (let i = 0; i < CUSTOMERS; i++)
    customers.push(new Customer(worker.url, session, { sub: randomUUID() }));
});
after(async () => {
  await worker?.dispose();
  await omise.stop();
});

/** A request up to where its client hangs up. */
type Request = (nth: number) => Promise<string> | string;

const owner = (nth: number) => customers[nth % CUSTOMERS] as Customer;

function head(method: string, path: string, headers: Record<string, string | number>): string {
  const lines = Object.entries({ Host: "127.0.0.1", ...headers }).map(([name, value]) => `${name}: ${value}`);
  return `${[`${method} ${path} HTTP/1.1`, ...lines].join("\r\n")}\r\n\r\n`;
}

function authorized(me: Customer): Record<string, string> {
  return { Authorization: `Bearer ${token(me.session, me.claims)}` };
}

function create(nth: number): { headers: Record<string, string | number>; body: string } {
  const me = owner(nth);
  const body = JSON.stringify({
    type: "direct_debit_kbank",
    return_uri: `${STOREFRONT}/return`,
    replace_pending: true,
  });
  const about = { "Content-Type": "application/json", "Content-Length": body.length };
  return { headers: { ...authorized(me), ...about, "Idempotency-Key": randomUUID() }, body };
}

/** Sends a request, and resets its connection. */
async function hangUp(request: string, patience: number): Promise<void> {
  const socket = connect(Number(new URL(worker.url).port), "127.0.0.1");
  await once(socket, "connect");
  socket.write(request);
  // an answer may come first
  socket.resume();
  await setTimeout(patience);
  socket.resetAndDestroy();
}

async function hangUpAll(request: Request, from: number, to: number): Promise<void> {
  let nth = from;
  const one = async () => {
    while (nth < to) {
      const at = nth++;
      await hangUp(await request(at), at % PATIENCE);
      // no faster than the Worker is, or connections wait in thousands that it has not even read from
      assert.equal((await owner(at).fetch("GET", "/health")).status, 200);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

/** Bytes that Rust holds. */
async function liveBytes(): Promise<number> {
  const seen = lines.length;
  await owner(0).fetch("GET", "/health", { headers: { "X-Fault": "live-bytes" } });
  const found = () => lines.slice(seen).flatMap((line) => /live bytes: (\d+)/.exec(line)?.[1] ?? []);
  return Number(await until(async () => found()[0]));
}

async function heapMib(): Promise<number> {
  const [isolate, ...others] = await openIsolates(inspectorPort);
  assert.ok(isolate);
  let heap: number | undefined;
  const collecting = collect(isolate).then((mib) => {
    heap = mib ?? Number.NaN;
  });
  // an isolate that has nothing to do does not collect
  while (heap === undefined) await owner(0).fetch("GET", "/health");
  await collecting;
  for (const { close } of [isolate, ...others]) close();
  return heap;
}

/** A customer who gets what is asked for, all the while. */
async function neighbour(isOver: () => boolean): Promise<number> {
  const me = new Customer(worker.url, owner(0).session, { sub: randomUUID() });
  let answered = 0;
  while (!isOver()) {
    const made = await me.create({ replace_pending: true });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    assert.equal((await me.get(made.body.id)).status, 200);
    answered += 2;
  }
  return answered;
}

/** What their owners delete: one for each who hangs up. */
const registered: string[] = [];
/** What is waited for: one a customer. */
const pending: string[] = [];

const KINDS: Record<string, { prepare?: () => Promise<void>; request: Request }> = {
  "held polls": {
    prepare: async () => {
      for (const me of customers) pending.push((await me.create()).body.id);
    },
    request: (nth) => {
      const path = `/linked_accounts/${pending[nth % CUSTOMERS]}`;
      return head("GET", path, { ...authorized(owner(nth)), Prefer: "wait=20" });
    },
  },
  creates: {
    request: (nth) => {
      const { headers, body } = create(nth);
      return head("POST", "/linked_accounts", headers) + body;
    },
  },
  deletes: {
    prepare: async () => {
      const total = COUNT + COUNT / 10;
      const seeds = Array.from({ length: total }, (_, nth) => ({
        owner: String(owner(nth).claims.sub),
        account: { status: "successful" },
      }));
      for (const { id } of await seedLinks(worker, seeds)) registered.push(String(id));
    },
    request: (nth) => head("DELETE", `/linked_accounts/${registered[nth]}`, authorized(owner(nth))),
  },
  "half-sent bodies": {
    request: (nth) => {
      const { headers, body } = create(nth);
      return head("POST", "/linked_accounts", headers) + body.slice(0, nth % body.length);
    },
  },
  "half-sent webhooks": {
    request: (nth) => {
      const body = JSON.stringify({ object: "event", nth });
      const headers = { ...signedHeaders(secrets.WEBHOOK_SECRET ?? "", body), "Content-Length": body.length };
      return head("POST", "/webhooks/omise", headers) + body.slice(0, nth % body.length);
    },
  },
};

for (const [kind, { prepare, request }] of Object.entries(KINDS)) {
  test(`${COUNT} ${kind} that are hung up on leave nothing behind`, async (t) => {
    await prepare?.();
    // what grows once has grown
    await hangUpAll(request, 0, COUNT / 10);
    const settled = async () => {
      const rust = await liveBytes();
      return rust === (await liveBytes()) && rust;
    };
    const before = { rust: await until(settled), heap: await heapMib() };
    let isOver = false;
    const beside = neighbour(() => isOver);
    await hangUpAll(request, COUNT / 10, COUNT + COUNT / 10);
    isOver = true;
    const answered = await beside;
    const rust = await until(async () => {
      const rust = await liveBytes();
      return rust <= before.rust + RUST_NOISE && rust;
    });
    // what the runtime still has of the last of them it lets go within half a minute
    const patience = Date.now() + PATIENCE_FOR_HEAP;
    let heap = await heapMib();
    while (heap > before.heap + HEAP_NOISE && Date.now() < patience) heap = await heapMib();
    t.diagnostic(
      `Rust holds ${before.rust} bytes before and ${rust} after; the heap has ${before.heap.toFixed(2)} MiB before and ` +
        `${heap.toFixed(2)} after; ${answered} answers beside`,
    );
    assert.ok(heap <= before.heap + HEAP_NOISE, `${heap} MiB`); // not a number where it did not collect
    const wrong = lines.filter((line) => /"status":500|Reinitializing|hung|overloaded/.test(line));
    assert.deepEqual(wrong, []);
    lines.length = 0;
  });
}

test("what was begun went on to its end", async () => {
  const ledgers = new Ledgers(worker);
  const linked = await ledgers.all("SELECT id FROM attempts WHERE state = 'linked'");
  assert.equal(linked.length, asked.POST, "every account that Omise made has its owner");
  assert.deepEqual(await ledgers.all("SELECT id FROM attempts WHERE state = 'asked'"), []);
  assert.deepEqual(await ledgers.all("SELECT id FROM links WHERE deleting IS NOT NULL"), []);
  assert.ok(asked.DELETE > 0);
});
