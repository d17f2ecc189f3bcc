//! Readings that the requests of one isolate share.
//!
//! workerd cancels a request that awaits what another request began, so nobody awaits another's reading: what is shared is plain
//! data, and a request that finds a reading under way waits on a timer of its own and looks again.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use worker::Delay;

use crate::common::context::{self, Millis};

/// How long a claim holds others back. Whoever made it may have been cancelled, and then nothing of ours runs to say so.
const CLAIM: Millis = 2_000;
/// How often a waiting request looks.
const STEP: Duration = Duration::from_millis(25);

/// The last reading of each of at most `capacity` things; beyond that, those that were read longest ago are forgotten.
///
/// For a `static`: the lock is never held across an await, and so never contended.
pub(crate) struct Shared<T> {
    capacity: usize,
    state: Mutex<State<T>>,
}

struct State<T> {
    /// How many claims there were: the number of the last one.
    claims: u64,
    /// In the order of their keys: found in a few steps, and boxed, so that one more moves no accounts about.
    entries: Vec<Box<Entry<T>>>,
}

struct Entry<T> {
    key: String,
    /// The newest reading, and when it began.
    done: Option<(Millis, T)>,
    /// The last claim: its number, and when it was made.
    claim: (u64, Millis),
    /// Whether whoever made it is still reading.
    claimed: bool,
}

/// What a request is to do.
#[derive(Debug, PartialEq, Eq)]
enum Step<T> {
    /// Take this reading, which began then.
    Take(Millis, T),
    /// Look again in a moment: somebody is reading.
    Wait,
    /// Read: the claim is yours. `before` is the reading that was not fresh.
    Read { claim: u64, before: Option<(Millis, T)> },
}

impl<T: Clone> Shared<T> {
    /// Nothing was read yet.
    pub(crate) const fn new(capacity: usize) -> Self {
        Self { capacity, state: Mutex::new(State { claims: 0, entries: Vec::new() }) }
    }

    /// The reading of `key`, and when it began: the last one if `fresh` (given when it began) says so, else a new one.
    ///
    /// While one request reads, others wait for the result; whoever has waited for twice the time that a claim
    /// holds reads too. `read` is given the
    /// last reading, for readers that build on it. Its error is its own request's alone: the next one reads again.
    ///
    /// `fresh` runs under the lock: it only compares.
    pub(crate) async fn get<E>(
        &self,
        key: &str,
        fresh: impl Fn(Millis, &T) -> bool,
        read: impl AsyncFnOnce(Option<(Millis, T)>) -> Result<T, E>,
    ) -> Result<(Millis, T), E> {
        self.get_by(key, fresh, read, context::now, async || Delay::from(STEP).await).await
    }

    async fn get_by<E>(
        &self,
        key: &str,
        fresh: impl Fn(Millis, &T) -> bool,
        read: impl AsyncFnOnce(Option<(Millis, T)>) -> Result<T, E>,
        clock: impl Fn() -> Millis,
        wait: impl AsyncFn(),
    ) -> Result<(Millis, T), E> {
        let came = clock();
        loop {
            let now = clock();
            match self.look(key, now, now < came + 2 * CLAIM, &fresh) {
                Step::Take(began_at, value) => return Ok((began_at, value)),
                Step::Wait => wait().await,
                Step::Read { claim, before } => {
                    let _release = Release { shared: self, key, claim };
                    let value = read(before).await?;
                    self.store(key, now, &value);
                    return Ok((now, value));
                }
            }
        }
    }

    /// `patient`: whoever has waited long enough reads beside another, so that a reading that hangs holds nobody up in turn.
    fn look(&self, key: &str, now: Millis, patient: bool, fresh: impl Fn(Millis, &T) -> bool) -> Step<T> {
        let mut state = self.lock();
        let state = &mut *state;
        let entry = state.entry(key);
        if let Some((began_at, value)) = entry.as_ref().and_then(|entry| entry.done.as_ref())
            && fresh(*began_at, value)
        {
            return Step::Take(*began_at, value.clone());
        }
        if patient && entry.as_ref().is_some_and(|entry| entry.claimed && now.saturating_sub(entry.claim.1) < CLAIM) {
            return Step::Wait;
        }
        state.claims += 1;
        let claim = state.claims;
        if let Some(entry) = state.entry(key) {
            (entry.claim, entry.claimed) = ((claim, now), true);
            return Step::Read { claim, before: entry.done.clone() };
        }
        if state.entries.len() >= self.capacity {
            let oldest = state.entries.iter().enumerate().min_by_key(|(_, entry)| entry.claim.0);
            if let Some((place, _)) = oldest {
                state.entries.remove(place);
            }
        }
        let place = state.entries.partition_point(|entry| entry.key.as_str() < key);
        let entry = Entry { key: key.to_owned(), done: None, claim: (claim, now), claimed: true };
        state.entries.insert(place, Box::new(entry));
        Step::Read { claim, before: None }
    }

    /// Keeps a reading, unless one that began later was quicker.
    fn store(&self, key: &str, began_at: Millis, value: &T) {
        if let Some(entry) = self.lock().entry(key)
            && entry.done.as_ref().is_none_or(|(at, _)| *at <= began_at)
        {
            entry.done = Some((began_at, value.clone()));
        }
    }
}

impl<T> State<T> {
    fn entry(&mut self, key: &str) -> Option<&mut Entry<T>> {
        let place = self.entries.binary_search_by(|entry| entry.key.as_str().cmp(key)).ok()?;
        self.entries.get_mut(place).map(Box::as_mut)
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // nothing is left half done in there
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the claim back, be the reading done, failed or abandoned.
struct Release<'a, T> {
    shared: &'a Shared<T>,
    key: &'a str,
    claim: u64,
}

impl<T> Drop for Release<'_, T> {
    fn drop(&mut self) {
        if let Some(entry) = self.shared.lock().entry(self.key)
            && entry.claim.0 == self.claim
        {
            entry.claimed = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::Cell,
        future::{pending, poll_fn},
        mem::replace,
        pin::pin,
        task::Poll,
    };

    use futures_util::FutureExt;

    use super::*;

    fn after(limit: Millis) -> impl Fn(Millis, &u32) -> bool {
        move |began_at, _| began_at >= limit
    }

    /// Reads at once.
    fn read(shared: &Shared<u32>, key: &str, now: Millis, value: u32) {
        let done = shared.get_by(key, after(now), async |_| Ok::<_, ()>(value), || now, pending);
        assert_eq!(done.now_or_never(), Some(Ok((now, value))));
    }

    #[test]
    fn a_fresh_reading_is_taken_and_a_stale_one_is_handed_to_the_next_reader() {
        let shared = Shared::new(2);
        read(&shared, "a", 10, 1);
        assert_eq!(shared.look("a", 20, true, after(10)), Step::Take(10, 1));
        assert_eq!(shared.look("b", 20, true, after(10)), Step::Read { claim: 2, before: None });
        assert_eq!(shared.look("a", 20, true, after(11)), Step::Read { claim: 3, before: Some((10, 1)) });
        // what is fresh enough for one is taken while another reads anew
        assert_eq!(shared.look("a", 21, true, after(10)), Step::Take(10, 1));
        assert_eq!(shared.look("a", 21, true, after(11)), Step::Wait);
    }

    #[test]
    fn a_claim_holds_for_two_seconds() {
        let shared = Shared::<u32>::new(1);
        assert_eq!(shared.look("a", 1_000, true, after(0)), Step::Read { claim: 1, before: None });
        for now in [999, 1_000, 2_999] {
            assert_eq!(shared.look("a", now, true, after(0)), Step::Wait, "{now}");
        }
        assert_eq!(shared.look("a", 3_000, true, after(0)), Step::Read { claim: 2, before: None });
        assert_eq!(shared.look("a", 3_000, true, after(0)), Step::Wait);
        assert_eq!(shared.look("a", 3_000, false, after(0)), Step::Read { claim: 3, before: None });
    }

    #[test]
    fn a_claim_ends_with_its_reading_and_no_other() {
        let shared = Shared::<u32>::new(1);
        let failed = shared.get_by("a", after(0), async |_| Err("down"), || 1, pending);
        assert_eq!(failed.now_or_never(), Some(Err("down")));
        {
            let abandoned =
                pin!(shared.get_by("a", after(0), async |_| pending::<Result<_, ()>>().await, || 1, pending));
            assert_eq!(abandoned.now_or_never(), None);
        }
        let Step::Read { claim: slow, .. } = shared.look("a", 1, true, after(0)) else { panic!("still claimed") };
        let Step::Read { claim: quick, .. } = shared.look("a", 1 + CLAIM, true, after(0)) else {
            panic!("still claimed")
        };
        drop(Release { shared: &shared, key: "a", claim: slow });
        assert_eq!(shared.look("a", 1 + CLAIM, true, after(0)), Step::Wait);
        drop(Release { shared: &shared, key: "a", claim: quick });
        assert!(matches!(shared.look("a", 1 + CLAIM, true, after(0)), Step::Read { .. }));
    }

    #[test]
    fn a_late_reading_does_not_replace_one_that_began_after_it() {
        let shared = Shared::new(1);
        assert!(matches!(shared.look("a", 1, true, after(0)), Step::Read { .. }));
        read(&shared, "a", 1 + CLAIM, 2);
        shared.store("a", 1, &1);
        assert_eq!(shared.look("a", 1 + CLAIM, true, after(0)), Step::Take(1 + CLAIM, 2));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let shared = Shared::new(2);
        read(&shared, "a", 1, 1);
        read(&shared, "b", 2, 2);
        read(&shared, "a", 3, 3);
        read(&shared, "c", 4, 4);
        assert_eq!(shared.lock().entries.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        // a reading of what was forgotten meanwhile is kept nowhere
        shared.store("b", 5, &5);
        assert_eq!(shared.lock().entries.len(), 2);
    }

    #[test]
    fn one_reads_and_the_others_wait_on_their_own() {
        let shared = Shared::new(1);
        let (reads, brought) = (Cell::new(0), Cell::new(None::<u32>));
        let request = || {
            let read = async |_| {
                reads.set(reads.get() + 1);
                Ok::<_, ()>(poll_fn(|_| brought.get().map_or(Poll::Pending, Poll::Ready)).await)
            };
            let wait = async || {
                let mut over = false;
                poll_fn(|_| if replace(&mut over, true) { Poll::Ready(()) } else { Poll::Pending }).await;
            };
            shared.get_by("a", after(5), read, || 5, wait)
        };
        let (mut one, mut other) = (pin!(request()), pin!(request()));
        assert_eq!(one.as_mut().now_or_never(), None);
        assert_eq!(other.as_mut().now_or_never(), None);
        brought.set(Some(7));
        assert_eq!(other.as_mut().now_or_never(), None, "it reads nothing itself");
        assert_eq!(one.as_mut().now_or_never(), Some(Ok((5, 7))));
        assert_eq!(other.as_mut().now_or_never(), Some(Ok((5, 7))));
        assert_eq!(reads.get(), 1);
    }
}
