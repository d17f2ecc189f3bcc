// @ts-self-types="./webhook.d.ts"
// workerd: code cannot be compiled at run time, so the module is imported, compiled. `?module` says that the module itself is meant, not
// its exports: wrangler takes the file with and without, Nitro would call its exports.
import { loader } from "./loading.js";
import { verifier } from "./verifier.js";
import module from "./wasm/webhook_bg.wasm?module";

export { WebhookError } from "./verifier.js";

export const verifyWebhook = verifier(
  loader(
    () => import("./wasm/webhook.js"),
    async () => module,
  ),
);
