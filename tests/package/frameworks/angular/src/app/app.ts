// A page: rendered on the server, then run in the browser.

import { afterNextRender, Component } from "@angular/core";
import * as client from "omise-linked-accounts";
import * as validate from "omise-linked-accounts/validate";
import * as webhook from "omise-linked-accounts/webhook";
import { journey } from "../../journey.js";

@Component({ selector: "app-root", template: "<h1>Shop</h1>" })
export class App {
  constructor() {
    afterNextRender(async () => {
      const shop = JSON.parse(decodeURIComponent(location.hash.slice(1)));
      const came = await journey(client, validate, webhook, shop);
      document.documentElement.dataset.came = JSON.stringify(came);
    });
  }
}
