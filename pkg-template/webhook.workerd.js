// @ts-self-types="./webhook.d.ts"
// workerd: code cannot be compiled at run time, so the module is imported, compiled.
import { loader } from "./loading.js";
import { verifier } from "./verifier.js";
import module from "./wasm/webhook_bg.wasm";

export { WebhookError } from "./verifier.js";

export const verifyWebhook = verifier(
  loader(
    () => import("./wasm/webhook.js"),
    async () => module,
  ),
);
