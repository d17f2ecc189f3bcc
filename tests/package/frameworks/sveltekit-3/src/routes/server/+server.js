import { json } from "@sveltejs/kit";
import * as client from "omise-linked-accounts";
import * as validate from "omise-linked-accounts/validate";
import * as webhook from "omise-linked-accounts/webhook";
import { journey } from "../../journey.js";

export async function GET({ url }) {
  const shop = JSON.parse(url.searchParams.get("shop"));
  return json(await journey(client, validate, webhook, shop));
}
