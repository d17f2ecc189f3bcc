// The payment page: the customer's linked accounts, and a form to link another one.

import { links, returnUri } from "./links.js";
import {
  announce,
  api,
  bankOf,
  banks,
  byId,
  clearError,
  digits,
  el,
  focusOn,
  reasonOf,
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
  const { name } = bankOf(account.type);
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
  if (account.status === "deleted" && account.type === "direct_debit_ktb") {
    row.append(el("p", { class: "note" }, "Krungthai also asks you to remove this shop in its own app."));
  }
  return row;
}

// Each load has a number, so that a slow answer for one customer is not shown to the next.
let currentLoad = 0;

async function showAccounts() {
  const load = ++currentLoad;
  clearError();
  byId("no-accounts").hidden = true;
  list.replaceChildren();
  byId("accounts").setAttribute("aria-busy", "true");
  byId("loading").hidden = false;
  try {
    const { ids } = await api("GET", "/bank-accounts");
    const answers = await Promise.allSettled(ids.map((/** @type {string} */ id) => links.retrieve(id)));
    if (load !== currentLoad) return;
    for (const answer of answers) if (answer.status === "fulfilled") list.append(accountRow(answer.value));
    byId("no-accounts").hidden = ids.length > 0;
    // An id that the Worker does not know as this customer's shows nothing. Any other failure is said once.
    const failed = answers.find(
      (answer) => answer.status === "rejected" && reasonOf(answer.reason) !== "not_found",
    );
    if (failed?.status === "rejected") throw failed.reason;
  } catch (error) {
    if (load === currentLoad) {
      showError(byId("accounts"), "We could not load all your accounts", error, { retry: showAccounts });
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
    // Should the shop fail to forget the id, the next load says "Unlinked" again, which is true.
    await api("DELETE", `/bank-accounts/${account.id}`).catch(() => {});
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

for (const [type, bank] of Object.entries(banks)) {
  const attributes = {
    type: "radio",
    name: "type",
    value: type,
    required: "",
    "data-testid": `bank-${type}`,
  };
  byId("banks").append(
    el(
      "label",
      { class: "bank" },
      swatch(type),
      el("span", { class: "bank-name" }, bank.name, " ", el("span", { lang: "th" }, bank.thai)),
      el("input", attributes),
    ),
  );
}

// "Try again" on the return page comes back with the same bank chosen.
const wanted = new URLSearchParams(location.search).get("bank") ?? "";
if (Object.hasOwn(banks, wanted)) form.elements.type.value = wanted;

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
    showLinkError(type, error);
  }
}

/** @param {string} type @param {any} error */
function showLinkError(type, error) {
  const place = byId("link");
  if (reasonOf(error) !== "already_pending") {
    showError(place, "We could not start the link", error, { retry: () => link(type) });
    return;
  }
  const bank = bankOf(type).name;
  const uri = error.linkedAccount?.registration_uri;
  /** @type {import("./shop.js").Action[]} */
  const actions = [{ label: "Start over", run: () => link(type, { replacePending: true }), quiet: true }];
  if (/^https?:\/\//.test(uri ?? "")) {
    actions.unshift({ label: "Continue at the bank", run: () => location.assign(uri) });
  }
  const message = `You have already started to link an account at ${bank}, and the bank is waiting for you.`;
  showError(place, "Already started", error, { message, actions });
}

form.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  void link(form.elements.type.value);
});

// ---- The page

/** @param {{ name: string } | null} customer @param {boolean} changed */
function show(customer, changed) {
  clearError();
  setBusy(null);
  byId("accounts").hidden = byId("link").hidden = customer === null;
  currentLoad += 1;
  list.replaceChildren();
  if (!customer) return;
  if (changed) focusOn(byId("accounts-title"));
  void showAccounts();
}

await watchSession(show);

// Back from the bank with the Back button, a browser may show this very page again, busy button and all.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
