// What is left to do when the WebAssembly instance dies under its requests: a panic, a trap, memory or stack used up, a JavaScript
// error that goes through Rust's frames.
//
// The instance serves all requests of an isolate, and is built to abort, so what kills it kills the requests in flight with it.
// The glue can make a new one. By itself that is not enough, as was seen in workerd:
//
// - Rust runs in microtasks, so nobody who called it gets the error: it goes to the event `error`. The request's promise stays
//   as it is until nothing of the request's I/O is left; then workerd cancels it as hung, with a 500 of bare text.
// - So do its neighbours' promises, and their deadlines are I/O: they hang until then, answered by Omise or not.
// - A new instance is made only when something calls into the dead one. If that is a neighbour's callback, it is then run within
//   the new instance, with an address of the old: whatever is there is taken for its future.
//
// - Nothing at all ends the calls into Durable Objects: the runtime does not take those for hung.
//
// So the instance is replaced at once, before anybody's callback, and whoever called into it is told, objects and their alarms
// included. A create whose answer from Omise is lost so is in the ledger, and is found again by its key. Nothing can be done here
// about an isolate that the runtime ends, for its processor time or its memory.

import * as rust from "./build/index.js";

/**
 * @typedef {object} State What the `worker` crate shares.
 * @property {boolean} criticalError Whether the instance has died. Set by that crate's panic hook too.
 * @property {number} instanceId Another for every instance.
 * @property {string} [panickedAt] Set by our panic hook, in panic.rs.
 */

// What the glue says. A callback of an instance that was replaced: it does no harm, and is no fault of the one that is there now.
const STALE = "Cannot invoke closure from previous WASM instance";
// An error of JavaScript's, its cause, went through Rust's frames.
const CRITICAL = "Critical error";

/** That the instance was lost, and what may be logged of the cause. */
export class Lost extends Error {}

/** @type {State} */
const state = rust.__worker_init_state();
/** For each call that the instance has, what ends it. @type {Set<(lost: Lost) => void>} */
const inFlight = new Set();
let instanceId = state.instanceId;

addEventListener("error", ({ error }) => {
  if (error?.message !== STALE) replace(error);
});
// From a promise's callback. Here it may as well be an error that does not come out of the instance.
addEventListener("unhandledrejection", ({ reason }) => {
  if (reason instanceof WebAssembly.RuntimeError || reason?.message === CRITICAL) replace(reason);
});

/**
 * Calls into Rust, for as long as its instance lives. Rust gives failures as values: whatever is thrown is a death.
 * @template Result
 * @param {(core: typeof rust) => Result | Promise<Result>} work
 * @returns {Promise<Result>}
 */
export async function run(work) {
  const { promise, reject } = Promise.withResolvers();
  try {
    revive();
    const result = work(rust);
    // There is a new instance, made here or by the glue: the old one died where nobody saw it.
    if (state.instanceId !== instanceId) abandon(new Lost("the instance was replaced"));
    inFlight.add(reject);
    return await /** @type {Promise<Result>} */ (Promise.race([result, promise]));
  } catch (error) {
    throw error instanceof Lost ? error : replace(error);
  } finally {
    inFlight.delete(reject);
  }
}

/**
 * Makes a new instance, and tells all who were waiting for the old. That reaches them although they are other requests, and other
 * objects: the runtime resumes each in its own turn.
 * @param {unknown} error
 */
function replace(error) {
  const lost = new Lost(detailOf(error, state.panickedAt));
  delete state.panickedAt;
  state.criticalError = true;
  try {
    revive();
  } catch {
    // Not even that: the next call tries again.
  }
  abandon(lost);
  return lost;
}

/** Makes a new instance if the one that is there has died. */
function revive() {
  if (!state.criticalError) return;
  console.log("Reinitializing Wasm application");
  rust.__wbg_reset_state();
  state.criticalError = false;
}

/** @param {Lost} lost */
function abandon(lost) {
  instanceId = state.instanceId;
  for (const reject of inFlight) reject(lost);
  inFlight.clear();
}

/**
 * What the log may hold of an error: the engine's own words, never those of a panic or of a library, which may quote what they
 * stumbled over.
 * @param {unknown} error
 * @param {string | undefined} panickedAt
 */
function detailOf(error, panickedAt) {
  if (panickedAt !== undefined) return `panicked at ${panickedAt}`.slice(0, 200);
  if (!(error instanceof Error)) return "not an error";
  // The glue wraps what came out of Rust's frames.
  const { name, message, stack = "" } = error.cause instanceof Error ? error.cause : error;
  const head = `${name}: ${message}`;
  // Function names and offsets.
  const [, frame = "nowhere"] = stack.startsWith(head) ? stack.slice(head.length).split(/\n\s+at /, 2) : [];
  return `${name === "RuntimeError" ? head : name} at ${frame}`.slice(0, 200);
}

/**
 * One line, as Rust logs a request.
 * @param {object} what Which request, and who worked on it.
 * @param {string} detail
 * @param {number} started
 */
export function log(what, detail, started) {
  const ms = Date.now() - started;
  console.log(JSON.stringify({ ...what, status: 500, reason: "internal", detail, ms }));
}
