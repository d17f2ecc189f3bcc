//! The envelope of a list. Input: the body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use omise_linked_accounts::list;

fuzz_target!(|body: &[u8]| {
    let Ok(page) = list::decode_response(200, body) else { return };
    let written = list::encode_response(&page);
    let again = list::decode_response(200, &written).unwrap();
    assert_eq!(again, page);
    assert_eq!(list::encode_response(&again), written);
});
