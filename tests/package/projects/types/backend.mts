// What the types of the two other entries have to be.

import { loadValidator, type Validator } from "omise-linked-accounts/validate";
import { verifyWebhook, WebhookError, type WebhookEvent } from "omise-linked-accounts/webhook";

const rules: Validator = await loadValidator();
rules.checkReturnUri("https://shop.example/")?.field satisfies string | undefined;
// @ts-expect-error a field's text, not the field
rules.checkReturnUri(undefined);

export async function edge(request: Request): Promise<WebhookEvent> {
  return verifyWebhook(await request.arrayBuffer(), request.headers, ["c2VjcmV0", "b3RoZXI="]);
}

const headers: Record<string, string | string[] | undefined> = {};
try {
  const event = await verifyWebhook(new Uint8Array(), headers, "c2VjcmV0");
  event.key satisfies string;
  event.data.object satisfies unknown;
  // @ts-expect-error what nobody knows is looked at before it is used
  event.team_uid.length;
  await verifyWebhook("{}", { "omise-signature": "0" }, ["c2VjcmV0"] as const);
  // @ts-expect-error a body that was parsed cannot be verified
  await verifyWebhook({ object: "event" }, headers, "c2VjcmV0");
  // @ts-expect-error a secret that is not set is none
  await verifyWebhook("{}", headers, undefined);
} catch (error) {
  if (error instanceof WebhookError) {
    error.reason satisfies "header_missing" | "signature_mismatch" | (string & {});
    // @ts-expect-error no such reason
    error.reason === "unheard_of";
  }
}
