// What both pages share: the shop's own backend, its words, and a few lines of DOM.

import { isLinkedAccountsError } from "omise-linked-accounts";

/** @typedef {import("omise-linked-accounts").LinkedAccount} LinkedAccount */
/** @typedef {{ label: string, run: () => unknown, quiet?: boolean }} Action */

/** @type {Map<string, import("omise-linked-accounts").Bank>} */
const banks = new Map();

/** The shop's banks are those that its Worker has. @param {import("omise-linked-accounts").Bank[]} list */
export function rememberBanks(list) {
  for (const bank of list) banks.set(bank.type, bank);
}

/** An account may be at a bank that the shop has no more. @param {string} type */
export function bankOf(type) {
  const bank = banks.get(type);
  return { name: bank?.names.en ?? "Your bank", short: bank?.short_code ?? "BANK", note: bank?.note?.en };
}

/** What went wrong between the page and the shop's own backend, in words for the customer. */
class ShopError extends Error {
  signedOut = false;
}

/**
 * Asks the shop's own backend.
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 */
export async function api(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  const options = { method, headers, body: body === undefined ? null : JSON.stringify(body) };
  const response = await fetch(path, options).catch(() => {
    throw new ShopError("The shop cannot be reached. Please check your connection.");
  });
  if (response.status === 401) {
    throw Object.assign(new ShopError("You are signed out. Please sign in again."), { signedOut: true });
  }
  if (!response.ok) throw new ShopError(`The shop could not do that just now (${response.status}).`);
  return response.status === 204 ? null : response.json();
}

/** @param {string} id @returns {any} The element of this page; any, since each caller knows its own HTML. */
export const byId = (id) => document.getElementById(id);

/**
 * Children that are strings become text nodes. Nothing on these pages is ever parsed as HTML.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} children
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** @param {Action} action */
export function actionButton({ label, run, quiet }) {
  const button = el("button", { type: "button", class: quiet ? "button quiet" : "button" }, label);
  button.addEventListener("click", () => run());
  return button;
}

/** The bank's colour with its initials, beside a name in words. @param {string} type */
export const swatch = (type) =>
  el("span", { class: "swatch", "data-bank": type, "aria-hidden": "true" }, bankOf(type).short);

/** Four dots for the eye, words for a screen reader. @param {LinkedAccount} account */
export function digits(account) {
  if (!account.last_digits) return el("span");
  return el(
    "span",
    { class: "digits" },
    el("span", { "aria-hidden": "true" }, `•••• ${account.last_digits}`),
    el("span", { class: "visually-hidden" }, `ending in ${account.last_digits}`),
  );
}

/** Tells a screen reader what has changed. @param {string} text */
export function announce(text) {
  byId("status").textContent = text;
}

/**
 * Moves the focus to where the page goes on, since the button that was pressed is gone.
 * @param {HTMLElement} node
 */
export function focusOn(node) {
  node.tabIndex = -1;
  node.focus({ preventScroll: node.matches("section, main") });
}

/** @param {unknown} error */
export const reasonOf = (error) => (isLinkedAccountsError(error) ? error.reason : "unknown");

/**
 * Shows an error where it happened. There is one at a time on a page.
 * @param {HTMLElement} place
 * @param {string} title
 * @param {any} error
 * @param {{ retry?: () => unknown, actions?: Action[] }} [options]
 */
export function showError(place, title, error, { retry, actions = [] } = {}) {
  clearError();
  const known = isLinkedAccountsError(error) ? error : null;
  // What `getToken` throws is the cause of the package's own error, and the shop knows better what it means.
  const own = [error, error?.cause].find((cause) => cause instanceof ShopError);
  const text = own?.message ?? known?.userMessage ?? "Something unexpected went wrong.";
  const buttons = [...actions];
  const reload = () => location.reload();
  if (own?.signedOut) buttons.unshift({ label: "Sign in again", run: reload });
  else if (retry && (known?.retryable ?? true)) buttons.unshift({ label: "Try again", run: retry });
  // Some browsers never ask again for a script that did not come.
  if (known?.name === "LoadError" && known.retryable)
    buttons.push({ label: "Load the page again", run: reload, quiet: true });
  const box = el(
    "div",
    { class: "error", role: "alert", "data-testid": "error", "data-reason": reasonOf(error) },
    el("p", { class: "error-title" }, title),
    el("p", {}, text),
  );
  if (buttons.length > 0) box.append(el("div", { class: "actions" }, ...buttons.map(actionButton)));
  if (known?.requestId) box.append(el("p", { class: "reference" }, `For support: ${known.requestId}`));
  place.append(box);
}

export function clearError() {
  const box = document.querySelector(".error");
  const around = box?.contains(document.activeElement) ? box.closest("section, main") : null;
  box?.remove();
  if (around instanceof HTMLElement) focusOn(around);
}

/**
 * Shows who is signed in, and calls back with the customer, or null, now and whenever that changes.
 * @param {(customer: { id: string, name: string } | null, changed: boolean) => unknown} show
 */
export async function watchSession(show) {
  const who = byId("who");
  /** @param {{ id: string, name: string } | null} customer @param {boolean} changed */
  const update = (customer, changed) => {
    byId("sign-in").hidden = customer !== null;
    who.replaceChildren();
    if (customer) {
      const button = el(
        "button",
        { type: "button", class: "button quiet", "data-testid": "sign-out" },
        "Sign out",
      );
      button.addEventListener("click", () => change("DELETE"));
      who.append(el("span", {}, "Signed in as ", el("strong", {}, customer.name)), button);
    }
    announce(!changed ? "" : customer ? `Signed in as ${customer.name}.` : "Signed out.");
    show(customer, changed);
    if (changed && !customer) focusOn(byId("sign-in-title"));
  };
  /** @param {"POST" | "DELETE"} method @param {string} [customer] */
  const change = async (method, customer) => {
    clearError();
    try {
      const answer = await api(method, "/session", { customer });
      update(answer?.customer ?? null, true);
    } catch (error) {
      showError(byId("errors"), "That did not work", error);
    }
  };
  for (const button of document.querySelectorAll("[data-customer]")) {
    button.addEventListener("click", () => change("POST", button.getAttribute("data-customer") ?? ""));
  }
  const check = async () => update((await api("GET", "/session")).customer, false);
  await check();
  byId("starting").remove();
  // Back from the bank with the Back button, a browser may show this very page again, as it was left.
  addEventListener("pageshow", (event) => {
    if (event.persisted) checkAgain();
  });
  function checkAgain() {
    check().catch((error) => showError(byId("errors"), "That did not work", error, { retry: checkAgain }));
  }
}
