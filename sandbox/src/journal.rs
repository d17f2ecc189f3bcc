//! The last requests to the API and to the bank, for whoever wonders what a shop has sent.
//!
//! What is secret is left out as an entry is written: headers, the reference that opens the bank's page, and whatever is, or might
//! be, an identity number. A body that cannot be read is not shown at all.

use std::{borrow::Cow, cell::RefCell, collections::VecDeque};

use omise_linked_accounts::{CitizenId, Timestamp};
use serde::Serialize;
use serde_json::Value;
use worker::{Env, Request, Response, Result};

use crate::{clock::Now, fault};

/// How many requests are remembered.
const MAX_ENTRIES: usize = 500;
/// How much of a query or a body is shown, in characters.
const MAX_SHOWN: usize = 4_000;
/// The longest body that is looked into, in bytes; it is more than a create request can have.
const MAX_BODY: usize = 256 * 1024;
const REDACTED: &str = "[redacted]";

/// A request, and how it was answered.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Entry {
    /// When it came, by the sandbox's clock.
    pub(crate) time: Timestamp,
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    /// Decoded, a parameter a line.
    pub(crate) query: Option<String>,
    /// A form as the query is; JSON as JSON.
    pub(crate) body: Option<String>,
    /// The answer's, as it left the sandbox.
    pub(crate) status: u16,
    /// The answer's `X-Request-Id`.
    pub(crate) request_id: Option<String>,
    /// The kind of the fault that struck.
    pub(crate) fault: Option<&'static str>,
}

thread_local! {
    /// Oldest first.
    static ENTRIES: RefCell<VecDeque<Entry>> = const { RefCell::new(VecDeque::new()) };
}

/// What is remembered, oldest first.
pub(crate) fn all() -> Vec<Entry> {
    ENTRIES.with_borrow(|entries| entries.iter().cloned().collect())
}

/// Forgets all requests.
pub(crate) fn clear() {
    ENTRIES.take();
}

/// A request that is being answered.
pub(crate) struct Asked {
    time: Timestamp,
    method: String,
    path: String,
    query: Option<String>,
    body: Option<String>,
}

impl Asked {
    /// Notes a request. It can be read still.
    pub(crate) async fn note(req: &Request, env: &Env) -> Result<Self> {
        let content_type = req.headers().get("Content-Type")?;
        let body = if req.inner().body().is_some() {
            // one that breaks off is the reader's to complain of
            req.clone()?.bytes().await.unwrap_or_default()
        } else {
            Vec::new()
        };
        Ok(Self {
            time: Now::read(env).await?.timestamp,
            method: req.inner().method(),
            path: shown_path(&req.path()),
            query: req.url()?.query().map(|query| capped(shown_form(query.as_bytes()))),
            body: (!body.is_empty()).then(|| shown_body(content_type.as_deref(), &body)),
        })
    }

    /// Remembers the request with its answer.
    pub(crate) fn answered(self, response: &Response, fault: Option<&fault::Fields>) -> Result<()> {
        let Self { time, method, path, query, body } = self;
        let status = response.status_code();
        let request_id = response.headers().get("X-Request-Id")?;
        let fault = fault.map(|fault| fault.kind.as_str());
        let entry = Entry { time, method, path, query, body, status, request_id, fault };
        ENTRIES.with_borrow_mut(|entries| {
            if entries.len() >= MAX_ENTRIES {
                entries.pop_front();
            }
            entries.push_back(entry);
        });
        Ok(())
    }
}

/// A path without what is secret in its segments.
fn shown_path(path: &str) -> String {
    let secret = |segment: &str| {
        form_urlencoded::parse(segment.as_bytes()).any(|(name, value)| is_secret(&name) || is_secret(&value))
    };
    let segments = path.split('/').map(|segment| if secret(segment) { REDACTED } else { segment });
    capped(segments.collect::<Vec<_>>().join("/"))
}

/// A body without what is secret.
fn shown_body(content_type: Option<&str>, body: &[u8]) -> String {
    if body.len() > MAX_BODY {
        return format!("[{} bytes]", body.len());
    }
    // as the API tells them apart, or would if its caller had named the type
    let json = content_type.is_some_and(|text| text.to_ascii_lowercase().contains("json"))
        || matches!(body.trim_ascii_start().first(), Some(b'{' | b'['));
    if !json {
        return capped(shown_form(body));
    }
    match serde_json::from_slice(body) {
        Ok(value) => capped(format!("{:#}", shown_json(value))),
        Err(_) => format!("[{} bytes that are no JSON]", body.len()),
    }
}

/// A form, or a query, without what is secret: a line for each field, decoded.
fn shown_form(form: &[u8]) -> String {
    let line = |(name, value): (Cow<'_, str>, Cow<'_, str>)| {
        // what is no name may be a part of something else, cut up
        let named = !name.contains(['{', '}', '"', ':', ',', '%', '=', '&']) && !name.contains(char::is_control);
        match shown_name(&name).filter(|_| named) {
            None => REDACTED.to_owned(),
            Some(Shown::Name) => format!("{name}={REDACTED}"),
            Some(Shown::Value) if is_secret(&value) => format!("{name}={REDACTED}"),
            Some(Shown::Value) => format!("{name}={value}"),
        }
    };
    form_urlencoded::parse(form).map(line).collect::<Vec<_>>().join("\n")
}

/// JSON without what is secret.
fn shown_json(value: Value) -> Value {
    match value {
        Value::String(text) if is_secret(&text) => REDACTED.into(),
        Value::Number(number) if is_secret(&number.to_string()) => REDACTED.into(),
        Value::Array(values) => values.into_iter().map(shown_json).collect(),
        Value::Object(members) => {
            let member = |(name, value): (String, Value)| match shown_name(&name) {
                None => (REDACTED.to_owned(), REDACTED.into()),
                Some(Shown::Name) => (name, REDACTED.into()),
                Some(Shown::Value) => (name, shown_json(value)),
            };
            members.into_iter().map(member).collect()
        }
        value => value,
    }
}

/// What of a field can be shown.
enum Shown {
    /// Its name alone.
    Name,
    /// Its value too, unless that is secret by itself.
    Value,
}

/// What can be shown of a field of this name; `None`: nothing. However the name is spelt: `citizen_id`, `citizenId`,
/// `metadata[citizen-id]`, `ref`.
fn shown_name(name: &str) -> Option<Shown> {
    let letters: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if letters == "ref" || letters.contains("citizenid") {
        // the number might be in the name
        let plain = name.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '-' | '[' | ']'));
        return plain.then_some(Shown::Name);
    }
    (!is_secret(name)).then_some(Shown::Value)
}

/// Whether a text is, or has in it, an identity number or a secret key, whatever its name.
fn is_secret(text: &str) -> bool {
    // as it is printed on the card, 1-1017-00230-70-8, or by hand
    let digits: Vec<char> = text.chars().filter(|c| !matches!(c, ' ' | '-' | '.')).collect();
    let number = |window: &[char]| {
        let all_digits = window.iter().all(char::is_ascii_digit);
        all_digits && CitizenId::parse(&window.iter().collect::<String>()).is_ok()
    };
    text.to_ascii_lowercase().contains("skey_") || digits.windows(13).any(number)
}

fn capped(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(MAX_SHOWN) {
        text.truncate(at);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NUMBER: &str = "1101700230708";

    #[test]
    fn forms() {
        for (form, shown) in [
            ("type=direct_debit_scb&metadata%5Border%5D=A%2017", "type=direct_debit_scb\nmetadata[order]=A 17"),
            ("metadata[ชื่อ]=มาลี", "metadata[ชื่อ]=มาลี"),
            ("citizen_id=x", "citizen_id=[redacted]"),
            (
                "citizen%5Fid=x&CITIZEN_ID=x&citizenId=x",
                "citizen_id=[redacted]\nCITIZEN_ID=[redacted]\ncitizenId=[redacted]",
            ),
            ("citizen%255Fid=x", "[redacted]"),
            ("citizen_id[]=x&citizen_id[a][b]=x", "citizen_id[]=[redacted]\ncitizen_id[a][b]=[redacted]"),
            ("citizen_id AA1234567", "[redacted]"),
            ("citizen_id: AA1234567", "[redacted]"),
            ("metadata[citizen-id]=x", "metadata[citizen-id]=[redacted]"),
            ("metadata[a]=no.+1-1017-00230-70-8", "metadata[a]=[redacted]"),
            ("1101700230708=a", "[redacted]"),
            ("{\"citizen_id\":\"x\"}", "[redacted]"),
            ("{\"a\":\"=&citizen_id\":\"x\"}", "[redacted]\n[redacted]"),
            ("ref=lnac_test_1&action=decline", "ref=[redacted]\naction=decline"),
            ("reference=1", "reference=1"),
            ("key=skey_test_5xuy4w91xqz7d1w9u0t", "key=[redacted]"),
            ("", ""),
        ] {
            assert_eq!(shown_form(form.as_bytes()), shown, "{form}");
        }
    }

    #[test]
    fn json() {
        for (body, shown) in [
            (
                r#"{"type":"direct_debit_scb","citizen_id":"x"}"#,
                r#"{"citizen_id":"[redacted]","type":"direct_debit_scb"}"#,
            ),
            (
                r#"{"citizen_id":["1","1"],"citizenid":{"a":1}}"#,
                r#"{"citizen_id":"[redacted]","citizenid":"[redacted]"}"#,
            ),
            (r#"{"\u0063itizen_id":"x"}"#, r#"{"citizen_id":"[redacted]"}"#),
            (
                r#"{"metadata":{"a":1101700230708,"b":[1,{"Citizen-Id":2}]}}"#,
                r#"{"metadata":{"a":"[redacted]","b":[1,{"Citizen-Id":"[redacted]"}]}}"#,
            ),
            (r#"{"1101700230708":1}"#, r#"{"[redacted]":"[redacted]"}"#),
            (r#"[{"ref":"x"}]"#, r#"[{"ref":"[redacted]"}]"#),
        ] {
            for content_type in [None, Some("application/json"), Some("application/x-www-form-urlencoded")] {
                let found: Value = serde_json::from_str(&shown_body(content_type, body.as_bytes())).unwrap();
                assert_eq!(found.to_string(), shown, "{body}");
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_shown() {
        assert_eq!(shown_body(None, br#"{"citizen_id":"x""#), "[17 bytes that are no JSON]");
        assert_eq!(shown_body(Some("Application/JSON"), b"citizen_id=x"), "[12 bytes that are no JSON]");
        assert_eq!(shown_body(None, &vec![b'a'; MAX_BODY + 1]), "[262145 bytes]");
        assert_eq!(shown_body(None, b"a=\xff"), "a=\u{fffd}");
    }

    #[test]
    fn long_texts_are_cut() {
        let shown = shown_body(None, format!("a={}", "ก".repeat(10_000)).as_bytes());
        assert_eq!(shown.chars().count(), MAX_SHOWN + 1);
        assert!(shown.ends_with("ก…"));
    }

    #[test]
    fn paths() {
        for (path, shown) in [
            ("/linked_accounts/lnac_test_5zylnmmt2kl9chq3ip1", "/linked_accounts/lnac_test_5zylnmmt2kl9chq3ip1"),
            ("/linked_accounts/1101700230708", "/linked_accounts/[redacted]"),
            ("/linked_accounts/%311%301700230708/x", "/linked_accounts/[redacted]/x"),
            ("/linked_accounts/1101700230709", "/linked_accounts/1101700230709"),
            ("/", "/"),
        ] {
            assert_eq!(shown_path(path), shown);
        }
    }

    fn name() -> impl Strategy<Value = String> {
        "(metadata\\[)?[cC](itizen|ITIZEN)[_ -]?[iI][dD]\\]?(\\[[a-z0-9]?\\])?|[a-z]{1,8}|metadata\\[[a-z]{1,3}\\]"
    }

    proptest! {
        #[test]
        fn no_form_shows_the_number(names in proptest::collection::vec(name(), 1..6), around in "[a-zก-ฮ:, ]{0,4}") {
            let mut form = form_urlencoded::Serializer::new(String::new());
            for name in &names {
                form.append_pair(name, &format!("{around}{NUMBER}{around}"));
            }
            let form = form.finish();
            prop_assert!(!shown_form(form.as_bytes()).contains(NUMBER));
            // sent as what it is not
            prop_assert!(!shown_body(Some("application/json"), form.as_bytes()).contains(NUMBER));
        }

        #[test]
        fn no_json_shows_the_number(names in proptest::collection::vec(name(), 1..6), at in 0_usize..200) {
            let value = names.iter().fold(Value::from(NUMBER), |inner, name| serde_json::json!({ name: [inner] }));
            let text = value.to_string();
            prop_assert!(!shown_body(None, text.as_bytes()).contains(NUMBER));
            prop_assert!(!shown_form(text.as_bytes()).contains(NUMBER));
            // broken off somewhere
            if let Some(part) = text.get(..at) {
                prop_assert!(!shown_body(None, part.as_bytes()).contains(NUMBER));
            }
        }

        #[test]
        fn a_passport_number_goes_by_its_name(number in "[A-Z][0-9]{7}", name in "citizen[_ -]?[iI]d(\\[\\])?") {
            let form = form_urlencoded::Serializer::new(String::new()).append_pair(&name, &number).finish();
            prop_assert!(!shown_form(form.as_bytes()).contains(&number));
            let json = serde_json::json!({ name: number }).to_string();
            prop_assert!(!shown_body(None, json.as_bytes()).contains(&number));
        }

        #[test]
        fn anything_can_be_shown(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let shown = shown_body(None, &body);
            prop_assert!(shown.chars().count() <= MAX_SHOWN + 1);
        }
    }
}
