//! What an operator may ask of the Worker's audit.

use alloc::{borrow::ToOwned, string::String};

use crate::{Issue, IssueCode, ValidationError, query::Query};

/// What an operator may ask of `GET /audit`.
///
/// ```
/// use omise_linked_accounts::AuditRequest;
///
/// let request = AuditRequest::decode("limit=5&cursor=2026-11-30.17")?;
/// assert_eq!((request.limit, request.cursor.as_deref()), (5, Some("2026-11-30.17")));
/// # Ok::<(), omise_linked_accounts::ValidationError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditRequest {
    /// The most entries to return: 1 to 100.
    pub limit: u32,
    /// Where to go on, as an earlier page gave it.
    pub cursor: Option<String>,
    /// Entries of the customer alone whose session has this subject.
    pub subject: Option<String>,
    /// Entries of the customer alone whose account has this id.
    pub account: Option<String>,
}

impl AuditRequest {
    /// How many entries are returned where the request does not say.
    pub const DEFAULT_LIMIT: u32 = 20;
    /// The most entries of a page.
    pub const MAX_LIMIT: u32 = 100;

    /// Reads the query of the request.
    ///
    /// # Errors
    ///
    /// [`ValidationError`] for what is malformed, out of bounds, repeated or unknown, all at once, and for both a subject and an account.
    pub fn decode(query: &str) -> Result<Self, ValidationError> {
        let mut query = Query::parse(query);
        let limit = query.number("limit", 1, Self::MAX_LIMIT, "a number from 1 to 100");
        let text = |value: &str| Some(value.to_owned());
        let request = Self {
            limit: limit.unwrap_or(Self::DEFAULT_LIMIT),
            cursor: query.parsed("cursor", "text", text),
            subject: query.parsed("subject", "text", text),
            account: query.parsed("account", "text", text),
        };
        query.finish()?;
        if request.subject.is_some() && request.account.is_some() {
            return Err(Issue::new("account", IssueCode::Invalid, "expected either subject or account").into());
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn all_are_optional() {
        let request = AuditRequest::decode("").unwrap();
        assert_eq!(request, AuditRequest { limit: 20, cursor: None, subject: None, account: None });
        let request = AuditRequest::decode("subject=a%20b").unwrap();
        assert_eq!(request.subject.as_deref(), Some("a b"));
    }

    #[test]
    fn issues_are_told_at_once() {
        let issues = |query| {
            let issues = AuditRequest::decode(query).unwrap_err().into_issues();
            issues.into_iter().map(|issue| (issue.field, issue.code)).collect::<Vec<_>>()
        };
        let all = issues("limit=101&offset=3&cursor=a&cursor=b");
        assert_eq!(
            all,
            [
                ("limit".to_owned(), IssueCode::Invalid),
                ("cursor".to_owned(), IssueCode::Duplicate),
                ("offset".to_owned(), IssueCode::UnknownField)
            ]
        );
        assert_eq!(issues("subject=a&account=b"), [("account".to_owned(), IssueCode::Invalid)]);
    }
}
