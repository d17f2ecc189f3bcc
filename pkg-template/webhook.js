// @ts-self-types="./webhook.d.ts"
// Browsers, bundlers, servers: the module is inside JavaScript, loaded on first use.
import { loader } from "./loading.js";
import { verifier } from "./verifier.js";

export { WebhookError } from "./verifier.js";

export const verifyWebhook = verifier(
  loader(
    // written out, both of them, so that bundlers see them
    () => import("./wasm/webhook.js"),
    async () => (await import("./wasm/webhook-bytes.js")).bytes(),
  ),
);
