// `omise-linked-accounts/validate` in Node: what a form is told before anything is sent.

import assert from "node:assert/strict";
import { before, suite, test } from "node:test";
import { pathToFileURL } from "node:url";
import { Installed } from "./installed.ts";

type Validate = typeof import("../../pkg-template/validate.d.ts");

const installed = new Installed();
let validate: Validate;
let rules: Awaited<ReturnType<Validate["loadValidator"]>>;

before(async () => {
  validate = await import(`${pathToFileURL(installed.package)}/validate.js`);
  rules = await validate.loadValidator({ locale: "en" });
});

const good = { type: "direct_debit_kbank", returnUri: "https://shop.example/return" };
const issuesOf = (params: unknown) =>
  rules.validateCreate(params).map(({ field, code }) => `${field} ${code}`);

test("nothing is wrong with what is right", () => {
  for (const params of [
    good,
    { ...good, citizenId: "1101700230708" },
    { ...good, citizenId: "AB12345" },
    { ...good, citizenId: null, metadata: null, replacePending: null },
    { ...good, citizenId: undefined, metadata: undefined, anything: undefined },
    { ...good, metadata: {}, replacePending: false },
    {
      ...good,
      metadata: { text: "ก😀\n", zero: -0, half: 0.5, small: 1e-7, most: Number.MAX_SAFE_INTEGER, no: false },
    },
    { ...good, metadata: { gone: undefined } },
    Object.assign(Object.create(null), good),
  ]) {
    assert.deepEqual(rules.validateCreate(params), [], JSON.stringify(params));
  }
});

test("all that is wrong is told at once, in the order of the fields", () => {
  assert.deepEqual(
    issuesOf({
      stranger: 1,
      replacePending: "yes",
      metadata: {
        "a[b]": 1,
        list: [],
        nested: {},
        nothing: null,
        linked_accounts_x: 1,
        huge: 1e300,
        big: 1n,
        not: Number.NaN,
      },
      citizenId: "1101700230709",
      returnUri: "http://shop.example/return",
      type: "card",
    }),
    [
      "type not_supported",
      "return_uri invalid",
      "citizen_id invalid",
      "metadata.a[b] invalid",
      "metadata.list wrong_type",
      "metadata.nested wrong_type",
      "metadata.nothing wrong_type",
      "metadata.linked_accounts_x reserved",
      "metadata.huge invalid",
      "metadata.big invalid",
      "metadata.not invalid",
      "replace_pending wrong_type",
      "stranger unknown_field",
    ],
  );
});

test("a value of a wrong type, and a field that is missing, hide nothing else", () => {
  for (const wrong of [1, true, [], {}, () => {}, Symbol("type"), 1n]) {
    assert.deepEqual(issuesOf({ type: wrong, returnUri: wrong, citizenId: wrong }), [
      "type wrong_type",
      "return_uri wrong_type",
      "citizen_id wrong_type",
    ]);
  }
  assert.deepEqual(issuesOf({}), ["type required", "return_uri required"]);
  assert.deepEqual(issuesOf({ type: "", returnUri: "" }), ["type required", "return_uri required"]);
  assert.deepEqual(issuesOf({ ...good, metadata: "text" }), ["metadata wrong_type"]);
});

test("what is no object is one issue", () => {
  for (const params of [undefined, null, 1, "text", [], [good], true])
    assert.deepEqual(issuesOf(params), [" wrong_type"]);
});

test("a field under both of its names is there twice", () => {
  assert.deepEqual(issuesOf({ ...good, return_uri: "https://shop.example/other" }), ["return_uri duplicate"]);
});

test("names that are odd are told as they are, or without what would break a line", () => {
  assert.deepEqual(issuesOf({ ...good, constructor: 1, "a\nb": 1, ก: 1, "": 1 }), [
    "constructor unknown_field",
    "ab unknown_field",
    "ก unknown_field",
    " unknown_field",
  ]);
  const odd = Object.fromEntries([["__proto__", []]]);
  assert.deepEqual(issuesOf({ ...good, metadata: odd }), ["metadata.__proto__ wrong_type"]);
});

test("a form with tens of thousands of fields is refused with as many issues as anybody reads", () => {
  const many = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`field${i}`, i]));
  assert.equal(issuesOf({ ...good, ...many }).length, 100);
});

test("one field alone", () => {
  assert.equal(rules.checkReturnUri("https://shop.example/return?a=1"), null);
  assert.equal(rules.checkCitizenId("1101700230708"), null);
  for (const text of [
    "",
    "shop",
    "javascript:alert(1)",
    "https://shop.example/#x",
    "https://a@shop.example/",
    "https:\\shop",
  ]) {
    assert.equal(rules.checkReturnUri(text)?.field, "return_uri", text);
  }
  assert.equal(rules.checkReturnUri("https://shop.example/?link_state=1")?.code, "reserved");
  for (const text of ["", "12", "1101700230709", "1-1017-00230-70-8", "ก".repeat(13)]) {
    assert.equal(rules.checkCitizenId(text)?.field, "citizen_id", text);
  }
  // what a script may hand over, though its types would not let it
  for (const value of [undefined, null, 1, {}] as never[]) {
    assert.equal(rules.checkReturnUri(value)?.code, "wrong_type");
    assert.equal(rules.checkCitizenId(value)?.code, "wrong_type");
    assert.equal(rules.parseId(value), null);
  }
});

test("an account's id is taken apart", () => {
  const test = "lnac_test_5zylnmmt2kl9chq3ip1";
  const live = "lnac_5zylnmmt2kl9chq3ip1";
  assert.deepEqual(rules.parseId(test), { id: test, livemode: false });
  assert.deepEqual(rules.parseId(live), { id: live, livemode: true });
  for (const text of ["", "lnac_", "lnac_test_", "chrg_test_1", `${test} `, `${test}/..`, "lnac_TEST_1"]) {
    assert.equal(rules.parseId(text), null, text);
  }
});

suite("languages", () => {
  const message = async (locale?: string) => {
    const rules = await validate.loadValidator(locale === undefined ? {} : { locale });
    return rules.checkCitizenId("12")?.message ?? "";
  };

  test("a tag's language counts; another's customers are told in English", async () => {
    const [en, th, ja] = await Promise.all(["en", "th", "ja"].map(message));
    assert.match(th ?? "", /[\u0e00-\u0e7f]/);
    assert.match(ja ?? "", /[\u3040-\u30ff\u4e00-\u9fff]/);
    assert.match(en ?? "", /^[\x20-\x7e]+$/);
    for (const tag of ["th-TH", "TH", "th_TH", "th-Thai-TH-u-nu-thai"]) assert.equal(await message(tag), th);
    for (const tag of ["de", "en-GB", "", "thx", "../th"]) assert.equal(await message(tag), en);
    // Node has no page that would say
    assert.equal(await message(), en);
  });

  test("every issue has words of its own in each", async () => {
    const codes = [
      "required",
      "wrong_type",
      "unknown_field",
      "duplicate",
      "invalid",
      "too_long",
      "not_supported",
      "reserved",
    ];
    for (const locale of ["en", "th", "ja"]) {
      const { validateCreate } = await validate.loadValidator({ locale });
      const issues = [
        ...validateCreate({
          type: "card",
          citizenId: 1,
          stranger: 1,
          metadata: { linked_accounts_x: 1, a: 1e300 },
        }),
        ...validateCreate({ ...good, return_uri: "x", metadata: { a: "x".repeat(20_000) } }),
      ];
      for (const { code, message } of issues) assert.notEqual(message, code, locale);
      assert.deepEqual(new Set(issues.map(({ code }) => code)), new Set(codes));
    }
  });
});
