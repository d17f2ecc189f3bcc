//! Where the customer goes back to, by Omise's rule.

use fluent_uri::Uri;
use worker::Url;

/// A `return_uri` that Omise takes: an absolute http or https URI with a host.
///
/// This is wider than the core's type, which holds a shop to what is safe: Omise's own samples have plain http.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReturnUri {
    /// As a browser reads it.
    url: Url,
}

impl ReturnUri {
    /// Parses an address; `None` for what is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // first by the letter (RFC 3986): browsers mend much that is no URI
        let uri = Uri::parse(text).ok()?;
        if uri.authority()?.host().is_empty() {
            return None;
        }
        let url = Url::parse(text).ok()?;
        matches!(url.scheme(), "http" | "https").then_some(Self { url })
    }

    /// Host and port, as a customer can read them.
    pub(crate) fn site(&self) -> &str {
        // an http URL's authority without user info
        let authority = self.url.authority();
        authority.rsplit_once('@').map_or(authority, |(_, site)| site)
    }

    /// Where the shop is, without the rest of the address.
    pub(crate) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// The source expression that stands for this address in a content security policy.
    pub(crate) fn csp_source(&self) -> String {
        // A source expression can name letters, digits, `-` and `.` (CSP level 3, §2.3.1). For other hosts, such as an IPv6
        // address, the scheme has to do; some of their characters would even end the directive.
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
        match self.url.host_str() {
            Some(host) if host.bytes().all(plain) => self.origin(),
            _ => format!("{}:", self.url.scheme()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_omise_takes() {
        for (text, site, source) in [
            ("https://shop.example/return?a=b#c", "shop.example", "https://shop.example"),
            ("http://shop.example", "shop.example", "http://shop.example"),
            ("HTTPS://Shop.Example:443/", "shop.example", "https://shop.example"),
            ("http://127.0.0.1:8789/return", "127.0.0.1:8789", "http://127.0.0.1:8789"),
            ("http://[::1]:8789/return", "[::1]:8789", "http:"),
            ("https://a;script-src,*.example/", "a;script-src,*.example", "https:"),
            ("https://malee:pw@shop.example:8443/", "shop.example:8443", "https://shop.example:8443"),
        ] {
            let uri = ReturnUri::parse(text).unwrap();
            assert_eq!((uri.site(), uri.csp_source().as_str()), (site, source), "{text}");
        }
    }

    #[test]
    fn what_is_no_such_address() {
        for text in [
            "",
            "shop.example/return",
            "/return",
            "//shop.example/return",
            "https:",
            "https:/shop.example/",
            "https:shop.example",
            "https:///return",
            "https://:443/",
            "https://shop.example:99999/",
            "https://shop.example/a b",
            " https://shop.example/",
            "https://shop.example/\n",
            "https://shop.example/\"><script>",
            "https://shop.example\\@other.example/",
            "https://ร้าน.example/",
            "javascript:alert(1)",
            "javascript://shop.example/%0aalert(1)",
            "data:text/html,x",
            "ftp://shop.example/",
            "shop-app://return",
        ] {
            assert_eq!(ReturnUri::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_address_ends_the_directive(text in "https?://([!-~]{1,40}|[a-z.;,*'-]{1,8}/)") {
            if let Some(uri) = ReturnUri::parse(&text) {
                let source = uri.csp_source();
                prop_assert!(source.bytes().all(|b| b.is_ascii_graphic() && b != b';' && b != b','), "{}", source);
            }
        }
    }
}
