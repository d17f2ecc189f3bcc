//! Create requests as a customer's page sends them. Input: the JSON.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use omise_linked_accounts::{
    AccountType, CreatePolicy, CreateRequest, Json, Metadata, Mode, RawMetadata, ReturnUri, ReturnUriPolicy, Scalar,
    create,
};
use omise_linked_accounts_fuzz::assert_tidy;

static SHOP: LazyLock<CreatePolicy> = LazyLock::new(|| {
    let prefix = ReturnUri::parse("https://shop.example/return").unwrap();
    CreatePolicy::new(vec![AccountType::DirectDebitScb], ReturnUriPolicy::new([prefix], Mode::Live))
});

fuzz_target!(|data: &[u8]| {
    let Ok(json) = Json::parse(data) else {
        assert!(data.len() > Json::MAX_LEN || serde_json::from_slice::<serde_json::Value>(data).is_err());
        return;
    };
    let shop = CreateRequest::validate(json.clone(), &SHOP);
    let request = match CreateRequest::validate(json, &CreatePolicy::unrestricted()) {
        Ok(request) => request,
        Err(error) => {
            assert_tidy(&error);
            // What the API itself refuses no operator allows.
            assert_tidy(&shop.unwrap_err());
            return;
        }
    };
    match shop {
        Ok(allowed) => assert_eq!(allowed, request),
        Err(error) => assert_tidy(&error),
    }

    let params = &request.params;
    assert!(params.account_type.is_direct_debit());
    assert!(!params.return_uri.has_link_state());

    // What was counted is what is written, and the Worker's stamp fits beside it.
    let chars = serde_json::to_string(&params.metadata).unwrap().chars().count();
    assert_eq!(params.metadata.json_chars(), chars);
    assert!(chars <= CreateRequest::MAX_METADATA_CHARS);
    let mut stamped = params.metadata.clone();
    stamped.insert(Metadata::STAMP, Scalar::from("AAAAAAAAAAAAAAAAAAAAAA")).unwrap();
    assert!(stamped.json_chars() <= Metadata::MAX_CHARS);

    // The form that goes to Omise carries all of it.
    let body = create::encode_request(params).body.unwrap();
    let fields = create::decode_request(Some("application/x-www-form-urlencoded"), body.as_bytes()).unwrap();
    assert_eq!(fields.account_type.as_deref(), Some(params.account_type.as_str()));
    assert_eq!(fields.return_uri.as_deref(), Some(params.return_uri.as_str()));
    assert_eq!(fields.citizen_id, params.citizen_id.clone().map(Ok));
    assert_eq!(fields.metadata, RawMetadata::from(&params.metadata));
});
