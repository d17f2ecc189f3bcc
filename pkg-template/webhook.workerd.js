// @ts-self-types="./webhook.d.ts"
// workerd: code cannot be compiled at run time, so the module is imported, compiled.
import { glueWith, onFirstUse } from "./loading.js";
import { verifier } from "./verifier.js";
import module from "./wasm/webhook_bg.wasm";

export { WebhookError } from "./verifier.js";

export const verifyWebhook = verifier(
  onFirstUse(() =>
    glueWith(
      () => import("./wasm/webhook.js"),
      async () => module,
    ),
  ),
);
