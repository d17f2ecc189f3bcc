// The steps of a journey through the shop and the bank, as every browser suite takes them.

import { type BrowserContext, expect, type Page, type TestInfo } from "@playwright/test";
import type { Stack } from "../../harness/stack.ts";

/** Opens the shop and signs in. */
export async function signIn(page: Page, stack: Stack, customer: "malee" | "somchai"): Promise<void> {
  await page.goto(stack.storefrontUrl);
  await page.getByTestId(`customer-${customer}`).click();
  await expect(page.getByTestId("link-button")).toBeVisible();
}

/** From the shop to the bank's page. */
export async function leaveForBank(page: Page, stack: Stack, type: string): Promise<void> {
  await page.getByTestId(`bank-${type}`).check();
  await page.getByTestId("link-button").click();
  await page.waitForURL(`${stack.sandboxUrl}/register?*`);
}

/** The bank's answer, and what the shop makes of it. */
export async function approve(page: Page): Promise<void> {
  await page.getByRole("button", { name: /approve/i }).click();
  await expect(page.getByTestId("outcome")).toHaveAttribute("data-result", "linked");
}

/** Collects what pages complain of: script errors, and what their policy refused. A refusal of the Worker's is none. */
export function collectComplaints(context: BrowserContext, complaints: string[]): void {
  context.on("console", (message) => {
    if (message.type() === "error" && !/status of 40[49]/.test(message.text()))
      complaints.push(message.text());
  });
  context.on("weberror", (error) => complaints.push(String(error.error())));
}

/** Takes numbered pictures of a test. */
export function camera(page: Page, info: TestInfo): (what: string) => Promise<Buffer> {
  let step = 0;
  const name = info.titlePath.slice(1).join("-").replaceAll(/\W+/g, "-");
  return (what) =>
    page.screenshot({ path: `target/screenshots/${name}-${++step}-${what}.png`, fullPage: true });
}
