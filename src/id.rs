//! The id of a linked account.

use alloc::{boxed::Box, string::String};
use core::{error::Error, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Mode;

/// The id of a linked account: `^(lnac|lacct)(_test)?_[0-9a-z]+$`, at most [`LinkedAccountId::MAX_LEN`] bytes.
///
/// `lnac` is the prefix of Omise's official pages; `lacct` appears in other documents and is read as well. An id is safe
/// to put into a URL path as it is.
///
/// ```
/// use omise_linked_accounts::{LinkedAccountId, Mode};
///
/// let id = LinkedAccountId::parse("lnac_test_5zylnmmt2kl9chq3ip1")?;
/// assert_eq!(id.mode(), Mode::Test);
/// assert!(LinkedAccountId::parse("lnac_test_../customers").is_err());
/// # Ok::<(), omise_linked_accounts::IdError>(())
/// ```
///
/// Source: Omise "Linked Account Object API", attribute `id`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkedAccountId(Box<str>);

impl LinkedAccountId {
    /// The longest id that is read, in bytes. Official samples have 29; the cap keeps keys and log lines small.
    pub const MAX_LEN: usize = 64;

    /// Parses an id.
    ///
    /// # Errors
    ///
    /// [`IdError`] when `text` is not of the form above.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.len() > Self::MAX_LEN {
            return Err(IdError(()));
        }
        let rest = text.strip_prefix("lnac_").or_else(|| text.strip_prefix("lacct_")).ok_or(IdError(()))?;
        let suffix = rest.strip_prefix("test_").unwrap_or(rest);
        if !suffix.is_empty() && suffix.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase()) {
            Ok(Self(text.into()))
        } else {
            Err(IdError(()))
        }
    }

    /// The id as Omise writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The mode that the id names: test ids carry `_test_`.
    #[must_use]
    pub fn mode(&self) -> Mode {
        // only `test` brings a second underscore
        let underscores = self.0.bytes().filter(|b| *b == b'_').count();
        if underscores == 2 { Mode::Test } else { Mode::Live }
    }
}

impl fmt::Display for LinkedAccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for LinkedAccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for LinkedAccountId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

impl Serialize for LinkedAccountId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for LinkedAccountId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// The text is not a linked-account id. It does not carry the text, which may be anything a stranger sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdError(());

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a linked-account id such as lnac_test_5zylnmmt2kl9chq3ip1")
    }
}

impl Error for IdError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_prefixes_in_both_modes() {
        for (text, mode) in [
            ("lnac_test_5zylnmmt2kl9chq3ip1", Mode::Test),
            ("lnac_5zylnmmt2kl9chq3ip1", Mode::Live),
            ("lacct_test_5xuy4w91xqz7d1w9u0t", Mode::Test),
            ("lacct_5xuy4w91xqz7d1w9u0t", Mode::Live),
            ("lnac_test", Mode::Live), // the pattern reads `test` as a suffix here
        ] {
            assert_eq!(LinkedAccountId::parse(text).unwrap().mode(), mode, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_an_id() {
        let long = format!("lnac_{}", "a".repeat(LinkedAccountId::MAX_LEN));
        for text in [
            "",
            "lnac",
            "lnac_",
            "lnac_test_",
            "lnac__a",
            "LNAC_test_a",
            "lnac_test_A",
            "lnac_test_a/..",
            "lnac_test_a ",
            " lnac_test_a",
            "lnac_test_a\n",
            "lnac_test_٣",
            "lnac_test_a%2e",
            "acct_test_a",
            "search",
            "..",
            &long,
        ] {
            assert!(LinkedAccountId::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_documented_pattern_is_accepted_and_kept(text in "(lnac|lacct)(_test)?_[0-9a-z]{1,50}") {
            let id = LinkedAccountId::parse(&text).unwrap();
            prop_assert_eq!(id.as_str(), text.as_str());
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<LinkedAccountId>(&json).unwrap(), id);
        }

        #[test]
        fn whatever_is_accepted_is_safe_in_a_path(text in "(lnac|lacct)_(test_)?[0-9a-z]{0,9}(\\PC|[/.%?#&_ -])?[0-9a-z]{0,9}") {
            if let Ok(id) = LinkedAccountId::parse(&text) {
                prop_assert!(id.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
            }
        }
    }
}
