//! When to ask again about an account that is still pending.

use std::time::Duration;

use crate::Status;

/// How long a page waits, after the customer came back, for the bank's answer to arrive.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait before the next reading, or `None` to stop: the status is terminal, or `elapsed` has used up
/// [`PATIENCE`].
///
/// Readings begin one second apart and spread to five: a bank that confirms after the redirect usually does so within
/// seconds, and a slow one is not worth hammering.
///
/// ```
/// use std::time::Duration;
/// use omise_linked_accounts::{Status, poll};
///
/// assert_eq!(poll::next(&Status::Pending, Duration::ZERO), Some(Duration::from_secs(1)));
/// assert_eq!(poll::next(&Status::Successful, Duration::ZERO), None);
/// ```
#[must_use]
pub fn next(status: &Status, elapsed: Duration) -> Option<Duration> {
    let left = PATIENCE.saturating_sub(elapsed);
    if status.is_terminal() || left.is_zero() {
        return None;
    }
    let step = (elapsed / 4).clamp(Duration::from_secs(1), Duration::from_secs(5));
    Some(step.min(left))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn table() {
        for (status, elapsed_ms, expected_ms) in [
            ("pending", 0, Some(1_000)),
            ("pending", 4_000, Some(1_000)),
            ("pending", 12_000, Some(3_000)),
            ("pending", 24_000, Some(5_000)),
            ("pending", 29_500, Some(500)),
            ("pending", 30_000, None),
            ("verified", 0, Some(1_000)),
            ("brand_new", 0, Some(1_000)),
            ("successful", 0, None),
            ("failed", 0, None),
            ("expired", 0, None),
            ("deleted", 0, None),
        ] {
            let next = next(&Status::from(status), Duration::from_millis(elapsed_ms));
            assert_eq!(next, expected_ms.map(Duration::from_millis), "{status} after {elapsed_ms} ms");
        }
    }

    proptest! {
        #[test]
        fn waiting_ends(start in 0_u64..30_000) {
            let mut elapsed = Duration::from_millis(start);
            let mut readings = 0;
            while let Some(delay) = next(&Status::Pending, elapsed) {
                elapsed += delay;
                readings += 1;
                prop_assert!(readings <= 30);
            }
            prop_assert_eq!(elapsed, PATIENCE);
        }
    }
}
