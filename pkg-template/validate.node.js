// @ts-self-types="./validate.d.ts"
// Node, Deno and Bun: the module is read from disk, on first use.
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { glueWith, onFirstUse } from "./loading.js";
import { validatorLoader } from "./validator.js";

export const loadValidator = validatorLoader(
  onFirstUse(() =>
    glueWith(
      () => import("./wasm/validate.js"),
      // not by a URL, of which bundlers for servers make an address of the site's
      () => readFile(join(dirname(fileURLToPath(import.meta.url)), "wasm", "validate_bg.wasm")),
    ),
  ),
);
