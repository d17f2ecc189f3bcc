// A server component, which has the package do what it can do without a page.

import { connection } from "next/server";
import * as client from "omise-linked-accounts";
import * as validate from "omise-linked-accounts/validate";
import * as webhook from "omise-linked-accounts/webhook";
import { journey } from "../../journey.js";

export default async function Page() {
  // made for each visit
  await connection();
  const came = await journey(client, validate, webhook, JSON.parse(process.env.SHOP));
  return <output>{btoa(JSON.stringify(came))}</output>;
}
