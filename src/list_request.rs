//! The Worker's own lists: Omise's parameters, and for a customer's accounts two of the filters of its search.

use crate::{
    AccountType, Order, Status, ValidationError,
    list::{self, ListParams},
    query::Query,
    search,
};

/// What a customer's page may ask of `GET /linked_accounts`.
///
/// Omise's list takes no filters; the Worker answers a customer from its own records, where they cost nothing.
///
/// ```
/// use omise_linked_accounts::{ListRequest, Status};
///
/// let request = ListRequest::decode("limit=5&filters[status]=successful")?;
/// assert_eq!((request.params.limit, request.status), (5, Some(Status::Successful)));
/// # Ok::<(), omise_linked_accounts::ValidationError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListRequest {
    /// Which part of the list.
    pub params: ListParams,
    /// `filters[status]`: accounts of this status alone.
    pub status: Option<Status>,
    /// `filters[type]`: accounts of this type alone.
    pub account_type: Option<AccountType>,
}

impl ListRequest {
    /// Reads the query of the request.
    ///
    /// # Errors
    ///
    /// [`ValidationError`] for what is malformed, out of bounds, repeated or unknown, all at once.
    pub fn decode(query: &str) -> Result<Self, ValidationError> {
        let mut query = Query::parse(query);
        let request = Self {
            params: list::take_params(&mut query, Order::Chronological),
            status: search::take_status(&mut query),
            account_type: search::take_type(&mut query),
        };
        query.finish()?;
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IssueCode;

    #[test]
    fn filters_are_optional() {
        assert_eq!(ListRequest::decode("").unwrap(), ListRequest::default());
        let all = "filters%5Btype%5D=direct_debit_scb&order=reverse_chronological&filters[status]=pending&offset=3";
        let request = ListRequest::decode(all).unwrap();
        assert_eq!(request.status, Some(Status::Pending));
        assert_eq!(request.account_type, Some(AccountType::DirectDebitScb));
        assert_eq!((request.params.offset, request.params.order), (3, Order::ReverseChronological));
    }

    #[test]
    fn all_issues_at_once() {
        let query = "limit=0&filters[status]=open&filters[type]=individual&filters[created]=2024-06-03";
        let error = ListRequest::decode(query).unwrap_err();
        let found: Vec<(&str, IssueCode)> = error.issues().iter().map(|i| (i.field.as_str(), i.code)).collect();
        assert_eq!(
            found,
            [
                ("limit", IssueCode::Invalid),
                ("filters[status]", IssueCode::Invalid),
                ("filters[type]", IssueCode::Invalid),
                ("filters[created]", IssueCode::UnknownField)
            ]
        );
    }
}
