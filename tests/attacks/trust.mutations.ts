// Mutations for trust.spec.ts: secrets and personal data in answers and logs.

import type { Substitution } from "./mutation.ts";

const ANSWER = "worker/src/common/answer.rs";
const RESPOND = "worker/src/edge/respond.rs";
const CREATE = "worker/src/customer/create.rs";
const LEDGER = "worker/src/customer/ledger.rs";
const EDGE = "worker/src/edge/mod.rs";
const LIMITS = "worker/src/edge/limits.rs";
const TRACE = "worker/src/common/trace.rs";
const UPSTREAM = "worker/src/common/upstream.rs";

const LINE = 'console_log!("{}", serde_json::to_string(&line).unwrap_or_default());';
const TO_64_BITS = "u128::from(ip) >> 64 << 64";

export default [
  {
    row: "C26",
    removes: "sends the key in one header alone",
    file: UPSTREAM,
    find: '("X-Request-Id", context.trace.request_id.as_str()),',
    replace: '("X-Request-Id", authorization.as_str()),',
  },
  {
    row: "C27",
    removes: "answers in its own words alone",
    file: UPSTREAM,
    find: "let failure = Failure::new(reason).with_log(error.to_string());",
    replace:
      'let issue = omise_linked_accounts::Issue::new("", omise_linked_accounts::IssueCode::Invalid, error.to_string());\n    let failure = Failure::new(reason).with_issues(vec![issue]);',
  },
  {
    row: "C27",
    removes: "forbids browsers to guess that an answer is a page",
    file: RESPOND,
    find: '    headers.add("X-Content-Type-Options", "nosniff");\n',
    replace: "",
  },
  {
    row: "C28",
    removes: "has a key for the request's fingerprint",
    file: CREATE,
    find: "let mut mac = key.fingerprints();",
    replace: 'let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(b"").unwrap_or(key.fingerprints());',
  },
  {
    row: "C28",
    removes: "covers the identity number by the request's fingerprint",
    file: CREATE,
    find: "let request = create::encode_request(&wanted.params);",
    replace:
      "let mut params = wanted.params.clone();\n    params.citizen_id = None;\n    let request = create::encode_request(&params);",
  },
  {
    row: "C28",
    removes: "stores a digest in place of what was asked for",
    file: CREATE,
    find: "URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())",
    replace: "create::encode_request(&wanted.params).body.unwrap_or_default()",
  },
  {
    row: "C29",
    removes: "takes control characters out of what it logs",
    file: "worker/src/common/trace.rs",
    find: "notes.push_str(&printable(text));",
    replace: "notes.push_str(text);",
  },
  {
    row: "C29",
    removes: "escapes what it logs",
    file: TRACE,
    find: LINE,
    replace: 'console_log!("{} {}", serde_json::to_string(&line).unwrap_or_default(), notes);',
  },
  {
    row: "C29",
    removes: "cuts what it logs",
    file: TRACE,
    find: "Some(cut(&notes))",
    replace: "Some(notes.as_str())",
  },
  {
    row: "C41",
    removes: "forbids caches to keep its answers",
    file: RESPOND,
    find: '    headers.add("Cache-Control", "no-store");\n',
    replace: "",
  },
  {
    row: "C41",
    removes: "tells caches that answers differ by origin",
    file: RESPOND,
    find: '    headers.add("Vary", "Origin");\n',
    replace: "",
  },
  {
    row: "C41",
    removes: "takes a customer's list from that customer's accounts alone",
    file: "worker/src/edge/objects.rs",
    find: "self.call(object_name(subject), Caller::Subject(subject), ask)",
    replace: 'self.call(object_name("all"), Caller::Subject("all"), ask)',
  },
  {
    row: "C42",
    removes: "counts a customer whatever the address",
    file: EDGE,
    find: "limits::count(&edge.env, kind, Whose::Subject(&caller.subject)).await",
    replace: "limits::count(&edge.env, kind, Whose::Network(ip.as_deref())).await",
  },
  {
    row: "C42",
    removes: "counts the addresses of an IPv6 network as one",
    file: LIMITS,
    find: TO_64_BITS,
    replace: "u128::from(ip)",
  },
  {
    row: "C42",
    removes: "takes an IPv4 address in IPv6 for what it is",
    file: LIMITS,
    find: ".map(|ip| ip.to_canonical())",
    replace: "",
  },
  {
    row: "C42",
    removes: "believes Cloudflare alone where a request came from",
    file: EDGE,
    find: 'req.header("CF-Connecting-IP")',
    replace: 'req.header("X-Forwarded-For")',
  },
  {
    row: "C42",
    removes: "bounds a customer's creates of a day in the ledger",
    file: LEDGER,
    find: "&& total >= self.settings.creates_per_day.into()",
    replace: "&& total >= u64::from(self.settings.creates_per_day) * 1_000",
  },
  {
    row: "C46",
    removes: "makes a link_state of random bits",
    file: CREATE,
    find: "LinkState::from_random(random()?)",
    replace: "LinkState::from_random(u128::from(now()).to_be_bytes())",
  },
  {
    row: "C46",
    removes: "takes link_state out of what it shows",
    file: ANSWER,
    find: "account.return_uri.map(|uri| ReturnUri::strip_link_state(&uri).into_owned())",
    replace: "account.return_uri",
  },
  {
    row: "C46",
    removes: "stores a digest in place of link_state",
    file: LEDGER,
    find: "URL_SAFE_NO_PAD.encode(Sha256::digest(state.expose()))",
    replace: "state.expose()",
  },
  {
    row: "C46",
    removes: "takes link_state from a body alone",
    file: "worker/src/edge/confirm.rs",
    find: "let text = req.json_text().await?;",
    replace:
      'if let Some(text) = req.query().strip_prefix("link_state=") {\n        return Ok(Ask::Confirm { link_state: text.to_owned() });\n    }\n    let text = req.json_text().await?;',
  },
] satisfies Substitution[];
