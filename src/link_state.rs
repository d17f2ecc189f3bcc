//! The secret that ties a return from the bank to the customer who left.

use alloc::string::String;
use core::{error::Error, fmt};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// 128 random bits that the Worker appends to `return_uri` and shows in no answer: presenting them proves that the
/// customer came back through this very link. Written as 22 characters of unpadded base64url (RFC 4648 §5).
///
/// `Debug` prints `LinkState(redacted)`.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkState([u8; 16]);

impl LinkState {
    /// The query parameter that carries it.
    pub const PARAMETER: &'static str = "link_state";

    /// Makes a state of 16 bytes from a cryptographic source of randomness.
    #[must_use]
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Parses the 22 characters.
    ///
    /// # Errors
    ///
    /// [`LinkStateError`] when `text` is not of that form.
    pub fn parse(text: &str) -> Result<Self, LinkStateError> {
        let mut bytes = [0; 16];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(16) => Ok(Self(bytes)),
            _ => Err(LinkStateError(())),
        }
    }

    /// The 22 characters.
    #[must_use]
    pub fn expose(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl fmt::Debug for LinkState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkState(redacted)")
    }
}

/// The text is not a link state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkStateError(());

impl fmt::Display for LinkStateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected the 22 characters that the return address carried as link_state")
    }
}

impl Error for LinkStateError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_round_trips(bytes in any::<[u8; 16]>()) {
            let state = LinkState::from_random(bytes);
            let text = state.expose();
            prop_assert_eq!(text.len(), 22);
            let shown = format!("{state:?}");
            prop_assert!(!shown.contains(&text));
            prop_assert_eq!(LinkState::parse(&text), Ok(state));
        }

        #[test]
        fn there_is_one_text_per_state(text in "[0-9A-Za-z_-]{22}") {
            if let Ok(state) = LinkState::parse(&text) {
                prop_assert_eq!(state.expose(), text);
            }
        }
    }

    #[test]
    fn refuses_other_lengths_and_alphabets() {
        for text in ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAA+/", "AAAAAAAAAAAAAAAAAAAAAAA"] {
            assert!(LinkState::parse(text).is_err(), "{text}");
        }
    }
}
