//! Accounts, as create, retrieve and delete answer with them. Input: the body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use omise_linked_accounts::{LinkedAccountId, Metadata, create, delete, retrieve};

fuzz_target!(|body: &[u8]| {
    let other = LinkedAccountId::parse("lnac_test_0").unwrap();
    let Ok(account) = create::decode_response(200, body) else {
        assert!(retrieve::decode_response(&other, 200, body).is_err());
        assert!(delete::decode_response(&other, 200, body).is_err());
        return;
    };
    // All endpoints read the same, and only the account that was asked for.
    assert_eq!(retrieve::decode_response(&account.id, 200, body).unwrap(), account);
    assert_eq!(delete::decode_response(&account.id, 200, body).unwrap(), account);
    if account.id != other {
        assert!(retrieve::decode_response(&other, 200, body).is_err());
        assert!(delete::decode_response(&other, 200, body).is_err());
    }
    assert_eq!(retrieve::decode_request(&retrieve::encode_request(&account.id).path).unwrap(), account.id);

    let written = create::encode_response(&account);
    let again = create::decode_response(200, &written).unwrap();
    assert_eq!(again, account);
    assert_eq!(create::encode_response(&again), written);
    assert_eq!(retrieve::encode_response(&account), written);
    assert_eq!(delete::encode_response(&account), written);

    let shown = account.metadata.without_reserved();
    assert!(shown.iter().all(|(name, _)| !name.starts_with(Metadata::RESERVED_PREFIX)));
});
