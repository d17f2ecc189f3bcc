// The payment page: the customer's linked accounts, and a form to link another one.

import { links, returnUri } from "./links.js";
import {
  actionButton,
  announce,
  bankOf,
  byId,
  clearError,
  digits,
  el,
  focusOn,
  reasonOf,
  rememberBanks,
  showError,
  swatch,
  watchSession,
} from "./shop.js";

/** @typedef {import("omise-linked-accounts").LinkedAccount} LinkedAccount */

const list = byId("account-list");
const form = byId("link-form");
const linkButton = byId("link-button");
const dialog = byId("unlink-dialog");

// ---- Linked accounts

/** @param {LinkedAccount} account */
function statusOf({ status, confirmed_at }) {
  // Only a link that its owner has come back with may be charged, so only that one is called ready.
  if (status === "successful") return confirmed_at ? "Ready to pay with" : "Linked, not confirmed";
  if (status === "pending") return "Waiting for the bank";
  if (status === "deleted") return "Unlinked";
  if (status === "expired") return "Expired";
  return "Not linked";
}

/** @param {LinkedAccount} account */
function accountRow(account) {
  const { name, note } = bankOf(account.type);
  const row = el(
    "li",
    { class: "account", "data-testid": `account-${account.id}`, "data-status": account.status },
    swatch(account.type),
    el("div", { class: "account-text" }, el("strong", {}, name), digits(account)),
    el("span", { class: "pill" }, statusOf(account)),
  );
  if (account.status === "successful") {
    const label = account.last_digits ? `Unlink ${name} ending in ${account.last_digits}` : `Unlink ${name}`;
    const attributes = {
      type: "button",
      class: "button quiet",
      "aria-label": label,
      "data-testid": "unlink-button",
    };
    const button = el("button", attributes, "Unlink");
    button.addEventListener("click", () => askToUnlink(account, row));
    row.append(button);
  }
  if (account.status === "pending") {
    const replace = () => link(account.type, { replacePending: true });
    row.append(
      el(
        "div",
        { class: "actions account-actions" },
        // `start` goes on where the customer left off.
        actionButton({ label: "Continue", run: () => link(account.type) }),
        actionButton({ label: "Start over", run: replace, quiet: true }),
      ),
    );
  }
  if (account.status === "deleted" && note) row.append(el("p", { class: "note" }, note));
  return row;
}

// Each load has a number, so that a slow answer for one customer is not shown to the next.
let currentLoad = 0;

async function readAccounts() {
  const waiting = await links.list({ status: "pending" });
  // The list is what the Worker read last: the bank may have answered since.
  const read = await Promise.all(waiting.data.map(({ id }) => links.retrieve(id)));
  const linked = await links.list({ status: "successful", order: "reverse_chronological", limit: 100 });
  return [...read.filter(({ status }) => status === "pending"), ...linked.data];
}

async function showAccounts() {
  const load = ++currentLoad;
  clearError();
  byId("no-accounts").hidden = true;
  byId("link").hidden = true;
  list.replaceChildren();
  byId("accounts").setAttribute("aria-busy", "true");
  byId("loading").hidden = false;
  try {
    const [accounts, banks] = await Promise.all([readAccounts(), links.banks()]);
    if (load !== currentLoad) return;
    rememberBanks(banks);
    list.append(...accounts.map(accountRow));
    byId("no-accounts").hidden = accounts.length > 0;
    showBanks(banks);
    byId("link").hidden = false;
  } catch (error) {
    if (load === currentLoad) {
      showError(byId("accounts"), "We could not load your accounts", error, { retry: showAccounts });
    }
  } finally {
    if (load === currentLoad) {
      byId("accounts").removeAttribute("aria-busy");
      byId("loading").hidden = true;
    }
  }
}

// ---- Unlinking

/** @type {{ account: LinkedAccount, row: HTMLElement } | null} */
let unlinking = null;

/** @param {LinkedAccount} account @param {HTMLElement} row */
function askToUnlink(account, row) {
  unlinking = { account, row };
  const { name } = bankOf(account.type);
  byId("unlink-what").replaceChildren(swatch(account.type), el("strong", {}, name), digits(account));
  dialog.showModal();
}

async function unlink() {
  dialog.close();
  if (!unlinking) return;
  const { account, row } = unlinking;
  unlinking = null;
  clearError();
  row.setAttribute("aria-busy", "true");
  announce("Unlinking…");
  try {
    const deleted = await links.delete(account.id);
    const after = accountRow(deleted);
    row.replaceWith(after);
    focusOn(after);
    announce(`${bankOf(account.type).name} is unlinked.`);
  } catch (error) {
    row.removeAttribute("aria-busy");
    showError(byId("accounts"), "We could not unlink this account", error, {
      retry: () => askToUnlink(account, row),
    });
  }
}

byId("unlink-form").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  void unlink();
});
byId("unlink-cancel").addEventListener("click", () => dialog.close());

// ---- Linking another account

/** @param {import("omise-linked-accounts").Bank[]} banks */
function showBanks(banks) {
  // "Try again" on the return page comes back with the same bank chosen.
  const chosen = new FormData(form).get("type") ?? new URLSearchParams(location.search).get("bank");
  byId("banks").replaceChildren(
    ...banks.map(({ type, names }) => {
      const input = el("input", {
        type: "radio",
        name: "type",
        value: type,
        required: "",
        "data-testid": `bank-${type}`,
      });
      input.checked = type === chosen;
      const name = el("span", { class: "bank-name" }, names.en, " ", el("span", { lang: "th" }, names.th));
      return el("label", { class: "bank" }, swatch(type), name, input);
    }),
  );
}

let busy = false;

/** @param {string | null} type The bank that the page is on its way to, or null. */
function setBusy(type) {
  busy = type !== null;
  // Not `disabled`: that would take the focus away from the button that was just pressed.
  linkButton.setAttribute("aria-disabled", String(busy));
  linkButton.classList.toggle("busy", busy);
  linkButton.textContent = type ? `Taking you to ${bankOf(type).name}…` : "Link bank account";
  if (type) announce(`Taking you to ${bankOf(type).name}.`);
}

/** @param {string} type @param {{ replacePending?: boolean }} [options] */
async function link(type, options = {}) {
  if (busy) return;
  clearError();
  setBusy(type);
  try {
    await links.start({ type, returnUri, ...options });
    // The page is about to go. Where the customer stops that, the button must not stay busy.
    setTimeout(setBusy, 10_000, null);
  } catch (error) {
    setBusy(null);
    announce("");
    showLinkError(type, options, error);
  }
}

/** @param {string} type @param {{ replacePending?: boolean }} options @param {unknown} error */
function showLinkError(type, options, error) {
  const retry = () => link(type, options);
  /** @type {import("./shop.js").Action[]} */
  const actions = [];
  if (reasonOf(error) === "already_pending") {
    // `start` goes on with the account that waits for the bank, but this one is not known yet: a moment later it is.
    const replace = () => link(type, { replacePending: true });
    actions.push({ label: "Try again", run: retry }, { label: "Start over", run: replace, quiet: true });
  }
  showError(byId("link"), "We could not start the link", error, { retry, actions });
}

form.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  void link(String(new FormData(form).get("type")));
});

// ---- The page

/** @param {{ name: string } | null} customer @param {boolean} changed */
function show(customer, changed) {
  clearError();
  setBusy(null);
  byId("accounts").hidden = customer === null;
  byId("link").hidden = true;
  currentLoad += 1;
  list.replaceChildren();
  if (!customer) return;
  if (changed) focusOn(byId("accounts-title"));
  void showAccounts();
}

await watchSession(show);
