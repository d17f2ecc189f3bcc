// Mutations for trust-webhooks.spec.ts: forged, replayed and stale webhooks.

import type { Substitution } from "./mutation.ts";

const WEBHOOK = "worker/src/edge/webhook.rs";
const LEDGER = "worker/src/customer/ledger.rs";
const OBJECT = "worker/src/customer/webhook.rs";

export default [
  {
    row: "C31",
    removes: "recognises an event that was dealt with",
    file: LEDGER,
    find: "Ok(self.first(sql::EVENT_SEEN, &[event.into()], |_| Ok(()))?.is_some())",
    replace: 'Ok(self.first(sql::EVENT_SEEN, &["".into()], |_| Ok(()))?.is_some() && event.is_empty())',
  },
  {
    row: "C31",
    removes: "remembers events for longer than their signatures hold",
    file: "worker/src/customer/over.rs",
    find: "pub(crate) const KEPT: Millis = 30 * DAY;",
    replace: "pub(crate) const KEPT: Millis = 300_000;",
  },
  {
    row: "C33",
    removes: "verifies the bytes as they came",
    file: WEBHOOK,
    find: "verify(&edge.context.settings.webhook_secrets, &signature, &signed_at, &body, now)",
    replace:
      "let parsed = serde_json::from_slice::<serde_json::Value>(&body).unwrap_or_default();\n    verify(&edge.context.settings.webhook_secrets, &signature, &signed_at, parsed.to_string().as_bytes(), now)",
  },
  {
    row: "C34",
    removes: "keeps what another request has read meanwhile",
    file: LEDGER,
    find: "Merge::Keep => return Ok((false, false)),",
    replace: "Merge::Keep => {}",
  },
  {
    row: "C34",
    removes: "waits with remembering an event until its account was read",
    file: LEDGER,
    find: "Ok(self.first(sql::EVENT_SEEN, &[event.into()], |_| Ok(()))?.is_some())",
    replace:
      "let is_seen = self.first(sql::EVENT_SEEN, &[event.into()], |_| Ok(()))?.is_some();\n        if !is_seen {\n            self.write(|| self.seen(event))?;\n        }\n        Ok(is_seen)",
  },
  {
    row: "C34",
    removes: "has Omise send again what could not be read",
    file: OBJECT,
    find: "Err(failure) if failure.is_refusal() => {",
    replace: "Err(failure) if failure.is_refusal() && event.is_empty() => {",
  },
  {
    row: "C34",
    removes: "tells the log of an event that is about nothing of ours",
    file: WEBHOOK,
    find: 'edge.context.trace.note(&format!("webhook {} is about nothing of ours", event.key.as_str()));',
    replace: "let _ = event.key.as_str();",
  },
  {
    row: "C34",
    removes: "asks Omise about nothing but accounts of its own mode",
    file: WEBHOOK,
    find: ".filter(|id| id.mode() == edge.context.settings.secret_key.mode())",
    replace: "",
  },
] satisfies Substitution[];
