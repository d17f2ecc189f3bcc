// A client component: rendered on the server, then run in the browser.

"use client";

import * as client from "omise-linked-accounts";
import * as validate from "omise-linked-accounts/validate";
import * as webhook from "omise-linked-accounts/webhook";
import { useEffect } from "react";
import { journey } from "../journey.js";

let visited = false;

export function Visit() {
  useEffect(() => {
    // StrictMode runs the effect twice while developing
    if (visited) return;
    visited = true;
    const shop = JSON.parse(decodeURIComponent(location.hash.slice(1)));
    journey(client, validate, webhook, shop).then((came) => {
      document.documentElement.dataset.came = JSON.stringify(came);
    });
  }, []);
  return null;
}
