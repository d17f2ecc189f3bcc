// A shop's server.

import { createServer } from "node:http";
import * as client from "omise-linked-accounts";
import * as validate from "omise-linked-accounts/validate";
import * as webhook from "omise-linked-accounts/webhook";
import { journey } from "./journey.js";

const server = createServer(async (request, response) => {
  const { searchParams } = new URL(request.url, "http://shop.example");
  response.end(
    JSON.stringify(await journey(client, validate, webhook, JSON.parse(searchParams.get("shop")))),
  );
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
