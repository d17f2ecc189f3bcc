// @ts-self-types="./index.d.ts"
// workerd: code cannot be compiled at run time, so the module is imported as a compiled one.
import { clientFactory, validatorFactory } from "./entry.js";
import { glueWith, onFirstUse } from "./loading.js";
import module from "./wasm/client_bg.wasm";

export {
  InvalidRequestError,
  isLinkedAccountsError,
  LinkedAccountsError,
  LoadError,
  NetworkError,
} from "./error.js";

const load = onFirstUse(() =>
  glueWith(
    () => import("./wasm/client.js"),
    async () => module,
  ),
);

export const createClient = clientFactory(load);
export const loadValidator = validatorFactory(load);
