// @ts-self-types="./webhook.d.ts"
// Node, Deno and Bun: the module is read from disk, on first use.
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { glueWith, onFirstUse } from "./loading.js";
import { verifier } from "./verifier.js";

export { WebhookError } from "./verifier.js";

export const verifyWebhook = verifier(
  onFirstUse(() =>
    glueWith(
      () => import("./wasm/webhook.js"),
      // not by a URL, of which bundlers for servers make an address of the site's
      () => readFile(join(dirname(fileURLToPath(import.meta.url)), "wasm", "webhook_bg.wasm")),
    ),
  ),
);
