// @ts-self-types="./index.d.ts"
// workerd: code cannot be compiled at run time, so the WASM is imported as a compiled module.
import { clientFactory } from "./client.js";
import wasm from "./omise_linked_accounts_bg.wasm";

export { LinkedAccountsError } from "./error.js";

export const createClient = clientFactory(
  (init) => init({ module_or_path: wasm }),
  () => import("./omise_linked_accounts.js"),
);
