// The whole connection between the shop's pages and linked accounts.

import { createClient } from "omise-linked-accounts";
import { api } from "./shop.js";

const { endpoint } = await api("GET", "/config.json");

/** Where the bank sends the customer back to. The Worker has it on its allow-list. */
export const returnUri = `${location.origin}/return`;

export const links = createClient({
  endpoint,
  // The token says who the customer is. It comes from the shop's own backend, which is the one to know.
  getToken: async () => (await api("POST", "/token")).token,
});
