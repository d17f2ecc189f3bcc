// A page of the package's own files, unbuilt.

import { journey } from "./journey.js";
import * as client from "./omise-linked-accounts/index.js";
import * as validate from "./omise-linked-accounts/validate.js";
import * as webhook from "./omise-linked-accounts/webhook.js";

const shop = JSON.parse(decodeURIComponent(location.hash.slice(1)));
document.documentElement.dataset.came = JSON.stringify(await journey(client, validate, webhook, shop));
