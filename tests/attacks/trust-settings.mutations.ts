// Mutations for trust-settings.spec.ts: settings that the Worker refuses to serve with.

import type { Substitution } from "./mutation.ts";

const SETTINGS = "worker/src/common/settings.rs";
const WRANGLER = "worker/wrangler.toml";

/** What stands before the rule that no address beside a live key is plain http, each time another text. */
const AFTER_ORIGINS =
  'Err("expected origins as browsers write them, without a path or a trailing slash".to_owned());\n    }\n    if uri.is_http() && mode.is_live() {';
const AFTER_PREFIXES =
  'Err("expected origins with a path, without a query".to_owned());\n    }\n    if uri.is_http() && mode.is_live() {';
const NEVER = (text: string) => text.replace("mode.is_live()", "false");

export default [
  {
    row: "C26",
    removes: "keeps a key that is refused out of the refusal",
    file: SETTINGS,
    find: "SecretKey::parse(text).map_err(|e| e.to_string())",
    replace: 'SecretKey::parse(text).map_err(|e| format!("{e}, found {text}"))',
  },
  {
    row: "C39",
    removes: "keeps a live key from a loopback host",
    file: SETTINGS,
    find: AFTER_ORIGINS,
    replace: NEVER(AFTER_ORIGINS),
  },
  {
    row: "C39",
    removes: "keeps customers of a live shop from returning over plain http",
    file: SETTINGS,
    find: AFTER_PREFIXES,
    replace: NEVER(AFTER_PREFIXES),
  },
  {
    row: "C39",
    removes: "keeps the key from other hosts",
    file: SETTINGS,
    find: 'Ok(origin) if origin.starts_with("http:") => Ok(origin),',
    replace: "Ok(origin) => Ok(origin),",
  },
  {
    row: "C39",
    removes: "compares Omise's address as a whole",
    file: SETTINGS,
    find: "if text == API_ORIGIN {",
    replace: "if text.starts_with(API_ORIGIN) {",
  },
  {
    row: "C40",
    removes: "compares the key's mode with the deployment's",
    file: SETTINGS,
    find: "if key.is_some_and(|key| key != mode) {",
    replace: "if key.is_some_and(|key| key != mode) && false {",
  },
  {
    row: "C40",
    removes: "compares an id's mode with the key's",
    file: "worker/src/edge/operator.rs",
    find: "if id.mode() == edge.context.settings.secret_key.mode() { Ok(id) }",
    replace: "if !id.as_str().is_empty() || edge.context.settings.secret_key.mode() == id.mode() { Ok(id) }",
  },
  {
    row: "C40",
    removes: "compares the mode of Omise's answer with the key's",
    file: "worker/src/common/upstream.rs",
    find: "if account.livemode != mode.is_live() || account.id.mode() != mode {",
    replace: "if account.livemode != mode.is_live() && account.id.mode() != mode {",
  },
  {
    row: "C48",
    removes: "takes a blank setting for none",
    file: SETTINGS,
    find: ".filter(|text| !text.is_empty())",
    replace: "",
  },
  {
    row: "C48",
    removes: "leaves the shop's origins to whoever deploys it",
    file: WRANGLER,
    find: 'MODE = "live"\nOMISE_API_URL = "https://api.omise.co"\nALLOWED_ORIGINS = ""',
    replace:
      'MODE = "live"\nOMISE_API_URL = "https://api.omise.co"\nALLOWED_ORIGINS = "https://shop.example"',
  },
  {
    row: "C48",
    removes: "leaves the banks to whoever deploys it",
    file: SETTINGS,
    find: "if account_type.is_direct_debit() {",
    replace: "if account_type.is_direct_debit() || !text.is_empty() {",
  },
] satisfies Substitution[];
