//! What time it is: the sandbox has a clock of its own, which can be moved and stopped.

use std::cell::Cell;

use omise_linked_accounts::Timestamp;
use serde::Deserialize;
use wasm_bindgen::JsValue;
use worker::{D1Database, D1PreparedStatement, Date, Env, Result};

use crate::settings::Settings;

/// The time of a request. (In workerd the clock stands still between I/O.)
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) millis: u64,
    /// The same, to the second.
    pub(crate) timestamp: Timestamp,
}

impl Now {
    /// Reads the sandbox's clock.
    pub(crate) async fn read(env: &Env) -> Result<Self> {
        let millis = Clock::load(env).await?.millis(Date::now().as_millis());
        let seconds = i64::try_from(millis / 1_000).unwrap_or(i64::MAX);
        let timestamp = Timestamp::from_unix(seconds).map_err(|error| worker::Error::RustError(error.to_string()))?;
        Ok(Self { millis, timestamp })
    }
}

/// How the sandbox's clock goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Clock {
    /// How far it is ahead of the machine's, in milliseconds.
    pub(crate) ahead: i64,
    /// Where it stands still, in milliseconds since 1970-01-01T00:00:00Z; `None` where it goes.
    pub(crate) stands_at: Option<u64>,
}

thread_local! {
    /// As it was read from the database or written to it last: there is one instance, which alone writes it.
    static CLOCK: Cell<Option<Clock>> = const { Cell::new(None) };
}

impl Clock {
    /// Where a clock stands that goes by a seed, until it is moved: at 2026-01-01T00:00:00Z.
    const SEEDED: Self = Self { ahead: 0, stands_at: Some(1_767_225_600_000) };
    /// The latest time that it is set to, 4999-12-31T23:59:59Z: ids rise with time until the year 5188.
    pub(crate) const MAX_MILLIS: u64 = 95_617_583_999_000;

    /// The clock as it is kept.
    pub(crate) async fn load(env: &Env) -> Result<Self> {
        if let Some(clock) = CLOCK.get() {
            return Ok(clock);
        }
        let kept: Option<Self> = env.d1("DB")?.prepare("SELECT ahead, stands_at FROM clock").first(None).await?;
        let settings = Settings::of(env).map_err(worker::Error::RustError)?;
        let clock = kept.unwrap_or(if settings.seed.is_some() { Self::SEEDED } else { Self::default() });
        CLOCK.set(Some(clock));
        Ok(clock)
    }

    /// Keeps this clock from now on.
    pub(crate) async fn store(self, env: &Env) -> Result<()> {
        self.statement(&env.d1("DB")?)?.run().await?;
        CLOCK.set(Some(self));
        Ok(())
    }

    /// The statement that keeps this clock, for a batch. [`Clock::forget`] belongs after it.
    pub(crate) fn statement(self, db: &D1Database) -> Result<D1PreparedStatement> {
        // as D1 takes whole numbers; all of these are exact
        #[allow(clippy::cast_precision_loss)]
        let values = [(self.ahead as f64).into(), self.stands_at.map_or(JsValue::NULL, |at| (at as f64).into())];
        db.prepare("INSERT OR REPLACE INTO clock (id, ahead, stands_at) VALUES (1, ?1, ?2)").bind(&values)
    }

    /// Lets the database be read again: it was written to without [`Clock::store`].
    pub(crate) fn forget() {
        CLOCK.set(None);
    }

    /// A clock that shows `millis` at the machine's time, and stands there or goes on.
    pub(crate) fn showing(millis: u64, stands: bool, machine: u64) -> Self {
        if stands {
            return Self { ahead: 0, stands_at: Some(millis) };
        }
        Self { ahead: millis.checked_signed_diff(machine).unwrap_or_default(), stands_at: None }
    }

    /// The time on this clock at the machine's time.
    pub(crate) fn millis(self, machine: u64) -> u64 {
        self.stands_at.unwrap_or_else(|| machine.saturating_add_signed(self.ahead))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_shows_what_it_was_set_to(millis in 0..1_u64 << 52, machine in 0..1_u64 << 52, later in 0..1_u64 << 40) {
            let goes = Clock::showing(millis, false, machine);
            prop_assert_eq!(goes.millis(machine), millis);
            prop_assert_eq!(goes.millis(machine + later), millis + later);
            let stands = Clock::showing(millis, true, machine);
            prop_assert_eq!(stands.millis(machine + later), millis);
        }
    }
}
