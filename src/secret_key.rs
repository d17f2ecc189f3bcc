//! The Omise secret key.

use alloc::{boxed::Box, format, string::String};
use core::{error::Error, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use subtle::ConstantTimeEq;

use crate::Mode;

/// An Omise secret key: `skey_test_…` in test mode, `skey_…` in live mode.
///
/// `Debug` prints its mode only.
///
/// ```
/// use omise_linked_accounts::{Mode, SecretKey};
///
/// let key = SecretKey::parse("skey_test_5xuy4w91xqz7d1w9u0t")?;
/// assert_eq!(key.mode(), Mode::Test);
/// assert_eq!(format!("{key:?}"), "SecretKey(test)");
/// assert!(SecretKey::parse("pkey_test_5xuy4w91xqz7d1w9u0t").is_err());
/// # Ok::<(), omise_linked_accounts::SecretKeyError>(())
/// ```
///
/// Source: Omise "Authentication": HTTP Basic (RFC 7617) with the key as user name and an empty password.
#[derive(Clone)]
pub struct SecretKey(Box<str>);

impl SecretKey {
    /// Parses a secret key: `skey_`, then 8 to 120 of `[0-9a-z_]`.
    ///
    /// # Errors
    ///
    /// [`SecretKeyError`], which says what was expected and never repeats the key. A public key has its own message.
    pub fn parse(text: &str) -> Result<Self, SecretKeyError> {
        if text.starts_with("pkey_") {
            return Err(SecretKeyError::PublicKey);
        }
        let suffix = text.strip_prefix("skey_").ok_or(SecretKeyError::Format)?;
        let legal = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase() || b == b'_';
        if (8..=120).contains(&suffix.len()) && suffix.bytes().all(legal) {
            Ok(Self(text.into()))
        } else {
            Err(SecretKeyError::Format)
        }
    }

    /// The mode that the key belongs to.
    #[must_use]
    pub fn mode(&self) -> Mode {
        if self.0.starts_with("skey_test_") { Mode::Test } else { Mode::Live }
    }

    /// The value of the `Authorization` header that this key makes. Never log it.
    #[must_use]
    pub fn authorization(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:", self.0)))
    }

    /// Whether an `Authorization` header carries this key as user name, whatever the password. The key is compared in
    /// constant time; the scheme's case does not matter (RFC 9110 §11.1).
    #[must_use]
    pub fn accepts(&self, authorization: &str) -> bool {
        let Some((scheme, credentials)) = authorization.split_once(' ') else { return false };
        // the longest key in Base64 takes 172 bytes, and passwords are ignored
        if !scheme.eq_ignore_ascii_case("basic") || credentials.len() > 1_024 {
            return false;
        }
        let Ok(decoded) = STANDARD.decode(credentials.trim()) else { return false };
        let Some(user) = decoded.split(|b| *b == b':').next() else { return false };
        // without a colon it is not Basic credentials
        decoded.contains(&b':') && bool::from(user.ct_eq(self.0.as_bytes()))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.mode())
    }
}

/// Why a text is not a secret key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretKeyError {
    /// Not of the form `skey_…`.
    Format,
    /// A public key, which cannot reach linked accounts.
    PublicKey,
}

impl fmt::Display for SecretKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Format => "expected an Omise secret key (skey_test_… or skey_…)",
            Self::PublicKey => "expected an Omise secret key (skey_…), found a public key (pkey_…)",
        })
    }
}

impl Error for SecretKeyError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn kinds_of_key() {
        assert_eq!(SecretKey::parse("skey_test_5xuy4w91xqz7d1w9u0t").unwrap().mode(), Mode::Test);
        for live in ["5xuy4w91xqz7d1w9u0t", "5xuy4w91_test_7d1w9u0t"] {
            let live = ["skey", live].join("_");
            assert_eq!(SecretKey::parse(&live).unwrap().mode(), Mode::Live);
        }
        for (text, error) in [
            ("", SecretKeyError::Format),
            ("skey_", SecretKeyError::Format),
            ("skey_test_5xuy4w91xqz7d1w9u0t\n", SecretKeyError::Format),
            ("pkey_test_5xuy4w91xqz7d1w9u0t", SecretKeyError::PublicKey),
        ] {
            assert_eq!(SecretKey::parse(text).unwrap_err(), error, "{text:?}");
        }
    }

    #[test]
    fn only_basic_credentials_with_this_key_are_accepted() {
        let key = SecretKey::parse("skey_test_5xuy4w91xqz7d1w9u0t").unwrap();
        let basic = |credentials: &str| format!("Basic {}", STANDARD.encode(credentials));
        assert!(key.accepts(&key.authorization()));
        assert!(key.accepts(&basic("skey_test_5xuy4w91xqz7d1w9u0t:ignored")));
        assert!(key.accepts(&key.authorization().replace("Basic", "basic")));
        for header in [
            String::new(),
            "Basic".to_owned(),
            "Basic !!!".to_owned(),
            basic("skey_test_5xuy4w91xqz7d1w9u0t"),
            basic("skey_test_5xuy4w91xqz7d1w9u0u:"),
            basic(":skey_test_5xuy4w91xqz7d1w9u0t"),
            basic(""),
            key.authorization().replace("Basic", "Bearer"),
        ] {
            assert!(!key.accepts(&header), "{header}");
        }
    }

    proptest! {
        #[test]
        fn never_printed(suffix in "[0-9a-z]{8,20}") {
            let key = SecretKey::parse(&format!("skey_test_{suffix}")).unwrap();
            let shown = format!("{key:?}");
            prop_assert!(!shown.contains(&suffix));
        }

        #[test]
        fn any_header_is_answered(header in any::<String>()) {
            let key = SecretKey::parse("skey_test_5xuy4w91xqz7d1w9u0t").unwrap();
            prop_assert!(!key.accepts(&header));
        }
    }
}
