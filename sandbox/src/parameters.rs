//! The parameters of a request that reads: in its query string, and in its body. Omise's own clients send a GET's parameters
//! as JSON, and its samples for curl as a form.

use omise_linked_accounts::{ApiError, ErrorCode, RawMetadata};

/// Writes all parameters of a request as one query string, those of its URL first.
///
/// # Errors
///
/// 400 for a body that is no form or JSON object of texts, numbers and booleans, or of objects of such (`filters`).
pub(crate) fn as_query(query: &str, content_type: Option<&str>, body: &[u8]) -> Result<String, ApiError> {
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let from_body = if body.is_empty() {
        String::new()
    } else if media_type.eq_ignore_ascii_case("application/json") {
        from_json(body)?
    } else {
        std::str::from_utf8(body).map_err(|_| refused("the body is not UTF-8"))?.to_owned()
    };
    Ok([query, &from_body].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("&"))
}

fn from_json(body: &[u8]) -> Result<String, ApiError> {
    // a name that stands twice stays there twice, to be refused as it is in a query string
    let object = || refused("the body is not a JSON object of parameters");
    let parameters: RawMetadata = serde_json::from_slice(body).map_err(|_| object())?;
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, json) in parameters.iter() {
        if json.starts_with('{') {
            let nested: RawMetadata = serde_json::from_str(json).map_err(|_| object())?;
            for (inner, json) in nested.iter() {
                append(&mut query, &format!("{name}[{inner}]"), json)?;
            }
        } else {
            append(&mut query, name, json)?;
        }
    }
    Ok(query.finish())
}

/// Adds a parameter; null is none.
fn append(query: &mut form_urlencoded::Serializer<'_, String>, name: &str, json: &str) -> Result<(), ApiError> {
    let text: Option<String> = serde_json::from_str(json).ok().flatten();
    match (text, json) {
        (Some(text), _) => _ = query.append_pair(name, &text),
        (None, "null") => {}
        (None, json) if json.starts_with(['"', '[', '{']) => {
            return Err(refused(&format!("{name}: expected a text, a number or a boolean")));
        }
        (None, json) => _ = query.append_pair(name, json),
    }
    Ok(())
}

fn refused(message: &str) -> ApiError {
    ApiError::new(400, ErrorCode::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: Option<&str> = Some("application/json");
    const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

    #[test]
    fn written_as_one() {
        for (query, content_type, body, expected) in [
            ("", None, "", ""),
            ("limit=5", None, "", "limit=5"),
            ("limit=5", JSON, "{}", "limit=5"),
            ("", JSON, "null", ""),
            ("", None, "limit=5&offset=1", "limit=5&offset=1"),
            ("limit=5", FORM, "offset=1", "limit=5&offset=1"),
            ("limit=5", FORM, "limit=6", "limit=5&limit=6"),
            ("", JSON, r#"{"limit":5,"order":"chronological","from":null}"#, "limit=5&order=chronological"),
            ("page=2", Some("Application/JSON; charset=utf-8"), r#"{"query":"a & b"}"#, "page=2&query=a+%26+b"),
            (
                "",
                JSON,
                r#"{"filters":{"status":"pending","created":null,"x":true},"limit":5,"limit":6}"#,
                "filters%5Bstatus%5D=pending&filters%5Bx%5D=true&limit=5&limit=6",
            ),
            ("", JSON, r#"{"query":"null","page":1e3}"#, "query=null&page=1e3"),
        ] {
            assert_eq!(as_query(query, content_type, body.as_bytes()).unwrap(), expected, "{query} {body}");
        }
    }

    #[test]
    fn what_is_no_parameter() {
        for (content_type, body, message) in [
            (JSON, "{", "the body is not a JSON object of parameters"),
            (JSON, "[]", "the body is not a JSON object of parameters"),
            (JSON, "limit=5", "the body is not a JSON object of parameters"),
            (JSON, r#"{"limit":[5]}"#, "limit: expected a text, a number or a boolean"),
            (JSON, r#"{"query":"\ud800"}"#, "query: expected a text, a number or a boolean"),
            (JSON, r#"{"filters":{"status":{}}}"#, "filters[status]: expected a text, a number or a boolean"),
        ] {
            assert_eq!(as_query("", content_type, body.as_bytes()), Err(refused(message)), "{body}");
        }
        assert_eq!(as_query("", None, b"\xff=1"), Err(refused("the body is not UTF-8")));
    }
}
