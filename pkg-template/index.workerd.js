// @ts-self-types="./index.d.ts"
// workerd: code cannot be compiled at run time, so the module is imported, compiled. `?module` says that the module itself is meant, not
// its exports: wrangler takes the file with and without, Nitro would call its exports.
import { clientFactory, validatorFactory } from "./entry.js";
import { loader } from "./loading.js";
import module from "./wasm/client_bg.wasm?module";

export {
  InvalidRequestError,
  isLinkedAccountsError,
  LinkedAccountsError,
  LoadError,
  NetworkError,
} from "./error.js";

const load = loader(
  () => import("./wasm/client.js"),
  async () => module,
);

export const createClient = clientFactory(load);
export const loadValidator = validatorFactory(load);
