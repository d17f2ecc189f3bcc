// The shop's service worker.

import * as client from "omise-linked-accounts";
import * as validate from "omise-linked-accounts/validate";
import * as webhook from "omise-linked-accounts/webhook";
import { journey } from "./journey.js";

addEventListener("message", (event) => {
  const done = journey(client, validate, webhook, JSON.parse(event.data));
  event.waitUntil(
    done.then(
      (came) => event.ports[0].postMessage(JSON.stringify(came)),
      (error) => event.ports[0].postMessage(JSON.stringify(`${error} ${error.cause}`)),
    ),
  );
});
