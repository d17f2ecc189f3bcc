// A page that a bundler builds.

import * as client from "omise-linked-accounts";
import { journey } from "./journey.js";

// no `await` at the top: not every format has it
Promise.all([import("omise-linked-accounts/validate"), import("omise-linked-accounts/webhook")])
  .then(([validate, webhook]) =>
    journey(client, validate, webhook, JSON.parse(decodeURIComponent(location.hash.slice(1)))),
  )
  .then((came) => {
    document.documentElement.dataset.came = JSON.stringify(came);
  });
