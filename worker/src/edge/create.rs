//! `POST /linked_accounts`: the request as a whole is validated before an object is woken.

use omise_linked_accounts::{CreateRequest, IssueCode, Json, Reason};

use super::{objects::Edge, request::Request};
use crate::common::{answer::Failure, call::Ask};

/// What the customer's object is asked.
pub(super) async fn ask(edge: &Edge, req: &Request) -> Result<Ask, Failure> {
    let key = req.idempotency_key()?;
    let body = req.json_text().await?;
    let json = Json::parse(body.as_bytes())
        .map_err(|error| Failure::new(Reason::MalformedJson).with_log(error.to_string()))?;
    CreateRequest::validate(json, &edge.context.settings.create_policy).map_err(|error| {
        let issues = error.into_issues();
        let only = |code| issues.iter().all(|issue| issue.code == code);
        let reason = match issues.first().map(|issue| issue.code) {
            Some(IssueCode::NotAllowed) if only(IssueCode::NotAllowed) => Reason::ReturnUriNotAllowed,
            Some(IssueCode::NotSupported) if only(IssueCode::NotSupported) => Reason::TypeNotEnabled,
            _ => Reason::InvalidRequest,
        };
        Failure::new(reason).with_issues(issues)
    })?;
    Ok(Ask::Create { key, body })
}
