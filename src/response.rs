//! The answer that the single-account endpoints share.

use std::{error::Error, fmt};

use crate::{ApiError, LinkedAccount, LinkedAccountId};

/// Why an answer of Omise's brings no account.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResponseError {
    /// Omise refused or failed, and said so.
    Api(ApiError),
    /// A success that cannot be read: not JSON, not a linked account, or another account than the one asked for.
    Unreadable(Unreadable),
}

/// What made a success unreadable. It says which attribute, never its value.
#[derive(Debug)]
pub struct Unreadable(Cause);

#[derive(Debug)]
enum Cause {
    Status(u16),
    Json(serde_json::Error),
    OtherId,
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api(error) => error.fmt(f),
            Self::Unreadable(_) => f.write_str("omise's answer cannot be read"),
        }
    }
}

impl Error for ResponseError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Api(_) => None,
            Self::Unreadable(cause) => Some(cause),
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Status(status) => write!(f, "expected HTTP 200, 4xx or 5xx, found {status}"),
            // serde's own text may quote the value
            Cause::Json(error) => {
                write!(f, "expected a linked account at line {} column {}", error.line(), error.column())
            }
            Cause::OtherId => f.write_str("expected the account that was asked for, found another"),
        }
    }
}

impl Error for Unreadable {}

/// Reads the answer to a call about one account; `id` is the one asked for, where it is known already.
pub(crate) fn decode(id: Option<&LinkedAccountId>, status: u16, body: &[u8]) -> Result<LinkedAccount, ResponseError> {
    let unreadable = |cause| Err(ResponseError::Unreadable(Unreadable(cause)));
    match status {
        200 => {}
        400..=599 => return Err(ResponseError::Api(ApiError::decode(status, body))),
        _ => return unreadable(Cause::Status(status)),
    }
    match serde_json::from_slice::<LinkedAccount>(body) {
        Ok(account) if id.is_none_or(|id| *id == account.id) => Ok(account),
        Ok(_) => unreadable(Cause::OtherId),
        Err(error) => unreadable(Cause::Json(error)),
    }
}

/// Writes an account as Omise does: pretty-printed with two spaces and a newline at the end.
pub(crate) fn encode(account: &LinkedAccount) -> Vec<u8> {
    // strings, numbers and raw JSON always serialise
    let mut json = serde_json::to_vec_pretty(account).unwrap_or_default();
    json.push(b'\n');
    json
}
