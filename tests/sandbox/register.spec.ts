// The bank's page.

import { strict as assert } from "node:assert";
import { suite, test } from "node:test";
import { RETURN_URI, sandbox } from "./sandbox.ts";

const { url, call, create, pending, registered, answer, lapse, db: sandboxDb } = await sandbox();
const status = async (id: string) => (await call("GET", `/linked_accounts/${id}`)).body.status;
const visit = async (ref: string, query = "", headers: Record<string, string> = {}) =>
  await fetch(`${url}/register?ref=${ref}${query}`, { headers });
const has = (page: string, ...texts: string[]) => {
  for (const text of texts) assert.ok(page.includes(text), `${text}\nis not in\n${page}`);
};

// The shop, not the address that only whoever answered is sent to: anybody with the link sees these pages.
const BACK = '<a class="button" href="https://shop.example">Back to shop.example</a>';

// Every language, and what its pages can be known by.
const LANGUAGES = [
  ["en", "Sandbox — not a real bank.", "Allow direct debit?", "Something is missing", "Already declined"],
  ["th", "ระบบทดสอบ — ไม่ใช่ธนาคารจริง", "ขอความยินยอมหักบัญชีอัตโนมัติ", "ข้อมูลไม่ครบ", "ท่านปฏิเสธคำขอนี้แล้ว"],
  [
    "ja",
    "テスト環境です。実在の銀行ではありません。",
    "口座振替に同意されますか？",
    "選択されていない項目があります",
    "すでに拒否済みです",
  ],
] as const;

// What a bank can refuse with, and what developers read beside it.
const FAILURES = [
  ["registration_rejected", "The account holder declined the registration."],
  ["invalid_account", "The account cannot be used for direct debit."],
  ["insufficient_fund", "The account has insufficient funds."],
  ["failed_processing", "The bank could not process the registration."],
  ["rate_limit_exceeded", "The bank received too many requests."],
  ["failed_fraud_check", "The identity number does not match the bank's records."],
  ["invalid_security_code", "The one-time password was wrong too many times."],
  ["timeout", "The session at the bank timed out."],
] as const;

suite("the question", () => {
  for (const [type, bank, thai] of [
    ["bay", "Bank of Ayudhya (Krungsri)", "ธนาคารกรุงศรีอยุธยา"],
    ["bbl", "Bangkok Bank", "ธนาคารกรุงเทพ"],
    ["kbank", "Kasikornbank", "ธนาคารกสิกรไทย"],
    ["ktb", "Krungthai Bank", "ธนาคารกรุงไทย"],
    ["scb", "Siam Commercial Bank", "ธนาคารไทยพาณิชย์"],
  ] as const) {
    test(bank, async () => {
      const made = await create({ type: `direct_debit_${type}` });
      const response = await fetch(made.body.registration_uri);
      assert.equal(response.status, 200);
      const page = await response.text();
      has(page, `<body class="${type}">`, bank, `<span lang="th">${thai}</span>`, '<html lang="en">');
      has(
        page,
        "Sandbox — not a real bank.</strong> <span>No money moves.</span>",
        "<strong>shop.example</strong> asks",
      );
      assert.doesNotMatch(page, /<script|<img|style=|<svg/);
    });
  }

  test("two accounts that differ, the same ones each time", async () => {
    const id = await pending();
    const digits = async () =>
      [...(await (await visit(id)).text()).matchAll(/ending in <\/span>(\d{4})/g)].map(([, d]) => d);
    const shown = await digits();
    assert.equal(new Set(shown).size, 2);
    assert.deepEqual(await digits(), shown);
  });

  test("headers", async () => {
    const { headers } = await visit(await pending());
    assert.equal(
      headers.get("content-security-policy"),
      "default-src 'none'; style-src 'self'; form-action 'self' https://shop.example; frame-ancestors 'none'; base-uri 'none'",
    );
    assert.equal(headers.get("content-type"), "text/html; charset=utf-8");
    assert.equal(headers.get("cross-origin-opener-policy"), "same-origin");
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("referrer-policy"), "no-referrer");
    assert.equal(headers.get("cache-control"), "no-store");
    assert.equal(headers.get("vary"), "Accept-Language");
  });

  test("leaving without an answer leads to the shop, and to no more of it", async () => {
    const id = await pending();
    const page = await (await visit(id)).text();
    has(page, '<a href="https://shop.example">Leave without answering</a>');
    assert.doesNotMatch(page, /link_state|order=7/);
    assert.equal(await status(id), "pending");
  });

  test("its end, in Thailand's time", async () => {
    const id = await pending();
    const db = await sandboxDb();
    await db.prepare("UPDATE accounts SET expires_at = '2099-12-31T17:05:09Z' WHERE id = ?").bind(id).run();
    for (const [lang, time] of [
      ["en", "1 January 2100 at 00:05 Thailand time (UTC+7)"],
      ["th", "1 มกราคม 2643 เวลา 00:05 น. ตามเวลาประเทศไทย (UTC+7)"],
      ["ja", "2100年1月1日0時05分（タイ時間、UTC+7）"],
    ]) {
      has(
        await (await visit(id, `&lang=${lang}`)).text(),
        `<time datetime="2099-12-31T17:05:09Z">${time}</time>`,
      );
    }
  });

  test("only Krungthai has to be told of the end as well", async () => {
    for (const [type, count] of [
      ["ktb", 4],
      ["scb", 3],
    ] as const) {
      const page = await (await visit(await pending({ type: `direct_debit_${type}` }))).text();
      assert.equal(page.match(/<li>/g)?.length, count);
    }
  });

  test("a return_uri cannot add to the policy", async () => {
    const id = await pending({ return_uri: "https://a;script-src,*'/" });
    const policy = (await visit(id)).headers.get("content-security-policy");
    has(policy ?? "", "form-action 'self' https:;");
  });

  test("a hostile return_uri is text", async () => {
    const uri = "https://shop'onmouseover=alert(1)&quot;&lt;script.example/";
    const id = await pending({ return_uri: uri });
    await answer(id, { action: "decline" });
    const page = await (await visit(id)).text();
    has(page, `href="https://shop'onmouseover=alert(1)&amp;quot;&amp;lt;script.example"`);
  });

  test("the style sheet", async () => {
    const response = await fetch(`${url}/register.css`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "text/css; charset=utf-8");
    assert.equal(response.headers.get("x-content-type-options"), "nosniff");
    has(await response.text(), ".kbank {", ".scb {");
  });
});

suite("the language", () => {
  const speaks = async (response: Response, lang: string, ...texts: string[]) =>
    has(await response.text(), `<html lang="${lang}">`, ...texts);

  for (const [lang, notice, question, missing, declined] of LANGUAGES) {
    test(`${lang}: all the way`, async () => {
      const id = await pending();
      const response = await visit(id, `&lang=${lang}`, { "accept-language": "de" });
      await speaks(response, lang, notice, question, `name="lang" value="${lang}"`);

      // whatever the browser says, the form goes on in the language of the page that it was on
      const body = new URLSearchParams({ ref: id, lang, action: "approve" });
      const incomplete = await fetch(`${url}/register`, {
        method: "POST",
        body,
        headers: { "accept-language": "de" },
      });
      assert.equal(incomplete.status, 400);
      const back = `href="/register?ref=${id}&amp;lang=${lang}"`;
      await speaks(incomplete, lang, notice, missing, back);

      await answer(id, { action: "decline" });
      await speaks(await answer(id, { lang, action: "decline" }), lang, notice, declined);
      await speaks(await visit("", `&lang=${lang}`), lang, notice);
    });
  }

  test("the browser's own, where none was chosen", async () => {
    const id = await pending();
    for (const [accepted, lang] of [
      ["th-TH,th;q=0.9,en;q=0.8", "th"],
      ["en;q=0.1, ja", "ja"],
      ["de, *", "en"],
    ] as const) {
      await speaks(await visit(id, "", { "accept-language": accepted }), lang);
      await speaks(await visit("nothing", "", { "accept-language": accepted }), lang);
      await speaks(await visit(id, "&lang=de", { "accept-language": accepted }), lang);
      await speaks(await visit(id, "&lang=ja", { "accept-language": accepted }), "ja");
    }
  });

  test("links to the others, to the same request", async () => {
    const id = await pending();
    const page = await (await visit(id)).text();
    for (const [lang, name] of [
      ["en", "English"],
      ["th", "ไทย"],
      ["ja", "日本語"],
    ] as const) {
      const current = lang === "en" ? ' aria-current="true"' : "";
      const link = `<a href="/register?ref=${id}&amp;lang=${lang}" lang="${lang}" hreflang="${lang}"${current}>${name}</a>`;
      has(page, link);
    }
  });

  test("a hostile one is none", async () => {
    for (const lang of ['"><script>', "th-TH", "TH", "en&lang=", "%00"]) {
      const page = await (await visit(await pending(), `&lang=${encodeURIComponent(lang)}`)).text();
      has(page, '<html lang="en">');
      assert.doesNotMatch(page, /<script/);
    }
  });

  test("when the sandbox itself fails", async () => {
    const id = await pending();
    const db = await sandboxDb();
    await db.prepare("ALTER TABLE accounts RENAME TO elsewhere").run();
    try {
      const response = await visit(id, "&lang=th");
      assert.equal(response.status, 500);
      await speaks(response, "th", "<h1>เกิดข้อผิดพลาด</h1>");
    } finally {
      await db.prepare("ALTER TABLE elsewhere RENAME TO accounts").run();
    }
  });
});

suite("the answer", () => {
  for (const [account, position] of [
    ["savings", 0],
    ["current", 1],
  ] as const) {
    test(`approve, ${account}`, async () => {
      const id = await pending();
      const shown = [...(await (await visit(id)).text()).matchAll(/ending in <\/span>(\d{4})/g)].map(
        ([, d]) => d,
      );
      const response = await answer(id, { action: "approve", account });
      assert.equal(response.status, 303);
      assert.equal(response.headers.get("location"), RETURN_URI);
      assert.equal(response.headers.get("cache-control"), "no-store");
      assert.equal(response.headers.get("referrer-policy"), "no-referrer");
      const { body } = await call("GET", `/linked_accounts/${id}`);
      assert.equal(body.status, "successful");
      assert.equal(body.last_digits, shown[position]);
    });
  }

  test("decline", async () => {
    const id = await pending();
    const response = await answer(id, { action: "decline" });
    assert.equal(response.status, 303);
    assert.equal(response.headers.get("location"), RETURN_URI);
    assert.equal(await status(id), "failed");
  });

  test("failures, each offered and each as the shop gets it", async () => {
    const offered = [...(await (await visit(await pending())).text()).matchAll(/<option value="(\w+)"/g)];
    assert.deepEqual(
      offered.map(([, code]) => code),
      FAILURES.map(([code]) => code),
    );
    for (const [failure_code, failure_message] of FAILURES) {
      const id = await pending();
      const response = await answer(id, { action: "fail", failure_code });
      assert.equal(response.status, 303);
      assert.equal(response.headers.get("location"), RETURN_URI);
      const { body } = await call("GET", `/linked_accounts/${id}`);
      assert.deepEqual(
        [body.status, body.failure_code, body.failure_message, body.last_digits, body.registered_at],
        ["failed", failure_code, failure_message, null, null],
      );
    }
  });

  test("the way back is the return_uri as given", async () => {
    for (const return_uri of [
      "HTTP://Shop.Example",
      "http://shop.example:80/a/../b?x=%2e#y",
      "https://a;b/",
    ]) {
      const response = await answer(await pending({ return_uri }), { action: "decline" });
      assert.equal(response.headers.get("location"), return_uri);
    }
  });

  for (const fields of [
    {},
    { action: "approve" },
    { action: "approve", account: "gold" },
    { action: "other", account: "savings" },
    { account: "savings" },
    { action: "fail" },
    { action: "fail", failure_code: "" },
    { action: "fail", failure_code: "out_of_coffee" },
    { failure_code: "timeout" },
  ]) {
    test(`none: ${JSON.stringify(fields)}`, async () => {
      const id = await pending();
      const response = await answer(id, fields);
      assert.equal(response.status, 400);
      has(await response.text(), "Something is missing", `href="/register?ref=${id}&amp;lang=en"`);
      assert.equal(await status(id), "pending");
    });
  }

  test("a second one changes nothing", async () => {
    const id = await pending();
    await answer(id, { action: "approve", account: "savings" });
    const before = await call("GET", `/linked_accounts/${id}`);
    const response = await answer(id, { action: "decline" });
    assert.equal(response.status, 200);
    has(await response.text(), "<h1>Already approved</h1>", BACK);
    assert.equal((await call("GET", `/linked_accounts/${id}`)).text, before.text);
  });

  test("of many at once one counts", async () => {
    const id = await pending();
    const fields = [{ action: "approve", account: "savings" }, { action: "decline" }];
    const responses = await Promise.all(
      [...fields, ...fields, ...fields].map(async (answered) => await answer(id, answered)),
    );
    assert.deepEqual(responses.map(({ status }) => status).sort(), [200, 200, 200, 200, 200, 303]);
    const winner = responses.findIndex(({ status }) => status === 303);
    assert.equal(await status(id), winner % 2 === 0 ? "successful" : "failed");
  });
});

suite("nothing left to answer", () => {
  test("approved", async () => {
    const response = await visit(await registered());
    assert.equal(response.status, 200);
    has(
      await response.text(),
      "<h1>Already approved</h1>",
      "linked to shop.example",
      "ending in </span>",
      BACK,
    );
  });
  test("declined", async () => {
    const id = await pending();
    await answer(id, { action: "decline" });
    const response = await visit(id);
    assert.equal(response.status, 200);
    const page = await response.text();
    has(page, "<h1>Already declined</h1>", "Nothing was linked", BACK);
    assert.doesNotMatch(page, /Reason/);
  });
  test("failed", async () => {
    const id = await pending();
    await answer(id, { action: "fail", failure_code: "insufficient_fund" });
    const response = await visit(id);
    assert.equal(response.status, 200);
    has(
      await response.text(),
      "<h1>This request has failed</h1>",
      "<p>Reason: There is not enough money in the account</p>",
      BACK,
    );
  });
  test("unlinked", async () => {
    const id = await registered();
    await call("DELETE", `/linked_accounts/${id}`);
    const response = await visit(id);
    assert.equal(response.status, 200);
    has(await response.text(), "<h1>Already unlinked</h1>", BACK);
  });
  test("expired", async () => {
    const id = await pending();
    await lapse(id);
    for (const response of [await visit(id), await answer(id, { action: "approve", account: "savings" })]) {
      assert.equal(response.status, 410);
      has(await response.text(), "<h1>This request has expired</h1>", BACK);
    }
    assert.equal(await status(id), "expired");
  });
  test("expired while the page was open, and nobody looked since", async () => {
    const id = await pending();
    await visit(id);
    await lapse(id);
    assert.equal((await answer(id, { action: "approve", account: "savings" })).status, 410);
    assert.equal(await status(id), "expired");
  });
  for (const ref of ["lnac_test_5zylnmmt2kl9chq3ip1", "", "%3Cscript%3E", "'%20OR%201=1--"]) {
    test(`unknown: ${ref}`, async () => {
      const responses = [
        await visit(ref),
        await fetch(`${url}/register`, { method: "POST", body: `ref=${ref}&action=decline` }),
      ];
      for (const response of responses) {
        assert.equal(response.status, 404);
        const page = await response.text();
        has(page, "<h1>No such request</h1>");
        // but to itself, in the other languages
        assert.doesNotMatch(page, /<script|<form|<a (?!href="\/register\?lang=(en|th|ja)" )/);
      }
    });
  }
  test("no reference at all", async () => {
    assert.equal((await fetch(`${url}/register`)).status, 404);
    assert.equal((await fetch(`${url}/register`, { method: "POST" })).status, 404);
  });
  test("such a page leads nowhere but by its link", async () => {
    const policy = (await visit(await registered())).headers.get("content-security-policy");
    has(policy ?? "", "form-action 'self';");
  });
});
