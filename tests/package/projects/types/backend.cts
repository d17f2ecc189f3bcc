// What the types of two entries have to be in CommonJS.

import links = require("omise-linked-accounts");
import webhook = require("omise-linked-accounts/webhook");

const client: links.Client = links.createClient({
  endpoint: "https://links.shop.example",
  getToken: () => "token",
});
const event: Promise<webhook.WebhookEvent> = webhook.verifyWebhook("{}", {}, "c2VjcmV0");
export = { client, event };
