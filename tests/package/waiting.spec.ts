// How long the client waits, by a clock that a spec moves: here no real request is made, which would need a real one.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { Clock, clientOf, failureOf, ID, LINK_STATE, Network, omise, Page, reply } from "./client.ts";

const endpoint = "https://links.shop.example";

/** A clock that stands still must not be asked to wait for the disk. */
before(async () => {
  await failureOf(clientOf({ endpoint }).retrieve("nonsense"));
});

describe("one answer", () => {
  const silent: [name: string, answer: () => Response | Promise<Response>][] = [
    ["no answer", () => new Promise<Response>(() => {})],
    [
      "half an answer",
      () => new Response(new ReadableStream({ start: (body) => body.enqueue(new Uint8Array(9)) })),
    ],
  ];
  for (const [name, answer] of silent) {
    test(`${name} is waited for until the time is over`, async (t) => {
      const clock = new Clock(t);
      const { fetch } = clock.worker(answer);
      const error = await failureOf(clientOf({ endpoint }, { fetch }).retrieve(ID));
      assert.ok(error instanceof omise.NetworkError);
      assert.deepEqual([error.reason, error.retryable, clock.now], ["timeout", true, 30_000]);
    });
  }
});

describe("resume", () => {
  test("waits half a minute and no longer, whatever the network does", async (t) => {
    const clock = new Clock(t);
    new Page(t, `https://shop.example/return?link_state=${LINK_STATE}`);
    const { asked, fetch } = clock.worker(async (at, hold) => {
      if (at === 0 && hold === 0) return reply("pending");
      if (at === 0) throw new TypeError("reset");
      await clock.sleep(hold * 1000);
      return reply("pending");
    });
    const outcome = await clientOf({ endpoint }, { fetch }).resume();
    assert.equal(outcome?.result, "pending");
    assert.deepEqual(asked, [
      [0, 0],
      [0, 25],
      [1, 25],
      [26, 4],
    ]);
    assert.equal(clock.now, 30_000);
  });

  test("an answer that does not come is not waited for beyond that", async (t) => {
    const clock = new Clock(t);
    new Page(t, `https://shop.example/return?link_state=${LINK_STATE}`);
    const { fetch } = clock.worker((_, hold) => (hold ? new Promise<Response>(() => {}) : reply("pending")));
    const outcome = await clientOf({ endpoint }, { fetch }).resume();
    assert.deepEqual([outcome?.result, clock.now], ["pending", 30_000]);
  });
});

describe("waitFor", () => {
  test("asks the next time as soon as an answer was held", async (t) => {
    const clock = new Clock(t);
    const { asked, fetch } = clock.worker(async (at, hold) => {
      await clock.sleep(hold * 1000);
      return reply(at < 60 ? "pending" : "successful");
    });
    await clientOf({ endpoint }, { fetch }).waitFor(ID);
    assert.deepEqual(
      asked.map(([at]) => at),
      [0, 25, 50, 75],
    );
    assert.deepEqual(new Set(asked.map(([, hold]) => hold)), new Set([25]));
  });

  test("backs off where a proxy drops Prefer", async (t) => {
    const clock = new Clock(t);
    const { asked, fetch } = clock.worker((at) => reply(at < 200 ? "pending" : "failed"));
    assert.equal((await clientOf({ endpoint }, { fetch }).waitFor(ID)).result, "failed");
    const gaps = asked.slice(1).map(([at], i) => at - (asked[i]?.[0] ?? 0));
    assert.equal(gaps[0], 1);
    for (const [i, gap] of gaps.entries()) {
      assert.ok(gap >= (gaps[i - 1] ?? 1) && gap <= 30, `${gaps}`);
    }
    assert.equal(gaps.at(-1), 30);
  });

  test("lasts through a network and a Worker that fail for now, as slowly as the Worker asks", async (t) => {
    const clock = new Clock(t);
    const error = (status: number, reason: string, headers: Record<string, string> = {}) => {
      const body = { object: "error", code: "x", message: "x", reason, retryable: true, issues: [] };
      return new Response(JSON.stringify(body), { status, headers });
    };
    const { asked, fetch } = clock.worker((at) => {
      if (at === 0) throw new TypeError("reset");
      if (at === 1) return error(429, "rate_limited", { "Retry-After": "40" });
      if (at === 41) return new Response("<h1>Bad gateway</h1>", { status: 502 });
      return reply("successful");
    });
    assert.equal((await clientOf({ endpoint }, { fetch }).waitFor(ID)).result, "linked");
    assert.deepEqual(
      asked.map(([at]) => at),
      [0, 1, 41, 51.25],
    );
  });

  test("ends with a customer who is not signed in any more", async (t) => {
    const clock = new Clock(t);
    let tokens = 0;
    const getToken = () => {
      tokens += 1;
      throw new Error("signed out");
    };
    assert.equal(
      (await failureOf(clientOf({ endpoint }, { getToken }).waitFor(ID))).reason,
      "token_unavailable",
    );
    assert.deepEqual([tokens, clock.now], [3, 2_000]);
  });

  test("asks nothing while the tab is hidden, and at once when it is shown", async (t) => {
    const clock = new Clock(t);
    const page = new Page(t);
    page.show(false);
    const { asked, fetch } = clock.worker((at) => {
      if (at === 100) void clock.sleep(500).then(() => page.show(false));
      return reply(at < 200 ? "pending" : "successful");
    });
    void clock.sleep(100_000).then(() => page.show(true));
    void clock.sleep(5_000_000).then(() => page.show(true));
    assert.equal((await clientOf({ endpoint }, { fetch }).waitFor(ID)).result, "linked");
    assert.deepEqual(
      asked.map(([at]) => at),
      [100, 5_000],
    );
  });

  test("gives a held answer its time, and asks again where it does not come", async (t) => {
    const clock = new Clock(t);
    const { asked, fetch } = clock.worker((at) => (at === 0 ? new Promise(() => {}) : reply("successful")));
    assert.equal((await clientOf({ endpoint }, { fetch }).waitFor(ID)).result, "linked");
    assert.deepEqual(
      asked.map(([at]) => at),
      [0, 55],
    );
  });

  test("looks once more where the time was over while the tab was hidden", async (t) => {
    const clock = new Clock(t);
    const page = new Page(t);
    const { asked, fetch } = clock.worker(() => {
      page.show(false);
      void clock.sleep(100_000_000).then(() => page.show(true));
      return reply("pending");
    });
    assert.equal((await clientOf({ endpoint }, { fetch }).waitFor(ID)).result, "pending");
    assert.deepEqual(
      asked.map(([at]) => at),
      [0, 100_000],
    );
  });

  test("asks nothing while the network is away, and at once when it is back", async (t) => {
    const clock = new Clock(t);
    const network = new Network(t);
    const { asked, fetch } = clock.worker((at) => {
      if (at > 0) return reply("successful");
      network.online = false;
      throw new TypeError("no network");
    });
    void clock.sleep(700_000).then(() => {
      network.online = true;
    });
    assert.equal((await clientOf({ endpoint }, { fetch }).waitFor(ID)).result, "linked");
    assert.deepEqual(
      asked.map(([at]) => at),
      [0, 700],
    );
  });

  for (const wrong of [-3_600, 0, 3_600]) {
    test(`ends a minute after the expiry by the Worker's clock, the page's being wrong by ${wrong} s`, async (t) => {
      const expires = Date.parse("2030-01-01T00:10:00Z");
      t.mock.timers.enable({ apis: ["Date"], now: expires - 600_000 + wrong * 1000 });
      const clock = new Clock(t);
      const { asked, fetch } = clock.worker((at) => {
        const date = new Date(expires - 600_000 + at * 1000).toUTCString();
        // created long ago, of which the Worker's clock knows
        const life = { created_at: "2029-12-31T00:10:00Z", expires_at: "2030-01-01T00:10:00Z" };
        return reply("pending", life, { Date: date });
      });
      const outcome = await clientOf({ endpoint }, { fetch }).waitFor(ID);
      assert.equal(outcome.result, "pending");
      assert.ok(clock.now >= 660_000 && clock.now <= 691_000, `${clock.now}`);
      const last = asked.at(-1)?.[0] ?? 0;
      assert.ok(
        asked.some(([at]) => at > 600 && at <= 601.1),
        "a look right after the expiry",
      );
      assert.ok(last > 630 && last <= 660, `${last}`);
    });
  }

  test("where the Worker's clock is not shown, the account's life is counted from the first look", async (t) => {
    const clock = new Clock(t);
    const life = { created_at: "2030-01-01T00:00:00Z", expires_at: "2030-01-01T00:05:00Z" };
    const { asked, fetch } = clock.worker(() => reply("pending", life));
    assert.equal((await clientOf({ endpoint }, { fetch }).waitFor(ID)).result, "pending");
    const last = asked.at(-1)?.[0] ?? 0;
    assert.ok(last > 330 && last <= 360, `${last}`);
  });

  test("an account that never could be read is no outcome", async (t) => {
    const clock = new Clock(t);
    const { fetch } = clock.worker(() => {
      throw new TypeError("reset");
    });
    assert.equal((await failureOf(clientOf({ endpoint }, { fetch }).waitFor(ID))).reason, "network_failed");
    assert.ok(clock.now > 86_400_000);
  });

  test("between two readings", async (t) => {
    const clock = new Clock(t);
    const { asked, fetch } = clock.worker(() => reply("pending"));
    const ending = new AbortController();
    void clock.sleep(1_500).then(() => ending.abort("enough"));
    const call = clientOf({ endpoint }, { fetch }).waitFor(ID, {
      signal: ending.signal,
    });
    await assert.rejects(call, (reason) => reason === "enough");
    assert.deepEqual([asked.length, clock.timers], [2, 0]);
  });
});
