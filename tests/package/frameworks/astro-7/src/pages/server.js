import * as client from "omise-linked-accounts";
import * as validate from "omise-linked-accounts/validate";
import * as webhook from "omise-linked-accounts/webhook";
import { journey } from "../../journey.js";

export const prerender = false;

export async function GET({ url }) {
  const shop = JSON.parse(url.searchParams.get("shop"));
  return Response.json(await journey(client, validate, webhook, shop));
}
