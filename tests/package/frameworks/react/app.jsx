import * as client from "omise-linked-accounts";
import { useEffect } from "react";
import { journey } from "./journey.js";

const shop = JSON.parse(decodeURIComponent(location.hash.slice(1)));
const links = client.createClient({ endpoint: shop.endpoint, getToken: async () => "token-1" });

function done(came) {
  document.documentElement.dataset.came = JSON.stringify(came);
}

let visited = false;

/** Makes the journey once, although StrictMode runs the effect twice. */
export function Visit() {
  useEffect(() => {
    if (visited) return;
    visited = true;
    Promise.all([import("omise-linked-accounts/validate"), import("omise-linked-accounts/webhook")])
      .then(([validate, webhook]) => journey(client, validate, webhook, shop))
      .then(done);
  }, []);
  return null;
}

const effects = [];

/** Creates an account in each effect. With `abort` in the address, the effect's clean-up aborts its call. */
export function Create() {
  useEffect(() => {
    const leaving = new AbortController();
    const signal = location.search === "?abort" ? leaving.signal : undefined;
    const params = { type: "direct_debit_scb", returnUri: "https://shop.example/return" };
    effects.push(
      links.create(params, { signal }).then(
        ({ id }) => id,
        ({ name }) => name,
      ),
    );
    // after the second effect, which follows the first in the same task
    setTimeout(() => Promise.all(effects).then(done));
    return () => leaving.abort();
  }, []);
  return null;
}
