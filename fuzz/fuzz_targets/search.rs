//! The envelope of search results. Input: the body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use omise_linked_accounts::search;

fuzz_target!(|body: &[u8]| {
    let Ok(page) = search::decode_response(200, body) else { return };
    let written = search::encode_response(&page);
    let again = search::decode_response(200, &written).unwrap();
    assert_eq!(again, page);
    assert_eq!(search::encode_response(&again), written);
});
