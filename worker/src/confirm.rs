//! `POST /linked_accounts/confirm`.
//!
//! A link is confirmed only when its owner, signed in, presents the `link_state` that the bank's redirect brought back. An
//! attacker who sends his own registration page to a victim never gets there.

use omise_linked_accounts::{Issue, IssueCode, Json, LinkState, Reason};

use crate::{
    answer::{Failure, Success},
    context::Context,
    request::Request,
    retrieve,
    session::Caller,
};

/// Confirms the account that a return belongs to, and reads it.
pub(crate) async fn handle(context: &Context, caller: &Caller, req: &Request) -> Result<Success, Failure> {
    let text =
        link_state(req.json().await?).map_err(|issues| Failure::new(Reason::InvalidRequest).with_issues(issues))?;
    // ill-formed, unknown and somebody else's are one answer
    let state = LinkState::parse(&text).map_err(|_| Reason::NotFound)?;
    let seen = context.ledger.confirm(&caller.subject, &state, context.now()).await?.ok_or(Reason::NotFound)?;
    match retrieve::read(context, &seen.account.id).await {
        // confirmed all the same: the stored reading serves until Omise answers again
        Err(failure) if failure.reason.is_retryable() => Ok(seen.shown()?.into()),
        outcome => Ok(outcome?.shown()?.into()),
    }
}

/// The one field of the body.
fn link_state(json: Json) -> Result<String, Vec<Issue>> {
    const FIELD: &str = "link_state";

    let Json::Object(members) = json else {
        let message = format!("expected an object, found {}", json.kind());
        return Err(vec![Issue::new("", IssueCode::WrongType, message)]);
    };
    let mut found = None;
    let mut issues = Vec::new();
    for (name, value) in members {
        match value {
            _ if name != FIELD => {
                issues.push(Issue::new(&name, IssueCode::UnknownField, "not a field of this request"));
            }
            _ if found.is_some() => issues.push(Issue::new(FIELD, IssueCode::Duplicate, "the field appears twice")),
            Json::String(text) => found = Some(text),
            other => {
                let message = format!("expected a string, found {}", other.kind());
                issues.push(Issue::new(FIELD, IssueCode::WrongType, message));
                found = Some(String::new());
            }
        }
    }
    match found {
        Some(text) if issues.is_empty() => Ok(text),
        Some(_) => Err(issues),
        None => {
            issues.insert(0, Issue::new(FIELD, IssueCode::Required, "the field is required"));
            Err(issues)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_field() {
        for (json, expected) in [
            (r#"{"link_state":"x"}"#, Ok("x")),
            ("{}", Err(vec![("link_state", IssueCode::Required)])),
            ("[]", Err(vec![("", IssueCode::WrongType)])),
            (r#"{"link_state":7}"#, Err(vec![("link_state", IssueCode::WrongType)])),
            (r#"{"link_state":"x","link_state":"y"}"#, Err(vec![("link_state", IssueCode::Duplicate)])),
            (r#"{"id":"x"}"#, Err(vec![("link_state", IssueCode::Required), ("id", IssueCode::UnknownField)])),
        ] {
            let found = link_state(Json::parse(json.as_bytes()).unwrap());
            let found = found.map_err(|issues| issues.into_iter().map(|i| (i.field, i.code)).collect::<Vec<_>>());
            let expected = expected
                .map(str::to_owned)
                .map_err(|issues| issues.into_iter().map(|(f, c)| (f.to_owned(), c)).collect::<Vec<_>>());
            assert_eq!(found, expected, "{json}");
        }
    }
}
