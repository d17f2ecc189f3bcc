// A page that a bundler builds.

import * as client from "omise-linked-accounts";
import { journey } from "./journey.js";

const [validate, webhook] = await Promise.all([
  import("omise-linked-accounts/validate"),
  import("omise-linked-accounts/webhook"),
]);
const shop = JSON.parse(decodeURIComponent(location.hash.slice(1)));
document.documentElement.dataset.came = JSON.stringify(await journey(client, validate, webhook, shop));
