//! What a search looks through.

use crate::account::Account;

/// The text of an account that a search looks through: its id and the values of its metadata, folded, one a line. The last digits
/// are not known yet when it is written.
///
/// A value that is no string is looked through as the JSON that it was sent as.
pub(crate) fn of(account: &Account) -> String {
    let mut text = fold(account.id.as_str());
    for (_, json) in account.metadata.iter() {
        let value: Option<String> = serde_json::from_str(json).ok();
        text.push('\n');
        text.push_str(&fold(value.as_deref().unwrap_or(json)));
    }
    text
}

/// Text without what a search passes over: case, and which control character it is (a line's end is one: no value has two lines).
///
/// It goes by single characters, not by words as `str::to_lowercase` does, so that a part of a text is a part of the folded text
/// too. D1's own `lower` and `LIKE` know the case of ASCII only.
pub(crate) fn fold(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        // upper case first: `ς` and `σ` have one, and so have `ß` and `ss`
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use omise_linked_accounts::{AccountType, LinkedAccountId, Timestamp};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_id_and_every_value() {
        let metadata = r#"{"order":"A 17","n":12345678901234567890123,"b":true,"none":null,"deep":{"a":["X"]},"two":"a\nb","lone":"\ud800"}"#;
        let account = Account::pending(
            LinkedAccountId::parse("lnac_test_5zylnmmt2kl9chq3ip1").unwrap(),
            AccountType::DirectDebitKbank,
            "https://shop.example/".to_owned(),
            serde_json::from_str(metadata).unwrap(),
            Timestamp::from_unix(0).unwrap(),
        );
        let lines = [
            "lnac_test_5zylnmmt2kl9chq3ip1",
            "a 17",
            "12345678901234567890123",
            "true",
            "null",
            r#"{"a":["x"]}"#,
            "a\u{fffd}b",
            r#""\ud800""#,
        ];
        assert_eq!(of(&account), lines.join("\n"));
    }

    #[test]
    fn folded() {
        for (a, b) in [
            ("ABC", "abc"),
            ("CAFÉ", "café"),
            ("ΟΔΟΣ", "οδος"),
            ("STRASSE", "straße"),
            ("มาลี", "มาลี"),
            ("100%_\\'\"", "100%_\\'\""),
            ("a\r\n\tb", "a\0\0\0b"),
        ] {
            assert_eq!(fold(a), fold(b), "{a}");
        }
        assert_ne!(fold("มาลี"), fold("มาล"));
        assert_ne!(fold("é"), fold("e"));
        assert_ne!(fold("a\nb"), fold("a b"));
    }

    /// Any text, or one of letters whose lower case depends on what is beside them.
    const TEXT: &str = "\\PC{0,8}|[aΣß \n]{0,4}";

    proptest! {
        #[test]
        fn a_part_stays_a_part(before in TEXT, part in TEXT, after in TEXT) {
            let whole = fold(&format!("{before}{part}{after}"));
            prop_assert!(whole.contains(&fold(&part)));
            prop_assert!(!whole.contains('\n'));
        }
    }
}
