// @ts-self-types="./validate.d.ts"
// Browsers and bundlers: the module is fetched from beside this file, on first use.
import { fetchModule, glueWith, onFirstUse } from "./loading.js";
import { validatorLoader } from "./validator.js";

export const loadValidator = validatorLoader(
  onFirstUse(() =>
    glueWith(
      // written out, both of them, so that bundlers see them
      () => import("./wasm/validate.js"),
      () => fetchModule(new URL("./wasm/validate_bg.wasm", import.meta.url)),
    ),
  ),
);
