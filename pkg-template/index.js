// @ts-self-types="./index.d.ts"
// Browsers, bundlers, servers: the module is inside JavaScript, loaded on first use.
import { clientFactory, validatorFactory } from "./entry.js";
import { loader } from "./loading.js";

export {
  InvalidRequestError,
  isLinkedAccountsError,
  LinkedAccountsError,
  LoadError,
  NetworkError,
} from "./error.js";

const load = loader(
  // written out, both of them, so that bundlers see them
  () => import("./wasm/client.js"),
  async () => (await import("./wasm/client-bytes.js")).bytes(),
);

export const createClient = clientFactory(load);
export const loadValidator = validatorFactory(load);
