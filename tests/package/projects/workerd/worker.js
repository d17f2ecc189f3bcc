// A shop's own Worker, which has the package do what it can do without a page.

import * as client from "omise-linked-accounts";
import * as validate from "omise-linked-accounts/validate";
import * as webhook from "omise-linked-accounts/webhook";
import { journey } from "./journey.js";

export default {
  async fetch(request) {
    return Response.json(await journey(client, validate, webhook, await request.json()));
  },
};
