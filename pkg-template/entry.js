// What every host's entry has before anything is loaded: the calls' outlines, which load the rest on first use.

import { isLinkedAccountsError, LoadError, NetworkError } from "./error.js";
import { onFirstUse } from "./loading.js";

/** @typedef {(wasm?: import("./types.d.ts").WasmSource) => Promise<typeof import("./wasm/client.js")>} Load */

/** The calls, and which of their arguments has the options. */
const CALLS = Object.entries({
  banks: 0,
  create: 1,
  start: 1,
  resume: 0,
  waitFor: 1,
  retrieve: 1,
  list: 1,
  search: 1,
  delete: 1,
});

/** What the bank's redirect brings, and where `history.state` keeps it, so that a reload finds it again. */
const LINK_STATE = "link_state";
const HISTORY_KEY = "omise-linked-accounts";

const loadCode = onFirstUse(() =>
  // async: in a worker, webpack's import() throws at once where the file does not come
  (async () => import("./client.js"))().catch((cause) => {
    throw new LoadError("load_failed", { cause });
  }),
);

/**
 * @param {Load} load
 * @returns {typeof import("./index.d.ts").loadValidator}
 */
export function validatorFactory(load) {
  return async (options) => (await loadCode()).validatorLoader(load)(options);
}

/**
 * @param {Load} loadGlue
 * @returns {typeof import("./index.d.ts").createClient}
 */
export function clientFactory(loadGlue) {
  return function createClient({ endpoint, getToken, fetch, locale, onEvent, wasm }) {
    if (typeof endpoint !== "string" || !/^https?:\/\/[^\s/?#]+[^\s?#]*$/.test(endpoint)) {
      throw new TypeError(
        "createClient: expected endpoint, the Worker's address, such as https://links.shop.example",
      );
    }
    if (typeof getToken !== "function") {
      throw new TypeError("createClient: expected getToken, a function that gives a session token");
    }

    /** @param {import("./index.d.ts").ClientEvent} event */
    function emit(event) {
      // what the page makes of it is no matter of the call's
      (async () => onEvent?.(event))().catch((error) => globalThis.reportError?.(error));
    }

    /** @type {() => ReturnType<typeof import("./words.js").words>} */
    let catalogue = async () => undefined;

    const load = onFirstUse(async () => {
      // many a browser never tries an import again that failed once
      if (isOffline()) throw new NetworkError("offline");
      const code = loadCode();
      catalogue = () => code.then(({ words }) => words(locale)).catch(() => undefined);
      // at once, so that there are words where the network is what fails next
      void catalogue();
      const [{ Calls }, glue] = await Promise.all([code, loadGlue(wasm)]);
      return new Calls({ endpoint: endpoint.replace(/\/+$/, ""), getToken, fetch, catalogue, emit }, glue);
    });

    /** @param {string} call @param {any} input @param {import("./index.d.ts").CreateOptions} options */
    async function run(call, input, options) {
      const { signal } = options;
      try {
        signal?.throwIfAborted();
        return await unlessEnded(
          signal,
          load().then((/** @type {any} */ calls) => calls[call](input, options)),
        );
      } catch (error) {
        if (isLinkedAccountsError(error)) {
          const { reason, status, requestId } = error;
          emit({ type: "error", call, reason, status, requestId });
          const texts = (await catalogue())?.reasons;
          Object.assign(error, { userMessage: texts?.[reason] ?? texts?.internal ?? error.message });
        }
        throw error;
      }
    }

    const calls = CALLS.map(([call, at]) => [
      call,
      async (/** @type {any[]} */ ...args) => {
        if (call !== "resume") return run(call, copied(args[0]), args[at] ?? {});
        const returned = takeLinkState();
        if (!returned) return null;
        const { linkState, fresh } = returned;
        if (fresh) emit({ type: "returned" });
        return run(call, linkState, args[at] ?? {}).finally(() => {
          // a router that starts meanwhile puts back the address that it found, as Vue's does
          if (location.href.includes(linkState)) takeLinkState();
        });
      },
    ]);
    return Object.freeze(Object.fromEntries(calls));
  };
}

/**
 * What a promise comes to, or the signal's reason if that comes first.
 *
 * @template T
 * @param {AbortSignal | undefined} signal
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export async function unlessEnded(signal, promise) {
  if (!signal) return promise;
  /** @type {() => void} */
  let end = () => {};
  try {
    return await Promise.race([
      promise,
      new Promise((_, reject) => {
        end = () => reject(signal.reason);
        if (signal.aborted) end();
        signal.addEventListener("abort", end);
      }),
    ]);
  } finally {
    signal.removeEventListener("abort", end);
  }
}

/** Whether the browser is sure that there is no network. */
export const isOffline = () => globalThis.navigator?.onLine === false;

/**
 * Parameters as they are now: the page may write on while the package loads.
 *
 * @param {unknown} value
 * @returns {unknown}
 */
function copied(value, depth = 2) {
  if (depth === 0 || typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, copied(inner, depth - 1)]));
}

/**
 * The `link_state` of this return, moved out of the address bar into `history.state`: it leaks through neither Referer nor a
 * copied link, survives a reload, and dies with the tab.
 *
 * @returns {{ linkState: string, fresh: boolean } | null} `fresh` where the customer has only just come
 */
function takeLinkState() {
  if (typeof location === "undefined" || typeof history === "undefined") return null;
  const url = new URL(location.href);
  const linkState = url.searchParams.get(LINK_STATE);
  const state = Object(history.state);
  if (linkState === null) {
    const kept = state[HISTORY_KEY];
    return typeof kept === "string" ? { linkState: kept, fresh: false } : null;
  }
  // the other parameters stay as they are written
  const others = url.search
    .slice(1)
    .split("&")
    .filter((pair) => !new URLSearchParams(pair).has(LINK_STATE));
  url.search = others.join("&");
  history.replaceState({ ...state, [HISTORY_KEY]: linkState }, "", url);
  return { linkState, fresh: true };
}
