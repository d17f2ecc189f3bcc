// Events: which there are, that they are signed, and that they arrive, in order, for as long as somebody may take them.

import { strict as assert } from "node:assert";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, suite, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { type RunningSandbox, randomSecrets, startSandbox } from "../../harness/stack.ts";
import { until } from "../support/until.ts";
import { sign } from "../support/webhook.ts";
import { type Answer, sandbox as another, basic, RETURN_URI, read } from "./sandbox.ts";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const secrets = randomSecrets();
const token = randomBytes(16).toString("hex");
const lines: string[] = [];
/** Every secret that took over. */
const rotated: string[] = [];

/** A request to the shop's webhook. */
interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: it is what is being tested
  event: any;
}

/** What the control API shows of an attempt. */
interface Delivery {
  id: string;
  uri: string;
  status: number | null;
  error: string | null;
  key: string;
  event: string;
}

/** A shop's webhook. */
class Receiver {
  readonly received: Received[] = [];
  answer: (received: Received, response: ServerResponse) => void = (_, response) =>
    void response.writeHead(200).end();
  readonly #server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => {
      text += chunk;
    });
    request.on("end", () => {
      const received = {
        path: `${request.method} ${request.url}`,
        headers: request.headers,
        text,
        event: JSON.parse(text),
      };
      this.received.push(received);
      this.answer(received, response);
    });
  });

  async start(): Promise<void> {
    await once(this.#server.listen(0, "127.0.0.1"), "listening");
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook?shop=7`;
  }

  /** The first ones, once they are there. */
  async first(count: number): Promise<Received[]> {
    await until(async () => this.received.length >= count);
    return this.received.slice(0, count);
  }

  /** Forgets what it received, and takes everything again. */
  reset(): void {
    this.#server.closeAllConnections();
    this.received.length = 0;
    this.answer = (_, response) => void response.writeHead(200).end();
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await once(this.#server.close(), "close");
  }
}

type Bindings = Record<string, string | undefined>;

/** A sandbox whose clock the test sets. */
class Sandbox {
  #running: RunningSandbox | undefined;
  #bindings: Bindings = {};
  #folder = "";
  /** What the sandbox's clock shows, standing still, in seconds after its first start. */
  now = 0;

  get running(): RunningSandbox {
    assert.ok(this.#running, "the sandbox runs");
    return this.#running;
  }

  /** Makes it a new one. */
  async start(bindings: Bindings): Promise<void> {
    if (this.#running && isDeepStrictEqual(bindings, this.#bindings)) {
      assert.equal((await this.control("DELETE", "/state")).status, 204);
    } else {
      await this.dispose();
      this.#folder = mkdtempSync(join(tmpdir(), "webhooks-"));
      await this.#run(bindings);
    }
    await this.at(0);
  }

  /** Stops and starts again, by default at the same time. */
  async restart(bindings: Bindings, now = this.now): Promise<void> {
    await this.#running?.dispose();
    this.#running = undefined;
    await this.#run(bindings);
    if (now !== this.now) await this.at(now);
  }

  async #run(bindings: Bindings): Promise<void> {
    this.#bindings = bindings;
    this.#running = await startSandbox({
      secrets,
      bindings: { CONTROL_TOKEN: token, ...bindings },
      statePath: this.#folder,
      log: (line) => lines.push(line),
    });
  }

  /** Moves the clock; what then is due is sent. */
  async at(now: number): Promise<void> {
    const time = new Date(Date.parse("2026-01-01T00:00:00Z") + now * 1_000).toISOString();
    const moved = await this.control("PUT", "/clock", { now: time.replace(".000", ""), stand: true });
    assert.equal(moved.status, 200, moved.text);
    this.now = now;
  }

  async dispose(): Promise<void> {
    if (!this.#running) return;
    await this.#running.dispose();
    this.#running = undefined;
    rmSync(this.#folder, { recursive: true });
  }

  async run<Row>(sql: string, ...values: unknown[]): Promise<Row[]> {
    const db = await this.running.db();
    return (
      await db
        .prepare(sql)
        .bind(...values)
        .all<Row>()
    ).results;
  }

  async #fetch(method: string, path: string, authorization: string, body?: BodyInit): Promise<Answer> {
    const headers = { authorization, connection: "close" };
    return await read(await fetch(this.running.url + path, { method, headers, ...(body && { body }) }));
  }

  async retrieve(id: string): Promise<Answer["body"]> {
    return (await this.#fetch("GET", `/linked_accounts/${id}`, basic(secrets.OMISE_SECRET_KEY))).body;
  }

  async delete(id: string): Promise<unknown> {
    return (await this.#fetch("DELETE", `/linked_accounts/${id}`, basic(secrets.OMISE_SECRET_KEY))).body;
  }

  /** Creates an account. */
  async pending(): Promise<string> {
    const fields = { type: "direct_debit_kbank", return_uri: RETURN_URI, "metadata[order]": "สั่ง 17" };
    const key = basic(secrets.OMISE_SECRET_KEY);
    return (await this.#fetch("POST", "/linked_accounts", key, new URLSearchParams(fields))).body.id;
  }

  /** Creates an account and answers at the bank. */
  async settled(action: "approve" | "decline" = "approve"): Promise<string> {
    const id = await this.pending();
    const response = await fetch(`${this.running.url}/register`, {
      method: "POST",
      body: new URLSearchParams({ ref: id, account: "savings", action }),
      headers: { connection: "close" },
      redirect: "manual",
    });
    assert.equal(response.status, 303);
    return id;
  }

  /** Calls the control API. */
  control(method: string, path: string, body?: unknown): Promise<Answer> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    return this.#fetch(method, `/sandbox${path}`, `Bearer ${token}`, text);
  }

  /** Lets another secret take over, and gives it. */
  async rotated(): Promise<string> {
    const { secret } = (await this.control("POST", "/webhook/secrets", {})).body;
    rotated.push(secret);
    return secret;
  }

  async deliveries(): Promise<Delivery[]> {
    return (await this.control("GET", "/deliveries")).body.data;
  }

  /** Does what is to be done each second. */
  async work(): Promise<void> {
    assert.equal(await this.running.scheduled("* * * * *"), "ok");
  }

  /** Works until there is nothing that could be sent now. */
  async idle(): Promise<void> {
    const open = `SELECT 1 FROM events JOIN clock ON held IS NOT 'yes'
                    AND due_at <= strftime('%Y-%m-%dT%H:%M:%SZ', stands_at / 1000, 'unixepoch')
                  UNION ALL
                  SELECT 1 FROM deliveries WHERE status IS NULL AND error IS NULL`;
    await until(async () => {
      await this.work();
      return (await this.run(open)).length === 0;
    });
  }
}

/** That all of these secrets signed, just now, and no others. */
function assertSigned({ headers, text }: Received, by: string[] = [secrets.WEBHOOK_SECRET]): void {
  const timestamp = String(headers["omise-signature-timestamp"]);
  assert.match(timestamp, /^\d{10}$/);
  assert.ok(Math.abs(Number(timestamp) - Date.now() / 1_000) < 60, "by the machine's clock");
  assert.equal(headers["omise-signature"], by.map((secret) => sign(secret, timestamp, text)).join(","));
}

const receiver = new Receiver();
await receiver.start();
const sandbox = new Sandbox();
const hooked = () => ({ WEBHOOK_URL: receiver.url });

beforeEach(() => receiver.reset());
after(async () => {
  await sandbox.dispose();
  await receiver.stop();
});

suite("what is sent", () => {
  beforeEach(() => sandbox.start(hooked()));

  test("an approved account, in the form of Omise's events", async () => {
    const id = await sandbox.settled();
    const [received] = await receiver.first(1);
    assert.ok(received);
    assertSigned(received);
    const { text, event, headers, path } = received;
    assert.equal(path, "POST /hook?shop=7");
    assert.equal(headers["content-type"], "application/json; charset=utf-8");
    assert.equal(
      headers["sandbox-extension"],
      "linked-account events are not documented by Omise",
      "it is labelled",
    );
    assert.match(event.id, /^evnt_test_[0-9a-z]{19}$/);
    assert.deepEqual(event, {
      object: "event",
      id: event.id,
      livemode: false,
      location: `/events/${event.id}`,
      webhook_deliveries: [],
      data: await sandbox.retrieve(id),
      key: "linked_account.complete",
      created_at: "2026-01-01T00:00:00Z",
    });
    assert.equal(event.data.status, "successful");
    assert.deepEqual(Object.keys(event), [
      "object",
      "id",
      "livemode",
      "location",
      "webhook_deliveries",
      "data",
      "key",
      "created_at",
    ]);
    assert.equal(text, `${JSON.stringify(event, null, 2)}\n`, "pretty-printed");
    await sandbox.idle();
    const { body } = await sandbox.control("GET", "/deliveries");
    const { id: delivery } = body.data[0];
    assert.match(delivery, /^whdl_test_[0-9a-z]{19}$/);
    assert.deepEqual(body, {
      object: "list",
      data: [
        {
          object: "webhook_delivery",
          id: delivery,
          uri: receiver.url,
          status: 200,
          error: null,
          key: "linked_account.complete",
          event: event.id,
          created_at: "2026-01-01T00:00:00Z",
        },
      ],
    });
  });

  test("a declined account", async () => {
    const id = await sandbox.settled("decline");
    const [received] = await receiver.first(1);
    assert.equal(received?.event.key, "linked_account.complete");
    assert.equal(received?.event.data.status, "failed");
    assert.deepEqual(received?.event.data, await sandbox.retrieve(id));
  });

  test("an account whose time is over, though nobody asks for it", async () => {
    const id = await sandbox.pending();
    await sandbox.at(DAY - 1);
    await sandbox.idle();
    assert.equal(receiver.received.length, 0);
    // The sandbox may be elsewhere after a restart: the event shows what the API showed at creation.
    const [row] = await sandbox.run<{ origin: string }>("SELECT origin FROM accounts");
    await sandbox.restart(hooked(), DAY);
    await sandbox.work();
    const [received] = await receiver.first(1);
    assert.equal(received?.event.key, "linked_account.expire");
    assert.equal(received?.event.created_at, "2026-01-02T00:00:00Z");
    assert.equal(received?.event.data.registration_uri, `${row?.origin}/register?ref=${id}`);
    assert.equal(received?.event.data.status, "expired");
    await sandbox.retrieve(id);
    await sandbox.idle();
    assert.equal(receiver.received.length, 1);
  });

  test("nothing of what is not an end of waiting", async () => {
    await sandbox.pending();
    const id = await sandbox.settled();
    await receiver.first(1);
    await sandbox.delete(id);
    await sandbox.idle();
    assert.equal(receiver.received.length, 1);
  });

  test("the account as it was then, in the same bytes each time", async () => {
    receiver.answer = (_, response) => void response.writeHead(500).end();
    const id = await sandbox.settled();
    await receiver.first(1);
    await sandbox.idle();
    await sandbox.delete(id);
    await sandbox.at(MINUTE);
    const [one, two] = await receiver.first(2);
    assert.equal(two?.event.data.status, "successful");
    assert.equal(two?.text, one?.text);
    assert.ok(two);
    assertSigned(two);
  });
});

suite("where it goes", () => {
  test("nowhere, unless a URL is set: what happens then is told to nobody, later neither", async () => {
    await sandbox.start({});
    await sandbox.settled();
    await until(async () => (await sandbox.run("SELECT 1 FROM events")).length === 0);
    const before = await sandbox.settled();
    assert.deepEqual((await sandbox.control("PUT", "/webhook", { url: receiver.url })).body, {
      object: "webhook",
      url: receiver.url,
    });
    const id = await sandbox.settled();
    assert.equal((await receiver.first(1))[0]?.event.data.id, id);
    await sandbox.idle();
    assert.equal(receiver.received.length, 1, before);
    assert.equal((await sandbox.deliveries()).length, 1);
  });

  test("what happened before the URL was set is not sent to it, though nobody has looked at it yet", async () => {
    await sandbox.start({});
    const id = await sandbox.pending();
    // as the bank does it, without what follows
    await sandbox.run("UPDATE accounts SET status = 'failed' WHERE id = ?", id);
    assert.equal((await sandbox.run("SELECT 1 FROM events")).length, 1);
    await sandbox.control("PUT", "/webhook", { url: receiver.url });
    await sandbox.idle();
    assert.equal(receiver.received.length, 0);
  });

  test("what the control API says wins over the binding, and over a restart", async () => {
    await sandbox.start({ WEBHOOK_URL: "http://127.0.0.1:9/never" });
    assert.equal((await sandbox.control("GET", "/webhook")).body.url, "http://127.0.0.1:9/never");
    await sandbox.control("PUT", "/webhook", { url: receiver.url });
    await sandbox.restart({ WEBHOOK_URL: "http://127.0.0.1:9/never" });
    assert.equal((await sandbox.control("GET", "/webhook")).body.url, receiver.url);
    await sandbox.settled();
    await receiver.first(1);
    await sandbox.idle();

    assert.equal((await sandbox.control("PUT", "/webhook", { url: null })).body.url, null);
    await sandbox.restart(hooked());
    assert.equal((await sandbox.control("GET", "/webhook")).body.url, null);
    await sandbox.settled();
    await until(
      async () => (await sandbox.run("SELECT 1 FROM events WHERE due_at IS NOT NULL")).length === 0,
    );
    assert.equal(receiver.received.length, 1);
  });

  test("what waits to be sent again is given up where there is no URL any more", async () => {
    receiver.answer = (_, response) => void response.writeHead(500).end();
    await sandbox.start(hooked());
    await sandbox.settled();
    await receiver.first(1);
    await sandbox.idle();
    await sandbox.control("PUT", "/webhook", { url: null });
    await until(
      async () => (await sandbox.run("SELECT 1 FROM events WHERE due_at IS NOT NULL")).length === 0,
    );
    await sandbox.restart({}, DAY);
    await sandbox.control("PUT", "/webhook", { url: receiver.url });
    await sandbox.idle();
    assert.equal(receiver.received.length, 1);
  });
});

suite("a receiver that does not take it", () => {
  beforeEach(() => sandbox.start(hooked()));

  test("gets it again, at these times by the sandbox's clock, for a week", async () => {
    receiver.answer = (_, response) => void response.writeHead(503).end();
    await sandbox.settled();
    await receiver.first(1);
    await sandbox.idle();
    let attempts = 1;
    for (const at of [
      MINUTE,
      5 * MINUTE,
      15 * MINUTE,
      HOUR,
      3 * HOUR,
      6 * HOUR,
      12 * HOUR,
      24 * HOUR,
      48 * HOUR,
      96 * HOUR,
      144 * HOUR,
    ]) {
      await sandbox.at(at - 1);
      await sandbox.idle();
      assert.equal(receiver.received.length, attempts, `a second before ${at}`);
      await sandbox.at(at);
      await sandbox.idle();
      attempts += 1;
      assert.equal(receiver.received.length, attempts, `at ${at}`);
    }
    await sandbox.at(100 * DAY);
    await sandbox.idle();
    assert.equal(receiver.received.length, attempts, "then never again");
    assert.equal(new Set(receiver.received.map(({ event }) => event.id)).size, 1);
    const deliveries = await sandbox.deliveries();
    assert.deepEqual(
      deliveries.map(({ status }) => status),
      Array.from({ length: attempts }, () => 503),
    );
    assert.equal(new Set(deliveries.map(({ id }) => id)).size, attempts);
  });

  test("a leap of the clock is made up for by one attempt", async () => {
    receiver.answer = (_, response) => void response.writeHead(503).end();
    await sandbox.settled();
    await receiver.first(1);
    await sandbox.idle();
    await sandbox.at(2 * HOUR);
    await sandbox.idle();
    assert.equal(receiver.received.length, 2);
    await sandbox.at(3 * HOUR);
    await sandbox.idle();
    assert.equal(receiver.received.length, 3);
  });

  const answers: [string, (response: ServerResponse) => void, number | null, string | null][] = [
    ["200", (response) => response.writeHead(200).end("thanks"), 200, null],
    ["204", (response) => response.writeHead(204).end(), 204, null],
    ["299", (response) => response.writeHead(299).end(), 299, null],
    ["a redirect", (response) => response.writeHead(307, { location: "/elsewhere" }).end(), 307, null],
    ["404", (response) => response.writeHead(404).end("<html>"), 404, null],
    ["500", (response) => response.writeHead(500).end("{}"), 500, null],
    ["a broken connection", (response) => void response.destroy(), null, "no connection, or it broke"],
    ["silence", () => {}, null, "no answer within 10 seconds"],
  ];
  for (const [name, answer, status, error] of answers) {
    test(`${name}: ${status === null || status >= 300 ? "once more" : "enough"}`, async () => {
      receiver.answer = (_, response) => answer(response);
      await sandbox.settled();
      await receiver.first(1);
      await sandbox.idle();
      const [delivery] = await sandbox.deliveries();
      assert.deepEqual({ status: delivery?.status, error: delivery?.error }, { status, error });
      receiver.answer = (_, response) => void response.writeHead(200).end();
      await sandbox.at(MINUTE);
      await sandbox.idle();
      const again = status === null || status >= 300;
      assert.deepEqual(
        receiver.received.map(({ path }) => path),
        Array.from({ length: again ? 2 : 1 }, () => "POST /hook?shop=7"),
      );
      assert.equal((await sandbox.deliveries())[0]?.status, again ? 200 : status);
    });
  }

  test("where nobody listens", async () => {
    await sandbox.control("PUT", "/webhook", { url: "http://127.0.0.1:9/" });
    await sandbox.settled();
    await until(async () => (await sandbox.deliveries())[0]?.error === "no connection, or it broke");
  });
});

suite("order", () => {
  beforeEach(() => sandbox.start(hooked()));

  test("one at a time, as it happened, however many are at work", async () => {
    const waiting: ServerResponse[] = [];
    receiver.answer = (_, response) => void waiting.push(response);
    const ids = [await sandbox.settled()];
    await receiver.first(1);
    for (const _ of [1, 2, 3]) ids.push(await sandbox.settled());
    // Each comes back at once: somebody is at it.
    await Promise.all([sandbox.work(), sandbox.work(), sandbox.work()]);
    assert.equal(receiver.received.length, 1, "nobody has answered yet");
    for (let count = 1; count <= ids.length; count++) {
      await receiver.first(count);
      assert.equal(waiting.length, count);
      waiting.at(-1)?.writeHead(200).end();
    }
    await sandbox.idle();
    assert.deepEqual(
      receiver.received.map(({ event }) => event.data.id),
      ids,
    );
  });

  test("the same attempt is made once, though many see that it is due", async () => {
    const id = await sandbox.pending();
    await sandbox.run("UPDATE accounts SET status = 'failed' WHERE id = ?", id);
    // each of these calls is followed by work
    await Promise.all(Array.from({ length: 12 }, () => sandbox.control("GET", "/webhook")));
    await sandbox.idle();
    assert.equal(receiver.received.length, 1);
  });

  test("a call sends so much and no more, the next one the rest", async () => {
    const ids: string[] = [];
    for (let n = 0; n < 25; n++) ids.push(await sandbox.pending());
    await sandbox.run("UPDATE accounts SET status = 'failed'");
    await sandbox.work();
    assert.equal(receiver.received.length, 20);
    await sandbox.work();
    assert.deepEqual(receiver.received.map(({ event }) => event.data.id).sort(), ids.sort());
    assert.equal(new Set(receiver.received.map(({ event }) => event.id)).size, ids.length);
  });

  test("one that is held back comes after the next one that is sent, not before", async () => {
    receiver.answer = (_, response) => void response.writeHead(500).end();
    const held = await sandbox.settled();
    await receiver.first(1);
    await sandbox.idle();
    await sandbox.run("UPDATE events SET held = 'yes'");
    receiver.answer = (_, response) => void response.writeHead(200).end();
    await sandbox.at(MINUTE);
    await sandbox.idle();
    assert.equal(receiver.received.length, 1);
    const next = await sandbox.settled();
    await receiver.first(3);
    assert.deepEqual(
      receiver.received.map(({ event }) => event.data.id),
      [held, next, held],
    );
  });
});

suite("faults", () => {
  beforeEach(() => sandbox.start(hooked()));
  const fault = async (kind: string, count = 1) => {
    const set = await sandbox.control("PUT", "/faults", { faults: [{ route: "webhook", kind, count }] });
    assert.equal(set.status, 200, set.text);
  };
  const told = () => receiver.received.map(({ event }) => event.data.id);

  test("duplicate: an event twice, in the same bytes, and then no more", async () => {
    await fault("duplicate");
    const first = await sandbox.settled();
    const [one, two] = await receiver.first(2);
    assert.equal(two?.text, one?.text);
    await sandbox.idle();
    const second = await sandbox.settled();
    await receiver.first(3);
    await sandbox.idle();
    assert.deepEqual(told(), [first, first, second]);
    assert.deepEqual((await sandbox.control("GET", "/faults")).body, { faults: [] });
  });

  test("reorder: an event after the next one", async () => {
    await fault("reorder");
    const first = await sandbox.settled();
    await sandbox.idle();
    assert.deepEqual(told(), []);
    const second = await sandbox.settled();
    await receiver.first(2);
    await sandbox.idle();
    assert.deepEqual(told(), [second, first]);
  });

  test("what strikes calls strikes no event", async () => {
    await sandbox.control("PUT", "/faults", { faults: [{ route: "*", kind: "html", count: 9 }] });
    await sandbox.run(
      "INSERT INTO accounts (id, type, return_uri, metadata, status, expires_at, created_at) VALUES ('lnac_test_1', 'direct_debit_scb', 'https://shop.example', '{}', 'pending', '2026-01-02T00:00:00Z', '2026-01-01T00:00:00Z')",
    );
    await sandbox.control("POST", "/accounts/lnac_test_1/settle", { outcome: "expire" });
    await receiver.first(1);
    await sandbox.idle();
    assert.deepEqual(told(), ["lnac_test_1"]);
    assert.equal((await sandbox.control("GET", "/faults")).body.faults[0].count, 9);
  });
});

suite("a seed", () => {
  const story = async () => {
    receiver.received.length = 0;
    for (const action of ["approve", "decline"] as const) await sandbox.settled(action);
    await sandbox.control("POST", `/accounts/${await sandbox.pending()}/settle`, { outcome: "expire" });
    await receiver.first(3);
    await sandbox.idle();
    return receiver.received.map(({ text }) => text);
  };

  test("the same events, after a reset and after what was dumped is loaded", async () => {
    await sandbox.start({ ...hooked(), SEED: "7" });
    const first = await story();
    const dump = await sandbox.control("GET", "/state");
    const second = await story();
    assert.equal(new Set([...first, ...second]).size, 6);
    await sandbox.control("DELETE", "/state");
    assert.deepEqual(await story(), first);
    const [one] = await sandbox.deliveries();
    assert.equal(one?.id, "whdl_test_0000000000000000003");
    await story();
    assert.equal((await sandbox.control("PUT", "/state", dump.body)).status, 204);
    assert.deepEqual(await sandbox.deliveries(), []);
    assert.deepEqual(await story(), second);
  });
});

suite("a reset", () => {
  test("the settings hold again, and no event of before is sent", async () => {
    await sandbox.start(hooked());
    receiver.answer = (_, response) => void response.writeHead(500).end();
    await sandbox.settled();
    await receiver.first(1);
    await sandbox.idle();
    const secret = await sandbox.rotated();
    await sandbox.control("PUT", "/webhook", { url: "http://127.0.0.1:9/" });
    assert.equal((await sandbox.control("DELETE", "/state")).status, 204);
    assert.equal((await sandbox.control("GET", "/webhook")).body.url, receiver.url);
    await sandbox.at(DAY);
    const id = await sandbox.settled();
    const [, received] = await receiver.first(2);
    assert.equal(received?.event.data.id, id);
    assert.ok(received && !String(received.headers["omise-signature"]).includes(","), secret);
    assertSigned(received);
  });

  test("what was loaded has the address of the sandbox that it is in", async () => {
    await sandbox.start(hooked());
    const id = await sandbox.pending();
    const dump = await sandbox.control("GET", "/state");
    await sandbox.restart(hooked());
    await sandbox.control("PUT", "/state", dump.body);
    await sandbox.control("POST", `/accounts/${id}/settle`, { outcome: "approve", account: "savings" });
    const [received] = await receiver.first(1);
    assert.deepEqual(received?.event.data, await sandbox.retrieve(id));
  });
});

suite("restarts", () => {
  test("what was settled just before is told afterwards", async () => {
    await sandbox.start(hooked());
    const id = await sandbox.pending();
    // as the bank does it, without what follows
    await sandbox.run("UPDATE accounts SET status = 'failed' WHERE id = ?", id);
    await sandbox.restart(hooked());
    await sandbox.work();
    assert.equal((await receiver.first(1))[0]?.event.data.id, id);
  });

  test("an attempt that was cut off counts as one that failed", async () => {
    receiver.answer = () => {};
    await sandbox.start(hooked());
    await sandbox.settled();
    await receiver.first(1);
    receiver.answer = (_, response) => void response.writeHead(200).end();
    await sandbox.restart(hooked());
    await sandbox.work();
    assert.equal(receiver.received.length, 1, "it is not due yet");
    await sandbox.restart(hooked(), MINUTE);
    await sandbox.work();
    const [one, two] = await receiver.first(2);
    assert.equal(two?.text, one?.text);
    const shown = (await sandbox.deliveries()).map(({ status, error }) => ({ status, error }));
    assert.deepEqual(shown, [
      { status: 200, error: null },
      { status: null, error: null },
    ]);
  });
});

suite("rotation", () => {
  test("the old secret signs beside the new one for a day of the sandbox's clock, and over a restart", async () => {
    await sandbox.start(hooked());
    const answer = await sandbox.control("POST", "/webhook/secrets");
    const { secret } = answer.body;
    rotated.push(secret);
    assert.deepEqual(answer.body, {
      object: "webhook_secret",
      secret,
      created_at: "2026-01-01T00:00:00Z",
    });
    assert.equal(Buffer.from(secret, "base64").toString("base64"), secret);
    assert.equal(Buffer.from(secret, "base64").length, 32);

    for (const [now, by] of [
      [0, [secrets.WEBHOOK_SECRET, secret]],
      [DAY - 1, [secrets.WEBHOOK_SECRET, secret]],
      [DAY, [secret]],
    ] as const) {
      await sandbox.restart(hooked(), now);
      receiver.received.length = 0;
      await sandbox.settled();
      const [received] = await receiver.first(1);
      assert.ok(received);
      assertSigned(received, [...by]);
      await sandbox.idle();
    }

    const next = await sandbox.rotated();
    assert.notEqual(next, secret);
    await sandbox.settled();
    const [, received] = await receiver.first(2);
    assert.ok(received);
    assertSigned(received, [secret, next]);
    await sandbox.idle();

    // Shown once, and in no row but its own.
    for (const path of ["/webhook", "/deliveries"]) {
      const { text } = await sandbox.control("GET", path);
      for (const each of [secret, next, secrets.WEBHOOK_SECRET]) assert.ok(!text.includes(each), path);
    }
    const tables = await sandbox.run<{ name: string }>(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\'",
    );
    const holding: string[] = [];
    for (const { name } of tables) {
      const rows = JSON.stringify(await sandbox.run(`SELECT * FROM "${name}"`));
      assert.ok(!rows.includes(secrets.WEBHOOK_SECRET), name);
      if (rows.includes(secret) || rows.includes(next)) holding.push(name);
    }
    assert.deepEqual(holding, ["webhook_secrets"]);

    // The first successor is forgotten once it signs no more.
    await sandbox.at(3 * DAY);
    const third = await sandbox.rotated();
    const kept = await sandbox.run<{ secret: string }>("SELECT secret FROM webhook_secrets ORDER BY seq");
    assert.deepEqual(
      kept.map(({ secret }) => secret),
      [next, third],
    );
  });

  test("no more secrets than a receiver reads signatures", async () => {
    await sandbox.start(hooked());
    for (let n = 2; n <= 10; n++) await sandbox.rotated();
    const refused = await sandbox.control("POST", "/webhook/secrets");
    assert.equal(refused.status, 400);
    assert.match(refused.body.message, /^ten webhook secrets sign already/);
    await sandbox.settled();
    const [received] = await receiver.first(1);
    assert.equal(String(received?.headers["omise-signature"]).split(",").length, 10);
  });

  test("without a secret there is no webhook, until one is made", async () => {
    await sandbox.start({ WEBHOOK_SECRET: undefined });
    const refused = await sandbox.control("PUT", "/webhook", { url: receiver.url });
    assert.equal(refused.status, 400);
    assert.match(refused.body.message, /^there is no webhook secret/);
    const secret = await sandbox.rotated();
    assert.equal((await sandbox.control("PUT", "/webhook", { url: receiver.url })).status, 200);
    await sandbox.settled();
    const [received] = await receiver.first(1);
    assert.ok(received);
    assertSigned(received, [secret]);
  });
});

suite("by hand", () => {
  test("a delivery is repeated, whatever came of it", async () => {
    await sandbox.start(hooked());
    await sandbox.settled();
    await receiver.first(1);
    await sandbox.idle();
    const [first] = await sandbox.deliveries();
    receiver.answer = (_, response) => void response.writeHead(418).end();
    const answer = await sandbox.control("POST", `/deliveries/${first?.id}/redeliver`);
    assert.equal(answer.status, 200);
    assert.equal(answer.body.status, 418);
    assert.equal(answer.body.event, first?.event);
    assert.notEqual(answer.body.id, first?.id);
    assert.deepEqual((await sandbox.deliveries())[0], answer.body);
    const [one, two] = await receiver.first(2);
    assert.equal(two?.text, one?.text);
    assert.ok(two);
    assertSigned(two);
    // It was taken before: nothing waits for that.
    await sandbox.at(DAY);
    await sandbox.idle();
    assert.equal(receiver.received.length, 2);
  });

  test("a success ends what waits", async () => {
    receiver.answer = (_, response) => void response.writeHead(500).end();
    await sandbox.start(hooked());
    await sandbox.settled();
    await receiver.first(1);
    await sandbox.idle();
    receiver.answer = (_, response) => void response.writeHead(200).end();
    const [first] = await sandbox.deliveries();
    assert.equal((await sandbox.control("POST", `/deliveries/${first?.id}/redeliver`)).body.status, 200);
    await sandbox.at(DAY);
    await sandbox.idle();
    assert.equal(receiver.received.length, 2);
  });
});

suite("what is refused", () => {
  test("by name, and nothing is done", async () => {
    await sandbox.start(hooked());
    for (const [method, path, body, status, message] of [
      ["PUT", "/webhook", {}, 400, /missing field `url`/],
      ["PUT", "/webhook", { url: receiver.url, secret: "x" }, 400, /unknown field `secret`/],
      ["PUT", "/webhook", { url: 7 }, 400, /expected a string/],
      ["PUT", "/webhook", { url: "shop.example" }, 400, /^url: expected an http or https URL/],
      ["PUT", "/webhook", undefined, 400, /^EOF while parsing a value at line 1/],
      ["POST", "/webhook/secrets", { secret: "x" }, 400, /unknown field `secret`/],
      ["POST", "/deliveries/whdl_test_0/redeliver", undefined, 404, /^delivery whdl_test_0 was not found$/],
      ["POST", "/deliveries/whdl_test_0/redeliver", { now: true }, 400, /unknown field `now`/],
      ["DELETE", "/webhook", undefined, 404, /^not found$/],
      ["GET", "/webhook/secrets", undefined, 404, /^not found$/],
      ["POST", "/deliveries", undefined, 404, /^not found$/],
    ] as const) {
      const answer = await sandbox.control(method, path, body);
      const where = `${method} ${path} ${JSON.stringify(body)}`;
      assert.equal(answer.status, status, where);
      assert.equal(answer.body.object, "error");
      assert.match(answer.body.message, message, where);
    }
    assert.equal((await sandbox.control("GET", "/webhook")).body.url, receiver.url);
    await sandbox.control("PUT", "/webhook", { url: null });
    const nowhere = await sandbox.control("POST", "/deliveries/whdl_test_0/redeliver");
    assert.equal(nowhere.status, 400);
    assert.match(nowhere.body.message, /^there is no webhook/);
  });

  test("settings that cannot be", async () => {
    const { call } = await another({ ...hooked(), WEBHOOK_SECRET: undefined });
    const { status, body } = await call("GET", "/linked_accounts");
    assert.equal(status, 503);
    assert.match(body.message, /^the sandbox is not configured: WEBHOOK_SECRET is missing/);
  });
});

after(() => {
  const logged = lines.join("\n");
  assert.match(logged, /^evnt_test_\w{19} linked_account\.complete 200$/m);
  assert.ok(rotated.length > 0);
  for (const secret of [secrets.WEBHOOK_SECRET, token, ...rotated]) assert.ok(!logged.includes(secret));
  assert.ok(!logged.includes("shop=7"), "nor the query of an address");
});
