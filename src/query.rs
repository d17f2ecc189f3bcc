//! Reading a query string by one rule: each name at most once, unknown names refused.

use alloc::{borrow::Cow, format, vec, vec::Vec};
use core::str::FromStr;

use crate::{Issue, IssueCode, Order, Timestamp, ValidationError};

/// The parameters of a query string, taken out one by one; what is left at the end is unknown.
pub(crate) struct Query<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    issues: Vec<Issue>,
}

impl<'a> Query<'a> {
    /// The longest query string that is read, in bytes: 500 characters of words at 12 bytes each are 6 KB, the other
    /// parameters take less than 1 KB. At least two bytes a parameter (`a&`) make 4,096 of them at most.
    const MAX_LEN: usize = 8 * 1024;

    pub(crate) fn parse(query: &'a str) -> Self {
        if query.len() > Self::MAX_LEN {
            let message = format!("expected at most {} bytes of query", Self::MAX_LEN);
            return Self { pairs: Vec::new(), issues: vec![Issue::new("", IssueCode::TooLong, message)] };
        }
        Self { pairs: form_urlencoded::parse(query.as_bytes()).collect(), issues: Vec::new() }
    }

    /// The value of `name`; a repeated name is an issue, and an empty value counts as none.
    pub(crate) fn take(&mut self, name: &str) -> Option<Cow<'a, str>> {
        #[cfg(test)]
        crate::facts::take(name);
        let mut found = None;
        let mut count = 0;
        self.pairs.retain(|(n, value)| {
            if n != name {
                return true;
            }
            found = Some(value.clone());
            count += 1;
            false
        });
        if count > 1 {
            self.issues.push(Issue::new(name, IssueCode::Duplicate, "the parameter appears twice"));
            return None;
        }
        found.filter(|value| !value.is_empty())
    }

    /// The value of `name`, parsed; `expected` says what it should have been.
    pub(crate) fn parsed<T>(&mut self, name: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.take(name)?;
        let value = parse(&text);
        if value.is_none() {
            self.issues.push(Issue::new(name, IssueCode::Invalid, format!("expected {expected}")));
        }
        value
    }

    /// A whole number within bounds.
    pub(crate) fn number<T: FromStr + PartialOrd + Copy>(
        &mut self,
        name: &str,
        min: T,
        max: T,
        expected: &str,
    ) -> Option<T> {
        self.parsed(name, expected, |text| {
            // `parse` would take a sign
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            text.parse().ok().filter(|n| digits && *n >= min && *n <= max)
        })
    }

    pub(crate) fn order(&mut self) -> Option<Order> {
        self.parsed("order", "chronological or reverse_chronological", Order::from_name)
    }

    pub(crate) fn timestamp(&mut self, name: &str) -> Option<Timestamp> {
        self.parsed(name, "a UTC time such as 2024-06-03T04:11:14Z", |text| Timestamp::parse(text).ok())
    }

    /// Every issue, unknown parameters last.
    pub(crate) fn finish(mut self) -> Result<(), ValidationError> {
        for (name, _) in &self.pairs {
            self.issues.push(Issue::new(name, IssueCode::UnknownField, "not a parameter of this request"));
        }
        ValidationError::check(self.issues)
    }
}
