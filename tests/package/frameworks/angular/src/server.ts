// The Express server of `ng new --ssr`, with a route of the shop's.

import { join } from "node:path";
import {
  AngularNodeAppEngine,
  createNodeRequestHandler,
  isMainModule,
  writeResponseToNodeResponse,
} from "@angular/ssr/node";
import express from "express";
import * as client from "omise-linked-accounts";
import * as validate from "omise-linked-accounts/validate";
import * as webhook from "omise-linked-accounts/webhook";
import { journey } from "../journey.js";

const app = express();
const angularApp = new AngularNodeAppEngine();

app.get("/server", async (request, response) => {
  response.json(await journey(client, validate, webhook, JSON.parse(String(request.query.shop))));
});

app.use(express.static(join(import.meta.dirname, "../browser"), { index: false, redirect: false }));

app.use((request, response, next) => {
  angularApp
    .handle(request)
    .then((rendered) => (rendered ? writeResponseToNodeResponse(rendered, response) : next()))
    .catch(next);
});

if (isMainModule(import.meta.url)) {
  const server = app.listen(0, "127.0.0.1", () => {
    const address = server.address();
    if (typeof address === "object") console.log(`http://127.0.0.1:${address?.port}`);
  });
}

export const reqHandler = createNodeRequestHandler(app);
