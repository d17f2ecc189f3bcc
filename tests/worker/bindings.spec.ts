// What the Worker is bound to, and what it says where something is missing; and what any caller may ask.

import assert from "node:assert/strict";
import { test } from "node:test";
import { OPERATE, STOREFRONT, sessionOf } from "../../harness/session.ts";
import { type RunningWorker, type RunOptions, randomSecrets, startWorker } from "../../harness/stack.ts";
import { type Answer, assertError, assertStandardHeaders, issuesOf } from "../support/answer.ts";
import { Customer } from "../support/customer.ts";

const secrets = randomSecrets();
const LIMITS = ["READS_BY_SUBJECT", "CREATES_BY_SUBJECT", "READS_BY_NETWORK", "CREATES_BY_NETWORK"];
const OBJECTS = ["CUSTOMER", "AUDIT_LOG"];
const open = ["/health", "/openapi.json", "/ready", "/banks"] as const;

/** Runs a Worker, for as long as `use` takes. */
async function withWorker(
  options: RunOptions,
  use: (
    worker: RunningWorker,
    ask: (path: string, authorization?: string) => Promise<Answer>,
  ) => Promise<void>,
): Promise<void> {
  const worker = await startWorker({
    omiseUrl: "http://127.0.0.1:2",
    storefrontUrl: STOREFRONT,
    secrets,
    ...options,
  });
  try {
    const anonymous = new Customer(worker.url, sessionOf(worker, secrets));
    await use(worker, async (path, Authorization = "") => {
      const answer = await anonymous.fetch("GET", path, { headers: { Authorization } });
      assertStandardHeaders(answer);
      const text = JSON.stringify([answer.body, [...answer.headers]]);
      for (const secret of Object.values(secrets))
        assert.ok(!text.includes(secret), `${path} shows ${secret.slice(0, 5)}…`);
      return answer;
    });
  } finally {
    await worker.dispose();
  }
}

test("with everything there, any caller is answered, and learns no secret", async () => {
  await withWorker({}, async (worker, ask) => {
    const ready = await ask("/ready");
    assert.deepEqual([ready.status, ready.body], [200, { object: "ready", status: "ok" }]);
    const health = await ask("/health");
    assert.deepEqual([health.status, health.body], [200, { object: "health", status: "ok" }]);
    for (const path of open) {
      for (const authorization of ["Bearer x", "Basic eDp5"]) {
        assert.equal((await ask(path, authorization)).status, 200, path);
      }
    }
    // so that what is not seen above could have been
    const operator = new Customer(worker.url, sessionOf(worker, secrets), OPERATE);
    assert.equal((await operator.fetch("GET", "/audit")).status, 200);
  });
});

test("the banks that are configured, in that order, with their names and notes", async () => {
  const none = null;
  const ktb = {
    en: "Krungthai Bank keeps its side of the link: remove it in the bank's own app too.",
    th: "ธนาคารกรุงไทยยังเก็บการผูกบัญชีไว้ โปรดยกเลิกในแอปของธนาคารด้วย",
    ja: "クルンタイ銀行側の連携は残ります。銀行のアプリでも解除してください。",
  };
  const banks = {
    bay: ["BAY", "Bank of Ayudhya (Krungsri)", "ธนาคารกรุงศรีอยุธยา", "アユタヤ銀行（クルンシィ）", none],
    bbl: ["BBL", "Bangkok Bank", "ธนาคารกรุงเทพ", "バンコク銀行", none],
    kbank: ["KBANK", "Kasikornbank", "ธนาคารกสิกรไทย", "カシコン銀行", none],
    ktb: ["KTB", "Krungthai Bank", "ธนาคารกรุงไทย", "クルンタイ銀行", ktb],
    scb: ["SCB", "Siam Commercial Bank", "ธนาคารไทยพาณิชย์", "サイアム商業銀行", none],
  } as const;
  const shown = (name: keyof typeof banks) => {
    const [short_code, en, th, ja, note] = banks[name];
    return { object: "bank", type: `direct_debit_${name}`, short_code, names: { en, th, ja }, note };
  };
  for (const [types, expected] of [
    [
      "direct_debit_scb, direct_debit_ktb,direct_debit_bbl,direct_debit_bay,direct_debit_kbank",
      ["scb", "ktb", "bbl", "bay", "kbank"],
    ],
    ["direct_debit_kbank", ["kbank"]],
  ] as const) {
    await withWorker({ bindings: { ACCOUNT_TYPES: types } }, async (_, ask) => {
      const { status, body } = await ask("/banks");
      assert.equal(status, 200);
      const list = { object: "list", data: expected.map(shown), total: expected.length };
      assert.deepEqual(body, list);
      assert.equal(JSON.stringify(body), JSON.stringify(list), "in this order");
    });
  }
});

for (const name of [...LIMITS, ...OBJECTS]) {
  test(`without ${name} it is not ready, and says so`, async () => {
    await withWorker({ without: [name] }, async (worker, ask) => {
      const answer = await ask("/ready");
      assertError(answer, 503, "misconfigured");
      assert.deepEqual(issuesOf(answer), [`${name} required`]);
      assert.equal((await ask("/health")).status, 200, "alive all the same");
      // what the alarm gives to the audit log waits until it is there
      if (name === "AUDIT_LOG") return;
      // and it lets no request through that would have been counted, or written down
      const customer = new Customer(worker.url, sessionOf(worker, secrets));
      const refused = name.startsWith("CREATES")
        ? await customer.create()
        : await customer.fetch("GET", "/linked_accounts");
      assertError(refused, 503, "misconfigured");
      assert.deepEqual(issuesOf(refused), [`${name} required`]);
    });
  });
}

test("everything that is missing is named at once", async () => {
  await withWorker({ without: [...LIMITS, ...OBJECTS] }, async (_, ask) => {
    const answer = await ask("/ready");
    assertError(answer, 503, "misconfigured");
    assert.deepEqual(
      issuesOf(answer),
      [...LIMITS, ...OBJECTS].map((name) => `${name} required`),
    );
  });
});

test("settings come first", async () => {
  await withWorker({ bindings: { LEDGER_KEY: undefined, MODE: "x" } }, async (_, ask) => {
    const answer = await ask("/ready");
    assertError(answer, 503, "misconfigured");
    assert.deepEqual(issuesOf(answer), ["MODE invalid", "LEDGER_KEY required"]);
    assertError(await ask("/banks"), 503, "misconfigured");
    for (const path of ["/health", "/openapi.json"]) assert.equal((await ask(path)).status, 200, path);
  });
});

test("a binding of another kind counts as missing", async () => {
  const names = [...LIMITS, ...OBJECTS];
  // a text, and an object as other services are
  for (const other of ["text", {} as never]) {
    const bindings = Object.fromEntries(names.map((name) => [name, other]));
    await withWorker({ without: names, bindings }, async (_, ask) => {
      const answer = await ask("/ready");
      assertError(answer, 503, "misconfigured");
      assert.deepEqual(
        issuesOf(answer),
        names.map((name) => `${name} required`),
      );
    });
  }
});
