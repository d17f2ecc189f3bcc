//! Return addresses. Input: the text.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use omise_linked_accounts::{LinkState, Mode, ReturnUri, ReturnUriPolicy};

static SHOP: LazyLock<ReturnUriPolicy> =
    LazyLock::new(|| ReturnUriPolicy::new([ReturnUri::parse("https://shop.example/return").unwrap()], Mode::Test));

fuzz_target!(|text: &str| {
    let Ok(uri) = ReturnUri::parse(text) else { return };
    let kept = uri.as_str();

    // What leaves is read again as it was written, and says the same to everybody.
    assert_eq!(ReturnUri::parse(kept).unwrap(), uri);
    assert!(kept.len() <= ReturnUri::MAX_LEN);
    assert!(kept.bytes().all(|b| b.is_ascii_graphic()));
    assert!(!kept.contains(['\\', '#']));
    let host = kept.strip_prefix("https://").or_else(|| kept.strip_prefix("http://")).unwrap();
    let host = &host[..host.find('/').unwrap()];
    assert!(host.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b':' | b'[' | b']')));
    if uri.is_http() {
        let name = host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(host, |(name, _)| name);
        assert!(name == "localhost" || name == "[::1]" || name.starts_with("127."), "{kept}");
    }
    assert!(uri.path().starts_with('/'));
    assert!(!uri.path().split('/').any(|segment| matches!(segment, "." | "..")));
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    assert_eq!(format!("{}{}{query}", uri.origin(), uri.path()), kept);

    // A link state of one's own is seen however it is encoded, and ours comes off again.
    let own = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).any(|(name, _)| name == "link_state");
    assert_eq!(uri.has_link_state(), own);
    let state = LinkState::from_random([0xa5; 16]);
    let with = uri.with_link_state(&state);
    assert!(with.has_link_state());
    if with.as_str().len() <= ReturnUri::MAX_LEN {
        assert_eq!(ReturnUri::parse(with.as_str()).unwrap(), with);
    }
    // An empty query cannot be told from none.
    let before = if uri.query() == Some("") { kept.trim_end_matches('?') } else { kept };
    let stripped = ReturnUri::strip_link_state(with.as_str());
    assert_eq!(stripped == before, !own);
    assert!(!ReturnUri::parse(&stripped).unwrap().has_link_state());

    // A policy allows itself, plain http to test keys only, and nothing beside its path.
    let itself = |mode| ReturnUriPolicy::new([uri.clone()], mode).allows(&uri);
    assert!(itself(Mode::Test));
    assert_eq!(itself(Mode::Live), !uri.is_http());
    if SHOP.allows(&uri) {
        let rest = kept.strip_prefix("https://shop.example/return").unwrap();
        assert!(rest.is_empty() || rest.starts_with(['/', '?']), "{kept}");
    }
});
