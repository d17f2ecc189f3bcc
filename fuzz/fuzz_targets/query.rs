//! Queries of list and search requests. Input: the query, without its `?`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use omise_linked_accounts::{
    list::{self, ListParams},
    search::{self, Created, SearchParams},
};
use omise_linked_accounts_fuzz::assert_tidy;

fuzz_target!(|query: &str| {
    match list::decode_request(query) {
        Ok(params) => {
            assert!((1..=ListParams::MAX_LIMIT).contains(&params.limit));
            assert!(params.offset <= ListParams::MAX_OFFSET);
            assert_eq!(list::decode_request(&list::encode_request(&params).query.unwrap()).unwrap(), params);
        }
        Err(error) => assert_tidy(&error),
    }
    match search::decode_request(query) {
        Ok(params) => {
            assert!(params.query.chars().count() <= SearchParams::MAX_QUERY);
            assert!((1..=SearchParams::MAX_PAGE).contains(&params.page));
            assert!((1..=SearchParams::MAX_PER_PAGE).contains(&params.per_page));
            assert_eq!(search::decode_request(&search::encode_request(&params).query.unwrap()).unwrap(), params);
        }
        Err(error) => assert_tidy(&error),
    }
    // The last value, read as days: only in the documented form, which is also how it is shown.
    let value = query.rsplit('=').next().unwrap_or_default();
    if let Some(created) = Created::parse(value) {
        let (first, last) = created.days();
        assert!(first <= last);
        assert!(created.to_string() == value || (first == last && value == format!("{first}..{last}")), "{value}");
    }
});
