//! Points in time as Omise writes them.

use alloc::string::String;
use core::{error::Error, fmt};

use chrono::{DateTime, Datelike as _, Timelike as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time, to the second, written `YYYY-MM-DDThh:mm:ssZ` (UTC).
///
/// Reading takes RFC 3339: also another offset (older API versions send `+07:00`), a fraction, which is dropped, and a leap
/// second, which is read as the second before it.
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
pub struct Timestamp(i64);

impl Timestamp {
    /// 0000-01-01T00:00:00Z
    const MIN: i64 = -62_167_219_200;
    /// 9999-12-31T23:59:59Z
    const MAX: i64 = 253_402_300_799;

    /// Parses a date and time with an offset.
    ///
    /// # Errors
    ///
    /// [`TimestampError`] when `text` is not such a time, or is outside the years 0 to 9999 in UTC.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        let exact = DateTime::parse_from_rfc3339(text).map_err(|_| TimestampError(()))?;
        Self::from_unix(exact.timestamp())
    }

    /// The time that is `seconds` after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// [`TimestampError`] outside the years 0 to 9999.
    pub fn from_unix(seconds: i64) -> Result<Self, TimestampError> {
        if (Self::MIN..=Self::MAX).contains(&seconds) { Ok(Self(seconds)) } else { Err(TimestampError(())) }
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn as_unix(self) -> i64 {
        self.0
    }

    /// This time and `seconds` more (or less, when negative), held at the ends of the calendar.
    #[must_use]
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds).clamp(Self::MIN, Self::MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // chrono's calendar is larger than ours
        let time = DateTime::from_timestamp(self.0, 0).unwrap_or_default();
        let (year, month, day) = (time.year(), time.month(), time.day());
        let (hour, minute, second) = (time.hour(), time.minute(), time.second());
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
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
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
            ("2024-02-29T23:30:00-05:30", "2024-03-01T05:00:00Z"),
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), shown);
        }
        for text in [
            "",
            "2024-06-03",
            "2024-06-03T04:11:14",
            "2024-13-03T04:11:14Z",
            "2023-02-29T04:11:14Z",
            "2024-06-03T24:00:00Z",
            "2024-06-03T04:11:14+24:00",
            "2024-06-03T04:11:14Z[Asia/Bangkok]",
            "2024-06-03T04:11:14Z ",
            "20240603T041114Z",
            "0000-01-01T00:00:00+07:00",
            "9999-12-31T23:59:59-07:00",
            "-000001-01-01T00:00:00Z",
            "yesterday",
        ] {
            assert!(Timestamp::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_calendar_has_ends() {
        let now = Timestamp::from_unix(0).unwrap();
        assert_eq!(now.plus_seconds(i64::MAX).to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(now.plus_seconds(i64::MIN).to_string(), "0000-01-01T00:00:00Z");
        assert!(Timestamp::from_unix(253_402_300_800).is_err());
        assert!(Timestamp::from_unix(-62_167_219_201).is_err());
    }

    proptest! {
        #[test]
        fn text_round_trips(seconds in -62_167_219_200_i64..253_402_300_800) {
            let t = Timestamp::from_unix(seconds).unwrap();
            prop_assert_eq!(Timestamp::parse(&t.to_string()).unwrap(), t);
            prop_assert_eq!(t.to_string().len(), 20);
        }
    }
}
