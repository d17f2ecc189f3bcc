// How a WebAssembly module and its glue come to run, and what it means where they do not.

import { LoadError } from "./error.js";

/** @typedef {import("./types.d.ts").WasmSource} WasmSource */

/**
 * Loads on first use, once. A load that failed is forgotten, so that the next call tries again.
 *
 * @template T
 * @template {unknown[]} Args
 * @param {(...args: Args) => Promise<T>} load
 * @returns {(...args: Args) => Promise<T>}
 */
export function onFirstUse(load) {
  /** @type {Promise<T> | undefined} */
  let loading;
  return (...args) => {
    loading ??= load(...args).catch((error) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
}

/**
 * Gives the glue, with its module running: one for all calls.
 *
 * @param {() => Promise<any>} importGlue
 * @param {() => Promise<BufferSource | WebAssembly.Module>} findModule
 * @returns {(wasm?: WasmSource) => Promise<any>} `wasm` stands in for the module that it would find
 */
export const loader = (importGlue, findModule) =>
  onFirstUse(async (wasm) => {
    try {
      const [glue, source] = await Promise.all([
        importGlue(),
        wasm === undefined ? findModule() : found(wasm),
      ]);
      // the name by which every module calls its glue
      const imports = { "./glue_bg.js": glue };
      /** What comes of bytes, or of a module. @type {any} */
      const running = await (isResponse(source)
        ? WebAssembly.instantiateStreaming(source, imports)
        : WebAssembly.instantiate(source, imports));
      const { exports } = running.instance ?? running;
      glue.__wbg_set_wasm(exports);
      exports.__wbindgen_start();
      return glue;
    } catch (cause) {
      if (cause instanceof LoadError) throw cause;
      // every engine's words name the directive, the policy, or who forbids it
      const blocked = /unsafe-eval|security policy|\bcsp\b|embedder/i.test(String(cause));
      throw new LoadError(blocked ? "wasm_blocked" : "load_failed", { cause });
    }
  });

/**
 * The bytes, the module or the streaming answer that a module is instantiated from.
 *
 * @param {any} wasm
 */
async function found(wasm) {
  const isAddress = typeof wasm === "string" || wasm instanceof URL;
  const response = isAddress ? await fetch(wasm) : wasm;
  if (!isResponse(response)) return response;
  if (!response.ok) throw new Error(`${response.status} ${response.url}`);
  // of the page's own a copy: it is whole for the next try
  const copy = response.clone();
  // the one type, to the letter, that engines take while it arrives
  return copy.headers.get("Content-Type") === "application/wasm" ? copy : copy.arrayBuffer();
}

/** Of another realm too. @param {any} value @returns {value is Response} */
const isResponse = (value) => !!value.clone;
