// The same journey over a network that fails in the ways a phone's does, with the page's clock wrong, and with a host that serves the
// package badly. Whatever happens, one click makes one account, and the page says what to do.

import { type BrowserContext, expect, type Page, type Request, type Route, test } from "@playwright/test";
import { token } from "../../harness/session.ts";
import { randomSecrets, type Stack, startStack } from "../../harness/stack.ts";
import { register } from "../support/customer.ts";
import { approve, camera, leaveForBank, signIn } from "./journey.ts";

const BANK = "direct_debit_kbank";

// Each worker has a stack of its own, emptied before each test.
test.describe.configure({ mode: "parallel" });

let stack: Stack;
test.beforeAll(async () => {
  stack = await startStack({ secrets: randomSecrets(), storefront: true });
});
test.afterAll(() => stack?.dispose());

// What fails is told on the page; an error that nobody caught is a failure whatever the network did.
const uncaught: string[] = [];
test.beforeEach(async ({ context }) => {
  uncaught.length = 0;
  context.on("weberror", (error) => uncaught.push(String(error.error())));
  // each test's customers are new ones
  for (const subject of ["customer-malee", "customer-somchai"]) {
    const object = stack.customer(subject);
    const [table] = await object.sql("SELECT name FROM sqlite_master WHERE name = 'links'");
    if (table) await object.sql("DELETE FROM attempts; DELETE FROM links");
  }
  await (await stack.sandboxDb()).prepare("DELETE FROM accounts").run();
});
test.afterEach(() => expect(uncaught).toEqual([]));

/** What Omise has made. */
async function accounts(): Promise<{ id: string; status: string; return_uri: string }[]> {
  const db = await stack.sandboxDb();
  return (
    await db.prepare("SELECT id, status, return_uri FROM accounts").all<{
      id: string;
      status: string;
      return_uri: string;
    }>()
  ).results;
}

async function expectOneAccount(status: string): Promise<void> {
  expect((await accounts()).map((account) => account.status)).toEqual([status]);
}

/** The account that a bank's page is about. */
const referenceOf = (page: Page) => new URL(page.url()).searchParams.get("ref");

const createUrl = () => `${stack.workerUrl}/linked_accounts`;
const confirmUrl = () => `${stack.workerUrl}/linked_accounts/confirm`;

/** Notes what is asked of the Worker under a method and an address. */
function watchFor(context: BrowserContext, method: string, url: string): Request[] {
  const seen: Request[] = [];
  context.on("request", (request) => {
    if (request.method() === method && request.url() === url) seen.push(request);
  });
  return seen;
}

const keyOf = (request: Request | undefined) => request?.headers()["idempotency-key"];

/** What becomes of the next request to an address. Later ones are let through: a route that is taken away hides requests of then. */
async function meetNext(
  where: BrowserContext | Page,
  url: string,
  meet: (route: Route) => Promise<void>,
): Promise<void> {
  let met = false;
  await where.route(url, (route) => {
    if (met) return route.continue();
    met = true;
    return meet(route);
  });
}

/** The next request to an address is answered, and its answer does not arrive. */
async function loseNextAnswer(context: BrowserContext, url: string): Promise<void> {
  const lose = async (route: Route) => {
    await route.fetch();
    await route.abort("connectionreset");
  };
  await meetNext(context, url, lose);
}

/** The network goes away as an address is asked for, and stays away. */
async function goOfflineAt(context: BrowserContext, url: string): Promise<void> {
  const leave = async (route: Route) => {
    await context.setOffline(true);
    await route.abort("internetdisconnected");
  };
  await meetNext(context, url, leave);
}

/** A gate that holds what comes until it is opened. */
function gate(): { opened: Promise<void>; open: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}

const error = (page: Page) => page.getByTestId("error");
const tryAgain = (page: Page) => error(page).getByRole("button", { name: "Try again" });
const linkButton = (page: Page) => page.getByTestId("link-button");

/** Chooses the bank and presses the button, and does not wait for what comes. */
async function link(page: Page): Promise<void> {
  await page.getByTestId(`bank-${BANK}`).check();
  await linkButton(page).click();
}

/** What the shop's own client comes to in a page of the shop. */
function waitFor(page: Page, id: string | undefined): Promise<string> {
  return page.evaluate(async (id) => {
    const { links } = await import("/links.js" as string);
    return (await links.waitFor(id)).result;
  }, id);
}

/** What asking for the banks comes to, in the words for developers. */
function banksIn(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const { links } = await import("/links.js" as string);
    return links.banks().then(
      (banks: unknown[]) => `${banks.length} banks`,
      (error: { name: string; reason: string; message: string }) =>
        `${error.name} ${error.reason}: ${error.message}`,
    );
  });
}

async function expectAtBank(page: Page): Promise<void> {
  await page.waitForURL(`${stack.sandboxUrl}/register?*`);
}

test.describe("offline", () => {
  test("while the page loads: it says so, and loading it again works", async ({ page }, info) => {
    await meetNext(page, "**/app.js", (route) => route.abort("internetdisconnected"));
    await page.goto(stack.storefrontUrl);
    await expect(page.getByText(/check your connection/i)).toBeVisible();
    await camera(page, info)("not-loaded");
    await page.reload();
    await expect(page.getByTestId("customer-malee")).toBeVisible();
    await expect(page.getByText(/check your connection/i)).toHaveCount(0);
  });

  test("before the package is loaded: the call says so, and calling again works", async ({
    page,
    context,
  }) => {
    await page.goto(stack.storefrontUrl);
    await expect(page.getByTestId("customer-malee")).toBeVisible();
    await context.setOffline(true);
    expect(await banksIn(page)).toMatch(/^NetworkError offline: /);
    await context.setOffline(false);
    expect(await banksIn(page)).toBe("4 banks");
  });

  for (const file of ["client.js", "wasm-*/client.js", "wasm-*/client-bytes.js"]) {
    test(`when ${file} is asked for: the page says so, and trying again works`, async ({ page, context }) => {
      await goOfflineAt(context, `${stack.storefrontUrl}/vendor/omise-linked-accounts/${file}`);
      await page.goto(stack.storefrontUrl);
      await page.getByTestId("customer-malee").click();
      await expect(error(page)).toHaveAttribute("data-reason", /^(offline|load_failed)$/);
      await context.setOffline(false);
      await tryAgain(page).click();
      await link(page);
      await expectAtBank(page);
      await approve(page);
      await expectOneAccount("successful");
    });
  }

  test("at the click: the page says so, and trying again works", async ({ page, context }, info) => {
    await signIn(page, stack, "malee");
    await context.setOffline(true);
    await link(page);
    await expect(error(page)).toHaveAttribute("data-reason", "offline");
    await expect(error(page)).toContainText(/connection/i);
    await camera(page, info)("offline");
    expect(await accounts()).toEqual([]);
    await context.setOffline(false);
    await tryAgain(page).click();
    await expectAtBank(page);
    await approve(page);
    await expectOneAccount("successful");
  });

  test("as the create is sent: the page says so, and trying again works", async ({ page, context }) => {
    await signIn(page, stack, "malee");
    await goOfflineAt(context, createUrl());
    await link(page);
    await expect(error(page)).toHaveAttribute("data-reason", "offline");
    await context.setOffline(false);
    await tryAgain(page).click();
    await expectAtBank(page);
    await approve(page);
    await expectOneAccount("successful");
  });

  test("on the return page: it says so, and trying again works", async ({ page, context }, info) => {
    await signIn(page, stack, "malee");
    await leaveForBank(page, stack, BANK);
    await goOfflineAt(context, confirmUrl());
    await page.getByRole("button", { name: /approve/i }).click();
    await expect(error(page)).toHaveAttribute("data-reason", "offline");
    await camera(page, info)("offline");
    await context.setOffline(false);
    await tryAgain(page).click();
    await expect(page.getByTestId("outcome")).toHaveAttribute("data-result", "linked");
    await expectOneAccount("successful");
  });

  test("while the bank's answer is waited for: it is waited on", async ({ page, context }) => {
    await signIn(page, stack, "malee");
    await leaveForBank(page, stack, BANK);
    const registration = page.url();
    const [pending] = await accounts();
    await page.goto(stack.storefrontUrl);
    const asked = page.waitForRequest(`${createUrl()}/${pending?.id}`);
    const outcome = waitFor(page, pending?.id);
    await asked;
    await context.setOffline(true);
    await register(registration, "approve");
    await context.setOffline(false);
    expect(await outcome).toBe("linked");
  });
});

test.describe("a connection that is reset", () => {
  test("before the Worker hears of the create: the same call is made again", async ({ page, context }) => {
    await signIn(page, stack, "malee");
    const creates = watchFor(context, "POST", createUrl());
    await meetNext(context, createUrl(), (route) => route.abort("connectionreset"));
    await link(page);
    await expect(error(page)).toHaveAttribute("data-reason", "network_failed");
    await linkButton(page).click();
    await expectAtBank(page);
    expect(creates).toHaveLength(2);
    expect(keyOf(creates[1])).toBe(keyOf(creates[0]));
    await expectOneAccount("pending");
  });

  test("after the Worker made the account: clicking again goes on with that account", async ({
    page,
    context,
  }) => {
    await signIn(page, stack, "malee");
    const creates = watchFor(context, "POST", createUrl());
    await loseNextAnswer(context, createUrl());
    await link(page);
    await expect(error(page)).toHaveAttribute("data-reason", "network_failed");
    await expectOneAccount("pending");
    const [made] = await accounts();
    const answer = page.waitForResponse(createUrl());
    await linkButton(page).click();
    expect(await (await answer).headerValue("Idempotent-Replayed")).toBe("true");
    await expectAtBank(page);
    expect(referenceOf(page)).toBe(made?.id);
    expect(keyOf(creates[1])).toBe(keyOf(creates[0]));
    await approve(page);
    await expectOneAccount("successful");
  });

  test("after the Worker made the account, and the page is reloaded: it goes on with that account", async ({
    page,
    context,
  }, info) => {
    await signIn(page, stack, "malee");
    await loseNextAnswer(context, createUrl());
    await link(page);
    await expect(error(page)).toHaveAttribute("data-reason", "network_failed");
    const [made] = await accounts();
    await page.reload();
    await expect(page.getByTestId(`account-${made?.id}`)).toHaveAttribute("data-status", "pending");
    const shoot = camera(page, info);
    await shoot("waiting");
    await page.setViewportSize({ width: 390, height: 844 });
    await shoot("waiting-on-a-phone");
    await link(page);
    await expectAtBank(page);
    expect(referenceOf(page)).toBe(made?.id);
    await expectOneAccount("pending");
  });

  test("after the Worker made the account, which is declined elsewhere: clicking again begins anew", async ({
    page,
    context,
  }) => {
    await signIn(page, stack, "malee");
    await loseNextAnswer(context, createUrl());
    await link(page);
    await expect(error(page)).toHaveAttribute("data-reason", "network_failed");
    const [made] = await accounts();
    await register(`${stack.sandboxUrl}/register?ref=${made?.id}`, "decline");
    await linkButton(page).click();
    await expectAtBank(page);
    expect(referenceOf(page)).not.toBe(made?.id);
  });

  test("after the Worker confirmed: trying again gives the same answer", async ({ page, context }) => {
    await signIn(page, stack, "malee");
    await leaveForBank(page, stack, BANK);
    await loseNextAnswer(context, confirmUrl());
    await page.getByRole("button", { name: /approve/i }).click();
    await expect(error(page)).toHaveAttribute("data-reason", "network_failed");
    await tryAgain(page).click();
    await expect(page.getByTestId("outcome")).toHaveAttribute("data-result", "linked");
    await expectOneAccount("successful");
  });

  test("while the bank's answer is waited for: it is waited on", async ({ page, context }) => {
    await signIn(page, stack, "malee");
    await leaveForBank(page, stack, BANK);
    const registration = page.url();
    const [pending] = await accounts();
    const reads = watchFor(context, "GET", `${createUrl()}/${pending?.id}`);
    const reset = async (route: Route) => {
      await register(registration, "approve");
      await route.abort("connectionreset");
    };
    await meetNext(context, `${createUrl()}/${pending?.id}`, reset);
    await page.goto(pending?.return_uri ?? "");
    await expect(page.getByTestId("outcome")).toHaveAttribute("data-result", "linked");
    expect(reads.length).toBeGreaterThan(1);
  });
});

test.describe("slow", () => {
  test("an answer that takes its time: the button says so and clicks once", async ({
    page,
    context,
  }, info) => {
    await signIn(page, stack, "malee");
    const creates = watchFor(context, "POST", createUrl());
    const slow = gate();
    await context.route(createUrl(), async (route) => {
      await slow.opened;
      await route.continue();
    });
    await link(page);
    await expect(linkButton(page)).toHaveText("Taking you to Kasikornbank…");
    await expect(linkButton(page)).toHaveAttribute("aria-disabled", "true");
    await camera(page, info)("waiting");
    // not waiting for it to be enabled, as nobody does
    await linkButton(page).click({ force: true });
    await linkButton(page).click({ force: true });
    slow.open();
    await expectAtBank(page);
    expect(creates).toHaveLength(1);
    await expectOneAccount("pending");
  });

  test("everything: the whole journey works", async ({ page, context }) => {
    const devtools = await context.newCDPSession(page);
    await devtools.send("Network.enable");
    await devtools.send("Network.emulateNetworkConditions", {
      offline: false,
      latency: 300,
      downloadThroughput: 50_000,
      uploadThroughput: 25_000,
    });
    await signIn(page, stack, "malee");
    await leaveForBank(page, stack, BANK);
    await approve(page);
    await expectOneAccount("successful");
  });
});

test.describe("delivered twice", () => {
  test("one after the other: the second answer is the first account's", async ({ page, context }) => {
    await signIn(page, stack, "malee");
    const statuses: number[] = [];
    const twice = async (route: Route) => {
      statuses.push((await route.fetch()).status());
      const response = await route.fetch();
      statuses.push(response.status());
      await route.fulfill({ response });
    };
    await meetNext(context, createUrl(), twice);
    await link(page);
    await expectAtBank(page);
    expect(statuses).toEqual([200, 200]);
    await approve(page);
    await expectOneAccount("successful");
  });

  test("both at once: one account, whichever answer arrives", async ({ page, context }) => {
    await signIn(page, stack, "malee");
    const statuses: number[] = [];
    const twice = async (route: Route) => {
      const answers = await Promise.all([route.fetch(), route.fetch()]);
      answers.sort((one, other) => other.status() - one.status());
      statuses.push(...answers.map((answer) => answer.status()));
      // the worse one
      await route.fulfill({ response: answers[0] as NonNullable<(typeof answers)[0]> });
    };
    await meetNext(context, createUrl(), twice);
    await link(page);
    // told to wait, the customer clicks once more
    await expect(error(page).or(page.getByRole("button", { name: /approve/i }))).toBeVisible();
    if (statuses[0] !== 200) await tryAgain(page).click();
    await expectAtBank(page);
    expect(statuses[1]).toBe(200);
    await approve(page);
    await expectOneAccount("successful");
  });
});

test.describe("more clicks than one", () => {
  test("a double click makes one account", async ({ page, context }) => {
    await signIn(page, stack, "malee");
    const creates = watchFor(context, "POST", createUrl());
    await page.getByTestId(`bank-${BANK}`).check();
    await linkButton(page).dblclick();
    await expectAtBank(page);
    expect(creates).toHaveLength(1);
    await expectOneAccount("pending");
  });

  test("calls at once are one, without any care of the shop's", async ({ page, context }) => {
    await signIn(page, stack, "malee");
    const creates = watchFor(context, "POST", createUrl());
    const ids = await page.evaluate(async (type) => {
      const { links, returnUri } = await import("/links.js" as string);
      const calls = [1, 2, 3].map(() => links.create({ type, returnUri }));
      return (await Promise.all(calls)).map(({ id }) => id);
    }, BANK);
    expect(new Set(ids).size).toBe(1);
    expect(creates).toHaveLength(1);
    await expectOneAccount("pending");
  });

  test("a click in each of two tabs: both go to the same registration", async ({ page, context }) => {
    await signIn(page, stack, "malee");
    const other = await context.newPage();
    await other.goto(stack.storefrontUrl);
    // made, and not told to the first tab yet
    const made = gate();
    const slow = gate();
    const hold = async (route: Route) => {
      const response = await route.fetch();
      made.open();
      await slow.opened;
      await route.fulfill({ response });
    };
    await page.route(createUrl(), hold);
    await link(page);
    await made.opened;
    await link(other);
    await expectAtBank(other);
    slow.open();
    await expectAtBank(page);
    expect(referenceOf(other)).toBe(referenceOf(page));
    await expectOneAccount("pending");
  });
});

test.describe("back from the bank by the Back button", () => {
  /** The page comes as it was left, from the browser's cache: nothing loads. */
  async function goBack(page: Page): Promise<void> {
    await page.goBack({ waitUntil: "commit" });
    await expect(linkButton(page)).toBeVisible();
  }

  test("the page is as it was left, its button works, and goes on to the same registration", async ({
    page,
  }, info) => {
    await signIn(page, stack, "malee");
    await page.evaluate(() => document.documentElement.classList.add("as-it-was-left"));
    await leaveForBank(page, stack, BANK);
    const reference = referenceOf(page);
    await goBack(page);
    await expect(page.locator("html")).toHaveClass("as-it-was-left");
    await expect(page.getByTestId(`account-${reference}`)).toHaveAttribute("data-status", "pending");
    await expect(linkButton(page)).toHaveText("Link bank account");
    await expect(linkButton(page)).toHaveAttribute("aria-disabled", "false");
    await camera(page, info)("back");
    await link(page);
    await expectAtBank(page);
    expect(referenceOf(page)).toBe(reference);
    await approve(page);
    await expectOneAccount("successful");
  });

  test("without a network: the page says so, and trying again works", async ({ page, context }) => {
    await signIn(page, stack, "malee");
    await leaveForBank(page, stack, BANK);
    const reference = referenceOf(page);
    await context.setOffline(true);
    await page.goBack({ waitUntil: "commit" });
    await expect(error(page)).toContainText(/connection/i);
    await context.setOffline(false);
    await tryAgain(page).click();
    await link(page);
    await expectAtBank(page);
    expect(referenceOf(page)).toBe(reference);
    await expectOneAccount("pending");
  });

  test("the account that waits can be gone on with, or started over", async ({ page }) => {
    await signIn(page, stack, "malee");
    await leaveForBank(page, stack, BANK);
    const reference = referenceOf(page);
    await goBack(page);
    await page.getByRole("button", { name: "Continue", exact: true }).click();
    await expectAtBank(page);
    expect(referenceOf(page)).toBe(reference);
    await goBack(page);
    await page.getByRole("button", { name: "Start over" }).click();
    await expectAtBank(page);
    expect(referenceOf(page)).not.toBe(reference);
    expect(await accounts()).toHaveLength(2);
  });
});

test.describe("somewhere else", () => {
  test("another browser of the same customer finishes what this one began", async ({ page, browser }) => {
    await signIn(page, stack, "malee");
    await leaveForBank(page, stack, BANK);
    const registration = page.url();
    const device = await browser.newContext();
    try {
      const phone = await device.newPage();
      await signIn(phone, stack, "malee");
      await phone.goto(registration);
      await approve(phone);
    } finally {
      await device.close();
    }
    await page.goto(stack.storefrontUrl);
    await expect(page.getByTestId("accounts").getByRole("listitem")).toContainText("Ready to pay with");
    await expectOneAccount("successful");
  });

  test("a browser where nobody is signed in finishes once its customer signs in", async ({
    page,
    browser,
  }) => {
    await signIn(page, stack, "malee");
    await leaveForBank(page, stack, BANK);
    const registration = page.url();
    const device = await browser.newContext();
    try {
      const phone = await device.newPage();
      await phone.goto(registration);
      await phone.getByRole("button", { name: /approve/i }).click();
      await phone.getByTestId("customer-malee").click();
      await expect(phone.getByTestId("outcome")).toHaveAttribute("data-result", "linked");
    } finally {
      await device.close();
    }
    await expectOneAccount("successful");
  });

  test("one return in two tabs at once: both say the same", async ({ page, context }) => {
    await signIn(page, stack, "malee");
    await leaveForBank(page, stack, BANK);
    const registration = page.url();
    const [pending] = await accounts();
    const other = await context.newPage();
    const open = async (tab: Page) => {
      const asked = tab.waitForRequest(`${createUrl()}/${pending?.id}`);
      await tab.goto(pending?.return_uri ?? "");
      await asked;
    };
    await Promise.all([page, other].map(open));
    await register(registration, "approve");
    for (const tab of [page, other]) {
      await expect(tab.getByTestId("outcome")).toHaveAttribute("data-result", "linked");
    }
  });
});

for (const hours of [-1, 1]) {
  test.describe(`the page's clock ${Math.abs(hours)} h ${hours < 0 ? "behind" : "ahead"}`, () => {
    const setClock = async (page: Page) => {
      await page.clock.setSystemTime(Date.now() + hours * 3_600_000);
    };
    const expiresIn = async (seconds: number) => {
      const at = `${new Date(Date.now() + seconds * 1000).toISOString().slice(0, 19)}Z`;
      await (await stack.sandboxDb()).prepare("UPDATE accounts SET expires_at = ?").bind(at).run();
    };

    test("resume waits for an account that has ten minutes left", async ({ page }) => {
      await setClock(page);
      await signIn(page, stack, "malee");
      const shift = (await page.evaluate(() => Date.now())) - Date.now();
      expect(Math.round(shift / 3_600_000), "the page believes it").toBe(hours);
      await leaveForBank(page, stack, BANK);
      const registration = page.url();
      await expiresIn(600);
      const [pending] = await accounts();
      // which Cloudflare adds
      await meetNext(page, confirmUrl(), async (route) => {
        const response = await route.fetch();
        const headers = { ...response.headers(), date: new Date().toUTCString() };
        await route.fulfill({ response, headers });
      });
      const asked = page.waitForRequest(`${createUrl()}/${pending?.id}`);
      await page.goto(pending?.return_uri ?? "");
      await asked;
      await expect(page.getByTestId("outcome")).toHaveAttribute("data-result", "checking");
      await register(registration, "approve");
      await expect(page.getByTestId("outcome")).toHaveAttribute("data-result", "linked");
    });

    test("waitFor waits for an account that has ten minutes left, though no answer is held", async ({
      page,
    }) => {
      await setClock(page);
      await signIn(page, stack, "malee");
      await leaveForBank(page, stack, BANK);
      const registration = page.url();
      const [pending] = await accounts();
      const url = `${createUrl()}/${pending?.id}`;
      // before anything reads the account: the Worker shares a reading for some seconds
      await expiresIn(600);
      await page.goto(stack.storefrontUrl);
      await expect(linkButton(page)).toBeVisible();
      let asked = 0;
      const again = gate();
      // a proxy that drops `Prefer`
      await page.route(url, (route) => {
        asked += 1;
        if (asked === 2) again.open();
        const { prefer: _, ...headers } = route.request().headers();
        return route.continue({ headers });
      });
      const outcome = waitFor(page, pending?.id);
      expect(await Promise.race([outcome, again.opened])).toBeUndefined();
      await register(registration, "approve");
      expect(await outcome).toBe("linked");
    });

    test("waitFor waits no longer than an account has", async ({ page }) => {
      await setClock(page);
      await signIn(page, stack, "malee");
      await leaveForBank(page, stack, BANK);
      const [pending] = await accounts();
      await page.goto(stack.storefrontUrl);
      await expect(linkButton(page)).toBeVisible();
      await expiresIn(5);
      expect(await waitFor(page, pending?.id)).toBe("expired");
    });
  });
}

test.describe("a token that has expired", () => {
  /** The shop's next token is of a session long over. */
  async function expireNextToken(page: Page): Promise<() => number> {
    const now = Math.floor(Date.now() / 1000);
    const old = token(stack.env.session, { sub: "customer-malee", iat: now - 600, exp: now - 300 });
    let asked = 0;
    page.on("request", (request) => {
      if (request.url() === `${stack.storefrontUrl}/token`) asked += 1;
    });
    await meetNext(page, `${stack.storefrontUrl}/token`, (route) => route.fulfill({ json: { token: old } }));
    return () => asked;
  }

  test("at the click: another is asked for once, and one account is made", async ({ page, context }) => {
    await signIn(page, stack, "malee");
    const creates = watchFor(context, "POST", createUrl());
    const asked = await expireNextToken(page);
    await link(page);
    await expectAtBank(page);
    const statuses = await Promise.all(creates.map(async (request) => (await request.response())?.status()));
    expect(statuses).toEqual([401, 200]);
    expect(keyOf(creates[1])).toBe(keyOf(creates[0]));
    expect(asked()).toBe(2);
    await expectOneAccount("pending");
  });

  test("on the return page: another is asked for once, and the account is confirmed", async ({
    page,
    context,
  }) => {
    await signIn(page, stack, "malee");
    await leaveForBank(page, stack, BANK);
    const confirms = watchFor(context, "POST", confirmUrl());
    await expireNextToken(page);
    await approve(page);
    const statuses = await Promise.all(confirms.map(async (request) => (await request.response())?.status()));
    expect(statuses).toEqual([401, 200]);
  });

  test("and whose customer is signed out: the page asks to sign in again", async ({ page, context }) => {
    await signIn(page, stack, "malee");
    await context.clearCookies();
    await link(page);
    await expect(error(page)).toContainText("Please sign in again.");
    await error(page).getByRole("button", { name: "Sign in again" }).click();
    await page.getByTestId("customer-malee").click();
    await link(page);
    await expectAtBank(page);
    await expectOneAccount("pending");
  });
});

test.describe("a host that serves the package badly", () => {
  test("a policy without 'wasm-unsafe-eval': customer and developer are told what to do", async ({
    page,
  }, info) => {
    await page.route(`${stack.storefrontUrl}/`, async (route) => {
      const response = await route.fetch();
      const headers = response.headers();
      const policy = headers["content-security-policy"]?.replace("'wasm-unsafe-eval'", "") ?? "";
      await route.fulfill({ response, headers: { ...headers, "content-security-policy": policy } });
    });
    await page.goto(stack.storefrontUrl);
    await page.getByTestId("customer-malee").click();
    await expect(error(page)).toHaveAttribute("data-reason", "wasm_blocked");
    await expect(error(page)).toContainText("please tell the shop");
    await camera(page, info)("blocked");
    expect(await banksIn(page)).toMatch(/^LoadError wasm_blocked: .*'wasm-unsafe-eval'/);
    await page.unroute(`${stack.storefrontUrl}/`);
    await page.reload();
    await expect(linkButton(page)).toBeVisible();
  });

  test("a page in the module's place: customer and developer are told what to do, and it is tried again", async ({
    page,
  }, info) => {
    const wasm = `${stack.storefrontUrl}/vendor/omise-linked-accounts/wasm-*/client-bytes.js`;
    await page.route(wasm, (route) =>
      route.fulfill({ contentType: "text/html", body: "<!doctype html><title>Not here</title>" }),
    );
    await page.goto(stack.storefrontUrl);
    await page.getByTestId("customer-malee").click();
    await expect(error(page)).toHaveAttribute("data-reason", "load_failed");
    await expect(error(page)).toContainText("Reload it");
    await camera(page, info)("wrong-type");
    expect(await banksIn(page)).toMatch(/^LoadError load_failed: .*see cause/);
    await page.unroute(wasm);
    await tryAgain(page).click();
    await expect(linkButton(page)).toBeVisible();
  });
});
