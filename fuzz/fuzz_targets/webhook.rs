//! Webhooks. Input: a line with the signatures, a line with the time of signing, then the body.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use omise_linked_accounts::{
    Timestamp,
    webhook::{Event, EventKey, TOLERANCE, VerifyError, WebhookSecret, sign, verify},
};
use omise_linked_accounts_fuzz::split_line;

const NOW: i64 = 1_717_387_874;

/// `fuzzing-with-the-old-one` and `fuzzing-with-the-new-one`, as while secrets rotate; seeds are signed with the first.
static SECRETS: LazyLock<[WebhookSecret; 2]> = LazyLock::new(|| {
    ["ZnV6emluZy13aXRoLXRoZS1vbGQtb25l", "ZnV6emluZy13aXRoLXRoZS1uZXctb25l"].map(|s| WebhookSecret::parse(s).unwrap())
});

fuzz_target!(|data: &[u8]| {
    let (signatures, rest) = split_line(data);
    let (time, body) = split_line(rest);
    let (signatures, time) = (String::from_utf8_lossy(signatures), String::from_utf8_lossy(time));
    let now = Timestamp::from_unix(NOW).unwrap();

    // Believed only where the header lists the right signature, and the time is near and plainly written.
    let right = SECRETS.each_ref().map(|secret| sign(secret, &time, body));
    let listed = signatures.split(',').any(|s| right.iter().any(|right| right == s.trim()));
    match verify(&*SECRETS, &signatures, &time, body, now) {
        Ok(()) => {
            assert!(listed);
            assert!(time.bytes().all(|b| b.is_ascii_digit()));
            assert!((time.parse::<i64>().unwrap() - NOW).abs() <= TOLERANCE);
        }
        Err(VerifyError::Signature) => assert!(!listed),
        Err(VerifyError::Stale) => assert!(listed),
        Err(_) => {}
    }
    assert!(verify(&[], &signatures, &time, body, now).is_err());

    // A body that is signed now is believed now, by this secret, in the window, unchanged.
    let [old, new] = &*SECRETS;
    let time = NOW.to_string();
    let signature = sign(old, &time, body);
    let check = |secret: &WebhookSecret, body: &[u8], late: i64| {
        verify(std::slice::from_ref(secret), &signature, &time, body, now.plus_seconds(late))
    };
    assert_eq!(check(old, body, 0), Ok(()));
    assert_eq!(check(old, body, TOLERANCE), Ok(()));
    assert_eq!(check(old, body, -TOLERANCE), Ok(()));
    assert_eq!(check(old, body, TOLERANCE + 1), Err(VerifyError::Stale));
    assert_eq!(check(old, body, -TOLERANCE - 1), Err(VerifyError::Stale));
    assert_eq!(check(new, body, 0), Err(VerifyError::Signature));
    if let Some((_, shorter)) = body.split_last() {
        assert_eq!(check(old, shorter, 0), Err(VerifyError::Signature));
    }

    let Ok(event) = Event::parse(body) else { return };
    assert_eq!(EventKey::from(event.key.as_str()), event.key);
    // The object comes out as it came in.
    assert!(body.windows(event.data().len()).any(|window| window == event.data().as_bytes()));
    let data = serde_json::from_str(event.data());
    if let (Some(id), Ok(serde_json::Value::Object(data))) = (event.linked_account_id(), data) {
        assert_eq!(data["object"], "linked_account");
        assert_eq!(data["id"], id.as_str());
    }
});
