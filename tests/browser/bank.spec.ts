// The bank's page, for whoever comes to it: by keyboard, without scripts, on a phone, by ear, in three languages.

import { AxeBuilder } from "@axe-core/playwright";
import { expect, type Page, test } from "@playwright/test";
import { randomSecrets, type Stack, startStack } from "../../harness/stack.ts";
import { collectComplaints, leaveForBank, signIn } from "./journey.ts";

let stack: Stack;
test.beforeAll(async () => {
  stack = await startStack({ secrets: randomSecrets(), storefront: true });
});
test.afterAll(() => stack?.dispose());

// Whatever the page complains about is a failure: something that its policy refused. That a request has expired is none.
const complaints: string[] = [];
test.beforeEach(({ context }) => {
  complaints.length = 0;
  collectComplaints(context, complaints);
});
test.afterEach(() => expect(complaints.filter((text) => !text.includes("status of 410"))).toEqual([]));

const outcome = (page: Page) => page.getByTestId("outcome");

/** Creates an account at Omise's, without the shop, and gives its id. */
async function create(type = "direct_debit_ktb"): Promise<string> {
  const credentials = Buffer.from(`${stack.env.omise_secret_key}:`).toString("base64");
  const return_uri = `${stack.storefrontUrl}/return?order=7`;
  const response = await fetch(`${stack.sandboxUrl}/linked_accounts`, {
    method: "POST",
    headers: { authorization: `Basic ${credentials}`, connection: "close" },
    body: new URLSearchParams({ type, return_uri }),
  });
  return (await response.json()).id;
}

async function statusOf(id: string): Promise<unknown> {
  const db = await stack.sandboxDb();
  return await db.prepare("SELECT status, failure_code FROM accounts WHERE id = ?").bind(id).first();
}

test("by keyboard alone, and the focus is always to be seen", async ({ page }) => {
  await signIn(page, stack, "malee");
  await leaveForBank(page, stack, "direct_debit_scb");
  /** Presses a key, and tells what has the focus then. */
  const press = async (key: string) => {
    await page.keyboard.press(key);
    const focused = page.locator(":focus");
    // a radio button's outline is that of the line that it is in
    const seen = await focused.evaluate((element) =>
      [element, element.parentElement].some((it) => it && getComputedStyle(it).outlineStyle !== "none"),
    );
    expect(seen, await focused.evaluate((element) => element.outerHTML)).toBe(true);
    await expect(focused).toBeInViewport({ ratio: 1 });
    return (await focused.getAttribute("value")) ?? (await focused.textContent());
  };
  const order: (string | null)[] = [];
  for (let i = 0; i < 8; i++) order.push(await press("Tab"));
  expect(order).toEqual([
    "English",
    "ไทย",
    "日本語",
    "savings",
    "approve",
    "decline",
    "Leave without answering",
    "For testing: let it fail",
  ]);
  for (const back of ["Leave without answering", "decline", "approve", "savings"]) {
    expect(await press("Shift+Tab")).toBe(back);
  }
  expect(await press("ArrowDown")).toBe("current");
  expect(await press("Tab")).toBe("approve");
  await page.keyboard.press("Enter");
  await expect(outcome(page)).toHaveAttribute("data-result", "linked");
});

test.describe("without scripts", () => {
  test.use({ javaScriptEnabled: false });

  test("in another language, away and back, and let it fail", async ({ page }) => {
    const id = await create();
    const registration = `${stack.sandboxUrl}/register?ref=${id}`;
    await page.goto(registration);
    await page.getByRole("link", { name: "ไทย" }).click();
    await expect(page).toHaveURL(`${registration}&lang=th`);
    await expect(page).toHaveTitle(/^ระบบทดสอบ ไม่ใช่ธนาคาร · .+ · ธนาคารกรุงไทย$/);

    await page.getByRole("link", { name: "ออกจากหน้านี้โดยยังไม่ตอบ" }).click();
    await expect(page).toHaveURL(`${stack.storefrontUrl}/`);
    expect(await statusOf(id)).toEqual({ status: "pending", failure_code: null });
    await page.goBack({ waitUntil: "commit" });
    await expect(page).toHaveURL(`${registration}&lang=th`);

    await page.getByText("สำหรับการทดสอบ: ทำให้ล้มเหลว").click();
    await page.getByLabel("เหตุผล", { exact: true }).selectOption("invalid_security_code");
    await page.getByRole("button", { name: "ทำให้ล้มเหลว" }).click();
    await expect(page).toHaveURL(`${stack.storefrontUrl}/return?order=7`);
    expect(await statusOf(id)).toEqual({ status: "failed", failure_code: "invalid_security_code" });

    await page.goto(`${registration}&lang=ja`);
    await expect(page.getByRole("heading", { level: 1 })).toHaveText("この申し込みは完了しませんでした");
  });
});

for (const [locale, lang, notice, approve] of [
  ["th-TH", "th", "ระบบทดสอบ — ไม่ใช่ธนาคารจริง", "ยินยอม"],
  ["ja-JP", "ja", "テスト環境です。実在の銀行ではありません。", "同意する"],
] as const) {
  test.describe(`a browser that speaks ${lang}`, () => {
    test.use({ locale });

    test("from the shop to the bank and back", async ({ page }) => {
      await signIn(page, stack, "malee");
      await leaveForBank(page, stack, "direct_debit_kbank");
      await expect(page.locator("html")).toHaveAttribute("lang", lang);
      await expect(page.getByText(notice)).toBeInViewport({ ratio: 1 });
      await page.getByRole("button", { name: approve, exact: true }).click();
      await expect(outcome(page)).toHaveAttribute("data-result", "linked");
    });
  });
}

test("each failure reaches the shop", async ({ page }) => {
  test.slow();
  await page.goto(`${stack.sandboxUrl}/register?ref=${await create()}`);
  const codes = await page
    .locator("option")
    .evaluateAll((options) => options.map((option) => (option as HTMLOptionElement).value));
  expect(codes).toHaveLength(8);
  await signIn(page, stack, "somchai");
  for (const code of codes) {
    await page.goto(stack.storefrontUrl);
    await leaveForBank(page, stack, "direct_debit_bay");
    await page.getByText("For testing: let it fail").click();
    await page.getByLabel("Reason").selectOption(code);
    const confirmed = page.waitForResponse(`${stack.workerUrl}/linked_accounts/confirm`);
    await page.getByRole("button", { name: "Let it fail" }).click();
    const { status, failure_code } = await (await confirmed).json();
    expect({ status, failure_code }).toEqual({ status: "failed", failure_code: code });
    await expect(outcome(page)).toHaveAttribute("data-result", "failed");
  }
});

for (const [device, viewport] of [
  ["a phone", { width: 390, height: 844 }],
  ["a desktop", { width: 1280, height: 800 }],
] as const) {
  test.describe(device, () => {
    test.use({ viewport });

    test("every page fits, and axe finds nothing", async ({ page }) => {
      test.slow();
      const expired = await create("direct_debit_bbl");
      await (await stack.sandboxDb())
        .prepare("UPDATE accounts SET expires_at = '2024-06-04T04:11:14Z' WHERE id = ?")
        .bind(expired)
        .run();
      const question = await create("direct_debit_ktb");
      const visits = ["en", "th", "ja"].flatMap((lang) =>
        [question, expired, "nothing"].map((ref) => `ref=${ref}&lang=${lang}`),
      );
      for (const bank of ["bay", "bbl", "kbank", "scb"]) {
        visits.push(`ref=${await create(`direct_debit_${bank}`)}`);
      }
      for (const visit of visits) {
        await page.goto(`${stack.sandboxUrl}/register?${visit}`);
        for (const closed of await page.locator("summary").all()) await closed.click();
        const { violations } = await new AxeBuilder({ page })
          .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])
          .analyze();
        const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`);
        expect.soft(found, page.url()).toEqual([]);
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        expect.soft(width, page.url()).toBe(viewport.width);
      }
    });
  });
}
