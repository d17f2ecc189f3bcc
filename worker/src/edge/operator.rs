//! `GET /linked_accounts/search`: as `list`, for words and filters.

use omise_linked_accounts::{
    MAX_PAGE,
    search::{self, Search},
};

use crate::{
    common::answer::{Failure, Success},
    common::context::Context,
    list, request,
    edge::session::Caller,
    upstream,
};

/// Searches accounts. A customer's words are found within ids, last digits and metadata values of their own.
pub(crate) async fn handle(context: &Context, caller: &Caller, query: &str) -> Result<Success, Failure> {
    let params = search::decode_request(query).map_err(request::invalid)?;
    if !caller.operator {
        let (data, total) = context.ledger.search(&caller.subject, &params).await?;
        return Ok(Success::json(&Search::new(data, total, &params)));
    }
    let answer = upstream::ask(context, &search::encode_request(&params), MAX_PAGE).await?;
    let found = search::decode_response(answer.status, &answer.body)
        .map_err(|error| upstream::failure(&error, answer.retry_after))?;
    let data = list::shown(context, found.data).await?;
    Ok(Success::json(&Search::new(data, found.total, &params)))
}
