// Mutations for callers.spec.ts: authentication, authorisation and CORS.

import type { Substitution } from "./mutation.ts";

const ANSWER = "worker/src/common/answer.rs";
const CUSTOMER = "worker/src/customer/mod.rs";
const JWKS = "worker/src/common/jwks.rs";
const EDGE = "worker/src/edge/mod.rs";
const LEDGER = "worker/src/customer/ledger.rs";
const PLATFORM = "worker/platform.js";
const REMOTE_JWKS = "worker/src/edge/remote_jwks.rs";
const REQUEST = "worker/src/edge/request.rs";
const OBJECTS = "worker/src/edge/objects.rs";
const OPERATOR = "worker/src/edge/operator.rs";
const RESPOND = "worker/src/edge/respond.rs";
const SESSION = "worker/src/edge/session.rs";
const SQL = "worker/src/customer/sql.rs";

const AUTHORIZATION = 'let authorization = req.header("Authorization");';
const BEARER = 'let token = authorization.strip_prefix("Bearer ").ok_or("not a bearer token")?;';
const OWN_OBJECT = "self.call(object_name(subject), Caller::Subject(subject), ask)";
const ONE_OBJECT = 'self.call(object_name("all"), Caller::Subject("all"), ask)';
const NOTE =
  "let _ = object.ledger.note(action, id.as_ref().map(LinkedAccountId::as_str), failure.reason.as_str());";
const OUR_ORIGIN = "settings.allowed_origins.contains(origin)";
const HEADER = "object::<Value>(token.message.split_once('.').map_or(\"\", |(header, _)| header))";

export default [
  {
    row: "C1",
    removes: "keeps the accounts of each customer in an object of their own",
    file: OBJECTS,
    find: OWN_OBJECT,
    replace: ONE_OBJECT,
  },
  {
    row: "C1",
    removes: "names objects by subjects letter by letter",
    file: "worker/src/common/stamp.rs",
    find: "Sha256::digest(subject).into()",
    replace: "Sha256::digest(subject.trim().to_ascii_lowercase()).into()",
  },
  {
    row: "C1",
    removes: "compares the customer of an object's tables with the caller",
    file: LEDGER,
    find: "&& *subject != ledger.kept_subject()?",
    replace: "&& *subject != ledger.kept_subject()?\n            && subject.is_empty()",
  },
  {
    row: "C1",
    removes: "writes a refusal down",
    file: CUSTOMER,
    find: NOTE,
    replace: "let _ = (action, &id);",
  },
  {
    row: "C1",
    removes: "writes down what is refused before an object is asked",
    file: EDGE,
    find: "ctx.wait_until(async move { drop(edge.ask(&caller.subject, &refused).await) });",
    replace: "let _ = (ctx, refused);",
  },
  {
    row: "C1",
    removes: "answers with a refusal that it cannot write down",
    file: CUSTOMER,
    find: NOTE,
    replace:
      "object.ledger.note(action, id.as_ref().map(LinkedAccountId::as_str), failure.reason.as_str())?;",
  },
  {
    row: "C2",
    removes: "keeps ids that the ledger does not know from Omise",
    file: "worker/src/customer/retrieve.rs",
    find: "let link = visible(object, id)?;",
    replace:
      "let unknown = omise_linked_accounts::LinkedAccountId::parse(id).ok().filter(|_| object.memory.reading(id).is_none());\n    let link = match (visible(object, id), unknown) {\n        (Ok(link), _) => link,\n        (Err(_), Some(id)) => return Ok(Next::Read(id, READING)),\n        (Err(failure), None) => return Err(failure),\n    };",
  },
  {
    row: "C2",
    removes: "takes the operator's scope for one whole word",
    file: SESSION,
    find: "scope.split(' ').any(|word| word == OPERATE)",
    replace: "scope.contains(OPERATE)",
  },
  {
    row: "C2",
    removes: "keeps ids of the other mode from Omise",
    file: OPERATOR,
    find: "if id.mode() == edge.context.settings.secret_key.mode() { Ok(id) }",
    replace: "if !id.as_str().is_empty() || edge.context.settings.secret_key.mode() == id.mode() { Ok(id) }",
  },
  {
    row: "C3",
    removes: "binds a return to the customer who left",
    file: OBJECTS,
    find: OWN_OBJECT,
    replace: ONE_OBJECT,
  },
  {
    row: "C3",
    removes: "binds a return to its link",
    file: SQL,
    find: " FROM links WHERE link_state_hash = ?1",
    replace: " FROM links WHERE ?1 = ?1",
  },
  {
    row: "C3",
    removes: "confirms one link alone",
    file: SQL,
    find: "UPDATE links SET confirmed_at = ?2 WHERE link_state_hash = ?1",
    replace: "UPDATE links SET confirmed_at = ?2 WHERE ?1 = ?1",
  },
  {
    row: "C3",
    removes: "answers an ill-formed link_state as an unknown one",
    file: "worker/src/customer/confirm.rs",
    find: "LinkState::parse(link_state).map_err(|_| Reason::NotFound)?",
    replace: "LinkState::parse(link_state).map_err(|_| Reason::InvalidRequest)?",
  },
  {
    row: "C3b",
    removes: "takes link_state out of the return_uri that it shows",
    file: ANSWER,
    find: "ReturnUri::strip_link_state(&uri).into_owned()",
    replace: "uri",
  },
  {
    row: "C3b",
    removes: "waits for the owner to come back before an account is confirmed",
    file: SQL,
    find: "UPDATE links SET status = ?2, account = ?3, read_at = ?4, due_at",
    replace: "UPDATE links SET status = ?2, account = ?3, read_at = ?4, confirmed_at = ?4, due_at",
  },
  {
    row: "C3b",
    removes: "leaves an account unconfirmed that is deleted",
    file: LEDGER,
    find: "if found.confirmed_at.is_some() || found.is_deleted() {",
    replace: "if found.confirmed_at.is_some() {",
  },
  {
    row: "C4",
    removes: "takes HS256 alone where tokens are signed with a secret",
    file: SESSION,
    find: 'if self.header.alg != "HS256" {',
    replace: "if false {",
  },
  {
    row: "C4",
    removes: "checks a signature by the secret",
    file: SESSION,
    find: 'mac.verify_slice(&self.signature).map_err(|_| "the token\'s signature does not hold")',
    replace: "mac.verify_slice(&self.signature).or(Ok(()))",
  },
  {
    row: "C4",
    removes: "wants the whole of a signature by the secret",
    file: SESSION,
    find: "mac.verify_slice(&self.signature)",
    replace: "mac.verify_truncated_left(&self.signature)",
  },
  {
    row: "C4",
    removes: "knows three algorithms of public keys alone",
    file: JWKS,
    find: '            "EdDSA" => Some(Self::EdDsa),\n            _ => None,',
    replace: "            _ => Some(Self::EdDsa),",
  },
  {
    row: "C4",
    removes: "checks a signature by a public key",
    file: SESSION,
    find: 'Ok(false) => Err("the token\'s signature does not hold"),',
    replace: "Ok(false) => Ok(()),",
  },
  {
    row: "C5",
    removes: "holds a token's algorithm against its key's",
    file: SESSION,
    find: "if algorithm != key.algorithm {",
    replace: "if false {",
  },
  {
    row: "C5",
    removes: "leaves out a JWK without alg",
    file: JWKS,
    find: 'let algorithm = Algorithm::find(text("alg")??)?;',
    replace: 'let algorithm = text("alg").map_or(Some(Algorithm::Es256), |alg| Algorithm::find(alg?))?;',
  },
  {
    row: "C6",
    removes: "refuses a token with critical extensions",
    file: SESSION,
    find: "if header.crit.is_some() {",
    replace: "if false {",
  },
  {
    row: "C6",
    removes: "takes a kid for the very name of a key",
    file: JWKS,
    find: "kid.is_none() || key.kid.as_deref() == kid",
    replace: "kid.is_none() || kid.zip(key.kid.as_deref()).is_some_and(|(kid, name)| kid.ends_with(name))",
  },
  {
    row: "C6",
    removes: "ignores a key in a token's header",
    file: SESSION,
    find: "token.check_with_key(algorithm, set).await.map_err(refused)?;",
    replace: `let own = ${HEADER};
            let own = own.map(|header| serde_json::json!({ "keys": [header["jwk"]] }).to_string());
            let own = own.and_then(|own| KeySet::parse(own.as_bytes()).ok());
            token.check_with_key(algorithm, own.as_ref().unwrap_or(set)).await.map_err(refused)?;`,
  },
  {
    row: "C6",
    removes: "ignores an address of keys in a token's header",
    file: SESSION,
    find: "let set = remote_jwks::get(url, token.header.kid.as_deref()).await?;",
    replace: `let own = ${HEADER};
            let own = own.as_ref().and_then(|header| header["jku"].as_str());
            let set = remote_jwks::get(own.unwrap_or(url), token.header.kid.as_deref()).await?;`,
  },
  {
    row: "C6",
    removes: "stays where it is when the keys' address points elsewhere",
    file: PLATFORM,
    find: 'redirect: "manual"',
    replace: 'redirect: "follow"',
  },
  {
    row: "C7",
    removes: "refuses a token that has expired",
    file: SESSION,
    find: "if self.exp <= earliest {",
    replace: "if false {",
  },
  {
    row: "C7",
    removes: "refuses a token that is good for longer than an hour",
    file: SESSION,
    find: "if self.exp > latest {",
    replace: "if false {",
  },
  {
    row: "C7",
    removes: "allows a clock to be off by a minute alone",
    file: SESSION,
    find: "const SKEW: u64 = 60;",
    replace: "const SKEW: u64 = 600;",
  },
  {
    row: "C7",
    removes: "requires exp",
    file: SESSION,
    find: "#[derive(Deserialize)]\nstruct Claims {\n    // a string: unlike `aud` it is never an array (RFC 7519 §4.1.1)\n    iss: String,\n    aud: Value,\n    exp: f64,",
    replace: `fn soon() -> f64 {
    (worker::Date::now().as_millis() / 1_000 + 60) as f64
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Value,
    #[serde(default = "soon")]
    exp: f64,`,
  },
  {
    row: "C7",
    removes: "refuses a token before its nbf",
    file: SESSION,
    find: "if self.nbf.is_some_and(|nbf| nbf > skewed) {",
    replace: "if false {",
  },
  {
    row: "C7",
    removes: "compares iss",
    file: SESSION,
    find: "if self.iss != settings.issuer {",
    replace: "if !self.iss.starts_with(&settings.issuer) {",
  },
  {
    row: "C7",
    removes: "compares aud",
    file: SESSION,
    find: "if !self.is_for(&settings.audience) {",
    replace: "if false {",
  },
  {
    row: "C7",
    removes: "wants a list of audiences to be of strings alone",
    file: SESSION,
    find: "all.iter().all(Value::is_string) && ",
    replace: "",
  },
  {
    row: "C7",
    removes: "refuses an empty sub",
    file: SESSION,
    find: "if self.sub.is_empty() || self.sub.len() > MAX_SUBJECT {",
    replace: "if self.sub.len() > MAX_SUBJECT {",
  },
  {
    row: "C7",
    removes: "counts a sub's bytes",
    file: SESSION,
    find: "self.sub.len() > MAX_SUBJECT",
    replace: "self.sub.chars().count() > MAX_SUBJECT",
  },
  {
    row: "C7",
    removes: "keeps to itself what is wrong with a token",
    file: SESSION,
    find: "Failure::new(Reason::Unauthenticated).with_log(why)",
    replace: `{
        let issue = omise_linked_accounts::Issue::new("", omise_linked_accounts::IssueCode::Invalid, why);
        Failure::new(Reason::Unauthenticated).with_issues(vec![issue])
    }`,
  },
  {
    row: "C8",
    removes: "refuses callers while no key can be had",
    file: SESSION,
    find: "let set = remote_jwks::get(url, token.header.kid.as_deref()).await?;",
    replace: `let Ok(set) = remote_jwks::get(url, token.header.kid.as_deref()).await else { return Ok(caller) };`,
  },
  {
    row: "C8",
    removes: "wants a key set to come with status 200",
    file: REMOTE_JWKS,
    find: "if answer.status != 200 {",
    replace: "if false {",
  },
  {
    row: "C8",
    removes: "gives up an address that is slow",
    file: REMOTE_JWKS,
    find: "const DEADLINE: Duration = Duration::from_secs(5);",
    replace: "const DEADLINE: Duration = Duration::from_secs(90);",
  },
  {
    row: "C8",
    removes: "reads a key set of at most 64 KiB",
    file: JWKS,
    find: "const MAX_LEN: usize = 64 * 1024;",
    replace: "const MAX_LEN: usize = 64 * 1024 * 1024;",
  },
  {
    row: "C8",
    removes: "uses the keys at hand",
    file: REMOTE_JWKS,
    find: "const LIFETIME: Millis = 10 * 60 * 1_000;",
    replace: "const LIFETIME: Millis = 0;",
  },
  {
    row: "C8",
    removes: "leaves the keys' address alone for a while",
    file: REMOTE_JWKS,
    find: "const COOL_DOWN: Millis = 30_000;",
    replace: "const COOL_DOWN: Millis = 0;",
  },
  {
    row: "C8",
    removes: "looks for a key of unknown name",
    file: REMOTE_JWKS,
    find: "now <= began_at || set.knows(kid)",
    replace: "now <= began_at || set.knows(kid) || true",
  },
  {
    row: "C9",
    removes: "wants the scheme to be Bearer, in these letters",
    file: SESSION,
    find: BEARER,
    replace:
      'let token = authorization.split_once(\' \').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));\n        let (_, token) = token.ok_or("not a bearer token")?;',
  },
  {
    row: "C9",
    removes: "tells Bearer from other schemes",
    file: SESSION,
    find: BEARER,
    replace: "let (_, token) = authorization.split_once(' ').ok_or(\"not a bearer token\")?;",
  },
  {
    row: "C9",
    removes: "refuses a second value",
    file: SESSION,
    find: BEARER,
    replace: `let first = authorization.split(',').next().unwrap_or_default();
        let token = first.strip_prefix("Bearer ").ok_or("not a bearer token")?;`,
  },
  {
    row: "C9",
    removes: "looks for a token in no address",
    file: EDGE,
    find: AUTHORIZATION,
    replace: `let named = req.query().strip_prefix("access_token=").map(|token| format!("Bearer {token}"));
    let authorization = req.header("Authorization").or(named);`,
  },
  {
    row: "C10",
    removes: "compares an origin to its end",
    file: EDGE,
    find: OUR_ORIGIN,
    replace: "settings.allowed_origins.iter().any(|ours| origin.starts_with(ours.as_str()))",
  },
  {
    row: "C10",
    removes: "compares an origin from its beginning",
    file: EDGE,
    find: OUR_ORIGIN,
    replace:
      'settings.allowed_origins.iter().any(|ours| origin.ends_with(ours.trim_start_matches("https://")))',
  },
  {
    row: "C10",
    removes: "compares an origin letter by letter",
    file: EDGE,
    find: OUR_ORIGIN,
    replace: "settings.allowed_origins.iter().any(|ours| ours.eq_ignore_ascii_case(origin))",
  },
  {
    row: "C10",
    removes: "compares an origin at all, and reflects it",
    file: EDGE,
    find: OUR_ORIGIN,
    replace: "!origin.is_empty()",
  },
  {
    row: "C10",
    removes: "names one origin rather than all",
    file: RESPOND,
    find: 'headers.add("Access-Control-Allow-Origin", origin);',
    replace: 'let _ = origin;\n        headers.add("Access-Control-Allow-Origin", "*");',
  },
  {
    row: "C10",
    removes: "says that answers vary by Origin where it is not one of ours",
    file: RESPOND,
    find: 'headers.add("Vary", "Origin");',
    replace: 'if cors.is_some() {\n        headers.add("Vary", "Origin");\n    }',
  },
  {
    row: "C10",
    removes: "compares an origin to its end where it broke down",
    file: "worker/edge.js",
    find: "!allowed.includes(origin)",
    replace: "!allowed.some((ours) => origin.startsWith(ours))",
    build: "build-fault",
  },
  {
    row: "C10",
    removes: "says that answers vary by Origin where it broke down",
    file: "worker/edge.js",
    find: '      Vary: "Origin",\n',
    replace: "",
    build: "build-fault",
  },
  {
    row: "C11",
    removes: "allows four headers alone",
    file: RESPOND,
    find: '"Authorization, Content-Type, Idempotency-Key, Prefer"',
    replace: '"*"',
  },
  {
    row: "C11",
    removes: "allows three methods alone",
    file: RESPOND,
    find: '"GET, POST, DELETE"',
    replace: '"*"',
  },
  {
    row: "C11",
    removes: "keeps the list from other origins",
    file: RESPOND,
    find: 'Idempotent-Replayed, Date");\n        if is_preflight {',
    replace: 'Idempotent-Replayed, Date");\n    }\n    {\n        if is_preflight {',
  },
  {
    row: "C12",
    removes: "requires a Content-Type",
    file: REQUEST,
    find: '!self.header("Content-Type").is_some_and(|text| is_json(&text))',
    replace: '!self.header("Content-Type").is_none_or(|text| text.is_empty() || is_json(&text))',
  },
  {
    row: "C12",
    removes: "refuses JSON that says it is plain text",
    file: REQUEST,
    find: 'media_type.eq_ignore_ascii_case("application/json")',
    replace: '(media_type.eq_ignore_ascii_case("application/json") || media_type == "text/plain")',
  },
  {
    row: "C12",
    removes: "reads a media type to its end",
    file: REQUEST,
    find: 'media_type.eq_ignore_ascii_case("application/json")\n        && parts.all(|parameter| {',
    replace: 'media_type.contains("json")\n        && parts.all(|parameter| {',
  },
  {
    row: "C12",
    removes: "reads no cookie",
    file: EDGE,
    find: AUTHORIZATION,
    replace: `let cookie = req.header("Cookie");
    let cookie = cookie.as_ref().and_then(|all| all.split("; ").find_map(|one| one.strip_prefix("token=")));
    let authorization = req.header("Authorization").filter(|text| !text.is_empty());
    let authorization = authorization.or(cookie.map(|token| format!("Bearer {token}")));`,
  },
  {
    row: "C12",
    removes: "takes the method from the request line alone",
    file: EDGE,
    find: "let route = Route::find(&req.method(), req.path());",
    replace: `let method = req.header("X-HTTP-Method-Override").unwrap_or_else(|| req.method());
    let route = Route::find(&method, req.path());`,
  },
  {
    row: "C12",
    removes: "leaves the ledger alone where a reading says nothing new",
    file: LEDGER,
    find: "Ok((is_news || link.account.json != account.json, is_news))",
    replace: "Ok((true, is_news))",
  },
] satisfies Substitution[];
