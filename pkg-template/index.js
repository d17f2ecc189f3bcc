// @ts-self-types="./index.d.ts"
// Browsers and bundlers: the module is fetched from beside this file, on first use.
import { clientFactory, validatorFactory } from "./entry.js";
import { fetchModule, glueWith, onFirstUse } from "./loading.js";

export {
  InvalidRequestError,
  isLinkedAccountsError,
  LinkedAccountsError,
  LoadError,
  NetworkError,
} from "./error.js";

const load = onFirstUse(() =>
  glueWith(
    // written out, both of them, so that bundlers see them
    () => import("./wasm/client.js"),
    () => fetchModule(new URL("./wasm/client_bg.wasm", import.meta.url)),
  ),
);

export const createClient = clientFactory(load);
export const loadValidator = validatorFactory(load);
