//! `GET /linked_accounts/:id`.
//!
//! Source: Omise "Linked Account Object API", "Retrieve a linked account object".

use alloc::{format, vec::Vec};

use crate::{IdError, LinkedAccount, LinkedAccountId, Method, Request, ResponseError, response};

/// The request that reads an account.
#[must_use]
pub fn encode_request(id: &LinkedAccountId) -> Request {
    Request::new(Method::Get, format!("/linked_accounts/{id}"), None)
}

/// The id that a request path asks for.
///
/// # Errors
///
/// [`IdError`] where the path is not `/linked_accounts/` and an id.
pub fn decode_request(path: &str) -> Result<LinkedAccountId, IdError> {
    LinkedAccountId::parse(path.strip_prefix("/linked_accounts/").unwrap_or_default())
}

/// The body of a 200 answer.
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
    use crate::{AccountType, ErrorCode, Timestamp};

    fn account(id: &str) -> LinkedAccount {
        let now = Timestamp::from_unix(1_717_387_874).unwrap();
        LinkedAccount::pending(
            LinkedAccountId::parse(id).unwrap(),
            AccountType::DirectDebitScb,
            "https://bank.example/r".to_owned(),
            "https://shop.example/return".to_owned(),
            now,
            now.plus_seconds(86_400),
        )
    }

    #[test]
    fn request_round_trips() {
        let id = LinkedAccountId::parse("lnac_test_5zylnmmt2kl9chq3ip1").unwrap();
        let request = encode_request(&id);
        assert_eq!(request.method, Method::Get);
        assert_eq!(request.body, None);
        assert_eq!(decode_request(&request.path), Ok(id));
        for path in
            ["/linked_accounts", "/linked_accounts/", "/linked_accounts/search", "/linked_accounts/lnac_test_a/b"]
        {
            assert!(decode_request(path).is_err(), "{path}");
        }
    }

    #[test]
    fn response_round_trips() {
        let account = account("lnac_test_5zylnmmt2kl9chq3ip1");
        let body = encode_response(&account);
        assert!(body.ends_with(b"}\n"));
        assert_eq!(decode_response(&account.id, 200, &body).unwrap(), account);
    }

    #[test]
    fn answers_that_bring_no_account() {
        let asked = LinkedAccountId::parse("lnac_test_1").unwrap();
        let other = encode_response(&account("lnac_test_2"));
        for (status, body) in [(200, &other[..]), (200, b"{}"), (200, b"<html>"), (200, b""), (302, b""), (204, b"")] {
            assert!(matches!(decode_response(&asked, status, body), Err(ResponseError::Unreadable(_))), "{status}");
        }
        let Err(ResponseError::Api(error)) = decode_response(&asked, 404, br#"{"object":"error","code":"not_found"}"#)
        else {
            panic!("expected Omise's error")
        };
        assert_eq!(error.code(), Some(&ErrorCode::NotFound));
    }
}
