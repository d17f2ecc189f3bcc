// @ts-self-types="./webhook.d.ts"
// Bundlers: the module is fetched from beside this file, on first use.
import { fetchModule, glueWith, onFirstUse } from "./loading.js";
import { verifier } from "./verifier.js";

export { WebhookError } from "./verifier.js";

export const verifyWebhook = verifier(
  onFirstUse(() =>
    glueWith(
      // written out, both of them, so that bundlers see them
      () => import("./wasm/webhook.js"),
      () => fetchModule(new URL("./wasm/webhook_bg.wasm", import.meta.url)),
    ),
  ),
);
