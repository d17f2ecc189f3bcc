// The return page: the bank has sent the customer back, and `resume` says what came of it.

import { links } from "./links.js";
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
  watchSession,
} from "./shop.js";

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

/** @param {import("omise-linked-accounts").Outcome} outcome */
function showResult(outcome) {
  const { account, result } = outcome;
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
    const text = [outcome.userMessage, " No money has moved."];
    showOutcome(result, "Nothing was linked", text, [
      linkTo(again, "Try again"),
      linkTo("/", "Back to the shop", true),
    ]);
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
    // The outcome is told even where the banks' names do not come.
    const [outcome] = await Promise.all([links.resume(), links.banks().then(rememberBanks, () => {})]);
    if (run !== currentRun) return;
    if (outcome) showResult(outcome);
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
    showError(byId("errors"), "This return belongs to another customer’s sign-in", error);
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
