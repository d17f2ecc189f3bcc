// The return page: the bank has sent the customer back, and `resume` says what came of it.

import { links } from "./links.js";
import {
  actionButton,
  announce,
  api,
  bankOf,
  byId,
  clearError,
  digits,
  el,
  focusOn,
  reasonOf,
  showError,
  watchSession,
} from "./shop.js";

/** @typedef {import("omise-linked-accounts").LinkedAccount} LinkedAccount */

// Failure codes are an open list; what is not here gets the bank's own message.
/** @type {Record<string, string>} */
const failures = {
  registration_rejected: "You declined the request at your bank.",
  invalid_account: "Your bank cannot use that account for direct debit. Another account may work.",
  failed_processing: "Your bank could not finish the request. It may work in a few minutes.",
  rate_limit_exceeded: "Your bank is very busy. It may work in a few minutes.",
  timeout: "Your bank took too long to answer. It may work in a few minutes.",
};

/** @param {string} href @param {string} label @param {boolean} [quiet] */
const linkTo = (href, label, quiet) => el("a", { href, class: quiet ? "button quiet" : "button" }, label);

/**
 * @param {string} result
 * @param {string} title
 * @param {(Node | string)[]} text
 * @param {Node[]} next
 */
function showOutcome(result, title, text, next) {
  const outcome = byId("outcome");
  const heading = el("h2", {}, title);
  const words = el("p", {}, ...text);
  const pressed = outcome.contains(document.activeElement);
  outcome.dataset.result = result;
  outcome.replaceChildren(el("span", { class: "mark", "aria-hidden": "true" }), heading, words);
  if (next.length > 0) outcome.append(el("div", { class: "actions" }, ...next));
  if (pressed) focusOn(outcome);
  document.title = `${title} – Baan Cha Kratai`;
  announce(`${title}. ${words.textContent}`);
}

/** @param {LinkedAccount} account @param {string} result */
function showResult(account, result) {
  const { name, short } = bankOf(account.type);
  const again = `/?bank=${encodeURIComponent(account.type)}`;
  if (result === "linked") {
    const text = [
      `Your ${short} account `,
      digits(account),
      " is linked. Your tea box is paid from it each month.",
    ];
    showOutcome(result, "Your account is linked", text, [linkTo("/", "Back to the shop")]);
  } else if (result === "failed") {
    const why =
      failures[account.failure_code ?? ""] ?? account.failure_message ?? "Your bank gave no reason.";
    showOutcome(
      result,
      "Nothing was linked",
      [why, " No money has moved."],
      [linkTo(again, "Try again"), linkTo("/", "Back to the shop", true)],
    );
  } else if (result === "expired") {
    const text = [`The request at ${name} was not finished in time, so nothing was linked.`];
    showOutcome(result, "That took too long", text, [
      linkTo(again, "Try again"),
      linkTo("/", "Back to the shop", true),
    ]);
  } else if (result === "deleted") {
    const text = [`This ${name} account was linked, and has been unlinked since.`];
    showOutcome(result, "Your account is unlinked", text, [linkTo("/", "Back to the shop")]);
  } else {
    const text = [`${name} has not told us its answer yet. This can take a minute.`];
    showOutcome("pending", "Still waiting for your bank", text, [
      actionButton({ label: "Check again", run: finish }),
      linkTo("/", "Back to the shop", true),
    ]);
  }
}

// Each run has a number, so that a slow answer for one customer is not shown to the next.
let currentRun = 0;

async function finish() {
  const run = ++currentRun;
  clearError();
  byId("outcome").hidden = false;
  showOutcome("checking", "Checking with your bank…", ["Please keep this page open for a moment."], []);
  try {
    const outcome = await links.resume();
    // Before anything is shown: once the page says "linked", the shop remembers it.
    if (outcome?.result === "linked") await api("POST", "/bank-accounts", { id: outcome.account.id });
    if (run !== currentRun) return;
    if (outcome) showResult(outcome.account, outcome.result);
    else
      showOutcome(
        "none",
        "Nothing to finish here",
        ["No bank has sent you back."],
        [linkTo("/", "Go to the shop")],
      );
  } catch (error) {
    if (run === currentRun) showFailure(error);
  }
}

/** @param {unknown} error */
function showFailure(error) {
  byId("outcome").hidden = true;
  announce("");
  if (reasonOf(error) === "not_found") {
    const message =
      "Another customer of this shop started it, or it is too old. If that was you, sign out, and sign in as the " +
      "customer who went to the bank.";
    showError(byId("errors"), "This return belongs to another customer’s sign-in", error, { message });
  } else {
    showError(byId("errors"), "We could not check with your bank", error, { retry: finish });
  }
}

await watchSession((customer, changed) => {
  clearError();
  currentRun += 1;
  byId("outcome").hidden = customer === null;
  // Not before someone is signed in: a return is checked against the customer who started it.
  if (!customer) return;
  void finish();
  if (changed) focusOn(byId("outcome"));
});
