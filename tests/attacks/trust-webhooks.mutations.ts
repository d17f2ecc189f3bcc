// The defences against events that are not Omise's, or not of now.

import type { Mutation } from "./mutation.ts";

const CORE = "src/webhook.rs";
const LEDGER = "worker/src/ledger.rs";
const WEBHOOK = "worker/src/webhook.rs";

const IN_SECONDS = "now.as_unix().abs_diff(signed_at) > TOLERANCE.unsigned_abs()";

export default [
  {
    row: "C30",
    removes: "checks the signature",
    file: CORE,
    find: "if !bool::from(matched) {",
    replace: "if bool::from(matched) && false {",
  },
  {
    row: "C30",
    removes: "compares the whole signature",
    file: CORE,
    find: "expected.as_bytes().ct_eq(signature.as_bytes())",
    replace: "subtle::Choice::from(u8::from(expected.starts_with(signature)))",
  },
  {
    row: "C30",
    removes: "covers the time by the signature",
    file: CORE,
    find: '    mac.update(timestamp.as_bytes());\n    mac.update(b".");\n',
    replace: "    let _ = timestamp;\n",
  },
  {
    row: "C31",
    removes: "refuses an event that was signed long ago",
    file: CORE,
    find: IN_SECONDS,
    replace: "signed_at.saturating_sub(now.as_unix()) > TOLERANCE",
  },
  {
    row: "C31",
    removes: "refuses an event of the future",
    file: CORE,
    find: IN_SECONDS,
    replace: "now.as_unix().saturating_sub(signed_at) > TOLERANCE",
  },
  {
    row: "C31",
    removes: "wants digits alone for the time",
    file: CORE,
    find: "timestamp_header.bytes().all(|b| b.is_ascii_digit()).then(|| timestamp_header.parse::<i64>().ok())",
    replace: "Some(timestamp_header.parse::<i64>().ok())",
  },
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
    row: "C32",
    removes: "tries every secret",
    file: CORE,
    find: "for secret in secrets {",
    replace: "for secret in secrets.iter().take(1) {",
  },
  {
    row: "C32",
    removes: "tries every signature",
    file: CORE,
    find: "for signature in &signatures {",
    replace: "for signature in signatures.iter().take(1) {",
  },
  {
    row: "C32",
    removes: "caps how many signatures it tries",
    file: CORE,
    find: "if signatures.len() > MAX_SIGNATURES {",
    replace: "if signatures.len() > MAX_SIGNATURES && false {",
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
    row: "C33",
    removes: "refuses an attribute that is there twice",
    file: "src/attributes.rs",
    find: "Some(name) if found.iter().any(|(other, _)| *other == name) => {",
    replace: "Some(name) if false && found.iter().any(|(other, _)| *other == name) => {",
  },
  {
    row: "C34",
    removes: "keeps the newest reading",
    file: "src/merge.rs",
    find: " || incoming.began_at < stored.began_at {",
    replace: " {",
  },
  {
    row: "C34",
    removes: "keeps what another request has read meanwhile",
    file: LEDGER,
    find: "WHERE id = ?1 AND read_at <= ?4 AND status <> 'deleted'",
    replace: "WHERE id = ?1",
  },
  {
    row: "C34",
    removes: "takes deleted for final",
    file: "src/merge.rs",
    find: "*stored.status == Status::Deleted || ",
    replace: "",
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
] satisfies Mutation[];
