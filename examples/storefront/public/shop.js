// What both pages share: the shop's own backend, its words, and a few lines of DOM.

import { LinkedAccountsError } from "omise-linked-accounts";

/** @typedef {import("omise-linked-accounts").LinkedAccount} LinkedAccount */
/** @typedef {{ label: string, run: () => unknown, quiet?: boolean }} Action */

/** @type {Record<string, { name: string, short: string, thai: string }>} */
export const banks = {
  direct_debit_kbank: { name: "Kasikornbank", short: "KBANK", thai: "ธนาคารกสิกรไทย" },
  direct_debit_scb: { name: "Siam Commercial Bank", short: "SCB", thai: "ธนาคารไทยพาณิชย์" },
  direct_debit_ktb: { name: "Krungthai Bank", short: "KTB", thai: "ธนาคารกรุงไทย" },
  direct_debit_bay: { name: "Bank of Ayudhya (Krungsri)", short: "BAY", thai: "ธนาคารกรุงศรีอยุธยา" },
};

/** A type may be newer than this page. @param {string} type */
export const bankOf = (type) => banks[type] ?? { name: "Your bank", short: "BANK", thai: "" };

class SignedOut extends Error {}

/** The package may hand our own error on as the cause of its own. @param {any} error */
const isSignedOut = (error) => error instanceof SignedOut || error?.cause instanceof SignedOut;

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
    throw new Error("The shop cannot be reached. Please check your connection.");
  });
  if (response.status === 401) throw new SignedOut("You are signed out. Please sign in again.");
  if (!response.ok) throw new Error(`The shop could not do that just now (${response.status}).`);
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
export const reasonOf = (error) => (error instanceof LinkedAccountsError ? error.reason : "unknown");

/**
 * Shows an error where it happened. There is one at a time on a page.
 * @param {HTMLElement} place
 * @param {string} title
 * @param {unknown} error
 * @param {{ message?: string, retry?: () => unknown, actions?: Action[] }} [options]
 */
export function showError(place, title, error, { message, retry, actions = [] } = {}) {
  clearError();
  const known = error instanceof LinkedAccountsError ? error : null;
  const text = message ?? (error instanceof Error ? error.message : "Something unexpected went wrong.");
  const buttons = [...actions];
  if (isSignedOut(error)) buttons.unshift({ label: "Sign in again", run: () => location.reload() });
  else if (retry && (known?.retryable ?? true)) buttons.unshift({ label: "Try again", run: retry });
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
  update((await api("GET", "/session")).customer, false);
}
