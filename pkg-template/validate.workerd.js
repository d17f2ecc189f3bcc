// @ts-self-types="./validate.d.ts"
// workerd: code cannot be compiled at run time, so the module is imported, compiled.
import { loader } from "./loading.js";
import { validatorLoader } from "./validator.js";
import module from "./wasm/validate_bg.wasm";

export const loadValidator = validatorLoader(
  loader(
    () => import("./wasm/validate.js"),
    async () => module,
  ),
);
