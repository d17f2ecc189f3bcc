// @ts-self-types="./validate.d.ts"
// Browsers, bundlers, servers: the module is inside JavaScript, loaded on first use.
import { loader } from "./loading.js";
import { validatorLoader } from "./validator.js";

export const loadValidator = validatorLoader(
  loader(
    // written out, both of them, so that bundlers see them
    () => import("./wasm/validate.js"),
    async () => (await import("./wasm/validate-bytes.js")).bytes(),
  ),
);
