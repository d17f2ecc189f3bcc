// @ts-self-types="./index.d.ts"
// Node: the WASM is read from disk, on first use.
import { clientFactory } from "./client.js";

export { LinkedAccountsError } from "./error.js";

export const createClient = clientFactory(
  async (init) => {
    const { readFile } = await import("node:fs/promises");
    const bytes = await readFile(new URL("./omise_linked_accounts_bg.wasm", import.meta.url));
    return init({ module_or_path: bytes });
  },
  () => import("./omise_linked_accounts.js"),
);
