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
// So the instance is replaced at once, before anybody's callback, and every request that it had gets an answer. A create whose
// answer from Omise is lost so is in the ledger, and is found again by its key. Nothing can be done here about an isolate that
// the runtime ends, for its processor time or its memory.

// Every step of Rust's is a microtask. The runtime's own function for them is a call out of JavaScript; a promise's callback is not,
// and takes half the time. What goes wrong in one is reported alike.
const done = Promise.resolve();
globalThis.queueMicrotask = (task) => {
  void done.then(() => {
    try {
      task();
    } catch (error) {
      reportError(error);
    }
  });
};

/**
 * @typedef {object} State What the `worker` crate shares.
 * @property {boolean} criticalError Whether the instance has died. Set by that crate's panic hook too.
 * @property {number} instanceId Another for every instance.
 * @property {string} [panickedAt] Set by our panic hook, in panic.rs.
 */

/**
 * @typedef {object} Rust The exports of build/index.js.
 * @property {(request: Request, env: Env, ctx: object) => Promise<Response>} fetch
 * @property {(controller: object, env: Env, ctx: object) => Promise<void>} scheduled
 * @property {() => State} __worker_init_state
 * @property {() => void} __wbg_reset_state Makes a new instance in the place of the one that is there.
 */

/** @typedef {{ ALLOWED_ORIGINS?: string }} Env */

// What the glue says. A callback of an instance that was replaced: it does no harm, and is no fault of the one that is there now.
const STALE = "Cannot invoke closure from previous WASM instance";
// An error of JavaScript's, its cause, went through Rust's frames.
const CRITICAL = "Critical error";

/** That the instance was lost, and what may be logged of the cause. */
class Lost extends Error {}

/**
 * Handlers around those of the Worker in Rust.
 * @param {Rust} rust
 */
export function rescue(rust) {
  const state = rust.__worker_init_state();
  /** For each request that the instance has, what ends it. @type {Set<(lost: Lost) => void>} */
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
   * Makes a new instance, and tells all who were waiting for the old. That reaches them although they are other requests: the
   * runtime resumes each in its own turn.
   * @param {unknown} error
   */
  function replace(error) {
    const lost = new Lost(detailOf(error, state.panickedAt));
    delete state.panickedAt;
    state.criticalError = true;
    try {
      revive();
    } catch {
      // Not even that: the next request tries again.
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
   * Has a handler run, for as long as its instance lives.
   * @template Result
   * @param {() => Promise<Result>} handler
   */
  async function run(handler) {
    const { promise, reject } = Promise.withResolvers();
    try {
      revive();
      const result = handler();
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

  return {
    /**
     * @param {Request} request
     * @param {Env} env
     * @param {object} ctx
     */
    async fetch(request, env, ctx) {
      const started = Date.now();
      let detail = "no answer could be built";
      try {
        const response = await run(() => rust.fetch(request, env, ctx));
        // Without an id it is what the glue says when Rust could not build an answer.
        if (response.headers.has("X-Request-Id")) return response;
      } catch (error) {
        detail = String(/** @type {Lost} */ (error).message);
      }
      const requestId = log("none", detail, started);
      return failure(requestId, Date.now() - started, corsHeaders(request, env));
    },

    /**
     * @param {object} controller
     * @param {Env} env
     * @param {object} ctx
     */
    async scheduled(controller, env, ctx) {
      const started = Date.now();
      try {
        await run(() => rust.scheduled(controller, env, ctx));
      } catch (error) {
        log("scheduled", String(/** @type {Lost} */ (error).message), started);
        // So that the run counts as failed.
        throw error;
      }
    },
  };
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
 * One line, as the Worker in Rust logs a request; gives the request's id.
 * @param {string} route
 * @param {string} detail
 * @param {number} started
 */
function log(route, detail, started) {
  const requestId = crypto.randomUUID().replaceAll("-", "");
  const ms = Date.now() - started;
  console.log(JSON.stringify({ request_id: requestId, route, status: 500, reason: "internal", detail, ms }));
  return requestId;
}

/**
 * The Worker's answer to `Reason::Internal`; a test compares the two.
 * @param {string} requestId
 * @param {number} ms
 * @param {Record<string, string>} cors
 */
function failure(requestId, ms, cors) {
  const body = {
    object: "error",
    location: "https://www.omise.co/api-errors#internal-error",
    code: "internal_error",
    message: "something went wrong here",
    reason: "internal",
    request_id: requestId,
    retryable: true,
    issues: [],
  };
  return new Response(JSON.stringify(body), {
    status: 500,
    headers: {
      "Cache-Control": "no-store",
      "Content-Type": "application/json; charset=utf-8",
      "Referrer-Policy": "no-referrer",
      // What it was spent on went with the instance.
      "Server-Timing": `total;dur=${ms}`,
      Vary: "Origin",
      "X-Content-Type-Options": "nosniff",
      "X-Request-Id": requestId,
      ...cors,
    },
  });
}

/**
 * @param {Request} request
 * @param {Env} env
 * @returns {Record<string, string>}
 */
function corsHeaders(request, env) {
  const origin = request.headers.get("Origin");
  const allowed = (env.ALLOWED_ORIGINS ?? "").split(",").map((item) => item.trim());
  if (!origin || !allowed.includes(origin)) return {};
  return {
    "Access-Control-Allow-Origin": origin,
    "Access-Control-Expose-Headers": "X-Request-Id, Retry-After, Idempotent-Replayed, Date",
  };
}
