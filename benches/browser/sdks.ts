// What a page loads from npm packages that take payments or link banks, ours among them: as far as each goes without the network.
//
// Bytes are those of the packages. Two of them are mainly loaders: "you must load Stripe.js directly from https://js.stripe.com. You
// cannot include it in a bundle or host it yourself" (README of @stripe/stripe-js 10.2.1), and Plaid's script "must always be loaded
// directly from https://cdn.plaid.com, rather than included in a bundle or hosted yourself" (plaid.com/docs/link/web, read in
// November 2026). What they load when the page runs is in no package, and is not counted. Ours loads its own files only.
//
// `omise` is "Omise Node.js bindings" (its package.json, 1.1.0), for a backend; its README has pages use Omise.js, which is a script at
// https://cdn.omise.co (docs.omise.co/omise-js). Vite bundles it with nothing in place of Node's modules, and in a page it throws.

import type { File, Page, Script } from "./pages.ts";

const CLIENT = `
  import { createClient } from "omise-linked-accounts";
  globalThis.links = createClient({ endpoint: "https://links.shop.example", getToken: () => "" });
`;

const PLAID = `
  import { createElement } from "react";
  import { usePlaidLink } from "react-plaid-link";
  export function Link() {
    const { open, ready } = usePlaidLink({ token: "", onSuccess() {} });
    return createElement("button", { onClick: () => open(), disabled: !ready }, "Link");
  }
`;

/** What a page with React has anyway. */
const REACT = ["react", "react-dom", "react-dom/client", "react/jsx-runtime"];

/** The pages, by what they use. */
export const SDKS: Record<string, Script> = {
  ours: { source: CLIENT },
  "@stripe/stripe-js": {
    source: `
      import { loadStripe } from "@stripe/stripe-js";
      globalThis.stripe = loadStripe("pk_test_1");
    `,
  },
  // without React, its peer dependency
  "react-plaid-link": { source: `${PLAID}; globalThis.Link = Link;`, external: REACT },
  "… and React": {
    source: `
      import { createRoot } from "react-dom/client";
      ${PLAID}
      createRoot(document.querySelector("output")).render(createElement(Link));
    `,
  },
  "omise (for Node)": {
    source: `
      import omise from "omise";
      globalThis.omise = omise({ publicKey: "pkey_test_1" });
    `,
  },
};

/** Bytes over the wire of a page's scripts and modules. */
export interface Weight {
  gzip: number;
  brotli: number;
}

/** All that a customer of one language loads of a page. */
export function weigh(page: Page): Weight {
  const loaded = [...page].filter(
    ([name, { chunk }]) => /\.(js|wasm)$/.test(name) && !isOtherLanguage(chunk),
  );
  return sum(loaded.map(([, file]) => file));
}

/** What is loaded before anything is called. */
export function weighEntry(page: Page): Weight {
  const entered: Page = new Map();
  const enter = (name: string) => {
    const file = page.get(name);
    if (!file || entered.has(name)) return;
    entered.set(name, file);
    for (const imported of file.chunk?.imports ?? []) enter(imported);
  };
  for (const [name, { chunk }] of page) if (chunk?.isEntry) enter(name);
  return sum(entered.values());
}

/** Whether a script is a catalogue of words that the page, which is in English, does not ask for. */
const isOtherLanguage = (chunk: File["chunk"]) =>
  chunk?.moduleIds.some((id) => /\/messages\/(?!en\.js)/.test(id)) ?? false;

function sum(files: Iterable<File>): Weight {
  const total: Weight = { gzip: 0, brotli: 0 };
  for (const { gzip, brotli } of files) {
    total.gzip += gzip.length;
    total.brotli += brotli.length;
  }
  return total;
}
