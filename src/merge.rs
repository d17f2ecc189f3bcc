//! Which of two readings of an account to keep.

use crate::Status;

/// A reading of an account's status, and when it began (any clock that only rises, such as milliseconds since 1970).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading<'a> {
    /// When the request that brought it was sent.
    pub began_at: u64,
    /// What it said.
    pub status: &'a Status,
}

/// What to do with a reading that has just come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Drop it: a newer one is stored, or the account is deleted.
    Keep,
    /// Store it.
    Take,
    /// Store it, and say so in the log: no account is known to go this way.
    TakeUnexpected,
}

/// Decides between the stored reading and one that has come in.
///
/// The newest wins, by when it *began*: an answer that was slow to arrive says less than one that was asked for later. At the same
/// moment, the incoming one is taken. `deleted` is final at any time: the answer of the deletion itself may arrive after a
/// reading that began later, but before Omise had deleted the account.
///
/// ```
/// use omise_linked_accounts::{Status, merge::{Merge, Reading, merge}};
///
/// let stored = Reading { began_at: 10, status: &Status::Successful };
/// assert_eq!(merge(stored, Reading { began_at: 9, status: &Status::Pending }), Merge::Keep);
/// assert_eq!(merge(stored, Reading { began_at: 9, status: &Status::Deleted }), Merge::Take);
/// ```
#[must_use]
pub fn merge(stored: Reading<'_>, incoming: Reading<'_>) -> Merge {
    let is_older = incoming.began_at < stored.began_at;
    if *stored.status == Status::Deleted || (is_older && *incoming.status != Status::Deleted) {
        Merge::Keep
    } else if stored.status == incoming.status || stored.status.can_become(incoming.status) {
        Merge::Take
    } else {
        Merge::TakeUnexpected
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn table() {
        for (stored, stored_at, incoming, incoming_at, expected) in [
            ("pending", 1, "pending", 2, Merge::Take),
            ("pending", 1, "successful", 2, Merge::Take),
            ("pending", 2, "successful", 1, Merge::Keep),
            ("pending", 1, "successful", 1, Merge::Take),
            ("successful", 1, "deleted", 2, Merge::Take),
            ("successful", 2, "deleted", 1, Merge::Take),
            ("successful", 1, "pending", 2, Merge::TakeUnexpected),
            ("expired", 1, "successful", 2, Merge::TakeUnexpected),
            ("failed", 1, "deleted", 2, Merge::TakeUnexpected),
            ("deleted", 1, "successful", 2, Merge::Keep),
            ("deleted", 1, "deleted", 2, Merge::Keep),
            ("brand_new", 1, "successful", 2, Merge::Take),
            ("pending", 1, "brand_new", 2, Merge::Take),
        ] {
            let (a, b) = (Status::from(stored), Status::from(incoming));
            let found =
                merge(Reading { began_at: stored_at, status: &a }, Reading { began_at: incoming_at, status: &b });
            assert_eq!(found, expected, "{stored}@{stored_at} then {incoming}@{incoming_at}");
        }
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_does_not_matter(readings in proptest::collection::vec((any::<u8>(), 0_usize..4), 1..8)) {
            // distinct starts, as two requests of one ledger row have in practice
            let mut readings = readings;
            readings.sort_unstable();
            readings.dedup_by_key(|(at, _)| *at);
            let statuses = [Status::Pending, Status::Successful, Status::Failed, Status::Expired];
            let settle = |order: &mut dyn Iterator<Item = &(u8, usize)>| {
                let mut stored = (0, &statuses[0]);
                for (at, which) in order {
                    let incoming = (u64::from(*at), &statuses[*which]);
                    let reading = |(began_at, status)| Reading { began_at, status };
                    if merge(reading(stored), reading(incoming)) != Merge::Keep {
                        stored = incoming;
                    }
                }
                stored
            };
            prop_assert_eq!(settle(&mut readings.iter()), settle(&mut readings.iter().rev()));
        }

        #[test]
        fn deleted_stays_wherever_it_comes(
            readings in proptest::collection::vec((any::<u8>(), 0_usize..4), 0..8),
            deleted_at: u8,
            place in 0_usize..8,
        ) {
            let statuses = [Status::Pending, Status::Successful, Status::Failed, Status::Expired, Status::Deleted];
            let mut readings = readings;
            readings.insert(place.min(readings.len()), (deleted_at, 4));
            let mut stored = (0, &statuses[0]);
            for (at, which) in readings {
                let incoming = (u64::from(at), &statuses[which]);
                let reading = |(began_at, status)| Reading { began_at, status };
                if merge(reading(stored), reading(incoming)) != Merge::Keep {
                    stored = incoming;
                }
            }
            prop_assert_eq!(stored.1, &Status::Deleted);
        }
    }
}
