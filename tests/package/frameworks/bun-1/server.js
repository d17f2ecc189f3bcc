// A shop's server.

import * as client from "omise-linked-accounts";
import * as validate from "omise-linked-accounts/validate";
import * as webhook from "omise-linked-accounts/webhook";
import { journey } from "./journey.js";

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch({ url }) {
    const shop = JSON.parse(new URL(url).searchParams.get("shop"));
    return Response.json(await journey(client, validate, webhook, shop));
  },
});
console.log(server.url.href);
