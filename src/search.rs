//! `GET /linked_accounts/search`, and `GET /search?scope=linked_account`, which is the same by another path.
//!
//! Not on Omise's official page of linked accounts, but in its schema exports. `search` stands where an id would: route it
//! before [`retrieve`](crate::retrieve).
//!
//! Source: Omise "Search API"; "Search query and filters".

use alloc::{
    borrow::ToOwned,
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    AccountType, Issue, IssueCode, LinkedAccount, Order, Request, ResponseError, Status, Timestamp, ValidationError,
    attributes::{self, Attributes, Misread, Object},
    query::Query,
    response,
};

/// The scope in which linked accounts are searched.
const SCOPE: &str = "linked_account";

/// What to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SearchParams {
    /// Words to find; empty finds everything. At most [`SearchParams::MAX_QUERY`] characters.
    pub query: String,
    /// What accounts must also be.
    pub filters: Filters,
    /// The page, from 1.
    pub page: u32,
    /// How many results a page has, 1 to [`SearchParams::MAX_PER_PAGE`].
    pub per_page: u32,
    /// By creation time.
    pub order: Order,
}

impl SearchParams {
    /// The default of `per_page`.
    pub const DEFAULT_PER_PAGE: u32 = 30;
    /// The most that `per_page` may be (secondary document).
    pub const MAX_PER_PAGE: u32 = 100;
    /// The most that `page` may be: with the largest pages, a billion results.
    pub const MAX_PAGE: u32 = 10_000_000;
    /// The most characters of `query`: what fits a URL beside the rest even when each takes 12 bytes encoded.
    pub const MAX_QUERY: usize = 500;
}

impl Default for SearchParams {
    fn default() -> Self {
        Self {
            query: String::new(),
            filters: Filters::default(),
            page: 1,
            per_page: Self::DEFAULT_PER_PAGE,
            order: Order::Chronological,
        }
    }
}

/// The filters that Omise documents for linked accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Filters {
    /// Accounts of this status.
    pub status: Option<Status>,
    /// Accounts of this type.
    pub account_type: Option<AccountType>,
    /// Accounts created in this time.
    pub created: Option<Created>,
}

/// A filter on the day of creation (UTC): one day, or a range with both its ends.
///
/// ```
/// use omise_linked_accounts::search::Created;
///
/// assert_eq!(Created::parse("2024-06-03").unwrap().to_string(), "2024-06-03");
/// assert_eq!(Created::parse("2024-06-03..2024-06-30").unwrap().to_string(), "2024-06-03..2024-06-30");
/// assert!(Created::parse("2024-06-30..2024-06-03").is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Created {
    first: Day,
    last: Day,
}

impl Created {
    /// Parses `YYYY-MM-DD` or `YYYY-MM-DD..YYYY-MM-DD`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let (first, last) = (Day::parse(first)?, Day::parse(last)?);
        (first <= last).then_some(Self { first, last })
    }

    /// The days as text, first and last, `YYYY-MM-DD`: they order as the days do.
    #[must_use]
    pub fn days(&self) -> (String, String) {
        (self.first.to_string(), self.last.to_string())
    }
}

impl core::fmt::Display for Created {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}..{}", self.first, self.last) }
    }
}

/// A day of the calendar, by its first second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
struct Day(Timestamp);

impl Day {
    fn parse(text: &str) -> Option<Self> {
        Timestamp::parse(&format!("{text}T00:00:00Z")).ok().map(Self)
    }
}

impl core::fmt::Display for Day {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let time = self.0.to_string();
        f.write_str(time.split_once('T').map_or(&time, |(day, _)| day))
    }
}

impl Filters {
    /// The filters as Omise echoes them: name and text.
    #[must_use]
    pub fn to_map(&self) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        if let Some(status) = &self.status {
            map.insert("status".to_owned(), status.to_string());
        }
        if let Some(account_type) = &self.account_type {
            map.insert("type".to_owned(), account_type.to_string());
        }
        if let Some(created) = &self.created {
            map.insert("created".to_owned(), created.to_string());
        }
        map
    }
}

/// The request that searches.
#[must_use]
pub fn encode_request(params: &SearchParams) -> Request {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("query", &params.query);
    for (name, value) in params.filters.to_map() {
        query.append_pair(&format!("filters[{name}]"), &value);
    }
    query.append_pair("page", &params.page.to_string());
    query.append_pair("per_page", &params.per_page.to_string());
    query.append_pair("order", params.order.as_str());
    Request::get("/linked_accounts/search", query.finish())
}

/// Reads the query of a search request. Filters take the official statuses and the direct-debit types; `scope` need not be there.
///
/// # Errors
///
/// [`ValidationError`] for what is malformed, out of bounds, repeated or unknown, all at once.
pub fn decode_request(query: &str) -> Result<SearchParams, ValidationError> {
    decode(query).map(|(params, _)| params)
}

/// Reads the query of `GET /search`, the path for whatever Omise can search: `scope` must say that linked accounts are meant.
///
/// # Errors
///
/// As [`decode_request`], and where there is no `scope`.
///
/// ```
/// use omise_linked_accounts::search::decode_scoped_request;
///
/// assert!(decode_scoped_request("scope=linked_account&page=2").is_ok());
/// assert!(decode_scoped_request("page=2").is_err());
/// ```
pub fn decode_scoped_request(query: &str) -> Result<SearchParams, ValidationError> {
    match decode(query)? {
        (params, true) => Ok(params),
        (_, false) => Err(Issue::new("scope", IssueCode::Required, format!("expected {SCOPE}")).into()),
    }
}

/// The parameters, and whether the scope was among them.
fn decode(query: &str) -> Result<(SearchParams, bool), ValidationError> {
    let mut query = Query::parse(query);
    let scope = query.parsed("scope", SCOPE, |text| (text == SCOPE).then_some(()));
    let words = query.parsed("query", "at most 500 characters", |text| {
        (text.chars().count() <= SearchParams::MAX_QUERY).then(|| text.to_owned())
    });
    let status = take_status(&mut query);
    let account_type = take_type(&mut query);
    let created = query.parsed("filters[created]", "a day such as 2024-06-03, or two with .. between", Created::parse);
    let page = query.number("page", 1, SearchParams::MAX_PAGE, "a number from 1 to 10000000");
    let per_page = query.number("per_page", 1, SearchParams::MAX_PER_PAGE, "a number from 1 to 100");
    let order = query.order();
    query.finish()?;
    let params = SearchParams {
        query: words.unwrap_or_default(),
        filters: Filters { status, account_type, created },
        page: page.unwrap_or(1),
        per_page: per_page.unwrap_or(SearchParams::DEFAULT_PER_PAGE),
        order: order.unwrap_or_default(),
    };
    Ok((params, scope.is_some()))
}

pub(crate) fn take_status(query: &mut Query<'_>) -> Option<Status> {
    query.parsed("filters[status]", "pending, successful, failed, expired or deleted", |text| {
        let status = Status::from(text);
        let official = Status::OFFICIAL.contains(&status);
        official.then_some(status)
    })
}

pub(crate) fn take_type(query: &mut Query<'_>) -> Option<AccountType> {
    query.parsed("filters[type]", "a direct-debit type such as direct_debit_scb", |text| {
        Some(AccountType::from(text)).filter(AccountType::is_direct_debit)
    })
}

/// Omise's `search` envelope. `A` is [`LinkedAccount`], or whatever an emulator or proxy shows in its place.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Search<A = LinkedAccount> {
    object: SearchName,
    /// Always null for linked accounts.
    pub export: Option<String>,
    /// The results of this page.
    pub data: Vec<A>,
    /// The page that was asked for, even past the end.
    pub page: u32,
    /// How many results a page has.
    pub per_page: u32,
    /// How many results there are in all.
    pub total: u64,
    /// How many pages: 0 where there is no result.
    pub total_pages: u64,
    /// The filters that were asked for, as text.
    pub filters: BTreeMap<String, String>,
    /// The path of the search.
    pub location: Option<String>,
    /// The order.
    pub order: Option<Order>,
    /// The words that were asked for.
    pub query: Option<String>,
    /// What was searched: `linked_account`.
    pub scope: Option<String>,
    /// Always null for linked accounts.
    pub aggregate_level: Option<String>,
}

response::object_name!(SearchName, "search");

impl<A> Search<A> {
    /// The envelope around `data`, for a request with `params`.
    #[must_use]
    pub fn new(data: Vec<A>, total: u64, params: &SearchParams) -> Self {
        Self {
            object: SearchName,
            export: None,
            data,
            page: params.page,
            per_page: params.per_page,
            total,
            total_pages: total.div_ceil(u64::from(params.per_page.max(1))),
            filters: params.filters.to_map(),
            location: Some("/search".to_owned()),
            order: Some(params.order),
            query: Some(params.query.clone()),
            scope: Some(SCOPE.to_owned()),
            aggregate_level: None,
        }
    }
}

impl Object for Search {
    const NAMES: &'static [&'static str] = &[
        "object",
        "export",
        "data",
        "page",
        "per_page",
        "total",
        "total_pages",
        "filters",
        "location",
        "order",
        "query",
        "scope",
        "aggregate_level",
    ];

    fn read(attributes: &Attributes) -> Result<Self, Misread> {
        attributes.is("search")?;
        Ok(Self {
            object: SearchName,
            export: attributes.tolerant("export"),
            data: attributes.required("data")?,
            page: attributes.number("page")?,
            per_page: attributes.number("per_page")?,
            total: attributes.number("total")?,
            total_pages: attributes.number("total_pages")?,
            filters: attributes.tolerant("filters").unwrap_or_default(),
            location: attributes.optional("location")?,
            order: attributes.tolerant("order"),
            query: attributes.tolerant("query"),
            scope: attributes.tolerant("scope"),
            aggregate_level: attributes.tolerant("aggregate_level"),
        })
    }
}

impl<'de> Deserialize<'de> for Search {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        attributes::deserialize(deserializer)
    }
}

/// The body of a 200 answer.
#[must_use]
pub fn encode_response<A: Serialize>(search: &Search<A>) -> Vec<u8> {
    response::encode(search)
}

/// Reads the answer; a page past the end has no data and the same totals.
///
/// # Errors
///
/// [`ResponseError`] where Omise refused or failed, or the answer cannot be read.
pub fn decode_response(status: u16, body: &[u8]) -> Result<Search, ResponseError> {
    response::read(status, body, response::MAX_PAGE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::IssueCode;

    fn params() -> impl Strategy<Value = SearchParams> {
        let status = proptest::option::of(proptest::sample::select(Status::OFFICIAL.to_vec()));
        let account_type = proptest::option::of(proptest::sample::select(AccountType::DIRECT_DEBIT.to_vec()));
        let created = proptest::option::of(proptest::sample::select(vec!["2024-02-29", "2017-01-01..2022-12-21"]));
        let order = prop_oneof![Just(Order::Chronological), Just(Order::ReverseChronological)];
        ("\\PC{0,40}", status, account_type, created, 1..=SearchParams::MAX_PAGE, 1..=100_u32, order).prop_map(
            |(query, status, account_type, created, page, per_page, order)| SearchParams {
                query,
                filters: Filters { status, account_type, created: created.and_then(Created::parse) },
                page,
                per_page,
                order,
            },
        )
    }

    #[test]
    fn days_have_one_form() {
        for (text, first, last) in
            [("2024-02-29", "2024-02-29", "2024-02-29"), ("2017-01-01..2022-12-21", "2017-01-01", "2022-12-21")]
        {
            let created = Created::parse(text).unwrap();
            assert_eq!((created.days(), created.to_string()), ((first.to_owned(), last.to_owned()), text.to_owned()));
        }
        for text in [
            "",
            "..",
            "2024-06-03..",
            "..2024-06-03",
            "2024-06-04..2024-06-03",
            "2024-06-03...2024-06-04",
            "2023-02-29",
            "2024-6-3",
            "20240603",
            "+2024-06-03",
            "2024-06-03T04:11:14Z",
            "2024-06-03T04:11:14.5",
            " 2024-06-03",
        ] {
            assert_eq!(Created::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn request_round_trips(params in params()) {
            prop_assert_eq!(decode_request(&encode_request(&params).query.unwrap()).unwrap(), params);
        }

        #[test]
        fn any_query_is_answered(query in any::<String>()) {
            let _ = decode_request(&query);
        }

        #[test]
        fn envelope_round_trips(params in params(), total in 0..1_000_u64) {
            let search = Search::<LinkedAccount>::new(Vec::new(), total, &params);
            prop_assert_eq!(decode_response(200, &encode_response(&search)).unwrap(), search);
        }
    }

    #[test]
    fn pages() {
        for (total, per_page, pages) in [(0, 30, 0), (1, 30, 1), (30, 30, 1), (31, 30, 2)] {
            let params = SearchParams { per_page, page: 9, ..SearchParams::default() };
            let search = Search::<LinkedAccount>::new(Vec::new(), total, &params);
            assert_eq!((search.total_pages, search.page), (pages, 9), "{total} by {per_page}");
        }
    }

    #[test]
    fn all_issues_at_once() {
        use IssueCode as C;
        let query = "filters[status]=open&filters[type]=individual&filters[created]=2024-13-01&filters[name]=x&page=0&per_page=101";
        let error = decode_request(query).unwrap_err();
        let found: Vec<(&str, IssueCode)> = error.issues().iter().map(|i| (i.field.as_str(), i.code)).collect();
        assert_eq!(
            found,
            [
                ("filters[status]", C::Invalid),
                ("filters[type]", C::Invalid),
                ("filters[created]", C::Invalid),
                ("page", C::Invalid),
                ("per_page", C::Invalid),
                ("filters[name]", C::UnknownField)
            ]
        );
        assert!(decode_request(&format!("query={}", "a".repeat(501))).is_err());
        assert!(decode_request(&format!("query={}", "ก".repeat(500))).is_ok());
    }

    #[test]
    fn the_scope_is_linked_accounts() {
        for (query, fault, scoped_fault) in [
            ("scope=linked_account&page=2", None, None),
            ("page=2", None, Some(IssueCode::Required)),
            ("scope=&page=2", None, Some(IssueCode::Required)),
            ("scope=charge", Some(IssueCode::Invalid), Some(IssueCode::Invalid)),
            ("scope=linked_account&scope=linked_account", Some(IssueCode::Duplicate), Some(IssueCode::Duplicate)),
        ] {
            for (found, fault) in [(decode_request(query), fault), (decode_scoped_request(query), scoped_fault)] {
                match (found, fault) {
                    (Ok(params), None) => assert_eq!(params.page, 2, "{query}"),
                    (Err(error), Some(code)) => {
                        assert_eq!(
                            (error.issues()[0].field.as_str(), error.issues()[0].code),
                            ("scope", code),
                            "{query}"
                        );
                    }
                    (found, fault) => panic!("{query} gives {found:?}, not {fault:?}"),
                }
            }
        }
    }

    #[test]
    fn the_captured_envelope_is_read() {
        let body = r#"{"object":"search","export":null,"data":[],"page":7,"per_page":30,"total":2,"total_pages":1,
            "filters":{"created":"2017-01-01..2022-12-21"},"location":"/search","order":"reverse_chronological","query":"",
            "scope":"linked_account","aggregate_level":null}"#;
        let search = decode_response(200, body.as_bytes()).unwrap();
        assert_eq!((search.total, search.total_pages, search.page), (2, 1, 7));
        assert_eq!(search.filters["created"], "2017-01-01..2022-12-21");
        let strange = body.replace("\"reverse_chronological\"", "7").replace("\"2017-01-01..2022-12-21\"", "[]");
        let search = decode_response(200, strange.as_bytes()).unwrap();
        assert_eq!((search.order, search.filters.len(), search.total), (None, 0, 2));
    }
}
