// How a WebAssembly module and its glue come to run, and what it means where they do not.

import { LoadError } from "./error.js";

/**
 * Loads on first use, once. A load that failed is forgotten, so that the next call tries again.
 *
 * @template T
 * @param {() => Promise<T>} load
 * @returns {() => Promise<T>}
 */
export function onFirstUse(load) {
  /** @type {Promise<T> | undefined} */
  let loading;
  return () => {
    loading ??= load().catch((error) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
}

/**
 * The glue, with its module running.
 *
 * @param {() => Promise<any>} importGlue
 * @param {() => Promise<Response | BufferSource | WebAssembly.Module>} findModule
 */
export async function glueWith(importGlue, findModule) {
  let glue;
  let found;
  try {
    [glue, found] = await Promise.all([importGlue(), findModule()]);
  } catch (cause) {
    throw cause instanceof LoadError ? cause : new LoadError("load_failed", { cause });
  }
  try {
    // the name by which every module calls its glue
    const imports = { "./glue_bg.js": glue };
    /** What comes of bytes, or of a module. @type {any} */
    const running = await (found instanceof Response
      ? WebAssembly.instantiateStreaming(found, imports)
      : WebAssembly.instantiate(found, imports));
    const { exports } = running.instance ?? running;
    glue.__wbg_set_wasm(exports);
    exports.__wbindgen_start();
  } catch (cause) {
    // every engine's words name the directive or the policy
    const blocked = /unsafe-eval|content security policy|\bcsp\b/i.test(String(cause));
    throw new LoadError(blocked ? "wasm_blocked" : "load_failed", { cause });
  }
  return glue;
}

/**
 * A module by its address, for engines to compile while it arrives.
 *
 * @param {URL} url
 * @returns {Promise<Response | ArrayBuffer>}
 */
export async function fetchModule(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.status} ${url}`);
  const type = response.headers.get("Content-Type");
  // the one type, to the letter, that engines take while it arrives
  if (type === "application/wasm") return response;
  // of another type: a module all the same, or the page that a server has for addresses that it does not know
  const bytes = await response.arrayBuffer();
  if (new TextDecoder().decode(bytes.slice(0, 4)) !== "\0asm") {
    throw new LoadError("wasm_wrong_type", { cause: new Error(`${type} ${url}`) });
  }
  return bytes;
}
