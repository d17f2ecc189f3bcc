// The shop's web worker.

import * as client from "omise-linked-accounts";
import * as validate from "omise-linked-accounts/validate";
import * as webhook from "omise-linked-accounts/webhook";
import { journey } from "./journey.js";

addEventListener("message", async ({ data }) => {
  postMessage(JSON.stringify(await journey(client, validate, webhook, JSON.parse(data))));
});
