//! The JavaScript surface, as JavaScript uses it: the same cases run in Node and in a browser.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use js_sys::{Array, Function, JSON, Object, Promise, Reflect};
use omise_linked_accounts::js;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;

/// Runs JavaScript and gives its value.
fn eval(script: &str) -> JsValue {
    Function::new_no_args(&format!("return {script}")).call0(&JsValue::UNDEFINED).unwrap()
}

fn get(value: &JsValue, name: &str) -> JsValue {
    Reflect::get(value, &name.into()).unwrap()
}

fn text(value: &JsValue) -> String {
    JSON::stringify(value).unwrap().as_string().unwrap_or_default()
}

/// `field code` of each issue.
fn issues(params: &str) -> Vec<String> {
    let issues = js::validate_create(&eval(params));
    let line = |issue: JsValue| {
        assert!(get(&issue, "message").is_string(), "{}", text(&issue));
        format!("{} {}", get(&issue, "field").as_string().unwrap(), get(&issue, "code").as_string().unwrap())
    };
    Array::from(&issues).iter().map(line).collect()
}

#[wasm_bindgen_test]
fn good_parameters_have_no_issues() {
    for params in [
        "({ type: 'direct_debit_scb', returnUri: 'https://shop.example/return' })",
        "({ type: 'direct_debit_scb', returnUri: 'https://shop.example/return', citizenId: undefined, metadata: null,
            replacePending: true, idempotencyKey: 'k' })",
        "({ type: 'direct_debit_scb', returnUri: 'http://127.0.0.1:3000/', metadata: { a: 'x', b: 1.5, c: false, d: undefined } })",
        "Object.assign(Object.create({ inherited: 1 }), { type: 'direct_debit_scb', returnUri: 'https://shop.example/' })",
    ] {
        assert_eq!(issues(params), Vec::<String>::new(), "{params}");
    }
}

#[wasm_bindgen_test]
fn every_issue_is_named() {
    for (params, expected) in [
        ("undefined", &[" wrong_type"][..]),
        ("'x'", &[" wrong_type"]),
        ("[]", &[" wrong_type"]),
        ("({})", &["type required", "return_uri required"]),
        (
            "({ type: 7, returnUri: 'nonsense', citizenId: '1101700230709', replacePending: 'yes', livemode: true,
                metadata: { a: null, b: {}, c: [], d: 10n, e: NaN, f: 2 ** 53, linked_accounts_x: 1, g: Symbol() } })",
            &[
                "type wrong_type",
                "return_uri invalid",
                "citizen_id invalid",
                "metadata.a wrong_type",
                "metadata.b wrong_type",
                "metadata.c wrong_type",
                "metadata.d invalid",
                "metadata.e invalid",
                "metadata.f invalid",
                "metadata.linked_accounts_x reserved",
                "metadata.g wrong_type",
                "replace_pending wrong_type",
                "livemode unknown_field",
            ],
        ),
    ] {
        assert_eq!(issues(params), expected, "{params}");
    }
}

#[wasm_bindgen_test]
fn issues_are_plain_data() {
    let issues = js::validate_create(&eval("({ type: 'direct_debit_scb' })"));
    assert_eq!(text(&issues), r#"[{"field":"return_uri","code":"required","message":"the field is required"}]"#);
}

/// Puts a server in the network's place that answers `status` and `body`, and remembers what it was asked.
struct Network {
    original: JsValue,
}

impl Network {
    fn answers(status: u16, body: &str) -> Self {
        let body = text(&body.into());
        Self::does(&format!(
            "Promise.resolve(new Response({body}, {{ status: {status}, headers: {{ 'Retry-After': '7' }} }}))"
        ))
    }

    fn does(script: &str) -> Self {
        let global = js_sys::global();
        let original = get(&global, "fetch");
        Reflect::set(&global, &"asked".into(), &Array::new()).unwrap();
        let fetch = Function::new_with_args(
            "request",
            &format!("asked.push({{ request, body: request.clone().text() }}); return {script};"),
        );
        Reflect::set(&global, &"fetch".into(), &fetch).unwrap();
        Self { original }
    }

    fn asked() -> Vec<JsValue> {
        Array::from(&get(&js_sys::global(), "asked")).to_vec()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        Reflect::set(&js_sys::global(), &"fetch".into(), &self.original).unwrap();
    }
}

fn options(get_token: &str) -> js::ClientOptions {
    let options: Object = eval("({ endpoint: 'https://links.shop.example/' })").unchecked_into();
    Reflect::set(&options, &"getToken".into(), &eval(get_token)).unwrap();
    options.unchecked_into()
}

fn params() -> JsValue {
    eval(
        "({ type: 'direct_debit_scb', returnUri: 'https://Shop.example/return', citizenId: 'AA1234567', replacePending: true,
            metadata: JSON.parse('{\"__proto__\":\"x\",\"n\":0.1,\"b\":true}') })",
    )
}

const ACCOUNT: &str = r#"{"object":"linked_account","id":"lnac_test_1","livemode":false,"status":"pending",
    "registration_uri":"http://bank.example/r"}"#;

#[wasm_bindgen_test]
async fn create_sends_what_was_validated() {
    let _network = Network::answers(200, ACCOUNT);
    let account = js::create(options("async () => 'token-1'"), params(), "key-1".to_owned()).await.unwrap();
    assert_eq!(get(&account, "id"), "lnac_test_1");
    let asked = Network::asked();
    assert_eq!(asked.len(), 1);
    let request = get(&asked[0], "request");
    assert_eq!(get(&request, "method"), "POST");
    assert_eq!(get(&request, "url"), "https://links.shop.example/linked_accounts");
    assert_eq!(get(&request, "redirect"), "manual");
    let header = |name: &str| {
        let headers = get(&request, "headers");
        let get = get(&headers, "get").unchecked_into::<Function>();
        get.call1(&headers, &name.into()).unwrap().as_string().unwrap_or_default()
    };
    assert_eq!(header("authorization"), "Bearer token-1");
    assert_eq!(header("idempotency-key"), "key-1");
    assert_eq!(header("content-type"), "application/json");
    let body = JsFuture::from(get(&asked[0], "body").unchecked_into::<Promise>()).await.unwrap();
    assert_eq!(
        body,
        r#"{"type":"direct_debit_scb","return_uri":"https://shop.example/return","citizen_id":"AA1234567","metadata":{"__proto__":"x","n":0.1,"b":true},"replace_pending":true}"#
    );
}

#[wasm_bindgen_test]
async fn bad_parameters_are_not_sent() {
    let _network = Network::answers(200, ACCOUNT);
    let error = js::create(options("() => 't'"), eval("({})"), "k".to_owned()).await.unwrap_err();
    assert_eq!(get(&error, "reason"), "invalid_request");
    assert_eq!(Array::from(&get(&error, "issues")).length(), 2);
    assert_eq!(Network::asked().len(), 0);
}

#[wasm_bindgen_test]
async fn ill_formed_ids_are_not_sent() {
    let _network = Network::answers(200, ACCOUNT);
    for id in ["", "..", "lnac_test_1/../x", "search"] {
        for outcome in [
            js::retrieve(options("() => 't'"), id.to_owned()).await,
            js::delete(options("() => 't'"), id.to_owned()).await,
            js::resume(options("() => 't'"), id.to_owned()).await,
        ] {
            assert_eq!(get(&outcome.unwrap_err(), "reason"), "not_found", "{id}");
        }
    }
    assert_eq!(Network::asked().len(), 0);
}

#[wasm_bindgen_test]
async fn the_workers_errors_keep_everything() {
    let _network = Network::answers(
        409,
        r#"{"object":"error","location":"x","code":"bad_request","message":"m","reason":"already_pending",
        "request_id":"r","retryable":false,"issues":[],"linked_account":{"id":"lnac_test_1"}}"#,
    );
    let error = js::retrieve(options("() => 't'"), "lnac_test_1".to_owned()).await.unwrap_err();
    assert_eq!(
        text(&error),
        r#"{"code":"bad_request","message":"m","reason":"already_pending","retryable":false,"requestId":"r","issues":[],"linkedAccount":{"id":"lnac_test_1"},"status":409,"retryAfter":"7"}"#
    );
}

#[wasm_bindgen_test]
async fn failures_on_this_side_have_their_reason() {
    for (script, token, reason) in [
        ("Promise.reject(new TypeError('Failed to fetch'))", "() => 't'", "network_failed"),
        ("Promise.resolve(new Response('<html>', { status: 200 }))", "() => 't'", "answer_unreadable"),
        ("Promise.resolve(new Response('{}', { status: 200 }))", "() => 't'", "answer_unreadable"),
        ("Promise.resolve(new Response('{}', { status: 500 }))", "() => 't'", "answer_unreadable"),
        ("Promise.resolve(new Response('', { status: 200 }))", "() => 't'", "answer_unreadable"),
        ("Promise.resolve(new Response('{}'))", "() => { throw new Error('signed out') }", "token_unavailable"),
        ("Promise.resolve(new Response('{}'))", "() => undefined", "token_unavailable"),
        ("Promise.resolve(new Response('{}'))", "async () => ''", "token_unavailable"),
    ] {
        let _network = Network::does(script);
        let error = js::retrieve(options(token), "lnac_test_1".to_owned()).await.unwrap_err();
        assert_eq!(get(&error, "reason"), reason, "{script}");
    }
}

#[wasm_bindgen_test]
async fn nobody_is_sent_to_an_unsafe_page() {
    for (uri, livemode, safe) in [
        ("https://bank.example/r", true, true),
        ("https://bank.example/r", false, true),
        ("http://bank.example/r", false, true),
        ("http://bank.example/r", true, false),
        ("javascript:alert(1)", false, false),
        ("//bank.example/r", false, false),
        ("", false, false),
    ] {
        let account = format!(
            r#"{{"object":"linked_account","id":"lnac_test_1","livemode":{livemode},"registration_uri":"{uri}"}}"#
        );
        let _network = Network::answers(200, &account);
        let outcome = js::start(options("() => 't'"), params(), "k".to_owned()).await;
        assert_eq!(outcome.is_ok(), safe, "{uri}");
        if let Err(error) = outcome {
            assert_eq!(get(&error, "reason"), "registration_uri_unsafe");
        }
    }
}

#[wasm_bindgen_test]
async fn resume_tells_how_it_ended() {
    for (status, result) in [
        ("successful", "linked"),
        ("failed", "failed"),
        ("rejected", "failed"),
        ("expired", "expired"),
        ("deleted", "deleted"),
    ] {
        let account = format!(r#"{{"object":"linked_account","id":"lnac_test_1","status":"{status}"}}"#);
        let _network = Network::answers(200, &account);
        let outcome = js::resume(options("() => 't'"), "AAAAAAAAAAAAAAAAAAAAAA".to_owned()).await.unwrap();
        assert_eq!(get(&outcome, "result"), result);
        assert_eq!(get(&get(&outcome, "account"), "id"), "lnac_test_1");
    }
}

#[wasm_bindgen_test]
async fn resume_asks_again_until_the_bank_has_answered() {
    let pending = text(&ACCOUNT.into());
    let settled = text(&ACCOUNT.replace("pending", "successful").as_str().into());
    let _network = Network::does(&format!(
        "Promise.resolve(asked.length < 2 ? new Response({pending}) : new Response({settled}))"
    ));
    let outcome = js::resume(options("() => 't'"), "AAAAAAAAAAAAAAAAAAAAAA".to_owned()).await.unwrap();
    assert_eq!(get(&outcome, "result"), "linked");
    assert_eq!(Network::asked().len(), 2);
}
