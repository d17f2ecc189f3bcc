//! How often the API may be called, in the profile `extended`: a thousand times in any minute of the sandbox's clock.
//!
//! The unofficial reference counts by key, refused ones too. Here the secret key has a count, all public keys have one, and so do
//! all who bring no key of the sandbox's. The counts are in memory: a restart begins anew.

use std::{cell::RefCell, collections::VecDeque};

use omise_linked_accounts::{ApiError, ErrorCode};
use worker::{Headers, Result};

use crate::caller::Caller;

/// Calls in a minute.
const LIMIT: usize = 1_000;
const MINUTE: u64 = 60_000;

thread_local! {
    static CALLS: RefCell<Calls> = const {
        RefCell::new(Calls { secret: VecDeque::new(), public: VecDeque::new(), nobody: VecDeque::new() })
    };
}

/// When each caller called within the last minute, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Default)]
struct Calls {
    secret: VecDeque<u64>,
    public: VecDeque<u64>,
    nobody: VecDeque<u64>,
}

impl Calls {
    /// Counts a call at time `now`. One that is over the limit does not count.
    fn count(&mut self, caller: Caller, now: u64) -> Usage {
        let calls = match caller {
            Caller::Secret => &mut self.secret,
            Caller::Public => &mut self.public,
            Caller::Nobody => &mut self.nobody,
        };
        // the clock can be set back as well
        calls.retain(|at| *at <= now && now - at < MINUTE);
        let over = calls.len() >= LIMIT;
        if !over {
            calls.push_back(now);
        }
        let first = calls.front().copied().unwrap_or(now);
        Usage { remaining: LIMIT - calls.len(), reset: (first + MINUTE).div_ceil(1_000), over }
    }
}

/// Forgets who has called.
pub(crate) fn clear() {
    CALLS.take();
}

/// How much of the limit a caller has used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    remaining: usize,
    /// When the first of the calls that count does so no longer, in seconds since 1970-01-01T00:00:00Z.
    reset: u64,
    over: bool,
}

impl Usage {
    /// Counts a call at time `now`, in milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) fn count(caller: Caller, now: u64) -> Self {
        CALLS.with_borrow_mut(|calls| calls.count(caller, now))
    }

    /// Whether the call may be answered.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        if self.over { Err(ApiError::new(429, ErrorCode::TooManyRequests, "too many requests")) } else { Ok(()) }
    }

    /// Writes the usage to an answer.
    pub(crate) fn write(&self, headers: &Headers) -> Result<()> {
        headers.set("X-RateLimit-Limit", &LIMIT.to_string())?;
        headers.set("X-RateLimit-Remaining", &self.remaining.to_string())?;
        headers.set("X-RateLimit-Reset", &self.reset.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_that_moves_on() {
        let mut calls = Calls::default();
        let usage = |remaining, reset, over| Usage { remaining, reset, over };
        // at 1 s once, at 31 s for the rest
        assert_eq!(calls.count(Caller::Secret, 1_000), usage(999, 61, false));
        for n in 1..1_000 {
            assert_eq!(calls.count(Caller::Secret, 31_000), usage(999 - n, 61, false));
        }
        for now in [31_000, 60_999] {
            assert_eq!(calls.count(Caller::Secret, now), usage(0, 61, true), "{now}");
        }
        // others are not concerned
        assert_eq!(calls.count(Caller::Nobody, 31_001), usage(999, 92, false));
        assert_eq!(calls.count(Caller::Public, 31_000), usage(999, 91, false));
        // the first one is over a minute ago: there is room for one
        assert_eq!(calls.count(Caller::Secret, 61_000), usage(0, 91, false));
        assert_eq!(calls.count(Caller::Secret, 61_000), usage(0, 91, true));
        assert_eq!(calls.count(Caller::Secret, 91_000), usage(998, 121, false));
        // the clock is set back
        assert_eq!(calls.count(Caller::Secret, 5), usage(999, 61, false));
    }
}
