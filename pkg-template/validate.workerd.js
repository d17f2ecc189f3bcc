// @ts-self-types="./validate.d.ts"
// workerd: code cannot be compiled at run time, so the module is imported, compiled. `?module` says that the module itself is meant, not
// its exports: wrangler takes the file with and without, Nitro would call its exports.
import { loader } from "./loading.js";
import { validatorLoader } from "./validator.js";
import module from "./wasm/validate_bg.wasm?module";

export const loadValidator = validatorLoader(
  loader(
    () => import("./wasm/validate.js"),
    async () => module,
  ),
);
