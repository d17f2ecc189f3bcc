// A shop's program.

import * as client from "omise-linked-accounts";
import * as validate from "omise-linked-accounts/validate";
import * as webhook from "omise-linked-accounts/webhook";
import { journey } from "./journey.js";

console.log(JSON.stringify(await journey(client, validate, webhook, JSON.parse(process.argv[2]))));
