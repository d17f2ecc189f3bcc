//! Error answers. Input: a line with the HTTP status, then the body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use omise_linked_accounts::{ApiError, ErrorBody};
use omise_linked_accounts_fuzz::split_line;

fuzz_target!(|data: &[u8]| {
    let (status, body) = split_line(data);
    let status = std::str::from_utf8(status).ok().and_then(|text| text.parse().ok()).unwrap_or(500);
    let error = ApiError::decode(status, body);
    assert_eq!(error.status, status);

    assert_eq!(ApiError::decode(status, &error.encode()), error);

    // What is logged does not depend on the message, which may repeat what a customer typed.
    if let ErrorBody::Standard { code, .. } = &error.body {
        let silent = ApiError::new(status, code.clone(), "");
        assert_eq!(error.to_string(), silent.to_string());
        assert_eq!(format!("{error:?}"), format!("{silent:?}"));
    }
});
