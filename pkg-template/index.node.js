// @ts-self-types="./index.d.ts"
// Node, Deno and Bun: the module is read from disk, on first use.
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { clientFactory, validatorFactory } from "./entry.js";
import { glueWith, onFirstUse } from "./loading.js";

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
    // not by a URL, of which bundlers for servers make an address of the site's
    () => readFile(join(dirname(fileURLToPath(import.meta.url)), "wasm", "client_bg.wasm")),
  ),
);

export const createClient = clientFactory(load);
export const loadValidator = validatorFactory(load);
