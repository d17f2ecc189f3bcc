//! Rate limits: how often one customer, and one network, may ask.
//!
//! The numbers are in `wrangler.toml`. Cloudflare counts in each of its locations by itself, so this slows abuse down; what
//! must never happen twice is the ledger's business.

use std::net::{IpAddr, Ipv6Addr};

use js_sys::{Object, Reflect, futures::JsFuture};
use omise_linked_accounts::{Issue, IssueCode, Reason};
use wasm_bindgen::{JsCast, JsValue, prelude::wasm_bindgen};
use worker::Env;

use crate::common::answer::Failure;

// The binding by hand: the `worker` crate reads its answer through serde.
#[wasm_bindgen]
extern "C" {
    type RateLimit;
    type Wanted;
    type Outcome;

    #[wasm_bindgen(method, catch)]
    fn limit(this: &RateLimit, wanted: &Wanted) -> Result<js_sys::Promise, JsValue>;

    #[wasm_bindgen(method, setter)]
    fn set_key(this: &Wanted, key: &str);

    #[wasm_bindgen(method, getter)]
    fn success(this: &Outcome) -> bool;
}

impl Wanted {
    fn new() -> Self {
        Object::new().unchecked_into()
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Begins a create.
    Create,
    /// Anything else.
    Read,
}

/// For whom it is counted.
#[derive(Clone, Copy)]
pub(crate) enum Whose<'a> {
    /// A token's subject.
    Subject(&'a str),
    /// The network that a request came from, as `CF-Connecting-IP` names it. No other header is believed.
    Network(Option<&'a str>),
}

/// Every binding.
const BINDINGS: [&str; 4] = ["READS_BY_SUBJECT", "CREATES_BY_SUBJECT", "READS_BY_NETWORK", "CREATES_BY_NETWORK"];

/// The period of the limits, in seconds: the binding does not say when it admits again.
const PERIOD: u32 = 60;

/// Counts one request.
///
/// # Errors
///
/// 429 where there were too many; 503 where the binding is missing.
pub(crate) async fn count(env: &Env, kind: Kind, whose: Whose<'_>) -> Result<(), Failure> {
    let (binding, key) = match (kind, whose) {
        (Kind::Read, Whose::Subject(subject)) => ("READS_BY_SUBJECT", subject.to_owned()),
        (Kind::Create, Whose::Subject(subject)) => ("CREATES_BY_SUBJECT", subject.to_owned()),
        (Kind::Read, Whose::Network(ip)) => ("READS_BY_NETWORK", network(ip)),
        (Kind::Create, Whose::Network(ip)) => ("CREATES_BY_NETWORK", network(ip)),
    };
    if admits(env, binding, &key).await? {
        Ok(())
    } else {
        Err(Failure::new(Reason::RateLimited).with_retry_after(PERIOD).with_log(binding))
    }
}

/// Every binding that is missing, without counting anything.
pub(crate) fn missing(env: &Env) -> Vec<Issue> {
    BINDINGS.into_iter().filter(|binding| limiter(env, binding).is_err()).map(issue).collect()
}

/// A binding.
fn limiter(env: &Env, binding: &str) -> Result<RateLimit, JsValue> {
    let limiter = Reflect::get(env, &binding.into())?;
    if Reflect::has(&limiter, &"limit".into())? { Ok(limiter.unchecked_into()) } else { Err(limiter) }
}

fn issue(binding: &str) -> Issue {
    Issue::new(binding, IssueCode::Required, "the rate-limit binding is missing")
}

/// Asks a binding whether it admits one more for this key.
async fn admits(env: &Env, binding: &str, key: &str) -> Result<bool, Failure> {
    let ask = || -> Result<js_sys::Promise, JsValue> {
        let wanted = Wanted::new();
        wanted.set_key(key);
        limiter(env, binding)?.limit(&wanted)
    };
    let missing = |_| Failure::new(Reason::Misconfigured).with_issues(vec![issue(binding)]);
    let outcome = JsFuture::from(ask().map_err(missing)?).await.map_err(missing)?;
    Ok(outcome.unchecked_ref::<Outcome>().success())
}

/// The network of an address: itself for IPv4, its /64 for IPv6, of which one customer has as many as they like.
fn network(ip: Option<&str>) -> String {
    match ip.and_then(|ip| ip.parse::<IpAddr>().ok()).map(|ip| ip.to_canonical()) {
        Some(IpAddr::V6(ip)) => Ipv6Addr::from(u128::from(ip) >> 64 << 64).to_string(),
        Some(ip) => ip.to_string(),
        // only where there is no Cloudflare in front: all share one
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for (ip, expected) in [
            (Some("203.0.113.7"), "203.0.113.7"),
            (Some("::ffff:203.0.113.7"), "203.0.113.7"),
            (Some("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::"),
            (Some("2001:db8:1:2:ffff::1"), "2001:db8:1:2::"),
            (Some("2001:db8:1:3::1"), "2001:db8:1:3::"),
            (Some("203.0.113.7, 10.0.0.1"), ""),
            (Some("nonsense"), ""),
            (None, ""),
        ] {
            assert_eq!(network(ip), expected, "{ip:?}");
        }
    }
}
