//! When to ask again about an account that is still pending.

use core::time::Duration;

use crate::Status;

/// What is known when the next reading is to be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation<'a> {
    /// The status that was read last.
    pub status: &'a Status,
    /// How long asking has gone on.
    pub elapsed: Duration,
    /// Seconds until `expires_at`, negative once it is past; `None` where it is not known.
    pub seconds_left: Option<i64>,
    /// Whether anybody is looking: `false` for a hidden tab.
    pub visible: bool,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The answer is final, or none is to be expected any more.
    Stop,
    /// Ask again after this delay.
    After(Duration),
    /// Ask again when somebody looks.
    WhenVisible,
}

/// The first delay, and the least.
pub const MIN_DELAY: Duration = Duration::from_secs(1);
/// The longest delay.
pub const MAX_DELAY: Duration = Duration::from_secs(30);
/// For how many seconds after `expires_at` a pending account is still asked about: Omise may settle it a little late.
pub const GRACE: i64 = 60;

/// Decides when to ask next.
///
/// Delays begin at one second and grow with a quarter of the time gone by, up to thirty seconds: a customer who has just come
/// back hears at once, and one who dawdles at the bank costs little (Omise's "API rate limiting" page asks not to poll
/// often). The reading after the expiry comes promptly, and [`GRACE`] later asking ends.
///
/// ```
/// use std::time::Duration;
/// use omise_linked_accounts::{Status, poll::{Next, Situation, next}};
///
/// let situation = Situation { status: &Status::Pending, elapsed: Duration::ZERO, seconds_left: None, visible: true };
/// assert_eq!(next(situation), Next::After(Duration::from_secs(1)));
/// assert_eq!(next(Situation { status: &Status::Successful, ..situation }), Next::Stop);
/// ```
#[must_use]
pub fn next(situation: Situation<'_>) -> Next {
    let Situation { status, elapsed, seconds_left, visible } = situation;
    // an account without a known expiry is given the 24 hours of every official sample
    let left = seconds_left.unwrap_or_else(|| 86_400 - i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX));
    if status.is_terminal() || left <= -GRACE {
        return Next::Stop;
    }
    if !visible {
        return Next::WhenVisible;
    }
    let delay = (elapsed / 4).clamp(MIN_DELAY, MAX_DELAY);
    // not past the expiry without a look right after it
    let expiry = u64::try_from(left).map_or(delay, |left| Duration::from_secs(left) + MIN_DELAY);
    Next::After(delay.min(expiry))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn table() {
        let s = |n| Next::After(Duration::from_secs(n));
        for (status, elapsed, seconds_left, visible, expected) in [
            ("pending", 0, Some(86_400), true, s(1)),
            ("pending", 4, Some(86_000), true, s(1)),
            ("pending", 12, Some(86_000), true, s(3)),
            ("pending", 600, Some(80_000), true, s(30)),
            ("pending", 600, Some(5), true, s(6)),
            ("pending", 600, Some(0), true, s(1)),
            ("pending", 600, Some(-1), true, s(30)),
            ("pending", 0, Some(-59), true, s(1)),
            ("pending", 0, Some(-60), true, Next::Stop),
            ("pending", 12, Some(86_000), false, Next::WhenVisible),
            ("pending", 12, Some(-60), false, Next::Stop),
            ("pending", 0, None, true, s(1)),
            ("pending", 86_459, None, true, s(30)),
            ("pending", 86_460, None, true, Next::Stop),
            ("verified", 0, Some(86_400), true, s(1)),
            ("brand_new", 0, Some(86_400), true, s(1)),
            ("successful", 0, Some(86_400), true, Next::Stop),
            ("failed", 0, Some(86_400), false, Next::Stop),
            ("expired", 0, Some(0), true, Next::Stop),
            ("deleted", 0, None, true, Next::Stop),
        ] {
            let status = Status::from(status);
            let situation = Situation { status: &status, elapsed: Duration::from_secs(elapsed), seconds_left, visible };
            assert_eq!(next(situation), expected, "{situation:?}");
        }
    }

    proptest! {
        #[test]
        fn waiting_ends(life in 0_i64..90_000) {
            let mut elapsed = Duration::ZERO;
            let mut readings = 0;
            let seconds = |elapsed: Duration| i64::try_from(elapsed.as_secs()).unwrap();
            loop {
                let seconds_left = Some(life - seconds(elapsed));
                match next(Situation { status: &Status::Pending, elapsed, seconds_left, visible: true }) {
                    Next::After(delay) => {
                        prop_assert!((MIN_DELAY..=MAX_DELAY).contains(&delay));
                        elapsed += delay;
                    }
                    Next::Stop => break,
                    Next::WhenVisible => prop_assert!(false, "somebody is looking"),
                }
                readings += 1;
                prop_assert!(readings < 4_000);
            }
            prop_assert!(seconds(elapsed) >= life + GRACE);
            prop_assert!(seconds(elapsed) <= life + GRACE + 30);
        }
    }
}
