//! Faults on demand: what a failing server and a bad network do to calls of the API, and to webhooks.
//!
//! | kind | what the caller gets |
//! |---|---|
//! | `latency` | the answer, `ms` milliseconds late |
//! | `status` | an error of this `status`, `code` and `message` |
//! | `rails` | the bare 500 of Omise's servers |
//! | `html` | a 502 and the page of a proxy |
//! | `truncate` | the first half of the answer's body |
//! | `oversized` | a 200 with more than anybody should read |
//! | `hang`, `reset` | nothing, on a connection that stays open or is reset |
//! | `cut` | the answer's head, the first `after` bytes of its body, and the end of the connection |
//! | `duplicate`, `reorder` | of `webhook` alone: an event twice, or after the next one |
//!
//! A Worker cannot break a connection: for `hang`, `reset` and `cut` the answer carries [`HEADER`], and the launcher in front plays
//! it. At most one fault strikes a call, the first in the list that fits. Faults are kept in memory, so a restart ends them.

use std::{cell::RefCell, future::Future, time::Duration};

use futures_util::stream;
use omise_linked_accounts::{ApiError, ErrorCode};
use oorandom::Rand64;
use serde::{Deserialize, Serialize};
use worker::{Delay, Error, Headers, Response, ResponseBuilder, Result};

use crate::{answer, route::ApiCall};

/// Tells the launcher what to do with the connection.
const HEADER: &str = "X-Sandbox-Fault";

/// The most faults at once.
const MAX_FAULTS: usize = 100;
const MAX_LATENCY_MS: u32 = 60_000;
const MAX_COUNT: u32 = 1_000_000;
/// The greatest whole number that JavaScript has exactly.
const MAX_SEED: u64 = (1 << 53) - 1;

/// What a fault strikes: calls of the API by their name, all of them, or events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    Create,
    Retrieve,
    List,
    Search,
    Delete,
    Capability,
    /// Every call of the API.
    #[serde(rename = "*")]
    Any,
    Webhook,
}

impl Target {
    /// What a call is to faults. One that is not there is struck by those of every call alone.
    pub(crate) const fn of(call: ApiCall<'_>) -> Self {
        match call {
            ApiCall::Create => Self::Create,
            ApiCall::List => Self::List,
            ApiCall::Search | ApiCall::ScopedSearch => Self::Search,
            ApiCall::Retrieve(_) => Self::Retrieve,
            ApiCall::Delete(_) => Self::Delete,
            ApiCall::Capability => Self::Capability,
            ApiCall::Unknown => Self::Any,
        }
    }

    fn fits(self, struck: Self) -> bool {
        self == struck || (self == Self::Any && struck != Self::Webhook)
    }
}

/// The name of a kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KindName {
    Latency,
    Status,
    Rails,
    Html,
    Truncate,
    Oversized,
    Hang,
    Reset,
    Cut,
    Duplicate,
    Reorder,
}

impl KindName {
    /// The name as JSON has it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Status => "status",
            Self::Rails => "rails",
            Self::Html => "html",
            Self::Truncate => "truncate",
            Self::Oversized => "oversized",
            Self::Hang => "hang",
            Self::Reset => "reset",
            Self::Cut => "cut",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
        }
    }
}

/// A fault as JSON has it: every field that any kind has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fields {
    /// What it strikes.
    pub(crate) route: Target,
    pub(crate) kind: KindName,
    /// Of `latency`: how late, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ms: Option<u32>,
    /// Of `status`: the HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// Of `status`: the error's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    /// Of `status`: the error's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    /// Of `cut`: how many bytes of the answer's body arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<u32>,
    /// Whether the call does its work before the fault strikes. Absent: not, where the kind leaves the choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) committed: Option<bool>,
    /// How often it strikes yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) count: Option<u32>,
    /// How likely it strikes, in place of a count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) probability: Option<f64>,
    /// What the chances follow from: the same seed strikes the same calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<u64>,
}

impl Fields {
    /// Whether each field is one of this kind, and within its bounds.
    fn check(&self) -> std::result::Result<(), String> {
        use KindName as K;

        let kind = self.kind;
        let webhooks = matches!(kind, K::Duplicate | K::Reorder);
        if webhooks != (self.route == Target::Webhook) {
            let expected = if webhooks { "webhook" } else { "another one than webhook" };
            return Err(format!("route: expected {expected} for kind {}", kind.as_str()));
        }
        let misplaced = [
            ("ms", self.ms.is_some() && kind != K::Latency),
            ("status", self.status.is_some() && kind != K::Status),
            ("code", self.code.is_some() && kind != K::Status),
            ("message", self.message.is_some() && kind != K::Status),
            ("after", self.after.is_some() && kind != K::Cut),
            ("committed", self.committed.is_some() && webhooks),
        ];
        if let Some((field, _)) = misplaced.into_iter().find(|(_, misplaced)| *misplaced) {
            return Err(format!("{field}: kind {} has no such field", kind.as_str()));
        }
        match kind {
            K::Latency if !self.ms.is_some_and(|ms| (1..=MAX_LATENCY_MS).contains(&ms)) => {
                return Err(format!("ms: expected a whole number from 1 to {MAX_LATENCY_MS}"));
            }
            K::Status if !self.status.is_some_and(|status| (400..=599).contains(&status)) => {
                return Err("status: expected a whole number from 400 to 599".to_owned());
            }
            K::Status if self.code.as_ref().is_none_or(String::is_empty) => {
                return Err("code: expected an error code such as internal_error".to_owned());
            }
            K::Status if self.message.is_none() => return Err("message: expected a text".to_owned()),
            K::Cut if self.after.is_none() => return Err("after: expected a number of bytes".to_owned()),
            K::Cut | K::Truncate if self.committed == Some(false) => {
                return Err(format!("committed: expected true, for kind {} is of an answer", kind.as_str()));
            }
            _ => {}
        }
        match (self.count, self.probability, self.seed) {
            (Some(count), None, None) if (1..=MAX_COUNT).contains(&count) => Ok(()),
            (Some(_), None, None) => Err(format!("count: expected a whole number from 1 to {MAX_COUNT}")),
            (Some(_), Some(_), _) => Err("probability: expected none beside a count".to_owned()),
            (_, None, Some(_)) => Err("seed: expected none without a probability".to_owned()),
            (None, None, None) => Err("count: expected one, or probability and seed".to_owned()),
            (None, Some(p), _) if !(p > 0.0 && p <= 1.0) => {
                Err("probability: expected a number above 0, and 1 at most".to_owned())
            }
            (None, Some(_), Some(seed)) if seed <= MAX_SEED => Ok(()),
            (None, Some(_), _) => Err(format!("seed: expected a whole number from 0 to {MAX_SEED}")),
        }
    }
}

/// A fault that waits for what it strikes.
#[derive(Clone, Debug)]
struct Fault {
    fields: Fields,
    /// Where its chances come from, if it has a seed.
    random: Option<Rand64>,
}

impl Fault {
    /// Whether it strikes this time.
    fn comes(&mut self) -> bool {
        if let (Some(random), Some(probability)) = (&mut self.random, self.fields.probability) {
            return random.rand_float() < probability;
        }
        self.fields.count = self.fields.count.map(|count| count.saturating_sub(1));
        true
    }
}

/// The faults that there are, in the order in which they are tried.
#[derive(Debug, Default)]
struct Faults(Vec<Fault>);

impl Faults {
    /// Checks a list.
    ///
    /// # Errors
    ///
    /// Which field of which fault is wrong, and what was expected.
    fn check(list: Vec<Fields>) -> std::result::Result<Self, String> {
        if list.len() > MAX_FAULTS {
            return Err(format!("faults: expected {MAX_FAULTS} at most"));
        }
        for (i, fields) in list.iter().enumerate() {
            fields.check().map_err(|fault| format!("faults[{i}].{fault}"))?;
        }
        let fault = |fields: Fields| Fault { random: fields.seed.map(|seed| Rand64::new(seed.into())), fields };
        Ok(Self(list.into_iter().map(fault).collect()))
    }

    /// The fault that strikes, if any does. One that has struck as often as it should is gone.
    fn strike(&mut self, struck: Target) -> Option<Fields> {
        let at = self.0.iter_mut().position(|fault| fault.fields.route.fits(struck) && fault.comes())?;
        let fields = self.0.get(at)?.fields.clone();
        if fields.count == Some(0) {
            self.0.remove(at);
        }
        Some(fields)
    }
}

thread_local! {
    static FAULTS: RefCell<Faults> = RefCell::default();
}

/// Puts a list in place of the faults that there are.
///
/// # Errors
///
/// Which field of which fault is wrong, and what was expected; then nothing is changed.
pub(crate) fn replace(list: Vec<Fields>) -> std::result::Result<(), String> {
    FAULTS.set(Faults::check(list)?);
    Ok(())
}

/// The faults that there are, with what is left of their counts.
pub(crate) fn all() -> Vec<Fields> {
    FAULTS.with_borrow(|faults| faults.0.iter().map(|fault| fault.fields.clone()).collect())
}

/// Removes all faults.
pub(crate) fn clear() {
    FAULTS.take();
}

/// The fault that strikes a call, or an event, now. It counts as struck.
pub(crate) fn strike(struck: Target) -> Option<Fields> {
    FAULTS.with_borrow_mut(|faults| faults.strike(struck))
}

/// Answers a call that is struck, or not. `answer` does its work.
pub(crate) async fn play(
    fault: Option<&Fields>,
    version: Option<&str>,
    request_id: [u8; 16],
    answer: impl Future<Output = Result<Response>>,
) -> Result<Response> {
    let Some(fault) = fault else { return answer.await };
    let committed = fault.committed.unwrap_or_default();
    match fault.kind {
        KindName::Duplicate | KindName::Reorder => answer.await,
        KindName::Latency => {
            let wait = Delay::from(Duration::from_millis(fault.ms.unwrap_or_default().into()));
            if !committed {
                wait.await;
                return answer.await;
            }
            let response = answer.await?;
            wait.await;
            Ok(response)
        }
        KindName::Truncate => truncated(answer.await?).await,
        KindName::Cut => marked(answer.await?, &format!("cut;after={}", fault.after.unwrap_or_default())),
        kind => {
            if committed {
                answer.await?;
            }
            match kind {
                KindName::Status => {
                    let code = ErrorCode::from(fault.code.as_deref().unwrap_or_default());
                    let message = fault.message.as_deref().unwrap_or_default();
                    answer::api(Err(ApiError::new(fault.status.unwrap_or(500), code, message)), version, request_id)
                }
                KindName::Html => html(),
                KindName::Oversized => oversized(),
                KindName::Hang | KindName::Reset => marked(Response::empty()?, kind.as_str()),
                _ => answer::api(Err(ApiError::rails()), version, request_id),
            }
        }
    }
}

async fn truncated(mut response: Response) -> Result<Response> {
    let mut body = response.bytes().await?;
    body.truncate(body.len() / 2);
    let (builder, _) = response.into_parts();
    Ok(builder.fixed(body))
}

fn marked(response: Response, fault: &str) -> Result<Response> {
    response.headers().set(HEADER, fault)?;
    Ok(response)
}

fn html() -> Result<Response> {
    const PAGE: &str =
        "<html>\n<head><title>502 Bad Gateway</title></head>\n<body>\n<h1>502 Bad Gateway</h1>\n</body>\n</html>\n";

    let headers = Headers::new();
    headers.set("Content-Type", "text/html")?;
    Ok(ResponseBuilder::new().with_status(502).with_headers(headers).fixed(PAGE.into()))
}

/// Eight mebibytes of one string, made as they are read.
fn oversized() -> Result<Response> {
    const CHUNK: usize = 64 * 1024;
    const CHUNKS: usize = 128;

    let ends = |text: &str| std::iter::once(text.as_bytes().to_vec());
    let chunks = ends(r#"{"object":"linked_account","id":""#)
        .chain(std::iter::repeat_n(vec![b'a'; CHUNK], CHUNKS))
        .chain(ends("\"}\n"));
    let headers = Headers::new();
    headers.set("Content-Type", "application/json; charset=utf-8")?;
    ResponseBuilder::new().with_headers(headers).from_stream(stream::iter(chunks.map(Ok::<_, Error>)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(json: &str) -> Fields {
        serde_json::from_str(json).unwrap()
    }

    fn faults(list: &[&str]) -> Faults {
        Faults::check(list.iter().map(|json| fields(json)).collect()).unwrap()
    }

    #[test]
    fn names() {
        for kind in [
            "latency",
            "status",
            "rails",
            "html",
            "truncate",
            "oversized",
            "hang",
            "reset",
            "cut",
            "duplicate",
            "reorder",
        ] {
            let name: KindName = serde_json::from_str(&format!("\"{kind}\"")).unwrap();
            assert_eq!(name.as_str(), kind);
        }
    }

    #[test]
    fn which_calls_are_struck() {
        for (call, struck) in [
            (ApiCall::Create, "create"),
            (ApiCall::Retrieve("x"), "retrieve"),
            (ApiCall::List, "list"),
            (ApiCall::Search, "search"),
            (ApiCall::ScopedSearch, "search"),
            (ApiCall::Delete("x"), "delete"),
            (ApiCall::Capability, "capability"),
            (ApiCall::Unknown, "*"),
        ] {
            for route in ["create", "retrieve", "list", "search", "delete", "capability", "*"] {
                let mut faults = faults(&[&format!(r#"{{"route":"{route}","kind":"rails","count":1}}"#)]);
                let strikes = faults.strike(Target::of(call)).is_some();
                assert_eq!(strikes, route == struck || route == "*", "{route}, {call:?}");
            }
        }
    }

    #[test]
    fn no_call_is_struck_by_a_fault_of_events_and_no_event_by_one_of_calls() {
        let mut faults = faults(&[
            r#"{"route":"webhook","kind":"duplicate","count":1}"#,
            r#"{"route":"*","kind":"rails","count":1}"#,
        ]);
        assert_eq!(faults.strike(Target::Create).unwrap().kind, KindName::Rails);
        assert_eq!(faults.strike(Target::Create), None);
        assert_eq!(faults.strike(Target::Webhook).unwrap().kind, KindName::Duplicate);
        assert_eq!(faults.strike(Target::Webhook), None);
    }

    #[test]
    fn counts_go_down_and_the_first_that_fits_strikes() {
        let mut faults = faults(&[
            r#"{"route":"create","kind":"rails","count":2}"#,
            r#"{"route":"*","kind":"html","count":2}"#,
            r#"{"route":"list","kind":"reset","count":1}"#,
        ]);
        let kinds = [Target::List, Target::Create, Target::Create, Target::Create, Target::Create, Target::List];
        let kinds = kinds.map(|target| faults.strike(target).map(|fault| (fault.kind.as_str(), fault.count.unwrap())));
        assert_eq!(
            kinds,
            [Some(("html", 1)), Some(("rails", 1)), Some(("rails", 0)), Some(("html", 0)), None, Some(("reset", 0))]
        );
        assert!(faults.0.is_empty());
    }

    #[test]
    fn what_is_refused() {
        for (json, fault) in [
            (r#"{"route":"create","kind":"rails"}"#, "count: expected one, or probability and seed"),
            (r#"{"route":"create","kind":"rails","count":0}"#, "count: expected a whole number from 1 to 1000000"),
            (
                r#"{"route":"create","kind":"rails","count":1000001}"#,
                "count: expected a whole number from 1 to 1000000",
            ),
            (r#"{"route":"create","kind":"rails","count":1,"seed":1}"#, "seed: expected none without a probability"),
            (r#"{"route":"create","kind":"rails","seed":1}"#, "seed: expected none without a probability"),
            (
                r#"{"route":"create","kind":"rails","count":1,"probability":1,"seed":1}"#,
                "probability: expected none beside a count",
            ),
            (
                r#"{"route":"create","kind":"rails","probability":0.5}"#,
                "seed: expected a whole number from 0 to 9007199254740991",
            ),
            (
                r#"{"route":"create","kind":"rails","probability":0.5,"seed":9007199254740992}"#,
                "seed: expected a whole number from 0 to 9007199254740991",
            ),
            (
                r#"{"route":"create","kind":"rails","probability":0,"seed":1}"#,
                "probability: expected a number above 0, and 1 at most",
            ),
            (
                r#"{"route":"create","kind":"rails","probability":1.1,"seed":1}"#,
                "probability: expected a number above 0, and 1 at most",
            ),
            (r#"{"route":"*","kind":"latency","count":1}"#, "ms: expected a whole number from 1 to 60000"),
            (r#"{"route":"*","kind":"latency","ms":0,"count":1}"#, "ms: expected a whole number from 1 to 60000"),
            (r#"{"route":"*","kind":"latency","ms":60001,"count":1}"#, "ms: expected a whole number from 1 to 60000"),
            (r#"{"route":"*","kind":"rails","ms":1,"count":1}"#, "ms: kind rails has no such field"),
            (r#"{"route":"*","kind":"status","count":1}"#, "status: expected a whole number from 400 to 599"),
            (
                r#"{"route":"*","kind":"status","status":399,"code":"x","message":"","count":1}"#,
                "status: expected a whole number from 400 to 599",
            ),
            (
                r#"{"route":"*","kind":"status","status":600,"code":"x","message":"","count":1}"#,
                "status: expected a whole number from 400 to 599",
            ),
            (
                r#"{"route":"*","kind":"status","status":429,"message":"","count":1}"#,
                "code: expected an error code such as internal_error",
            ),
            (
                r#"{"route":"*","kind":"status","status":429,"code":"","message":"","count":1}"#,
                "code: expected an error code such as internal_error",
            ),
            (r#"{"route":"*","kind":"status","status":429,"code":"x","count":1}"#, "message: expected a text"),
            (r#"{"route":"*","kind":"html","status":503,"count":1}"#, "status: kind html has no such field"),
            (r#"{"route":"*","kind":"html","code":"x","count":1}"#, "code: kind html has no such field"),
            (r#"{"route":"*","kind":"html","message":"x","count":1}"#, "message: kind html has no such field"),
            (r#"{"route":"*","kind":"hang","after":1,"count":1}"#, "after: kind hang has no such field"),
            (r#"{"route":"*","kind":"cut","count":1}"#, "after: expected a number of bytes"),
            (
                r#"{"route":"*","kind":"cut","after":1,"committed":false,"count":1}"#,
                "committed: expected true, for kind cut is of an answer",
            ),
            (
                r#"{"route":"*","kind":"truncate","committed":false,"count":1}"#,
                "committed: expected true, for kind truncate is of an answer",
            ),
            (r#"{"route":"*","kind":"reorder","count":1}"#, "route: expected webhook for kind reorder"),
            (
                r#"{"route":"webhook","kind":"rails","count":1}"#,
                "route: expected another one than webhook for kind rails",
            ),
            (
                r#"{"route":"webhook","kind":"reorder","committed":true,"count":1}"#,
                "committed: kind reorder has no such field",
            ),
        ] {
            let good = r#"{"route":"delete","kind":"hang","committed":true,"count":1}"#;
            let found = Faults::check(vec![fields(good), fields(json)]).unwrap_err();
            assert_eq!(found, format!("faults[1].{fault}"), "{json}");
        }
    }

    #[test]
    fn a_hundred_at_most() {
        let fault = fields(r#"{"route":"*","kind":"html","count":1}"#);
        assert!(Faults::check(vec![fault.clone(); 100]).is_ok());
        assert_eq!(Faults::check(vec![fault; 101]).unwrap_err(), "faults: expected 100 at most");
    }

    proptest! {
        #[test]
        fn the_same_seed_strikes_the_same_calls(probability in 0.001..=1.0_f64, seed in 0..=MAX_SEED) {
            let json = format!(r#"{{"route":"*","kind":"html","probability":{probability},"seed":{seed}}}"#);
            let run = || {
                let mut faults = faults(&[&json]);
                (0..200).map(|_| faults.strike(Target::List).is_some()).collect::<Vec<_>>()
            };
            prop_assert_eq!(run(), run());
        }

        #[test]
        fn a_certain_fault_always_strikes(seed in 0..=MAX_SEED) {
            let mut faults = faults(&[&format!(r#"{{"route":"*","kind":"html","probability":1,"seed":{seed}}}"#)]);
            prop_assert!((0..200).all(|_| faults.strike(Target::List).is_some()));
        }
    }

    #[test]
    fn a_probable_fault_strikes_about_as_often() {
        let mut faults = faults(&[r#"{"route":"*","kind":"html","probability":0.25,"seed":7}"#]);
        let struck = (0..4_000).filter(|_| faults.strike(Target::List).is_some()).count();
        assert!((900..=1_100).contains(&struck), "{struck}");
    }

    #[test]
    fn json_round_trips() {
        for json in [
            r#"{"route":"*","kind":"latency","ms":5,"count":3}"#,
            r#"{"route":"create","kind":"status","status":503,"code":"search_unavailable","message":"","committed":true,"count":1}"#,
            r#"{"route":"webhook","kind":"duplicate","probability":0.5,"seed":0}"#,
        ] {
            assert_eq!(serde_json::to_string(&fields(json)).unwrap(), json);
        }
    }
}
