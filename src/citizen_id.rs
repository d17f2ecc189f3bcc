//! The account holder's identity number.

use alloc::boxed::Box;
use core::{error::Error, fmt};

/// A Thai citizen id (13 digits with a check digit) or, for foreigners, a passport number: 5 to 20 of `[0-9A-Za-z]`.
///
/// It is personal data: `Debug` prints `CitizenId(redacted)`, there is no `Display` and no serialisation, and only
/// [`CitizenId::expose`] gives the text, for the one request body that carries it to Omise.
///
/// ```
/// use omise_linked_accounts::CitizenId;
///
/// let id = CitizenId::parse("1101700230708")?;
/// assert_eq!(format!("{id:?}"), "CitizenId(redacted)");
/// assert!(CitizenId::parse("1101700230709").is_err()); // wrong check digit
/// # Ok::<(), omise_linked_accounts::CitizenIdError>(())
/// ```
///
/// Source: the check digit is (11 − Σ digit·weight mod 11) mod 10 with weights 13…2; Omise documents no format.
#[derive(Clone, PartialEq, Eq)]
pub struct CitizenId(Box<str>);

impl CitizenId {
    /// Parses an identity number. Exactly 13 digits must pass the checksum; anything else is read as a passport number.
    ///
    /// # Errors
    ///
    /// [`CitizenIdError`], which says what is wrong and never repeats the number.
    pub fn parse(text: &str) -> Result<Self, CitizenIdError> {
        if !(5..=20).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(CitizenIdError::Format);
        }
        if text.len() == 13 && text.bytes().all(|b| b.is_ascii_digit()) && !checksum_holds(text) {
            return Err(CitizenIdError::Checksum);
        }
        Ok(Self(text.into()))
    }

    /// The number itself. Never log, store or put it into a URL.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

fn checksum_holds(digits: &str) -> bool {
    let digit = |b: u8| u32::from(b - b'0');
    let sum: u32 = digits.bytes().zip((2..=13).rev()).map(|(b, weight)| digit(b) * weight).sum();
    digits.bytes().last().map(digit) == Some((11 - sum % 11) % 10)
}

impl fmt::Debug for CitizenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CitizenId(redacted)")
    }
}

/// Why a text is not an identity number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CitizenIdError {
    /// Neither 13 digits nor 5 to 20 Latin letters and digits.
    Format,
    /// 13 digits whose last one does not fit the others.
    Checksum,
}

impl fmt::Display for CitizenIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Format => "expected a Thai citizen id (13 digits) or a passport number (5 to 20 letters and digits)",
            Self::Checksum => "the 13 digits of the Thai citizen id do not fit together; check for a mistyped digit",
        })
    }
}

impl Error for CitizenIdError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn table() {
        for (text, expected) in [
            ("1101700230708", Ok(())),
            ("3100600445635", Ok(())),
            ("1101700230700", Err(CitizenIdError::Checksum)),
            ("AA1234567", Ok(())),
            ("123456789012", Ok(())), // an all-digit passport
            ("1234", Err(CitizenIdError::Format)),
            ("123456789012345678901", Err(CitizenIdError::Format)),
            ("1-1017-00230-70-8", Err(CitizenIdError::Format)),
            ("๑๑๐๑๗", Err(CitizenIdError::Format)),
            ("", Err(CitizenIdError::Format)),
        ] {
            assert_eq!(CitizenId::parse(text).map(|_| ()), expected, "{text:?}");
        }
    }

    #[test]
    fn errors_state_the_expected_form() {
        assert!(CitizenIdError::Format.to_string().contains("5 to 20 letters and digits"));
        assert!(CitizenIdError::Checksum.to_string().contains("mistyped digit"));
    }

    proptest! {
        #[test]
        fn exactly_one_check_digit_fits(twelve in "[0-9]{12}") {
            let fits = (0..10).filter(|d| CitizenId::parse(&format!("{twelve}{d}")).is_ok()).count();
            prop_assert_eq!(fits, 1);
        }

        #[test]
        fn one_mistyped_digit_is_caught(
            twelve in "[0-9]{12}",
            // the third digit's weight is 11, which the remainder cannot see
            at in (0_usize..11).prop_map(|i| if i < 2 { i } else { i + 1 }),
            by in 1_u8..10,
        ) {
            let valid = (0..10).map(|d| format!("{twelve}{d}")).find(|s| CitizenId::parse(s).is_ok()).unwrap();
            let mut digits = valid.into_bytes();
            digits[at] = (digits[at] - b'0' + by) % 10 + b'0';
            let typo = String::from_utf8(digits).unwrap();
            // check digit 1 belongs to two remainders (0 and 10), so a typo that swaps those passes; no other does
            prop_assert!(CitizenId::parse(&typo).is_err() || typo.ends_with('1'));
        }

        #[test]
        fn never_printed(text in "[0-9A-Za-z]{5,12}") {
            let id = CitizenId::parse(&text).unwrap();
            prop_assert_eq!(format!("{id:?}"), "CitizenId(redacted)");
        }
    }
}
