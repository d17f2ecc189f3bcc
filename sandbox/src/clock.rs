//! What time it is.

use omise_linked_accounts::Timestamp;
use worker::Date;

/// The time of a request. (In workerd the clock stands still between I/O.)
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) millis: u64,
    /// The same, to the second.
    pub(crate) timestamp: Timestamp,
}

impl Now {
    /// Reads the clock.
    pub(crate) fn read() -> worker::Result<Self> {
        let millis = Date::now().as_millis();
        let seconds = i64::try_from(millis / 1_000).unwrap_or(i64::MAX);
        let timestamp = Timestamp::from_unix(seconds).map_err(|error| worker::Error::RustError(error.to_string()))?;
        Ok(Self { millis, timestamp })
    }
}
