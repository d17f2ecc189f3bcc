//! The JavaScript surface: the same cases run in Node and in a browser. What the package makes of it is tried from its tarball.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use js_sys::{Function, Promise, Reflect, futures::JsFuture};
use omise_linked_accounts::js;
use wasm_bindgen::JsCast;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::{AbortController, Request};

/// An object taken apart, from `name kind text` a line.
fn members(lines: &str) -> String {
    let units = |text: &str| text.encode_utf16().count();
    let member = |line: &str| {
        let mut words = line.trim().splitn(3, ' ');
        let [name, kind, text] = std::array::from_fn(|_| words.next().unwrap_or_default());
        let (length, text) = if kind == "o" { (text.len(), "") } else { (units(text), text) };
        format!("{kind}{},{length},{name}{text}", units(name))
    };
    lines.lines().map(member).collect()
}

/// `field code` of each issue.
fn issues(members: Option<String>) -> Vec<String> {
    let given = u8::from(members.is_some());
    named(js::validate_create(given, &members.unwrap_or_default(), "", "", ""))
}

fn named(lines: Option<String>) -> Vec<String> {
    lines.unwrap_or_default().lines().map(str::to_owned).collect()
}

#[wasm_bindgen_test]
fn good_parameters_have_no_issues() {
    for lines in [
        "type s direct_debit_scb\nreturn_uri s https://shop.example/return",
        "type s direct_debit_scb\nreturn_uri s https://shop.example/return\nmetadata z\ncitizen_id z\nreplace_pending t",
        "type s direct_debit_scb\nreturn_uri s http://127.0.0.1:3000/\nmetadata o xxxx\na s 🏦ก\nb n 1.5\nc f\n__proto__ s",
    ] {
        assert_eq!(issues(Some(members(lines))), Vec::<String>::new(), "{lines}");
    }
}

#[wasm_bindgen_test]
fn the_texts_of_most_forms_come_by_themselves() {
    let [bank, address, person] = ["direct_debit_scb", "https://shop.example/return", "AA1234567"];
    let none = Vec::<String>::new();
    assert_eq!(named(js::validate_create(0b0111, "", bank, address, "")), none);
    assert_eq!(named(js::validate_create(0b1111, "", bank, address, person)), none);
    // what is not said to stand for something does not
    assert_eq!(named(js::validate_create(0b0101, "", bank, address, "1")), ["type required"]);
    assert_eq!(named(js::validate_create(0b1111, "", bank, address, "1")), ["citizen_id invalid"]);
    assert_eq!(named(js::validate_create(0b1110, "", bank, address, person)), [" wrong_type"]);
    let others = members("type n 7\nreplace_pending t");
    assert_eq!(named(js::validate_create(0b0111, &others, bank, address, "")), ["type duplicate"]);
}

#[wasm_bindgen_test]
fn every_issue_is_named() {
    for (members, expected) in [
        (None, &[" wrong_type"][..]),
        (Some(String::new()), &["type required", "return_uri required"]),
        // what the package never sends
        (Some("s".to_owned()), &[" wrong_type"]),
        (Some("s1,2,ab".to_owned()), &[" wrong_type"]),
        (Some("s99999999999999999999,0,".to_owned()), &[" wrong_type"]),
        (Some(members("type x")), &[" wrong_type"]),
        (Some(members("metadata o xx\na s")), &[" wrong_type"]),
        (
            Some(members(
                "type n 7\nreturn_uri s nonsense\ncitizen_id s 1101700230709\nreplace_pending s yes\nlivemode t
                 metadata o xxxxxx\na z\nb o\nc a\nd N\nlinked_accounts_x n 1\na[] s",
            )),
            &[
                "type wrong_type",
                "return_uri invalid",
                "citizen_id invalid",
                "metadata.a wrong_type",
                "metadata.b wrong_type",
                "metadata.c wrong_type",
                "metadata.d invalid",
                "metadata.linked_accounts_x reserved",
                "metadata.a[] invalid",
                "replace_pending wrong_type",
                "livemode unknown_field",
            ],
        ),
    ] {
        let shown = format!("{members:?}");
        assert_eq!(issues(members), expected, "{shown}");
    }
}

#[wasm_bindgen_test]
fn fields_by_themselves() {
    for (text, code, sent) in [
        ("https://Shop.example/return?a=b", None, Some("https://shop.example/return?a=b")),
        ("", Some("required"), None),
        ("nonsense", Some("invalid"), None),
        ("https://shop.example/?link_state=x", Some("reserved"), None),
        (&format!("https://shop.example/{}", "x".repeat(2_048)), Some("too_long"), None),
    ] {
        assert_eq!(js::check_return_uri(text).as_deref(), code, "{text}");
        assert_eq!(js::return_uri(text).as_deref(), sent, "{text}");
    }
    for (text, code) in [("1101700230708", None), ("AA1234567", None), ("1101700230709", Some("invalid"))] {
        assert_eq!(js::check_citizen_id(text).as_deref(), code, "{text}");
    }
    for (text, mode) in [("lnac_test_1", 1), ("lacct_1", 2), ("lnac_test_1/..", 0), ("", 0)] {
        assert_eq!(js::id_mode(text), mode, "{text}");
    }
    assert!(js::is_link_state("AAAAAAAAAAAAAAAAAAAAAA"));
    assert!(!js::is_link_state("AAAA"));
}

fn request(method: &str, key: Option<&str>, prefer: Option<&str>, body: Option<&str>) -> Option<Request> {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let signal = AbortController::new().unwrap().signal();
    js::request("https://links.shop.example/x", method, "token-1", owned(key), owned(prefer), owned(body), &signal)
}

fn header(request: &Request, name: &str) -> Option<String> {
    let headers = Reflect::get(request, &"headers".into()).unwrap();
    let get: Function = Reflect::get(&headers, &"get".into()).unwrap().unchecked_into();
    get.call1(&headers, &name.into()).unwrap().as_string()
}

#[wasm_bindgen_test]
async fn a_request_is_ready_to_be_sent() {
    let create = request("POST", Some("key-1"), None, Some(r#"{"type":"ก"}"#)).unwrap();
    let property = |name: &str| Reflect::get(&create, &name.into()).unwrap().as_string().unwrap();
    assert_eq!([property("method"), property("redirect")], ["POST", "manual"]);
    assert_eq!(property("url"), "https://links.shop.example/x");
    for (name, value) in [
        ("authorization", Some("Bearer token-1")),
        ("content-type", Some("application/json")),
        ("idempotency-key", Some("key-1")),
        ("prefer", None),
    ] {
        assert_eq!(header(&create, name).as_deref(), value, "{name}");
    }
    let text: Function = Reflect::get(&create, &"text".into()).unwrap().unchecked_into();
    let body: Promise = text.call0(&create).unwrap().unchecked_into();
    assert_eq!(JsFuture::from(body).await.unwrap(), r#"{"type":"ก"}"#);

    let read = request("GET", None, Some("wait=25"), None).unwrap();
    assert_eq!(header(&read, "prefer").as_deref(), Some("wait=25"));
    assert_eq!(header(&read, "content-type"), None);
    assert!(request("DELETE", None, None, None).is_some());
    let signal = AbortController::new().unwrap().signal();
    let anybody = js::request("https://links.shop.example/banks", "GET", "", None, None, None, &signal).unwrap();
    assert_eq!(header(&anybody, "authorization"), None);
}

#[wasm_bindgen_test]
fn when_to_ask_again() {
    for (status, elapsed, seconds_left, visible, expected) in [
        ("pending", 0, None, true, 1_000),
        ("pending", 40_000, Some(80_000), true, 10_000),
        ("pending", 40_000, Some(80_000), false, -2),
        ("pending", u32::MAX, Some(-60), true, -1),
        ("successful", 0, None, true, -1),
    ] {
        assert_eq!(js::next_poll(status, elapsed, seconds_left, visible), expected, "{status} {elapsed}");
    }
}

#[wasm_bindgen_test]
fn webhooks() {
    let secret = "c2l4dGVlbi1ieXRlcy1vci1tb3Jl";
    let parsed = omise_linked_accounts::webhook::WebhookSecret::parse(secret).unwrap();
    let (body, timestamp, now) = (b"{}".as_slice(), "1700000000", 1_700_000_000.0);
    let signature = omise_linked_accounts::webhook::sign(&parsed, timestamp, body);
    let verify = |body: &[u8], timestamp: &str, secrets: &[&str], now: f64| {
        js::verify(body, &signature, timestamp, secrets.iter().map(|text| (*text).to_owned()).collect(), now)
    };
    for (outcome, expected) in [
        (verify(body, timestamp, &[secret], now), None),
        (verify(body, timestamp, &["YW5vdGhlci1zaXh0ZWVuLWJ5dGVz", secret], now + 300.0), None),
        (verify(b"{} ", timestamp, &[secret], now), Some("signature_mismatch")),
        (verify(body, timestamp, &[], now), Some("signature_mismatch")),
        (verify(body, timestamp, &[secret], now + 301.0), Some("timestamp_outside_window")),
        (verify(body, timestamp, &[secret], f64::NAN), Some("timestamp_outside_window")),
        (verify(body, "soon", &[secret], now), Some("timestamp_invalid")),
        (verify(body, timestamp, &["short"], now), Some("secret_invalid")),
        (verify(&vec![b' '; 2 << 20], timestamp, &[secret], now), Some("too_large")),
    ] {
        assert_eq!(outcome.as_deref(), expected);
    }
}
