//! When an attempt is over, and when its account is looked for until then.
//!
//! | since the attempt began | what holds |
//! |---|---|
//! | Omise's deadline and 15 s | the call that made it may still be at work |
//! | Omise's deadline and 10 min, the quiet period | in doubt: its key and its type are held |
//! | 25 h | abandoned, and still looked for: registration is over after 24 hours |
//! | 30 days | its key is remembered |
//!
//! Looks are spread: the next is a quarter of the attempt's age later, and a random part of that, so that attempts of one moment do not
//! ask together.

use std::time::Duration;

use crate::common::context::{Millis, millis};

/// A day, in milliseconds.
pub(crate) const DAY: Millis = 24 * HOUR;
const HOUR: Millis = 60 * MINUTE;
const MINUTE: Millis = 60_000;
/// The margin for what a call does beside asking Omise.
const MARGIN: Millis = 15_000;
/// How long after the deadline Omise may still be making the account.
const QUIET: Millis = 10 * MINUTE;
/// How long its account may turn up.
const ADOPTED: Millis = 25 * HOUR;
/// How long an `Idempotency-Key`, and the id of a webhook's event, are remembered.
pub(crate) const KEPT: Millis = 30 * DAY;
/// How long an entry of the audit waits for others to go to the audit log with it.
pub(crate) const DELIVERY: Millis = 30_000;
/// How much longer than `expires_at` says a registration may take.
const GRACE: Millis = MINUTE;

/// How long an attempt holds its key and its type at most, where nothing becomes known of it.
pub(crate) fn quiet_period(deadline: Duration) -> Millis {
    millis(deadline) + QUIET
}

/// Whether the customer is free of an attempt of which nothing became known.
pub(crate) fn is_over(created_at: Millis, now: Millis, deadline: Duration) -> bool {
    now.saturating_sub(created_at) > quiet_period(deadline)
}

/// When a call that has just begun to ask Omise is surely over.
pub(crate) fn first_look(now: Millis, deadline: Duration, random: u8) -> Millis {
    now + millis(deadline) + MARGIN + spread(MARGIN, random)
}

/// When to look next for the account of an attempt, where all that there was has been looked at; `None` where it will not turn up.
pub(crate) fn next_look(created_at: Millis, now: Millis, deadline: Duration, random: u8) -> Option<Millis> {
    let age = now.saturating_sub(created_at);
    let step = (age / 4).max(MINUTE);
    let next = now + step + spread(step, random);
    // the first moment at which it is over is one to look at: then the customer is free
    let end = created_at + quiet_period(deadline) + 1;
    let next = if now < end { next.min(end + spread(MARGIN, random)) } else { next };
    (age < ADOPTED).then_some(next)
}

/// When to look on, where there was more than could be looked at.
pub(crate) fn look_on(now: Millis, random: u8) -> Millis {
    now + 1_000 + spread(2_000, random)
}

/// When a reading that failed is tried again by the alarm; `None` where that has gone on for a day.
pub(crate) fn next_reading(since: Millis, now: Millis, random: u8) -> Option<Millis> {
    next_look(since, now, Duration::ZERO, random)
}

/// When the alarm reads a pending account.
pub(crate) fn reading_after(expires_at: Millis, random: u8) -> Millis {
    expires_at + GRACE + spread(GRACE, random)
}

/// When the alarm finds out what became of a deletion.
pub(crate) fn deletion_look(now: Millis, deadline: Duration, random: u8) -> Millis {
    // two calls: the deletion, and the reading that settles it
    now + 2 * millis(deadline) + MARGIN + spread(MARGIN, random)
}

/// A random part of a time.
fn spread(time: Millis, random: u8) -> Millis {
    time * Millis::from(random) / 256
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(15);

    #[test]
    fn the_quiet_period_is_deadline_and_ten_minutes() {
        let quiet = 615_000;
        for (age, over) in [(0, false), (quiet, false), (quiet + 1, true), (ADOPTED, true)] {
            assert_eq!(is_over(1_000, 1_000 + age, DEADLINE), over, "{age}");
        }
        // a clock that goes back
        assert!(!is_over(1_000, 0, DEADLINE));
    }

    #[test]
    fn looks_grow_rarer_and_end() {
        let mut now = first_look(0, DEADLINE, 128);
        let mut looks = Vec::new();
        while let Some(next) = next_look(0, now, DEADLINE, 128) {
            looks.push(now / 1_000);
            now = next;
        }
        assert_eq!(looks[..7], [37, 127, 217, 307, 422, 581, 622]);
        assert!((20..30).contains(&looks.len()), "{}", looks.len());
        assert!((ADOPTED..ADOPTED * 3 / 2).contains(&now));
    }

    proptest! {
        #[test]
        fn a_look_is_later_and_one_comes_soon_after_the_quiet_period(age in 0..ADOPTED, random: u8) {
            let next = next_look(0, age, DEADLINE, random).unwrap();
            prop_assert!(next > age);
            let end = quiet_period(DEADLINE);
            prop_assert!(age > end || next <= end + 1 + MARGIN);
        }

        #[test]
        fn first_looks_come_after_the_call(now in 0..1u64 << 50, random: u8) {
            let first = first_look(now, DEADLINE, random);
            prop_assert!(first >= now + 30_000 && first < now + 45_000);
            prop_assert!(first < now + quiet_period(DEADLINE));
        }
    }
}
