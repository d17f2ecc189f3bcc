// Mutations for money.spec.ts: at most one create, and no lost outcome.

import type { Substitution } from "./mutation.ts";

const CREATE = "worker/src/edge/create.rs";
const LEDGER = "worker/src/customer/ledger.rs";
const PLATFORM = "worker/platform.js";
const REQUEST = "worker/src/edge/request.rs";
const RESCUE = "worker/rescue.js";
const RETRIEVE = "worker/src/customer/retrieve.rs";
const SETTLE = "worker/src/customer/settle.rs";
const TABLES = "worker/migrations/0002_settling.sql";
const SQL = "worker/src/customer/sql.rs";

export default [
  {
    row: "C35",
    removes: "compares a request with the one that its key was used for",
    file: CREATE,
    find: "attempt.fingerprint != new.fingerprint",
    replace: "attempt.fingerprint.is_empty()",
  },
  {
    row: "C35",
    removes: "keeps the keys of one customer from another's",
    file: TABLES,
    find: "CREATE UNIQUE INDEX attempts_key ON attempts (owner, idempotency_key);",
    replace: "CREATE UNIQUE INDEX attempts_key ON attempts (idempotency_key);",
  },
  {
    row: "C35",
    removes: "tells an attempt in flight from one that was lost",
    file: SETTLE,
    find: "if attempt.state == AttemptState::InFlight && age <",
    replace: "if attempt.state == AttemptState::InFlight && age + 3_600_000 <",
  },
  {
    row: "C35",
    removes: "leaves a key whose attempt was given up over for good",
    file: CREATE,
    find: "if attempt.state == AttemptState::Abandoned {",
    replace: "if attempt.state == AttemptState::Abandoned && false {",
  },
  {
    row: "C35",
    removes: "bounds the length of a key",
    file: REQUEST,
    find: "(1..=255).contains(&text.len())",
    replace: "!text.is_empty()",
  },
  {
    row: "C35",
    removes: "wants visible ASCII in a key",
    file: REQUEST,
    find: "&& text.bytes().all(|b| b.is_ascii_graphic())",
    replace: "",
  },
  {
    row: "C36",
    removes: "has one current attempt of a customer and type",
    file: TABLES,
    find: "CREATE UNIQUE INDEX attempts_current ON attempts (owner, type) WHERE current = 1;",
    replace: "CREATE INDEX attempts_current ON attempts (owner, type) WHERE current = 1;",
  },
  {
    row: "C35",
    removes: "has one attempt of a key",
    file: TABLES,
    find: "CREATE UNIQUE INDEX attempts_key ON attempts (owner, idempotency_key);",
    replace: "CREATE INDEX attempts_key ON attempts (owner, idempotency_key);",
  },
  {
    row: "C37",
    removes: "counts the pending accounts where it begins a create",
    file: SQL,
    find: 'room!("?8"),',
    replace: '"?8 = ?8",',
  },
  {
    row: "C36",
    removes: "takes a lost answer for an unknown outcome",
    file: CREATE,
    find: 'Err(error) => return Err(in_doubt(context, new.id, format!("omise: {error:?}")).await),',
    replace:
      "Err(_) => {\n            context.ledger.forget(new.id).await?;\n            return Err(unknown());\n        }",
  },
  {
    row: "C36",
    removes: "stamps what it has Omise make",
    file: CREATE,
    find: "let stamp = params.metadata.insert(Metadata::ATTEMPT, Scalar::from(new.id));",
    replace: "let stamp: Result<(), std::fmt::Error> = Ok(());",
    build: "build-fault",
  },
  {
    row: "C36",
    removes: "compares the stamp of what it finds with the attempt",
    file: SETTLE,
    find: ".is_some_and(|stamp| stamp == attempt)",
    replace: ".is_some_and(|stamp| !attempt.is_empty() && !stamp.is_empty())",
  },
  {
    row: "C37",
    removes: "shows the account that is pending",
    file: CREATE,
    find: "Some(seen) => failure.with_linked_account(seen.shown()?),",
    replace: "Some(_) => failure,",
  },
  {
    row: "C37",
    removes: "tells how long to wait for one that is in flight",
    file: CREATE,
    find: "return Ok(failure.with_retry_after(if in_flight { 2 } else { 10 }));",
    replace: "return Ok(if in_flight { failure } else { failure.with_retry_after(10) });",
  },
  {
    row: "C37",
    removes: "caps the pending accounts of a customer",
    file: LEDGER,
    find: "const MAX_OPEN: u32 = 5;",
    replace: "const MAX_OPEN: u32 = 500;",
  },
  {
    row: "C37",
    removes: "leaves all as it was where a replacement has no room",
    file: SQL,
    find: 'room!("?4"),',
    replace: '"?4 = ?4",',
  },
  {
    row: "C37",
    removes: "looks whether a pending account is over",
    file: CREATE,
    find: "&& settle_open(context, new.owner).await",
    replace: '&& settle_open(context, "").await',
  },
  {
    row: "C38",
    removes: "has a deadline",
    file: PLATFORM,
    find: "body: body ?? null,\n    signal,\n",
    replace: "body: body ?? null,\n",
  },
  {
    row: "C38",
    removes: "leaves redirects alone",
    file: PLATFORM,
    find: 'redirect: "manual"',
    replace: 'redirect: "follow"',
  },
  {
    row: "C38",
    removes: "caps what it reads",
    file: PLATFORM,
    find: "body: await read(response, cap),",
    replace: "body: await read(response, Number.POSITIVE_INFINITY),",
  },
  {
    row: "C38",
    removes: "bounds how long a customer is told to wait",
    file: "worker/src/common/upstream.rs",
    find: "retry_after.unwrap_or(1).clamp(1, 3_600)",
    replace: "retry_after.unwrap_or(1).max(1)",
  },
  {
    row: "C38",
    removes: "keeps customers away where Omise's Retry-After is over already",
    file: "worker/src/common/upstream.rs",
    find: "retry_after.unwrap_or(1).clamp(1, 3_600)",
    replace: "retry_after.unwrap_or(1).min(3_600)",
  },
  {
    row: "C38",
    removes: "asks whether the account that Omise made is the one that was asked for",
    file: "worker/src/edge/create.rs",
    find: "Ok(account) if !settle::carries(&account, new.id) => {",
    replace: "Ok(account) if false && !settle::carries(&account, new.id) => {",
  },
  {
    row: "C43",
    removes: "shares a reading that failed",
    file: "worker/src/customer/retrieve.rs",
    find: "Err(failed) => failed.at >= now,",
    replace: "Err(_) => false,",
  },
  {
    row: "C38",
    removes: "makes sure that the account is the one that it has Omise make",
    file: CREATE,
    find: "Ok(account) if !settle::carries(&account, new.id) => {",
    replace: "Ok(account) if !settle::carries(&account, new.id) && false => {",
  },
  {
    row: "C43",
    removes: "shares a reading for some seconds",
    file: RETRIEVE,
    find: "const SHARED_FOR: Millis = 3_000;",
    replace: "const SHARED_FOR: Millis = 0;",
  },
  {
    row: "C43",
    removes: "leaves Omise alone about an account that is deleted",
    file: RETRIEVE,
    find: "if link.status == Status::Deleted {",
    replace: "if link.status == Status::Deleted && false {",
  },
  {
    row: "C50",
    removes: "answers the requests that die with another",
    file: RESCUE,
    find: "for (const reject of inFlight) reject(lost);",
    replace: "",
    build: "build-fault",
  },
  {
    row: "C50",
    removes: "notices that its instance has died",
    file: RESCUE,
    find: "    if (error?.message !== STALE) replace(error);\n",
    replace: "",
    build: "build-fault",
  },
  {
    row: "C50",
    removes: "keeps what an error quotes out of the log",
    file: RESCUE,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is a text of the file's
    find: 'return `${name === "RuntimeError" ? head : name} at',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is a text of the file's
    replace: "return `${head} at",
    build: "build-fault",
  },
  {
    row: "C50",
    removes: "keeps what a panic quotes out of the log",
    file: "worker/src/common/panic.rs",
    find: "state.set_panicked_at(&place.to_string())",
    replace:
      "{\n                    let _ = place;\n                    state.set_panicked_at(&info.to_string());\n                }",
    build: "build-fault",
  },
  {
    row: "C50",
    removes: "answers what it cannot read, in place of dying of it",
    file: REQUEST,
    find: "Json::parse(&body).map_err(|error| Failure::new(Reason::MalformedJson).with_log(error.to_string()))",
    replace: 'Ok(Json::parse(&body).unwrap_or_else(|error| panic!("{error}")))',
  },
] satisfies Substitution[];
