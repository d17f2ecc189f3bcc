//! Who calls the API.

use base64::{Engine, engine::general_purpose::STANDARD};
use omise_linked_accounts::SecretKey;

use crate::route::ApiCall;

/// Who calls, by the key that the request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The shop, with its secret key.
    Secret,
    /// Anyone, with a public key of test mode: it is printed in web pages, so each is as good as another.
    Public,
    /// No key, or one that is nobody's here.
    Nobody,
}

impl Caller {
    /// Reads an `Authorization` header.
    pub(crate) fn of(authorization: &str, secret_key: &SecretKey) -> Self {
        if secret_key.accepts(authorization) {
            Self::Secret
        } else if is_public_test_key(authorization) {
            Self::Public
        } else {
            Self::Nobody
        }
    }

    /// Whether this caller may make a call.
    pub(crate) const fn may(self, call: ApiCall<'_>) -> bool {
        match self {
            Self::Secret => true,
            Self::Public => matches!(call, ApiCall::Capability),
            Self::Nobody => false,
        }
    }
}

fn is_public_test_key(authorization: &str) -> bool {
    let user = || {
        let (scheme, credentials) = authorization.split_once(' ')?;
        let decoded = STANDARD.decode(credentials.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
        let (user, _password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        Some(user.to_owned())
    };
    let legal = |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase();
    user()
        .as_deref()
        .and_then(|user| user.strip_prefix("pkey_test_"))
        .is_some_and(|suffix| (1..=120).contains(&suffix.len()) && suffix.bytes().all(legal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_what() {
        let key = SecretKey::parse("skey_test_5xuy4w91xqz7d1w9u0t").unwrap();
        let basic = |credentials: &str| format!("Basic {}", STANDARD.encode(credentials));
        let live = ["pkey", "5xuy4w91xqz7d1w9u0t:"].join("_");
        for (authorization, caller) in [
            (key.authorization(), Caller::Secret),
            (basic("pkey_test_5xuy4w91xqz7d1w9u0t:"), Caller::Public),
            (basic("pkey_test_00000000:ignored"), Caller::Public),
            (basic("pkey_test_1:"), Caller::Public),
            (basic("pkey_test_5xuy4w91xqz7d1w9u0t:").replace("Basic", "basic"), Caller::Public),
            (basic(&live), Caller::Nobody),
            (basic("pkey_test_:"), Caller::Nobody),
            (basic("pkey_test_5XUY4W91XQZ7D1W9U0T:"), Caller::Nobody),
            (basic("pkey_test_5xuy4w91xqz7d1w9u0t"), Caller::Nobody),
            (basic(":pkey_test_5xuy4w91xqz7d1w9u0t"), Caller::Nobody),
            (basic("pkey_test_5xuy4w91xqz7d1w9u0t:").replace("Basic", "Bearer"), Caller::Nobody),
            ("pkey_test_5xuy4w91xqz7d1w9u0t".to_owned(), Caller::Nobody),
            (basic("skey_test_5xuy4w91xqz7d1w9u0u:"), Caller::Nobody),
            ("Basic !!!".to_owned(), Caller::Nobody),
            (String::new(), Caller::Nobody),
        ] {
            assert_eq!(Caller::of(&authorization, &key), caller, "{authorization}");
        }
        for (caller, capability, others) in
            [(Caller::Secret, true, true), (Caller::Public, true, false), (Caller::Nobody, false, false)]
        {
            assert_eq!(caller.may(ApiCall::Capability), capability);
            for call in [ApiCall::Create, ApiCall::List, ApiCall::Retrieve("x"), ApiCall::Unknown] {
                assert_eq!(caller.may(call), others, "{caller:?} {call:?}");
            }
        }
    }
}
