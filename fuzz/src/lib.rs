//! What several targets share.

use omise_linked_accounts::ValidationError;

/// Splits the first line off. Inputs that have several parts are written in lines, so that seeds can be read and made by hand.
#[must_use]
pub fn split_line(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|b| *b == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[]),
    }
}

/// There is an issue, and not too many, and a stranger's field name is fit for a log line and a page.
///
/// # Panics
///
/// Where that is not so.
pub fn assert_tidy(error: &ValidationError) {
    assert!((1..=ValidationError::MAX_ISSUES).contains(&error.issues().len()));
    for issue in error.issues() {
        assert!(issue.field.chars().count() <= 100, "{issue:?}");
        assert!(!issue.field.chars().any(char::is_control), "{issue:?}");
        assert!(!issue.message().to_string().is_empty(), "{issue:?}");
    }
}
