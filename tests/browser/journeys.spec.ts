// A customer links a bank account, end to end, in a real browser: three origins, the packed package, real workerd and D1.

import { readdirSync, readFileSync } from "node:fs";
import { type BrowserContext, expect, type Page, test } from "@playwright/test";
import { BUILT, randomSecrets, type Stack, startStack } from "../../harness/stack.ts";
import { Canary } from "./canary.ts";
import { approve, camera, collectComplaints, leaveForBank, signIn } from "./journey.ts";

const canary = new Canary();
let stack: Stack;

test.beforeAll(async () => {
  stack = await startStack({
    secrets: randomSecrets(),
    storefront: true,
    log: (line) => canary.add("log", line),
  });
});
test.afterAll(() => stack?.dispose());

// Whatever the page complains about is a failure: a script error, or something that the policy refused.
const complaints: string[] = [];
test.beforeEach(({ context }) => {
  complaints.length = 0;
  watch(context);
});
test.afterEach(() => expect(complaints).toEqual([]));

/** Feeds the canary with every answer that the browser gets, headers included. */
function watch(context: BrowserContext): void {
  collectComplaints(context, complaints);
  context.on("response", async (response) => {
    const origin = new URL(response.url()).origin;
    const part = new Map([
      [stack.workerUrl, "worker"],
      [stack.sandboxUrl, "bank"],
      [stack.storefrontUrl, "storefront"],
    ]).get(origin);
    canary.add(part ?? "elsewhere", `${response.url()} ${JSON.stringify(await response.allHeaders())}`);
    // a redirect has no body
    canary.add(part ?? "elsewhere", await response.body().catch(() => ""));
  });
  context.on("console", (message) => canary.add("console", message.text()));
}

async function linkAccount(page: Page, type: string): Promise<void> {
  await leaveForBank(page, stack, type);
  await approve(page);
}

for (const [device, viewport] of [
  ["desktop", { width: 1280, height: 800 }],
  ["phone", { width: 390, height: 844 }],
] as const) {
  test.describe(device, () => {
    test.use({ viewport });

    test("approve, see the last four digits, unlink", async ({ page }, info) => {
      const shoot = camera(page, info);
      await page.goto(stack.storefrontUrl);
      await shoot("shop");
      await signIn(page, stack, "malee");
      await page.getByTestId("bank-direct_debit_kbank").check();
      await shoot("choose-bank");
      await leaveForBank(page, stack, "direct_debit_kbank");
      await expect(page.getByText("Kasikornbank").first()).toBeVisible();
      await page.getByRole("radio").last().check();
      const digits = /(\d{4})\s*$/.exec(
        ((await page.getByRole("radio", { checked: true }).locator("..").textContent()) ?? "").trim(),
      );
      await shoot("bank");
      await page.getByRole("button", { name: /approve/i }).click();

      await page.waitForURL(`${stack.storefrontUrl}/return`);
      await expect(page.getByTestId("outcome")).toHaveAttribute("data-result", "linked");
      await expect(page.getByTestId("outcome")).toContainText(digits?.[1] ?? "no digits on the bank's page");
      expect(page.url(), "link_state has left the address bar").toBe(`${stack.storefrontUrl}/return`);
      await shoot("linked");

      await page.getByRole("link", { name: /back to the shop/i }).click();
      const row = page.getByTestId("accounts").getByRole("listitem");
      await expect(row).toHaveAttribute("data-status", "successful");
      await expect(row).toContainText("Ready to pay with");
      await expect(row).toContainText(digits?.[1] ?? "");
      await shoot("accounts");
      await row.getByTestId("unlink-button").click();
      await shoot("unlink");
      await page.getByTestId("confirm-unlink").click();
      await expect(row).toHaveAttribute("data-status", "deleted");
      await shoot("unlinked");
      await page.reload();
      await expect(page.getByTestId("link-button")).toBeVisible();
      await expect(row).toHaveCount(0);
    });

    test("decline", async ({ page }, info) => {
      const shoot = camera(page, info);
      await signIn(page, stack, "malee");
      await leaveForBank(page, stack, "direct_debit_scb");
      await shoot("bank");
      await page.getByRole("button", { name: /decline/i }).click();
      await expect(page.getByTestId("outcome")).toHaveAttribute("data-result", "failed");
      await expect(page.getByTestId("outcome")).toContainText("declined at your bank");
      await shoot("declined");
    });
  });
}

test("come back in a new tab", async ({ page, context }, info) => {
  await signIn(page, stack, "malee");
  await leaveForBank(page, stack, "direct_debit_ktb");
  const registration = page.url();
  const tab = await context.newPage();
  await tab.goto(registration);
  await tab.getByRole("button", { name: /approve/i }).click();
  await expect(tab.getByTestId("outcome")).toHaveAttribute("data-result", "linked");
  await camera(tab, info)("linked");
  // the first tab is still at the bank, which has its answer already
  await page.reload();
  await expect(page.getByRole("button", { name: /approve/i })).toHaveCount(0);
  await camera(page, info)("answered-already");
});

test("reload on the return page", async ({ page }, info) => {
  await signIn(page, stack, "malee");
  await linkAccount(page, "direct_debit_bay");
  const words = await page.getByTestId("outcome").textContent();
  await page.reload();
  await expect(page.getByTestId("outcome")).toHaveAttribute("data-result", "linked");
  expect(await page.getByTestId("outcome").textContent()).toBe(words);
  await camera(page, info)("reloaded");
});

test("unlink by keyboard alone", async ({ page }) => {
  await signIn(page, stack, "somchai");
  await linkAccount(page, "direct_debit_scb");
  await page.goto(stack.storefrontUrl);
  const row = page.getByTestId("accounts").getByRole("listitem");
  await row.getByTestId("unlink-button").focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog")).toBeVisible();
  await page.getByTestId("confirm-unlink").focus();
  await page.keyboard.press("Enter");
  await expect(row).toHaveAttribute("data-status", "deleted");
});

test("a second customer sees nothing of the first one's, and cannot use a return of theirs", async ({
  page,
  browser,
}, info) => {
  await signIn(page, stack, "malee");
  await leaveForBank(page, stack, "direct_debit_kbank");
  const registration = page.url();
  const id = new URL(registration).searchParams.get("ref") ?? "";

  const other = await browser.newContext();
  watch(other);
  const somchai = await other.newPage();
  await signIn(somchai, stack, "somchai");
  await somchai.goto(registration);
  await somchai.getByRole("button", { name: /approve/i }).click();
  await expect(somchai.getByTestId("error")).toHaveAttribute("data-reason", "not_found");
  await camera(somchai, info)("not-theirs");
  const seen = await somchai.evaluate(
    async ([id, endpoint]) => {
      const { createClient } = await import("omise-linked-accounts" as string);
      const { token } = await (
        await fetch("/token", { method: "POST", headers: { "Content-Type": "application/json" } })
      ).json();
      const links = createClient({ endpoint, getToken: () => token });
      const refusal = (error: { reason: string; status: number }) => `${error.status} ${error.reason}`;
      return [await links.retrieve(id).catch(refusal), await links.delete(id).catch(refusal)];
    },
    [id, stack.workerUrl],
  );
  expect(seen).toEqual(["404 not_found", "404 not_found"]);
  await other.close();

  // approved by another, so never confirmed: its owner has not come back through it
  const rows = await stack.customer("customer-malee").sql("SELECT confirmed_at FROM links WHERE id = ?", id);
  expect(rows).toEqual([{ confirmed_at: null }]);
});

test.describe("when the Worker cannot be reached", () => {
  test("the shop says so, and trying again works", async ({ page, context }, info) => {
    await signIn(page, stack, "malee");
    await context.route(`${stack.workerUrl}/**`, (route) => route.abort("connectionrefused"));
    await page.getByTestId("bank-direct_debit_bay").check();
    await page.getByTestId("link-button").click();
    await expect(page.getByTestId("error").last()).toHaveAttribute("data-reason", "network_failed");
    await camera(page, info)("offline");
    complaints.length = 0;
    await context.unroute(`${stack.workerUrl}/**`);
    await page.getByTestId("link-button").click();
    await page.waitForURL(`${stack.sandboxUrl}/register?*`);
  });
});

test("the secret key is in nothing that was sent, packed or logged", () => {
  const npm = `target/npm${BUILT}`;
  for (const name of readdirSync(npm).filter((name) => name.endsWith(".tgz"))) {
    canary.addGzip(`package ${name}`, readFileSync(`${npm}/${name}`));
  }
  const parts = [...canary.sizes().keys()];
  for (const part of ["worker", "bank", "storefront", "package", "log"]) expect(parts).toContain(part);
  expect(parts).not.toContain("elsewhere");
  for (const name of ["omise_secret_key", "webhook_secret"] as const) {
    expect(canary.find(stack.env[name])).toEqual([]);
  }
  expect(canary.find(stack.env.session.secret)).toEqual([]);

  // and it would have been found
  const basic = Buffer.from(`${stack.env.omise_secret_key}:`).toString("base64");
  for (const leak of [`{"key":"${stack.env.omise_secret_key}"}`, `Authorization: Basic ${basic}`]) {
    const leaky = new Canary();
    leaky.add("worker", leak);
    expect(leaky.find(stack.env.omise_secret_key)).toEqual(["worker"]);
  }
});
