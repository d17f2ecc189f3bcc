//! `GET /linked_accounts`.
//!
//! Not on Omise's official page of linked accounts, but in its schema exports.
//!
//! Source: Omise "Pagination and lists".

use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    vec::Vec,
};

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    LinkedAccount, Order, Request, ResponseError, Timestamp, ValidationError,
    attributes::{self, Attributes, Misread, Object},
    query::Query,
    response,
};

/// Which part of the list to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListParams {
    /// How many accounts at most, 1 to [`ListParams::MAX_LIMIT`].
    pub limit: u32,
    /// How many to pass over.
    pub offset: u32,
    /// By creation time.
    pub order: Order,
    /// Created at this time or later.
    pub from: Option<Timestamp>,
    /// Created at this time or earlier.
    pub to: Option<Timestamp>,
}

impl ListParams {
    /// The default of `limit`.
    pub const DEFAULT_LIMIT: u32 = 20;
    /// The most that `limit` may be.
    pub const MAX_LIMIT: u32 = 100;
    /// The most that `offset` may be: far beyond any list that is worth paging through.
    pub const MAX_OFFSET: u32 = 1_000_000_000;
}

impl Default for ListParams {
    fn default() -> Self {
        Self { limit: Self::DEFAULT_LIMIT, offset: 0, order: Order::Chronological, from: None, to: None }
    }
}

/// The request that reads a part of the list.
#[must_use]
pub fn encode_request(params: &ListParams) -> Request {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &params.limit.to_string());
    query.append_pair("offset", &params.offset.to_string());
    query.append_pair("order", params.order.as_str());
    if let Some(from) = params.from {
        query.append_pair("from", &from.to_string());
    }
    if let Some(to) = params.to {
        query.append_pair("to", &to.to_string());
    }
    Request::get("/linked_accounts", query.finish())
}

/// Reads the query of a list request.
///
/// # Errors
///
/// [`ValidationError`] for what is malformed, out of bounds, repeated or unknown, all at once.
///
/// ```
/// use omise_linked_accounts::list::{ListParams, decode_request};
///
/// assert_eq!(decode_request("limit=5")?, ListParams { limit: 5, ..ListParams::default() });
/// assert!(decode_request("limit=101").is_err());
/// # Ok::<(), omise_linked_accounts::ValidationError>(())
/// ```
pub fn decode_request(query: &str) -> Result<ListParams, ValidationError> {
    let mut query = Query::parse(query);
    let params = take_params(&mut query, Order::default());
    query.finish()?;
    Ok(params)
}

/// Takes the parameters that every list has out of a query.
pub(crate) fn take_params(query: &mut Query<'_>, order: Order) -> ListParams {
    let default = ListParams::default();
    ListParams {
        limit: query.number("limit", 1, ListParams::MAX_LIMIT, "a number from 1 to 100").unwrap_or(default.limit),
        offset: query
            .number("offset", 0, ListParams::MAX_OFFSET, "a number from 0 to 1000000000")
            .unwrap_or(default.offset),
        order: query.order().unwrap_or(order),
        from: query.timestamp("from"),
        to: query.timestamp("to"),
    }
}

/// Omise's `list` envelope. `A` is [`LinkedAccount`], or whatever an emulator or proxy shows in its place.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct List<A = LinkedAccount> {
    object: ListName,
    /// The accounts of this part.
    pub data: Vec<A>,
    /// How many were asked for at most.
    pub limit: u32,
    /// How many were passed over.
    pub offset: u32,
    /// How many there are between `from` and `to` in all.
    pub total: u64,
    /// The path of the list.
    pub location: Option<String>,
    /// The order; older API versions may say null.
    pub order: Option<Order>,
    /// The first time that was asked for; 1970 where none was.
    pub from: Option<Timestamp>,
    /// The last time that was asked for; that of the request where none was.
    pub to: Option<Timestamp>,
}

response::object_name!(ListName, "list");

impl<A> List<A> {
    /// The envelope around `data`, for a request with `params` at time `now`.
    ///
    /// # Panics
    ///
    /// Never: 1970 is in the calendar.
    #[must_use]
    pub fn new(data: Vec<A>, total: u64, params: &ListParams, now: Timestamp) -> Self {
        Self {
            object: ListName,
            data,
            limit: params.limit,
            offset: params.offset,
            total,
            location: Some("/linked_accounts".to_owned()),
            order: Some(params.order),
            from: params.from.or_else(|| Timestamp::from_unix(0).ok()),
            to: params.to.or(Some(now)),
        }
    }
}

impl Object for List {
    const NAMES: &'static [&'static str] =
        &["object", "data", "limit", "offset", "total", "location", "order", "from", "to"];

    fn read(attributes: &Attributes) -> Result<Self, Misread> {
        attributes.is("list")?;
        Ok(Self {
            object: ListName,
            data: attributes.required("data")?,
            limit: attributes.number("limit")?,
            offset: attributes.number("offset")?,
            total: attributes.number("total")?,
            location: attributes.optional("location")?,
            order: attributes.tolerant("order"),
            from: attributes.time("from")?,
            to: attributes.time("to")?,
        })
    }
}

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        attributes::deserialize(deserializer)
    }
}

/// The body of a 200 answer.
#[must_use]
pub fn encode_response<A: Serialize>(list: &List<A>) -> Vec<u8> {
    response::encode(list)
}

/// Reads the answer; a part past the end has no data and the same `total`.
///
/// # Errors
///
/// [`ResponseError`] where Omise refused or failed, or the answer cannot be read.
pub fn decode_response(status: u16, body: &[u8]) -> Result<List, ResponseError> {
    response::read(status, body, response::MAX_PAGE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::IssueCode;

    pub(crate) fn params() -> impl Strategy<Value = ListParams> {
        let time = || proptest::option::of((0_i64..4_102_444_800).prop_map(|s| Timestamp::from_unix(s).unwrap()));
        let order = prop_oneof![Just(Order::Chronological), Just(Order::ReverseChronological)];
        (1..=100_u32, 0..=ListParams::MAX_OFFSET, order, time(), time())
            .prop_map(|(limit, offset, order, from, to)| ListParams { limit, offset, order, from, to })
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
            let now = Timestamp::from_unix(1_717_387_874).unwrap();
            let list = List::<LinkedAccount>::new(Vec::new(), total, &params, now);
            prop_assert_eq!(decode_response(200, &encode_response(&list)).unwrap(), list);
        }
    }

    #[test]
    fn all_issues_at_once() {
        use IssueCode as C;
        let error =
            decode_request("offset=-1&limit=101&order=up&from=x&to=2024-01-01T00:00:00Z&to=x&page=2").unwrap_err();
        let found: Vec<(&str, IssueCode)> = error.issues().iter().map(|i| (i.field.as_str(), i.code)).collect();
        assert_eq!(
            found,
            [
                ("limit", C::Invalid),
                ("offset", C::Invalid),
                ("order", C::Invalid),
                ("from", C::Invalid),
                ("to", C::Duplicate),
                ("page", C::UnknownField)
            ]
        );
        let long = format!("limit={}", "0".repeat(8 * 1024));
        for query in
            [long.as_str(), "limit=0", "limit=+5", "limit=1e1", "offset=1000000001", "limit=99999999999999999999"]
        {
            assert!(decode_request(query).is_err(), "{query}");
        }
        assert_eq!(decode_request("limit=&order=").unwrap(), ListParams::default());
    }

    #[test]
    fn envelopes_of_both_api_versions_are_read() {
        for body in [
            r#"{"object":"list","data":[],"limit":20,"offset":100,"total":3,"location":"/linked_accounts",
                "order":"chronological","from":"1970-01-01T00:00:00Z","to":"2025-03-01T00:00:00Z"}"#,
            r#"{"object":"list","from":"1970-01-01T07:00:00+07:00","to":"2017-11-02T11:30:00+07:00","offset":100,"limit":20,
                "total":3,"order":"sideways","location":"/linked_accounts","data":[],"brand_new":{}}"#,
        ] {
            let list = decode_response(200, body.as_bytes()).unwrap();
            assert_eq!((list.total, list.data.len(), list.offset), (3, 0, 100));
        }
        assert!(decode_response(200, br#"["list",[],1,0,0]"#).is_err());
        assert!(decode_response(200, br#"{"object":"search","data":[],"limit":1,"offset":0,"total":0}"#).is_err());
    }
}
