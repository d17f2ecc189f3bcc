// Mutations for trust-webhooks.spec.ts: forged, replayed and stale webhooks.

import type { Substitution } from "./mutation.ts";

const WEBHOOK = "worker/src/edge/webhook.rs";
const SQL = "worker/src/customer/sql.rs";

export default [
  {
    row: "C31",
    removes: "recognises an event that was dealt with",
    file: WEBHOOK,
    find: "if context.ledger.has_seen(&event.id).await? {",
    replace: "if context.ledger.has_seen(&event.id).await? && false {",
  },
  {
    row: "C31",
    removes: "remembers events for longer than their signatures hold",
    file: "worker/src/cron.rs",
    find: "const KEPT: Millis = 30 * 24 * 3_600_000;",
    replace: "const KEPT: Millis = 300_000;",
  },
  {
    row: "C33",
    removes: "verifies the bytes as they came",
    file: WEBHOOK,
    find: "verify(&context.settings.webhook_secrets, &signature, &signed_at, &body, now)",
    replace:
      "let parsed = serde_json::from_slice::<serde_json::Value>(&body).unwrap_or_default();\n    verify(&context.settings.webhook_secrets, &signature, &signed_at, parsed.to_string().as_bytes(), now)",
  },
  {
    row: "C34",
    removes: "keeps what another request has read meanwhile",
    file: SQL,
    find: "WHERE id = ?1 AND (read_at <= ?4 OR ?2 = 'deleted') AND status <> 'deleted'",
    replace: "WHERE id = ?1",
  },
  {
    row: "C34",
    removes: "waits with remembering an event until its account was read",
    file: WEBHOOK,
    find: "    // 3\n",
    replace: '    context.ledger.remember(&event.id, None, "early", context.now()).await?;\n',
  },
  {
    row: "C34",
    removes: "has Omise send again what could not be read",
    file: WEBHOOK,
    find: "Err(failure) if failure.reason.http_status() < Some(500) => {",
    replace: "Err(failure) if failure.reason.http_status() < Some(0) => {",
  },
  {
    row: "C34",
    removes: "counts events that are about nothing of ours",
    file: WEBHOOK,
    find: '        context.ledger.remember(&event.id, None, "ignored", context.now()).await?;\n',
    replace: "",
  },
  {
    row: "C34",
    removes: "asks Omise about nothing but its own accounts",
    file: WEBHOOK,
    find: "    let (Some(id), Some(link)) = (id, link) else {",
    replace:
      "    if let (Some(id), None) = (&id, &link) {\n        let _ = retrieve::ask(context, id).await;\n    }\n    let (Some(id), Some(link)) = (id, link) else {",
  },
] satisfies Substitution[];
