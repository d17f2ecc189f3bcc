//! `POST /linked_accounts/confirm`: the body, before an object is woken.

use omise_linked_accounts::{Issue, IssueCode, Json, Reason};

use super::request::Request;
use crate::common::{answer::Failure, call::Ask};

/// What the customer's object is asked.
pub(super) async fn ask(req: &Request) -> Result<Ask, Failure> {
    let text = req.json_text().await?;
    let json = Json::parse(text.as_bytes())
        .map_err(|error| Failure::new(Reason::MalformedJson).with_log(error.to_string()))?;
    let link_state = link_state(json).map_err(|issues| Failure::new(Reason::InvalidRequest).with_issues(issues))?;
    Ok(Ask::Confirm { link_state })
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
