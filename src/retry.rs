//! Whether to send a request to Omise again, and when.

use core::time::Duration;

use crate::Method;

/// How a try ended, as far as retrying is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Omise answered with this HTTP status.
    Answered(u16),
    /// No answer, and bytes of the request may have left.
    Lost,
    /// No connection was made: no byte has left.
    NotSent,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Do not send it again.
    Stop,
    /// Send it again after this delay.
    After(Duration),
}

/// How often a request is tried at most, the first time included.
pub const MAX_TRIES: u32 = 3;
/// The upper end of the first delay; it doubles with every further try.
pub const BASE_DELAY: Duration = Duration::from_millis(200);
/// The longest `Retry-After` that is waited for here. A longer one is the caller's to pass on.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(5);

/// Decides after `tries` tries of a request; `random` is any value from 0 to 65,535, for the jitter.
///
/// | outcome | GET, DELETE | POST |
/// |---|---|---|
/// | no byte has left | again | again |
/// | lost after bytes may have left | again | stop: an account may exist |
/// | 408, 425, 429, 500, 502, 503, 504 | again | stop |
/// | any other status | stop | stop |
///
/// The delay is drawn evenly between zero and the upper end (full jitter), so that clients which failed together do not
/// return together; `Retry-After` is the least delay where Omise sent one.
///
/// Sources: Omise "API rate limiting" (429), RFC 9110 §9.2.2 (idempotent methods), §10.2.3 (`Retry-After`). Omise documents no
/// idempotency for `POST /linked_accounts`.
///
/// ```
/// use std::time::Duration;
/// use omise_linked_accounts::{Method, retry::{Decision, Outcome, decide}};
///
/// assert_eq!(decide(Method::Get, Outcome::Answered(503), 1, None, 32_768), Decision::After(Duration::from_millis(100)));
/// assert_eq!(decide(Method::Post, Outcome::Lost, 1, None, 0), Decision::Stop);
/// ```
#[must_use]
pub fn decide(method: Method, outcome: Outcome, tries: u32, retry_after: Option<Duration>, random: u16) -> Decision {
    let repeatable = match (outcome, method) {
        (Outcome::NotSent, _) => true,
        (_, Method::Post) => false,
        (Outcome::Lost, _) => true,
        (Outcome::Answered(status), _) => matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504),
    };
    let floor = retry_after.unwrap_or_default();
    if !repeatable || tries >= MAX_TRIES || floor > MAX_RETRY_AFTER {
        return Decision::Stop;
    }
    let ceiling = BASE_DELAY * 2_u32.pow(tries.saturating_sub(1));
    Decision::After((ceiling * u32::from(random) / 65_536).max(floor))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn table() {
        use Method::{Delete, Get, Post};
        use Outcome::{Answered, Lost, NotSent};
        let ms = |n| Decision::After(Duration::from_millis(n));
        let seconds = |n| Some(Duration::from_secs(n));
        for (method, outcome, tries, retry_after, expected) in [
            (Get, Answered(500), 1, None, ms(100)),
            (Get, Answered(502), 2, None, ms(200)),
            (Get, Answered(504), 3, None, Decision::Stop),
            (Delete, Answered(503), 1, None, ms(100)),
            (Delete, Lost, 1, None, ms(100)),
            (Get, NotSent, 1, None, ms(100)),
            (Get, Answered(429), 1, None, ms(100)),
            (Get, Answered(429), 1, seconds(2), ms(2_000)),
            (Get, Answered(429), 1, seconds(5), ms(5_000)),
            (Get, Answered(429), 1, seconds(6), Decision::Stop),
            (Get, Answered(200), 1, None, Decision::Stop),
            (Get, Answered(302), 1, None, Decision::Stop),
            (Get, Answered(400), 1, None, Decision::Stop),
            (Get, Answered(401), 1, None, Decision::Stop),
            (Get, Answered(404), 1, None, Decision::Stop),
            (Get, Answered(501), 1, None, Decision::Stop),
            (Post, NotSent, 1, None, ms(100)),
            (Post, Lost, 1, None, Decision::Stop),
            (Post, Answered(500), 1, None, Decision::Stop),
            (Post, Answered(503), 1, seconds(1), Decision::Stop),
            (Post, Answered(429), 1, seconds(1), Decision::Stop),
        ] {
            let found = decide(method, outcome, tries, retry_after, 32_768);
            assert_eq!(found, expected, "{method:?} {outcome:?} after {tries} tries, {retry_after:?}");
        }
    }

    /// Any status, and as often one that a GET is repeated for.
    fn status() -> impl Strategy<Value = u16> {
        prop_oneof![any::<u16>(), proptest::sample::select(vec![408, 425, 429, 500, 502, 503, 504])]
    }

    proptest! {
        #[test]
        fn a_create_is_never_repeated_once_bytes_may_have_left(status in status(), tries in 0..MAX_TRIES, random in any::<u16>()) {
            prop_assert_eq!(decide(Method::Post, Outcome::Answered(status), tries, None, random), Decision::Stop);
            prop_assert_eq!(decide(Method::Post, Outcome::Lost, tries, None, random), Decision::Stop);
        }

        #[test]
        fn retrying_ends_and_delays_are_bounded(status in status(), after in proptest::option::of(0_u64..100), random in any::<u16>()) {
            let after = after.map(Duration::from_secs);
            let mut tries = 1;
            while let Decision::After(delay) = decide(Method::Get, Outcome::Answered(status), tries, after, random) {
                prop_assert!(delay <= MAX_RETRY_AFTER);
                prop_assert!(delay >= after.unwrap_or_default());
                tries += 1;
                prop_assert!(tries <= MAX_TRIES);
            }
        }
    }
}
