// A route handler.

import * as client from "omise-linked-accounts";
import * as validate from "omise-linked-accounts/validate";
import * as webhook from "omise-linked-accounts/webhook";
import { journey } from "../../journey.js";

export async function GET(request) {
  const shop = JSON.parse(request.nextUrl.searchParams.get("shop"));
  return Response.json(await journey(client, validate, webhook, shop));
}
