// A test of the shop's that lets the package work.

import { writeFileSync } from "node:fs";
import * as client from "omise-linked-accounts";
import * as validate from "omise-linked-accounts/validate";
import * as webhook from "omise-linked-accounts/webhook";
import { journey } from "./journey.js";

test("the journey", async () => {
  const came = await journey(client, validate, webhook, JSON.parse(process.env.SHOP));
  writeFileSync("came.json", JSON.stringify(came));
});
