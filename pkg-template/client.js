import { LinkedAccountsError } from "./error.js";

/** Where `history.state` keeps the `link_state` of a return, so that a reload finds it again. */
const HISTORY_KEY = "omise-linked-accounts";

/**
 * @param {(init: any) => Promise<unknown>} instantiate hands the bytes, which each host finds in its own way, to the glue
 * @param {() => Promise<any>} importGlue
 * @returns {typeof import("./index.d.ts").createClient}
 */
export function clientFactory(instantiate, importGlue) {
  /** @type {Promise<any> | undefined} */
  let loading;

  /** The WASM, loaded once on first use; a failed load is forgotten, so that the next call tries again. */
  function load() {
    loading ??= (async () => {
      const glue = await importGlue();
      await instantiate(glue.default);
      return glue;
    })().catch((cause) => {
      loading = undefined;
      throw new LinkedAccountsError({
        code: "internal_error",
        reason: "load_failed",
        message:
          "the WebAssembly module could not be loaded; check that the .wasm file is served beside the script and that the " +
          "Content-Security-Policy has 'wasm-unsafe-eval' in script-src",
        retryable: true,
        cause,
      });
    });
    return loading;
  }

  /**
   * @param {(wasm: any) => Promise<any>} use
   */
  async function call(use) {
    const wasm = await load();
    try {
      return await use(wasm);
    } catch (fields) {
      throw fields instanceof Error ? fields : new LinkedAccountsError(/** @type {any} */ (fields));
    }
  }

  return function createClient({ endpoint, getToken }) {
    if (typeof endpoint !== "string" || !/^https?:\/\/[^/]/.test(endpoint)) {
      throw new TypeError(
        "createClient: expected endpoint to be the Worker's address, such as https://links.shop.example",
      );
    }
    if (typeof getToken !== "function") {
      throw new TypeError("createClient: expected getToken to be a function that gives a session token");
    }
    const options = { endpoint, getToken };
    /** @param {import("./index.d.ts").CreateParams} params */
    const keyOf = (params) => params?.idempotencyKey ?? crypto.randomUUID();

    /** @type {import("./index.d.ts").Client} */
    const client = {
      create: (params) => call((wasm) => wasm.create(options, params, keyOf(params))),

      async start(params) {
        const account = await call((wasm) => wasm.start(options, params, keyOf(params)));
        location.assign(account.registration_uri);
        return account;
      },

      async resume() {
        const linkState = takeLinkState();
        return linkState === null ? null : call((wasm) => wasm.resume(options, linkState));
      },

      retrieve: (id) => call((wasm) => wasm.retrieve(options, String(id))),

      delete: (id) => call((wasm) => wasm.deleteAccount(options, String(id))),
    };
    return Object.freeze(client);
  };
}

/**
 * The `link_state` that the bank's redirect brought, moved out of the address bar into `history.state`: it leaks through
 * neither Referer nor a copied link, survives a reload, and dies with the tab.
 *
 * @returns {string | null}
 */
function takeLinkState() {
  if (typeof location === "undefined" || typeof history === "undefined") {
    return null;
  }
  const url = new URL(location.href);
  const linkState = url.searchParams.get("link_state");
  if (linkState === null) {
    return history.state?.[HISTORY_KEY] ?? null;
  }
  url.searchParams.delete("link_state");
  const state = typeof history.state === "object" ? history.state : null;
  history.replaceState({ ...state, [HISTORY_KEY]: linkState }, "", url);
  return linkState;
}
