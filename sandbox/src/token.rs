//! The token that opens the control API and its page.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The name of the cookie of who signed in to the page.
const COOKIE: &str = "sandbox_control";

/// The token of the settings.
#[derive(Clone, Copy)]
pub(crate) struct ControlToken<'a>(&'a str);

impl<'a> ControlToken<'a> {
    pub(crate) const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// Whether this is the token. How long that takes says nothing of how much of it is right.
    pub(crate) fn is(self, text: &str) -> bool {
        text.as_bytes().ct_eq(self.0.as_bytes()).into()
    }

    /// Whether an `Authorization` header brings the token.
    pub(crate) fn accepts(self, authorization: &str) -> bool {
        let Some((scheme, token)) = authorization.split_once(' ') else { return false };
        scheme.eq_ignore_ascii_case("bearer") && self.is(token)
    }

    /// The `Set-Cookie` header of who brought the token.
    ///
    /// Its value is made from the token and does not tell it: a cookie goes to every port of this host, whoever listens there.
    /// Another token makes another value.
    pub(crate) fn cookie(self) -> Option<String> {
        Some(format!("{COOKIE}={}; Path=/sandbox; HttpOnly; SameSite=Strict", self.session()?))
    }

    /// Whether a `Cookie` header brings that cookie.
    pub(crate) fn accepts_cookie(self, header: &str) -> bool {
        header.split(';').filter_map(|pair| pair.trim().split_once('=')).any(|(name, value)| {
            name == COOKIE && self.session().is_some_and(|session| session.as_bytes().ct_eq(value.as_bytes()).into())
        })
    }

    /// The cookie's value. HMAC takes a key of any length, so there is one.
    fn session(self) -> Option<String> {
        let mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes()).ok()?;
        let mac = mac.chain_update(b"session of the sandbox's control page").finalize();
        Some(URL_SAFE_NO_PAD.encode(mac.into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: ControlToken<'_> = ControlToken::new("0123456789abcdef");

    #[test]
    fn authorizations() {
        for (header, accepted) in [
            ("Bearer 0123456789abcdef", true),
            ("bearer 0123456789abcdef", true),
            ("Bearer 0123456789abcde", false),
            ("Bearer 0123456789abcdef0", false),
            ("Bearer 0123456789abcdeF", false),
            ("Bearer  0123456789abcdef", false),
            ("Bearer ", false),
            ("Bearer", false),
            ("Basic 0123456789abcdef", false),
            ("0123456789abcdef", false),
            ("", false),
        ] {
            assert_eq!(TOKEN.accepts(header), accepted, "{header}");
        }
    }

    #[test]
    fn cookies() {
        let set = TOKEN.cookie().unwrap();
        assert!(!set.contains("0123456789abcdef"));
        let (pair, attributes) = set.split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/sandbox; HttpOnly; SameSite=Strict");
        let other = ControlToken::new("0123456789abcdeF").cookie().unwrap();
        for (header, accepted) in [
            (pair.to_owned(), true),
            (format!("a=b; {pair}; c=d"), true),
            (format!("{COOKIE}=; {pair}"), true),
            (format!("{pair}A"), false),
            (pair.trim_end_matches(|c| c != '=').to_owned(), false),
            (format!("{COOKIE}=0123456789abcdef"), false),
            (format!("x{pair}"), false),
            (other.split(';').next().unwrap().to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(TOKEN.accepts_cookie(&header), accepted, "{header}");
        }
    }
}
