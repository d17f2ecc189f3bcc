// A server route.

import { createFileRoute } from "@tanstack/react-router";
import * as client from "omise-linked-accounts";
import * as validate from "omise-linked-accounts/validate";
import * as webhook from "omise-linked-accounts/webhook";
import { journey } from "../../journey.js";

export const Route = createFileRoute("/server")({
  server: {
    handlers: {
      GET: async ({ request }) => {
        const shop = JSON.parse(new URL(request.url).searchParams.get("shop"));
        return Response.json(await journey(client, validate, webhook, shop));
      },
    },
  },
});
