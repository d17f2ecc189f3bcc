//! Points in time as Omise writes them.

use std::{error::Error, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time, to the second, written `YYYY-MM-DDThh:mm:ssZ` (UTC).
///
/// Reading also accepts another offset (older API versions send `+07:00`) and a fraction, which is dropped.
///
/// ```
/// use omise_linked_accounts::Timestamp;
///
/// let created = Timestamp::parse("2024-06-03T04:11:14Z")?;
/// assert_eq!(created.plus_seconds(86_400).to_string(), "2024-06-04T04:11:14Z");
/// # Ok::<(), omise_linked_accounts::TimestampError>(())
/// ```
///
/// Source: Omise "Linked Account Object API", attribute `created_at` (ISO 8601).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// Parses a date and time with an offset.
    ///
    /// # Errors
    ///
    /// [`TimestampError`] when `text` is not such a time, or is outside the years −9999 to 9999.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let exact: jiff::Timestamp = text.parse().map_err(|_| TimestampError(()))?;
        Self::from_unix(exact.as_second())
    }

    /// The time that is `seconds` after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// [`TimestampError`] outside the years −9999 to 9999.
    pub fn from_unix(seconds: i64) -> Result<Self, TimestampError> {
        jiff::Timestamp::from_second(seconds).map(Self).map_err(|_| TimestampError(()))
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn as_unix(self) -> i64 {
        self.0.as_second()
    }

    /// This time and `seconds` more (or less, when negative), held at the ends of the calendar.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        let end = if seconds < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        let moved = self.as_unix().checked_add(seconds).and_then(|s| jiff::Timestamp::from_second(s).ok());
        Self(moved.unwrap_or(end))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The text or number is not a point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimestampError(());

impl fmt::Display for TimestampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a UTC time such as 2024-06-03T04:11:14Z")
    }
}

impl Error for TimestampError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn older_forms_are_read() {
        for (text, shown) in [
            ("2024-06-03T04:11:14Z", "2024-06-03T04:11:14Z"),
            ("2017-11-02T11:30:00+07:00", "2017-11-02T04:30:00Z"),
            ("2024-06-03T04:11:14.999Z", "2024-06-03T04:11:14Z"),
        ] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), shown);
        }
        for text in ["", "2024-06-03", "2024-06-03T04:11:14", "2024-13-03T04:11:14Z", "yesterday"] {
            assert!(Timestamp::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_calendar_has_ends() {
        let now = Timestamp::from_unix(0).unwrap();
        assert!(now.plus_seconds(i64::MAX) > now);
        assert!(now.plus_seconds(i64::MIN) < now);
    }

    proptest! {
        #[test]
        fn text_round_trips(seconds in 0_i64..253_402_300_799) {
            let t = Timestamp::from_unix(seconds).unwrap();
            prop_assert_eq!(Timestamp::parse(&t.to_string()).unwrap(), t);
            prop_assert_eq!(t.to_string().len(), 20);
        }
    }
}
