//! A JWK set behind an address: when it is fetched, and for how long it counts.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use omise_linked_accounts::Reason;

use crate::{
    common::answer::Failure,
    common::context::{self, Millis},
    common::fetch::{Deadline, FetchError, Outgoing, USER_AGENT, fetch},
    common::jwks::KeySet,
    edge::shared::Shared,
};

/// How long a set counts. A key that the shop withdraws is trusted no longer than this.
const LIFETIME: Millis = 10 * 60 * 1_000;
/// How long nothing is fetched after a fetch that failed, or that was for a key of unknown name.
const COOL_DOWN: Millis = 30_000;
/// How long the address may take to answer.
const DEADLINE: Duration = Duration::from_secs(5);

/// The set, for the time that this isolate lives.
static SET: Shared<Arc<KeySet>> = Shared::new(1);
static COOLING: Mutex<Option<Cooling>> = Mutex::new(None);

/// A time in which a set that still counts is not fetched again, nor, after a failure, any set at all.
#[derive(Clone, Copy, Debug)]
struct Cooling {
    until: Millis,
    /// Whether the last fetch failed; else it was for a key of unknown name.
    failed: bool,
}

/// What is to be done about a token that names `kid`.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    /// The set at hand has the last word.
    Use,
    /// Fetch the set; `again` where there is one that still counts.
    Fetch { again: bool },
    /// No set can be had for so many seconds.
    Unavailable(u32),
}

/// Judges the set at hand, and when its fetch began, for a request that came at `now`.
fn decide(at_hand: Option<(Millis, &KeySet)>, cooling: Option<Cooling>, now: Millis, kid: Option<&str>) -> Decision {
    let valid = at_hand.filter(|(began_at, _)| now < began_at + LIFETIME);
    // one that was fetched since the request came cannot be bettered
    if valid.is_some_and(|(began_at, set)| now <= began_at || set.knows(kid)) {
        return Decision::Use;
    }
    match cooling.filter(|cooling| now < cooling.until) {
        Some(Cooling { until, failed: true }) => Decision::Unavailable(seconds(until, now)),
        Some(_) if valid.is_some() => Decision::Use,
        _ => Decision::Fetch { again: valid.is_some() },
    }
}

/// From `now` to `until`, rounded up.
fn seconds(until: Millis, now: Millis) -> u32 {
    u32::try_from(until.saturating_sub(now).div_ceil(1_000)).unwrap_or(u32::MAX)
}

/// The set at `url`, for a token that names `kid`.
///
/// # Errors
///
/// 503 where it cannot be had: a set past its time is not used, whatever the reason that there is no newer one.
pub(crate) async fn get(url: &str, kid: Option<&str>) -> Result<Arc<KeySet>, Failure> {
    let now = context::now();
    let judge = |began_at, set: &KeySet| decide(Some((began_at, set)), cooling(), now, kid);
    let settled = |began_at, set: &Arc<KeySet>| !matches!(judge(began_at, set), Decision::Fetch { .. });
    let read = async |before: Option<(Millis, Arc<KeySet>)>| {
        let at_hand = before.as_ref().map(|(began_at, set)| (*began_at, set.as_ref()));
        let again = match decide(at_hand, cooling(), now, kid) {
            // the request that this one waited for failed
            Decision::Unavailable(seconds) => return Err(unavailable(seconds, LATELY)),
            Decision::Fetch { again } => again,
            // not where the set was not settled
            Decision::Use => true,
        };
        let until = context::now() + COOL_DOWN;
        let outcome = fetch_set(url).await;
        let failed = outcome.is_err();
        cool((failed || again).then_some(Cooling { until, failed }));
        outcome.map(Arc::new).map_err(|why| unavailable(seconds(until, context::now()), why))
    };
    let (began_at, set) = SET.get(url, settled, read).await?;
    match judge(began_at, &set) {
        Decision::Unavailable(seconds) => Err(unavailable(seconds, LATELY)),
        Decision::Use | Decision::Fetch { .. } => Ok(set),
    }
}

const LATELY: &str = "the key set could not be fetched a moment ago";

fn unavailable(seconds: u32, why: &'static str) -> Failure {
    Failure::new(Reason::KeysUnavailable).with_retry_after(seconds).with_log(why)
}

fn cooling() -> Option<Cooling> {
    *COOLING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cool(cooling: Option<Cooling>) {
    *COOLING.lock().unwrap_or_else(PoisonError::into_inner) = cooling;
}

/// Fetches the set, once.
async fn fetch_set(url: &str) -> Result<KeySet, &'static str> {
    let headers = [("Accept", "application/json"), ("User-Agent", USER_AGENT)];
    let outgoing = Outgoing { method: "GET", url, headers: &headers, body: None };
    let answer = fetch(&outgoing, &Deadline::after(DEADLINE), KeySet::MAX_LEN).await.map_err(|error| match error {
        FetchError::Timeout => "the key set did not come in time",
        FetchError::Unreachable => "the key set cannot be reached",
        FetchError::TooLarge => "the key set is larger than 64 KiB",
    })?;
    if answer.status != 200 {
        return Err("the key set's address answered with another status than 200");
    }
    KeySet::parse(&answer.body)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BEGAN: Millis = 1_700_000_000_000;

    /// A set whose one key is named `k`.
    fn set() -> KeySet {
        let x = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k", "x": x });
        KeySet::parse(json!({ "keys": [key] }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn decisions() {
        use Decision::{Fetch, Unavailable, Use};
        let (first, again) = (Fetch { again: false }, Fetch { again: true });
        let failed = |until| Some(Cooling { until: BEGAN + until, failed: true });
        let looked = |until| Some(Cooling { until: BEGAN + until, failed: false });
        // whether there is a set; cooling; how long after its fetch began; the token's kid
        for (at_hand, cooling, after, kid, expected) in [
            (false, None, 0, Some("k"), &first),
            (false, None, 0, None, &first),
            (false, failed(COOL_DOWN), 0, Some("k"), &Unavailable(30)),
            (false, failed(COOL_DOWN), 0, None, &Unavailable(30)),
            (false, failed(COOL_DOWN), COOL_DOWN - 1, Some("k"), &Unavailable(1)),
            (false, failed(COOL_DOWN), COOL_DOWN, Some("k"), &first),
            // without a set, only a failure holds back
            (false, looked(COOL_DOWN), 1, Some("k"), &first),
            (true, None, 1, Some("k"), &Use),
            (true, None, LIFETIME - 1, Some("k"), &Use),
            (true, None, LIFETIME, Some("k"), &first),
            (true, None, LIFETIME, None, &first),
            (true, None, LIFETIME - 1, None, &Use),
            // a failure keeps nobody from a set that counts, and makes none count for longer
            (true, failed(LIFETIME), LIFETIME - 1, Some("k"), &Use),
            (true, failed(LIFETIME + 500), LIFETIME, Some("k"), &Unavailable(1)),
            (true, failed(LIFETIME), LIFETIME, Some("k"), &first),
            // a key of unknown name
            (true, None, 1, Some("new"), &again),
            (true, None, LIFETIME - 1, Some("new"), &again),
            (true, None, LIFETIME, Some("new"), &first),
            (true, looked(COOL_DOWN), 1, Some("new"), &Use),
            (true, looked(COOL_DOWN), COOL_DOWN - 1, Some("new"), &Use),
            (true, looked(COOL_DOWN), COOL_DOWN, Some("new"), &again),
            (true, failed(COOL_DOWN), 1, Some("new"), &Unavailable(30)),
            (true, failed(COOL_DOWN), COOL_DOWN, Some("new"), &again),
            // fetched for this very request
            (true, None, 0, Some("new"), &Use),
        ] {
            let set = set();
            let at_hand = at_hand.then_some((BEGAN, &set));
            let case = format!("{at_hand:?} {cooling:?} {after} {kid:?}");
            assert_eq!(&decide(at_hand, cooling, BEGAN + after, kid), expected, "{case}");
        }
        // begun after the request came, by another
        assert_eq!(decide(Some((BEGAN, &set())), None, BEGAN - 1, Some("new")), Use);
    }
}
