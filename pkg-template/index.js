// @ts-self-types="./index.d.ts"
// Browsers and bundlers: the WASM is fetched from beside this file, on first use.
import { clientFactory } from "./client.js";

export { LinkedAccountsError } from "./error.js";

export const createClient = clientFactory(
  (init) => init({ module_or_path: new URL("./omise_linked_accounts_bg.wasm", import.meta.url) }),
  // written out, so that bundlers see it
  () => import("./omise_linked_accounts.js"),
);
