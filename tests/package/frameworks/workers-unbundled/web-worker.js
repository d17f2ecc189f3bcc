// The shop's web worker.

import * as client from "/omise-linked-accounts/index.js";
import * as validate from "/omise-linked-accounts/validate.js";
import * as webhook from "/omise-linked-accounts/webhook.js";
import { journey } from "./journey.js";

addEventListener("message", async ({ data }) => {
  postMessage(JSON.stringify(await journey(client, validate, webhook, JSON.parse(data))));
});
