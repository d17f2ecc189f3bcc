// Mutations for money.spec.ts: at most one create, and no lost outcome.

import type { Substitution } from "./mutation.ts";

const CREATE = "worker/src/customer/create.rs";
const LEDGER = "worker/src/customer/ledger.rs";
const PLATFORM = "worker/platform.js";
const REQUEST = "worker/src/edge/request.rs";
const RESCUE = "worker/rescue.js";
const RETRIEVE = "worker/src/customer/retrieve.rs";
const SETTLE = "worker/src/customer/settle.rs";
const TABLES = "worker/src/customer/schema.sql";
const SQL = "worker/src/customer/sql.rs";

export default [
  {
    row: "C35",
    removes: "compares a request with the one that its key was used for",
    file: CREATE,
    find: "if attempt.fingerprint != newest && !fingerprints.any(|old| old == attempt.fingerprint) =>",
    replace: "if attempt.fingerprint.is_empty() && !fingerprints.any(|old| old == newest) =>",
  },
  {
    row: "C35",
    removes: "keeps the keys of one customer from another's",
    file: "worker/src/edge/objects.rs",
    find: "self.call(object_name(subject), Caller::Subject(subject), ask)",
    replace: 'self.call(object_name("all"), Caller::Subject("all"), ask)',
  },
  {
    row: "C35",
    removes: "tells an attempt in flight from one that was lost",
    file: SETTLE,
    find: "object.memory.is_in_flight(&attempt.id)",
    replace: 'object.memory.is_in_flight("")',
  },
  {
    row: "C35",
    removes: "leaves a key whose attempt was given up over for good",
    file: CREATE,
    find: "if attempt.state == State::Abandoned {",
    replace: "if attempt.state == State::Abandoned && attempt.link.is_some() {",
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
    removes: "has one current attempt of a type",
    file: TABLES,
    find: "CREATE UNIQUE INDEX attempts_current",
    replace: "CREATE INDEX attempts_current",
  },
  {
    row: "C35",
    removes: "looks for an attempt of the key before it begins one",
    file: LEDGER,
    find: "self.first(sql::ATTEMPT_BY_KEY, &[new.idempotency_key.into()], attempt)?",
    replace: 'self.first(sql::ATTEMPT_BY_KEY, &["".into()], attempt)?',
  },
  {
    row: "C35",
    removes: "has one attempt of a key",
    file: TABLES,
    find: "idempotency_key TEXT UNIQUE,",
    replace: "idempotency_key TEXT,",
  },
  {
    row: "C37",
    removes: "counts the creates of a day where it begins one",
    file: LEDGER,
    find: "&& total >= self.settings.creates_per_day.into()",
    replace: "&& total >= u64::from(self.settings.creates_per_day) * 1_000",
  },
  {
    row: "C37",
    removes: "forgets after a day how many creates there were",
    file: SQL,
    find: "AS first FROM attempts WHERE created_at > ?1",
    replace: "AS first FROM attempts WHERE ?1 = ?1",
  },
  {
    row: "C36",
    removes: "takes a lost answer for an unknown outcome",
    file: CREATE,
    find: 'Err(error) => return Err(in_doubt(object, format!("omise: {error:?}"))),',
    replace:
      "Err(error) => {\n            object.ledger.refused(new.id, error.into())?;\n            return Err(unknown());\n        }",
  },
  {
    row: "C36",
    removes: "knows that an attempt on which no call works is in doubt",
    file: SETTLE,
    find: "if attempt.state == State::Asked && object.memory.is_in_flight(&attempt.id) {",
    replace: "if attempt.state == State::Asked {",
    build: "build-fault",
  },
  {
    row: "C36",
    removes: "stamps what it has Omise make",
    file: CREATE,
    find: "let stamped = params.metadata.insert(Metadata::STAMP, Scalar::from(text.as_str()));",
    replace: "let stamped: Result<(), std::fmt::Error> = Ok(drop(Scalar::from(text.as_str())));",
    build: "build-fault",
  },
  {
    row: "C36",
    removes: "compares the stamp of what it finds with the attempt",
    file: SETTLE,
    find: "Ok(stamp.attempt_id() == attempt &&",
    replace: "Ok(stamp.attempt_id() != attempt || !attempt.is_empty() ||",
  },
  {
    row: "C37",
    removes: "shows the account that is pending",
    file: CREATE,
    find: "Some(id) => Ok(failure.with_linked_account(object.ledger.found(id)?.shown()?)),",
    replace: "Some(_) => Ok(failure),",
  },
  {
    row: "C37",
    removes: "tells how long to wait for one that is in flight",
    file: CREATE,
    find: "return Err(Failure::new(Reason::AlreadyPending).with_retry_after(IN_FLIGHT_AGAIN))",
    replace: "return Err(Failure::new(Reason::AlreadyPending))",
  },
  {
    row: "C37",
    removes: "looks for a current attempt of the type before it begins one",
    file: LEDGER,
    find: "if !new.replace_pending\n            && let Some(attempt)",
    replace: "if !new.replace_pending\n            && new.id.is_empty()\n            && let Some(attempt)",
  },
  {
    row: "C37",
    removes: "leaves all as it was where a replacement has no room",
    file: LEDGER,
    find: "let begun = |row: &Row|",
    replace:
      "if new.replace_pending {\n            self.write(|| self.tables.run(sql::REPLACE, std::slice::from_ref(&of_type)))?;\n        }\n        let begun = |row: &Row|",
  },
  {
    row: "C37",
    removes: "looks whether a pending account is over",
    file: CREATE,
    find: "Reading::Due => return Ok(Next::Read(id, READING)),\n                // what failed",
    replace: "Reading::Due => {}\n                // what failed",
  },
  {
    row: "C38",
    removes: "has a deadline",
    file: PLATFORM,
    find: "setTimeout(() => over.abort(), ms)",
    replace: "setTimeout(() => {}, ms)",
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
    removes: "takes nothing but Omise's own error object for a refusal",
    file: CREATE,
    find: "error.code().is_some() && error.status < 500 && !matches!(error.status, 408 | 409)",
    replace: "error.status > 0",
  },
  {
    row: "C43",
    removes: "has those who need a reading wait for the one under way",
    file: "worker/customer.js",
    find: "    if (underWay) return underWay;\n",
    replace: "",
  },
  {
    row: "C38",
    removes: "makes sure that the account is the one that it has Omise make",
    file: CREATE,
    find: "Ok(account) if !carries(object, &account, new.id)? => {",
    replace: "Ok(account) if !carries(object, &account, new.id)? && new.id.is_empty() => {",
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
    find: "if link.is_deleted() {",
    replace: "if link.is_deleted() && link.is_pending() {",
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
    find: "  if (error?.message !== STALE) replace(error);\n",
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
    file: "worker/src/edge/create.rs",
    find: "let json = Json::parse(body.as_bytes())\n        .map_err(|error| Failure::new(Reason::MalformedJson).with_log(error.to_string()))?;",
    replace: 'let json = Json::parse(body.as_bytes()).unwrap_or_else(|error| panic!("{error}"));',
  },
] satisfies Substitution[];
