// Mutations for requests.spec.ts: routes, headers and bodies.

import type { Substitution } from "./mutation.ts";

export default [
  {
    row: "C17",
    removes: "takes away a registration page that is not on the list",
    file: "worker/src/common/upstream.rs",
    find: "account.registration_uri = account.registration_uri.filter(|uri| is_registration_uri(settings, uri));",
    replace: "account.registration_uri = account.registration_uri.take();",
  },
  {
    row: "C17",
    removes: "looks at what follows the origin of a registration page",
    file: "worker/src/common/upstream.rs",
    find: "rest.is_empty() || rest.starts_with(['/', '?', '#'])",
    replace: "rest.is_empty() || !rest.is_empty()",
  },
  {
    row: "C17",
    removes: "refuses spaces, controls and backslashes in a registration page's address",
    file: "worker/src/common/upstream.rs",
    find: "plain && secure",
    replace: "secure",
  },
  {
    row: "C17",
    removes: "fails a create that has no page to send the customer to",
    file: "worker/src/customer/create.rs",
    find: "let has_page = account.registration_uri.is_some();",
    replace: "let has_page = true;",
  },
  {
    row: "C17",
    removes: "checks an account that it adopts",
    file: "worker/src/customer/settle.rs",
    find: "let account = upstream::check(object.context.settings, *account);",
    replace: "let account = Ok::<_, Failure>(*account);",
  },
  {
    row: "C17",
    removes: "checks the accounts of an operator's lists",
    file: "worker/src/edge/operator.rs",
    find: "Account::of(upstream::check(edge.context.settings, account)?).shown(None)",
    replace:
      "Account::of(account).shown(edge.context.settings.secret_key.mode().is_live().then_some(timestamp(0)?))",
  },
  {
    row: "C17",
    removes: "refuses plain http on its lists with a live key",
    file: "worker/src/common/settings.rs",
    find: 'without a path or a trailing slash".to_owned());\n    }\n    if uri.is_http() && mode.is_live() {',
    replace: 'without a path or a trailing slash".to_owned());\n    }\n    if false && mode.is_live() {',
  },
  {
    row: "C19",
    removes: "keeps to the request's own method, but lets a header override it",
    file: "worker/src/edge/mod.rs",
    find: "let route = Route::find(&req.method(), req.path());",
    replace:
      'let method = req.header("X-HTTP-Method-Override").unwrap_or_else(|| req.method());\n' +
      "    let route = Route::find(&method, req.path());",
  },
  {
    row: "C19",
    removes: "refuses HEAD, but takes it for GET",
    file: "worker/src/edge/route.rs",
    find: '(Path::Account, "GET") => Ok(Self::Retrieve(id())),',
    replace: '(Path::Account, "GET" | "HEAD") => Ok(Self::Retrieve(id())),',
  },
  {
    row: "C19",
    removes: "tells in Allow which methods there are",
    file: "worker/src/edge/route.rs",
    find: ".with_allow(path.methods())",
    replace: "",
  },
  {
    row: "C19",
    removes: "tells a trailing slash from none",
    file: "worker/src/edge/route.rs",
    find: "let (found, parameter) = Path::find(path)",
    replace: "let (found, parameter) = Path::find(path.trim_end_matches('/'))",
  },
  {
    row: "C19",
    removes: "tells a doubled slash from one",
    file: "worker/src/edge/route.rs",
    find: "let (found, parameter) = Path::find(path)",
    replace: 'let path = path.replace("//", "/");\n        let (found, parameter) = Path::find(&path)',
  },
  {
    row: "C19",
    removes: "tells upper case from lower in a path",
    file: "worker/src/edge/route.rs",
    find: "let (found, parameter) = Path::find(path)",
    replace: "let path = path.to_ascii_lowercase();\n        let (found, parameter) = Path::find(&path)",
  },
  {
    row: "C20",
    removes: "makes its own X-Request-Id, but takes the caller's",
    file: "worker/src/edge/mod.rs",
    find: "let trace = Rc::new(Trace::start(request_id()));",
    replace:
      'let trace = Rc::new(Trace::start(req.headers().get("X-Request-Id").ok().flatten().unwrap_or_else(request_id)));',
  },
  {
    row: "C20",
    removes: "sends Omise an Idempotency-Key of its own, but the caller's",
    file: "worker/src/customer/create.rs",
    find: "upstream::call(&object.context, &request, Some(new.id), MAX_ACCOUNT)",
    replace: "upstream::call(&object.context, &request, Some(new.idempotency_key), MAX_ACCOUNT)",
  },
  {
    row: "C20",
    removes: "asks for an Idempotency-Key of visible characters, which two headers are not",
    file: "worker/src/edge/request.rs",
    find: "text.bytes().all(|b| b.is_ascii_graphic())",
    replace: "text.bytes().all(|b| b.is_ascii())",
  },
  {
    row: "C21",
    removes: "refuses a body by the length that it says it has",
    file: "worker/platform.js",
    find: "if (length > cap) return undefined;",
    replace: "",
  },
  {
    row: "C21",
    removes: "counts a body as it comes",
    file: "worker/platform.js",
    find: "if (size > cap) return undefined;",
    // not without end: the machine that runs the tests is to have its memory still
    replace: "if (size > 100 * cap) return undefined;",
  },
  {
    row: "C21",
    removes: "treats a body that was cut short as broken",
    file: "worker/platform.js",
    find: "for await (const part of body ?? []) {",
    replace: `const whatever = (async function* () {
    try {
      yield* body ?? [];
    } catch {}
  })();
  for await (const part of whatever) {`,
  },
  {
    row: "C21",
    removes: "asks for the charset of JSON",
    file: "worker/src/edge/request.rs",
    find: 'parameter.eq_ignore_ascii_case("charset=utf-8") ||',
    replace: "true ||",
  },
  {
    row: "C21",
    removes: "asks for application/json",
    file: "worker/src/edge/request.rs",
    find: 'media_type.eq_ignore_ascii_case("application/json")',
    replace: "!media_type.is_empty()",
  },
  {
    row: "C21",
    removes: "refuses a byte order mark",
    file: "worker/src/edge/request.rs",
    find: "let body = self.bytes(Json::MAX_LEN).await?;",
    replace:
      'let body = self.bytes(Json::MAX_LEN).await?;\n        let body = body.strip_prefix(b"\\xef\\xbb\\xbf").map_or(body.clone(), <[u8]>::to_vec);',
  },
  {
    row: "C21",
    removes: "refuses bytes that are not UTF-8, but replaces them",
    file: "worker/src/edge/request.rs",
    find: 'String::from_utf8(body).map_err(|_| Failure::new(Reason::MalformedJson).with_log("not UTF-8"))',
    replace: "Ok(String::from_utf8_lossy(&body).into_owned())",
  },
  {
    row: "C22",
    removes: "refuses link_state that is there twice",
    file: "worker/src/edge/confirm.rs",
    find: "_ if found.is_some() =>",
    replace: "_ if false =>",
  },
  {
    row: "C23",
    removes: "refuses forms for what they are",
    file: "worker/src/edge/request.rs",
    find: 'media_type.eq_ignore_ascii_case("application/json")',
    replace:
      '(media_type.eq_ignore_ascii_case("application/json")\n        || media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded"))',
  },
  {
    row: "C24",
    removes: "keeps the Worker's own names of metadata from answers",
    file: "worker/src/common/answer.rs",
    find: "account.metadata = account.metadata.without_reserved();",
    replace: "",
  },
  {
    row: "C25",
    removes: "refuses fields that a confirmation does not have",
    file: "worker/src/edge/confirm.rs",
    find: 'issues.push(Issue::new(&name, IssueCode::UnknownField, "not a field of this request"));',
    replace: "",
  },
  {
    row: "C25",
    removes: "answers a create with its own account, but with Omise's as it came",
    file: "worker/src/customer/create.rs",
    find: "Ok(Success::from(account.shown(None)?).into())",
    replace: "Ok(Success::Body(String::from_utf8_lossy(&answer.body).into_owned().into()).into())",
  },
  {
    row: "C25",
    removes: "says itself whether an account is confirmed",
    file: "worker/src/common/answer.rs",
    find: "let confirmed_at = serde_json::to_string(&confirmed_at)",
    replace: `let made = serde_json::from_slice::<LinkedAccount>(self.json.as_bytes());
        let confirmed_at = serde_json::to_string(&confirmed_at.or(made.ok().map(|account| account.created_at)))`,
  },
] satisfies Substitution[];
