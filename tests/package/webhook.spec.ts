// `omise-linked-accounts/webhook` in a shop's Node backend: what is believed, and what is not.

import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { before, suite, test } from "node:test";
import { pathToFileURL } from "node:url";
import { signedHeaders } from "../support/webhook.ts";
import { Installed } from "./installed.ts";
import { delivery, event } from "./worker.ts";

type Webhook = typeof import("../../pkg-template/webhook.d.ts");

const installed = new Installed();
let webhook: Webhook;

before(async () => {
  webhook = await import(`${pathToFileURL(installed.package)}/webhook.js`);
});

const secret = randomBytes(32);
const now = () => Math.floor(Date.now() / 1000);
const body = JSON.stringify(event);
const dashboard = secret.toString("base64");

const signed = (text: string | Uint8Array = body, at: number | string = now()) =>
  signedHeaders(secret, text, String(at));

async function refused(reason: string, ...[raw, headers, secrets]: Parameters<Webhook["verifyWebhook"]>) {
  await assert.rejects(webhook.verifyWebhook(raw, headers, secrets), (error: Error) => {
    assert.ok(error instanceof webhook.WebhookError);
    assert.equal(error.name, "WebhookError");
    assert.equal(error.reason, reason);
    assert.ok(error.message.length > 10);
    return true;
  });
}

suite("what is believed", () => {
  test("the documented recipe, computed by another implementation, once the time is right", async (t) => {
    // the vector of the core's own test, computed with openssl; its body is no event
    t.mock.timers.enable({ apis: ["Date"], now: 1_717_387_874_000 });
    const headers = {
      "Omise-Signature": "c2150dfa158eed6f90c632ad9695604896c305b0a4f68317b35ef086d60f65e5",
      "Omise-Signature-Timestamp": "1717387874",
    };
    await refused("event_invalid", '{"object":"event"}', headers, "c2l4dGVlbi1ieXRlcy1vci1tb3Jl");
    await refused("signature_mismatch", '{"object":"event" }', headers, "c2l4dGVlbi1ieXRlcy1vci1tb3Jl");
  });

  test("a body as text, bytes, buffer, part of a buffer, of this realm or another", async () => {
    const bytes = Buffer.from(body);
    const padded = Buffer.concat([Buffer.from("xx"), bytes, Buffer.from("yy")]);
    const vm = await import("node:vm");
    const foreign = vm.runInNewContext("new Uint8Array(bytes)", { bytes: [...bytes] });
    for (const raw of [
      body,
      bytes,
      new Uint8Array(bytes),
      new Uint8Array(bytes).buffer,
      padded.subarray(2, -2),
      foreign,
      foreign.buffer,
    ]) {
      assert.deepEqual(await webhook.verifyWebhook(raw, signed(), dashboard), event);
    }
  });

  test("headers as fetch has them and as Node has them, in whatever case", async () => {
    const { "Omise-Signature": signature = "", "Omise-Signature-Timestamp": timestamp = "" } = signed();
    for (const headers of [
      new Headers(signed()),
      { "omise-signature": signature, "omise-signature-timestamp": timestamp, host: undefined },
      { "OMISE-SIGNATURE": [signature], "omise-signature-Timestamp": [timestamp] },
    ]) {
      assert.equal((await webhook.verifyWebhook(body, headers, dashboard)).id, event.id);
    }
  });

  test("either of two secrets, any of the signatures that a rotation lists, however they came", async () => {
    const old = randomBytes(32);
    const headers = signed();
    const both = `${"0".repeat(64)}, ${headers["Omise-Signature"]}`;
    for (const signature of [both, ["0".repeat(64), headers["Omise-Signature"] ?? ""]]) {
      const event = await webhook.verifyWebhook(body, { ...headers, "Omise-Signature": signature }, [
        old.toString("base64"),
        dashboard,
      ]);
      assert.equal(event.key, "linked_account.complete");
    }
  });

  test("the window has two sides", async (t) => {
    const start = 1_800_000_000;
    t.mock.timers.enable({ apis: ["Date"], now: start * 1000 });
    for (const [at, holds] of [
      [start - 300, true],
      [start + 300, true],
      [start - 301, false],
      [start + 301, false],
      [start * 1000, false],
      [0, false],
    ] as const) {
      if (holds) assert.equal((await webhook.verifyWebhook(body, signed(body, at), dashboard)).id, event.id);
      else await refused("timestamp_outside_window", body, signed(body, at), dashboard);
    }
  });

  test("an event's attributes are as they came, those that nobody knows too", async () => {
    const strange = JSON.stringify({
      ...event,
      team_uid: "team_1",
      data: { object: "charge", metadata: { a: [1] } },
    });
    const read = await webhook.verifyWebhook(strange, signed(strange), dashboard);
    assert.equal(read.team_uid, "team_1");
    assert.deepEqual(read.data, { object: "charge", metadata: { a: [1] } });
  });

  test("an event of an older API version has its time under the same name", async () => {
    const { created_at, ...rest } = event;
    const old = JSON.stringify({ ...rest, created: created_at });
    assert.equal((await webhook.verifyWebhook(old, signed(old), dashboard)).created_at, created_at);
  });

  test("a name that objects have already is data", async () => {
    const odd = body.replace('"data":{', '"data":{"__proto__":{"admin":true},');
    const { data } = await webhook.verifyWebhook(odd, signed(odd), dashboard);
    assert.equal(data.admin, undefined);
    assert.ok(Object.hasOwn(data, "__proto__"));
  });
});

suite("what is not", () => {
  test("a body that was written again, another's signature, no signature, half of one", async () => {
    const headers = signed();
    const signature = headers["Omise-Signature"] ?? "";
    await refused("signature_mismatch", JSON.stringify(event, null, 1), headers, dashboard);
    await refused("signature_mismatch", body, headers, randomBytes(32).toString("base64"));
    for (const wrong of [signature.slice(1), signature.toUpperCase(), `${signature}0`, "0", ","]) {
      await refused("signature_mismatch", body, { ...headers, "Omise-Signature": wrong }, dashboard);
    }
    // the body alone, as some write it
    const bare = createHmac("sha256", secret).update(body).digest("hex");
    await refused("signature_mismatch", body, { ...headers, "Omise-Signature": bare }, dashboard);
    // the secret's text in place of its bytes
    await refused(
      "signature_mismatch",
      body,
      signedHeaders(Buffer.from(dashboard), body, String(now())),
      dashboard,
    );
    await refused(
      "signature_mismatch",
      body,
      { ...headers, "Omise-Signature": Array(11).fill(signature).join(",") },
      dashboard,
    );
  });

  test("a time that was changed after it was signed", async () => {
    await refused(
      "signature_mismatch",
      body,
      { ...signed(body, now() - 1000), "Omise-Signature-Timestamp": String(now()) },
      dashboard,
    );
  });

  test("a header that is missing, empty, or twice where it may be once", async () => {
    const headers = signed();
    for (const name of ["Omise-Signature", "Omise-Signature-Timestamp"]) {
      for (const value of [undefined, "", []]) {
        await refused("header_missing", body, { ...headers, [name]: value }, dashboard);
      }
    }
    await refused("header_missing", body, new Headers(), dashboard);
    const time = headers["Omise-Signature-Timestamp"] ?? "";
    await refused(
      "timestamp_invalid",
      body,
      { ...headers, "Omise-Signature-Timestamp": [time, time] },
      dashboard,
    );
  });

  test("a time that is no number of seconds, though it was signed", async () => {
    for (const time of [`-${now()}`, `+${now()}`, `${now()}.0`, "soon", "1e9", "9".repeat(30)]) {
      await refused("timestamp_invalid", body, signed(body, time), dashboard);
    }
  });

  test("a body that is larger than any event", async () => {
    for (const length of [300 * 1024, 2 * 1024 * 1024, 64 * 1024 * 1024]) {
      const bytes = new Uint8Array(length);
      await refused(
        "too_large",
        bytes,
        { "Omise-Signature": "0", "Omise-Signature-Timestamp": "1" },
        dashboard,
      );
    }
  });

  test("what was signed and is no event", async () => {
    const { id: _, ...noId } = event;
    const broken = [
      "",
      "null",
      "1",
      '"event"',
      "[]",
      "{}",
      body.slice(0, -1),
      `\ufeff${body}`,
      JSON.stringify(noId),
      ...(["object", "id", "key", "livemode", "data", "created_at"] as const).flatMap((name) =>
        [null, 1, "", []].map((value) => JSON.stringify({ ...event, [name]: value })),
      ),
    ];
    for (const text of broken) await refused("event_invalid", text, signed(text), dashboard);
    // within a text, where a reader that forgives would put another character
    const notUtf8 = Buffer.from(body);
    notUtf8[notUtf8.indexOf("complete")] = 0xff;
    await refused("event_invalid", notUtf8, signed(notUtf8), dashboard);
  });
});

suite("what the shop did wrong", () => {
  const wrong = (raw: unknown, headers: unknown, secrets: unknown) =>
    assert.rejects(
      webhook.verifyWebhook(raw as string, headers as Headers, secrets as string),
      (error: Error) => {
        assert.equal(error.name, "TypeError");
        assert.match(error.message, /^verifyWebhook: expected /);
        for (const text of [secrets].flat()) {
          if (typeof text === "string" && text !== "")
            assert.ok(!error.message.includes(text), "the secret is told");
        }
        return true;
      },
    );

  test("a body that was parsed, or that nobody read", async () => {
    for (const raw of [event, undefined, null, new ReadableStream(), 1])
      await wrong(raw, signed(), dashboard);
  });

  test("no headers", async () => {
    for (const headers of [undefined, null, "Omise-Signature: 0"]) await wrong(body, headers, dashboard);
  });

  test("a secret that is not set, is none, or is too short to be one", async () => {
    for (const secrets of [
      undefined,
      null,
      "",
      [],
      [undefined],
      [dashboard, ""],
      "not base64!",
      randomBytes(15).toString("base64"),
      "skey_test_1",
    ]) {
      await wrong(body, signed(), secrets);
    }
  });
});

test("many deliveries at once, the first of them while nothing is loaded", async () => {
  const fresh: Webhook = await import(`${pathToFileURL(installed.package)}/webhook.js?fresh`);
  const deliveries = Array.from({ length: 100 }, () => delivery());
  const events = await Promise.all(
    deliveries.map(({ body, headers, secret }) => fresh.verifyWebhook(body, headers, secret)),
  );
  assert.deepEqual(new Set(events.map(({ id }) => id)), new Set([event.id]));
});
