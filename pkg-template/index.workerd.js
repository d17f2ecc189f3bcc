// @ts-self-types="./index.d.ts"
// workerd: code cannot be compiled at run time, so the module is imported, compiled.
import { clientFactory, validatorFactory } from "./entry.js";
import { loader } from "./loading.js";
import module from "./wasm/client_bg.wasm";

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
