//! `DELETE /linked_accounts/:id`.
//!
//! Source: Omise "Linked Account Object API", "Delete a linked account object".

use alloc::vec::Vec;

use crate::{IdError, LinkedAccount, LinkedAccountId, Method, Request, ResponseError, response, retrieve};

/// The request that unlinks an account. Only a `successful` account can be unlinked; Omise answers 400 to others.
#[must_use]
pub fn encode_request(id: &LinkedAccountId) -> Request {
    Request { method: Method::Delete, ..retrieve::encode_request(id) }
}

/// The id that a request path asks for.
///
/// # Errors
///
/// [`IdError`] where the path is not `/linked_accounts/` and an id.
pub fn decode_request(path: &str) -> Result<LinkedAccountId, IdError> {
    retrieve::decode_request(path)
}

/// The body of a 200 answer: the whole account, with `status: deleted`.
#[must_use]
pub fn encode_response(account: &LinkedAccount) -> Vec<u8> {
    response::encode(account)
}

/// Reads the answer.
///
/// # Errors
///
/// [`ResponseError`] where Omise refused or failed, or the answer is not the account that was asked for.
pub fn decode_response(id: &LinkedAccountId, status: u16, body: &[u8]) -> Result<LinkedAccount, ResponseError> {
    response::decode(Some(id), status, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_round_trips() {
        let id = LinkedAccountId::parse("lnac_test_5zylnmmt2kl9chq3ip1").unwrap();
        let request = encode_request(&id);
        assert_eq!(format!("{request:?}"), "DELETE /linked_accounts/lnac_test_5zylnmmt2kl9chq3ip1");
        assert_eq!(decode_request(&request.path), Ok(id));
    }
}
