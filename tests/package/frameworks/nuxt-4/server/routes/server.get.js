import * as client from "omise-linked-accounts";
import * as validate from "omise-linked-accounts/validate";
import * as webhook from "omise-linked-accounts/webhook";
import { journey } from "#shared/journey.js";

export default defineEventHandler((event) =>
  journey(client, validate, webhook, JSON.parse(getQuery(event).shop)),
);
