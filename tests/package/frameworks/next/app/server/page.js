// A server component.

import * as client from "omise-linked-accounts";
import * as validate from "omise-linked-accounts/validate";
import * as webhook from "omise-linked-accounts/webhook";
import { journey } from "../../journey.js";

export default async function Page({ searchParams }) {
  const { shop } = await searchParams;
  const came = await journey(client, validate, webhook, JSON.parse(shop));
  return <output>{btoa(JSON.stringify(came))}</output>;
}
