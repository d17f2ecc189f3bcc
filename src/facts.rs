//! Facts for other languages: the TypeScript tests read them from `target/facts/core.json`.

use alloc::{format, string::String, vec::Vec};
use core::cell::RefCell;
use std::{fs, path::Path, thread_local};

use serde_json::{Map, Value, json};

use crate::{
    AuditRequest, CreateRequest, ErrorCode, IssueCode, Json, LinkedAccountId, ListRequest, Reason, ReturnUri,
    ValidationError,
    list::ListParams,
    message::{self, Locale},
    search::{self, SearchParams},
};

thread_local! {
    /// The names of the parameters that this thread's queries were asked for.
    static TAKEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Records that a query is asked for a parameter.
pub(crate) fn take(name: &str) {
    TAKEN.with_borrow_mut(|taken| taken.push(name.into()));
}

/// The parameters that a decoder asks its query for.
fn parameters<T>(decode: impl Fn(&str) -> Result<T, ValidationError>) -> Vec<String> {
    TAKEN.take();
    assert!(decode("").is_ok());
    let mut taken = TAKEN.take();
    taken.sort();
    taken
}

#[test]
fn facts_are_written() {
    let facts = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "reasons": Reason::ALL.map(reason).to_vec(),
        "error_codes": ErrorCode::KNOWN.iter().map(ErrorCode::as_str).collect::<Vec<_>>(),
        "issue_codes": IssueCode::ALL.map(IssueCode::as_str),
        "parameters": {
            "list": parameters(ListRequest::decode),
            "search": parameters(search::decode_request),
            "audit": parameters(AuditRequest::decode),
        },
        "limits": {
            "body_bytes": Json::MAX_LEN,
            "metadata_characters": CreateRequest::MAX_METADATA_CHARS,
            "return_uri_bytes": ReturnUri::MAX_LEN,
            "id_bytes": LinkedAccountId::MAX_LEN,
            "issues": ValidationError::MAX_ISSUES,
            "list_limit": ListParams::MAX_LIMIT,
            "list_offset": ListParams::MAX_OFFSET,
            "search_page": SearchParams::MAX_PAGE,
            "search_per_page": SearchParams::MAX_PER_PAGE,
            "search_query_characters": SearchParams::MAX_QUERY,
        },
    });
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/facts");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("core.json"), format!("{facts:#}\n")).unwrap();
}

fn reason(reason: Reason) -> Value {
    let text = |(name, locale): (&str, Locale)| (name.into(), message::reason(reason, locale).into());
    let texts: Map<String, Value> =
        [("en", Locale::En), ("th", Locale::Th), ("ja", Locale::Ja)].map(text).into_iter().collect();
    json!({
        "name": reason.as_str(),
        "status": reason.http_status(),
        "code": reason.code().as_str(),
        "retryable": reason.is_retryable(),
        "message": reason.message(),
        "texts": texts,
    })
}
