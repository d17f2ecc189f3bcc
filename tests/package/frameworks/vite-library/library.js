// A library that bundles the package.

import * as client from "omise-linked-accounts";
import * as validate from "omise-linked-accounts/validate";
import * as webhook from "omise-linked-accounts/webhook";
import { journey } from "./journey.js";

export async function visit() {
  const shop = JSON.parse(decodeURIComponent(location.hash.slice(1)));
  const came = await journey(client, validate, webhook, shop);
  document.documentElement.dataset.came = JSON.stringify(came);
}
