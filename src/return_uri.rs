//! Where the customer comes back to, and which such addresses an operator allows.

use alloc::{
    borrow::{Cow, ToOwned},
    format,
    string::String,
    vec::Vec,
};
use core::{error::Error, fmt};

use fluent_uri::Uri;

use crate::{LinkState, Mode};

/// An address to which a customer may be sent back: `https`, or `http` on a loopback host.
///
/// Only what every parser reads the same way is accepted: printable ASCII, lower-case scheme, a host of plain labels, a
/// canonical IPv4 address or `[::1]`, no user info, no fragment, no dot segments (encoded or not), no encoded slash,
/// backslash or control. [`ReturnUri::as_str`] is re-serialised: host in lower case, default port dropped, empty path `/`.
///
/// ```
/// use omise_linked_accounts::ReturnUri;
///
/// let uri = ReturnUri::parse("https://Shop.example:443?order=7")?;
/// assert_eq!(uri.as_str(), "https://shop.example/?order=7");
/// assert!(ReturnUri::parse("https://shop.example\\@evil.example/").is_err());
/// # Ok::<(), omise_linked_accounts::ReturnUriError>(())
/// ```
///
/// Source: Omise "Linked Account Object API", parameter `return_uri`; RFC 3986; the WHATWG URL standard for what browsers do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnUri {
    text: String,
    /// `text[..origin]` is scheme, host and port.
    origin: usize,
    /// `text[origin..path]` is the path; what follows is the query with its `?`.
    path: usize,
    link_state: bool,
}

impl ReturnUri {
    /// The longest address that is read, in bytes: what browsers and servers are known to carry without trouble.
    pub const MAX_LEN: usize = 2_048;

    /// Parses an address.
    ///
    /// # Errors
    ///
    /// [`ReturnUriError`], which says what was expected.
    pub fn parse(text: &str) -> Result<Self, ReturnUriError> {
        if text.len() > Self::MAX_LEN {
            return Err(ReturnUriError::TooLong);
        }
        Uri::parse(text).map_err(|_| ReturnUriError::Syntax)?;
        let uri = Parts::of(text).ok_or(ReturnUriError::Syntax)?;
        let default_port = match uri.scheme {
            "https" => 443,
            "http" => 80,
            _ => return Err(ReturnUriError::Scheme),
        };
        let authority = uri.authority.ok_or(ReturnUriError::Syntax)?;
        if authority.bytes().any(|b| b == b'@') {
            return Err(ReturnUriError::UserInfo);
        }
        if uri.fragment.is_some() {
            return Err(ReturnUriError::Fragment);
        }
        let (host, port) = split_port(authority);
        // one allocation; a path may be added
        let mut out = String::with_capacity(text.len() + 1);
        for part in [uri.scheme, "://", host] {
            out.push_str(part);
        }
        out.make_ascii_lowercase();
        let host = out.get(out.len() - host.len()..).unwrap_or_default();
        let loopback = match classify(host) {
            Some(HostKind::Loopback) => true,
            Some(HostKind::Other) => false,
            None => return Err(ReturnUriError::Host),
        };
        if uri.scheme == "http" && !loopback {
            return Err(ReturnUriError::Scheme);
        }
        let path = if uri.path.is_empty() { "/" } else { uri.path };
        if !path_is_plain(path) {
            return Err(ReturnUriError::Path);
        }

        if let Some(port) = port {
            // digits, or nothing
            let number = port.bytes().fold(0_u32, |n, digit| n.saturating_mul(10).saturating_add((digit & 0xf).into()));
            if number == 0 || number > 65_535 || port.starts_with('0') {
                return Err(ReturnUriError::Port);
            }
            if number != default_port {
                out.push(':');
                out.push_str(port);
            }
        }
        let origin = out.len();
        out.push_str(path);
        let path = out.len();
        let mut link_state = false;
        if let Some(query) = uri.query {
            out.push('?');
            out.push_str(query);
            link_state = query.as_bytes().split(|b| *b == b'&').any(is_link_state);
        }
        // an empty path has become `/`
        if out.len() > Self::MAX_LEN {
            return Err(ReturnUriError::TooLong);
        }
        Ok(Self { text: out, origin, path, link_state })
    }

    /// The address in its re-serialised form: the only form that leaves.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host and port, as in an `Origin` header.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.text.get(..self.origin).unwrap_or_default()
    }

    /// The path, beginning with `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text.get(self.origin..self.path).unwrap_or_default()
    }

    /// The query without its `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.text.get(self.path..)?.strip_prefix('?')
    }

    /// Whether this is plain http, which [`ReturnUri::parse`] admits on loopback hosts only.
    #[must_use]
    pub fn is_http(&self) -> bool {
        self.text.starts_with("http:")
    }

    /// Whether the query already has a `link_state` parameter, however it is encoded: it is the Worker's to add.
    #[must_use]
    pub const fn has_link_state(&self) -> bool {
        self.link_state
    }

    /// This address with the `link_state` parameter appended.
    #[must_use]
    pub fn with_link_state(&self, state: &LinkState) -> Self {
        let separator = match self.query() {
            None => "?",
            Some("") => "",
            Some(_) => "&",
        };
        let text = format!("{}{separator}{}={}", self.text, LinkState::PARAMETER, state.expose());
        Self { text, link_state: true, ..*self }
    }

    /// `text` without any `link_state` parameter, wherever it stands and however it is encoded: Omise may write an address back
    /// in another form than the one it was given.
    #[must_use]
    pub fn strip_link_state(text: &str) -> Cow<'_, str> {
        let (before, fragment) = text.find('#').map_or((text, ""), |at| text.split_at(at));
        let Some((start, query)) = before.split_once('?') else { return text.into() };
        let is_ours = |pair: &str| is_link_state(pair.as_bytes());
        if !query.split('&').any(is_ours) {
            return text.into();
        }
        let mut out = start.to_owned();
        for (i, pair) in query.split('&').filter(|pair| !is_ours(pair)).enumerate() {
            out.push(if i == 0 { '?' } else { '&' });
            out.push_str(pair);
        }
        out.push_str(fragment);
        out.into()
    }
}

/// The parts of a URI whose syntax has been checked (RFC 3986 §3), by the delimiters that the grammar keeps for this.
///
/// The parser's own accessors would do the same, but they bring the tables by which Rust prints text that was cut within a
/// character: 4 KB of a compressed module for the browser.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    scheme: &'a str,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
    fragment: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (rest, fragment) = match cut(text, b'#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (text, None),
        };
        let (rest, query) = match cut(rest, b'?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (scheme, rest) = cut(rest, b':')?;
        let (authority, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let end = rest.bytes().position(|b| b == b'/').unwrap_or(rest.len());
                let (authority, path) = rest.split_at_checked(end)?;
                (Some(authority), path)
            }
            None => (None, rest),
        };
        Some(Self { scheme, authority, path, query, fragment })
    }
}

/// What is before and after the first such byte. Here and below texts are taken as bytes, all of them ASCII by now: the searches
/// for a `char` would bring a kilobyte to the browser.
fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|b| b == at)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// Host and port of an authority without user info; only a host in brackets has colons of its own.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    let host = |at: usize| Some((authority.get(..at)?, authority.get(at + 1..)?));
    match authority.bytes().rposition(|b| b == b':').and_then(host) {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// Whether a `name=value` of a query, whose syntax has been checked, has the name `link_state`.
fn is_link_state(pair: &[u8]) -> bool {
    let mut name = pair.iter().copied().take_while(|b| *b != b'=');
    let mut bytes = core::iter::from_fn(|| {
        let byte = name.next()?;
        if byte == b'%' { decoded(name.next()?, name.next()?) } else { Some(byte) }
    });
    LinkState::PARAMETER.bytes().all(|byte| bytes.next() == Some(byte)) && bytes.next().is_none()
}

/// The byte that two hexadecimal digits stand for.
fn decoded(high: u8, low: u8) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

enum HostKind {
    Loopback,
    Other,
}

/// What kind of host a lower-case host is; `None` where two parsers could disagree about it.
fn classify(host: &str) -> Option<HostKind> {
    if host == "[::1]" || host == "localhost" {
        return Some(HostKind::Loopback);
    }
    if host.len() > 253 {
        return None;
    }
    let (mut last, mut count, mut octets, mut punycode) = (&b""[..], 0, true, false);
    for label in host.as_bytes().split(|b| *b == b'.') {
        let plain = label.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-');
        // an empty last label is a trailing dot
        if label.is_empty() || label.len() > 63 || !plain {
            return None;
        }
        octets &= is_octet(label);
        punycode |= label.starts_with(b"xn--");
        count += 1;
        last = label;
    }
    // WHATWG reads a host as an IPv4 address when its last label is a number (octal and hexadecimal too)
    if last.iter().all(u8::is_ascii_digit) || last.starts_with(b"0x") {
        let kind = if host.starts_with("127.") { HostKind::Loopback } else { HostKind::Other };
        // the one form that all read alike
        return (count == 4 && octets).then_some(kind);
    }
    // punycode that is not valid is read by some parsers and refused by others; a plain label is enough
    if punycode { None } else { Some(HostKind::Other) }
}

/// Whether a label is a number up to 255 without leading zeros.
fn is_octet(label: &[u8]) -> bool {
    match label {
        [a] => a.is_ascii_digit(),
        [b'1'..=b'9', b] => b.is_ascii_digit(),
        [b'1', b, c] | [b'2', b @ b'0'..=b'4', c] => b.is_ascii_digit() && c.is_ascii_digit(),
        [b'2', b'5', c] => (b'0'..=b'5').contains(c),
        _ => false,
    }
}

/// Whether a path has no dot segment and no encoded slash, backslash, dot or control, which parsers treat differently.
fn path_is_plain(path: &str) -> bool {
    let path = path.as_bytes();
    let dots = path.split(|b| *b == b'/').any(|segment| matches!(segment, b"." | b".."));
    let encoded = path.split(|b| *b == b'%').skip(1).any(|rest| match rest {
        [high, low, ..] => {
            decoded(*high, *low).is_none_or(|b| b < 0x20 || b == 0x7f || matches!(b, b'/' | b'\\' | b'.' | b'%'))
        }
        _ => true,
    });
    !dots && !encoded
}

/// Why a text is not an address to return to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReturnUriError {
    /// Not an absolute URI of RFC 3986.
    Syntax,
    /// Longer than [`ReturnUri::MAX_LEN`] bytes.
    TooLong,
    /// Neither https nor http on a loopback host.
    Scheme,
    /// It carries a user name.
    UserInfo,
    /// It carries a fragment.
    Fragment,
    /// A host that two parsers could read differently.
    Host,
    /// A port outside 1 to 65535, or with leading zeros.
    Port,
    /// Dot segments or encoded separators in the path.
    Path,
}

impl fmt::Display for ReturnUriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "expected an absolute URI such as https://shop.example/return",
            Self::TooLong => "expected at most 2048 bytes",
            Self::Scheme => "expected https, or http on a loopback host",
            Self::UserInfo => "expected no user name before the host",
            Self::Fragment => "expected no fragment (#…)",
            Self::Host => {
                "expected a host of lower-case letters, digits and hyphens, or an IP address in its plain form"
            }
            Self::Port => "expected a port from 1 to 65535",
            Self::Path => {
                "expected a path without dot segments and without encoded slashes, dots, percent signs or controls"
            }
        })
    }
}

impl Error for ReturnUriError {}

/// The addresses that an operator allows: each an origin and a path prefix that ends on a segment boundary.
///
/// ```
/// use omise_linked_accounts::{Mode, ReturnUri, ReturnUriPolicy};
///
/// let policy = ReturnUriPolicy::new([ReturnUri::parse("https://shop.example/return")?], Mode::Live);
/// assert!(policy.allows(&ReturnUri::parse("https://shop.example/return/7?a=b")?));
/// assert!(!policy.allows(&ReturnUri::parse("https://shop.example/returns")?));
/// # Ok::<(), omise_linked_accounts::ReturnUriError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ReturnUriPolicy {
    prefixes: Vec<ReturnUri>,
    mode: Mode,
}

impl ReturnUriPolicy {
    /// A policy for keys of `mode`: http is for test keys only.
    #[must_use]
    pub fn new(prefixes: impl IntoIterator<Item = ReturnUri>, mode: Mode) -> Self {
        Self { prefixes: prefixes.into_iter().collect(), mode }
    }

    /// Whether a customer may be sent to `uri`.
    #[must_use]
    pub fn allows(&self, uri: &ReturnUri) -> bool {
        let within = |prefix: &ReturnUri| {
            let path = prefix.path().trim_end_matches('/');
            prefix.origin() == uri.origin()
                && uri.path().strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        !(uri.is_http() && self.mode.is_live()) && self.prefixes.iter().any(within)
    }
}

#[cfg(test)]
mod tests {
    use fluent_uri::pct_enc::EStr;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_leaves_is_reserialised() {
        for (text, kept) in [
            ("https://shop.example", "https://shop.example/"),
            ("https://SHOP.example/A", "https://shop.example/A"),
            ("https://shop.example:443/return", "https://shop.example/return"),
            ("https://shop.example:8443/return?a=b&c=%20", "https://shop.example:8443/return?a=b&c=%20"),
            ("http://127.0.0.1:8789/return", "http://127.0.0.1:8789/return"),
            ("http://localhost:80/", "http://localhost/"),
            ("http://[::1]:3000/", "http://[::1]:3000/"),
            ("https://shop.example:1/", "https://shop.example:1/"),
            ("https://shop.example:65535/", "https://shop.example:65535/"),
            ("https://203.0.113.7/x", "https://203.0.113.7/x"),
            ("https://shop.example/a%20b%21", "https://shop.example/a%20b%21"),
            ("https://shop.example/?", "https://shop.example/?"),
            ("https://shop.example//a/%E0%B8%81", "https://shop.example//a/%E0%B8%81"),
        ] {
            let uri = ReturnUri::parse(text).unwrap();
            assert_eq!(uri.as_str(), kept, "{text}");
            assert_eq!(ReturnUri::parse(kept).unwrap(), uri, "{text}");
        }
    }

    #[test]
    fn refused() {
        use ReturnUriError as E;
        for (text, error) in [
            ("", E::Syntax),
            ("/return", E::Syntax),
            ("shop.example/return", E::Syntax),
            ("https:shop.example", E::Syntax),
            ("https:///return", E::Host),
            ("https://", E::Host),
            ("HTTPS://shop.example/", E::Scheme),
            ("javascript://shop.example/%0aalert(1)", E::Scheme),
            ("data:text/html,x", E::Scheme),
            ("ftp://shop.example/", E::Scheme),
            ("http://shop.example/", E::Scheme),
            ("http://127.0.0.1.shop.example/", E::Scheme),
            ("https://shop.example\\@evil.example/", E::Syntax),
            ("https://user@shop.example/", E::UserInfo),
            ("https://@shop.example/", E::UserInfo),
            ("https://shop.example/#x", E::Fragment),
            ("https://shop.example./", E::Host),
            ("https://shop..example/", E::Host),
            ("https://%73hop.example/", E::Host),
            ("https://shop_.example/", E::Host),
            ("https://2130706433/", E::Host),
            ("https://0x7f.1/", E::Host),
            ("https://0177.0.0.1/", E::Host),
            ("https://127.0.0.256/", E::Host),
            ("https://127.0.0.1.1/", E::Host),
            ("https://127.0.0.01/", E::Host),
            ("https://127.1/", E::Host),
            ("https://a.0.113.7/", E::Host),
            ("https://1a2.0.113.7/", E::Host),
            ("https://20a.0.113.7/", E::Host),
            ("https://[::ffff:127.0.0.1]/", E::Host),
            ("https://[fe80::1]/", E::Host),
            ("https://xn--hop-ehd.example/", E::Host),
            ("https://ѕhop.example/", E::Syntax),
            ("https://shop.example:0/", E::Port),
            ("https://shop.example:/", E::Port),
            ("https://shop.example:0443/", E::Port),
            ("https://shop.example:65536/", E::Port),
            ("https://shop.example/a/../b", E::Path),
            ("https://shop.example/a/%2e%2E/b", E::Path),
            ("https://shop.example/a%2fb", E::Path),
            ("https://shop.example/a%5Cb", E::Path),
            ("https://shop.example/a%00", E::Path),
            ("https://shop.example/a%1F", E::Path),
            ("https://shop.example/a%7f", E::Path),
            ("https://shop.example/a%252e", E::Path),
            ("https://shop.example/a\tb", E::Syntax),
            ("ht\ntps://shop.example/", E::Syntax),
            ("https://shop.example/ a", E::Syntax),
            (" https://shop.example/", E::Syntax),
        ] {
            assert_eq!(ReturnUri::parse(text).unwrap_err(), error, "{text:?}");
        }
    }

    #[test]
    fn the_longest_address_is_measured_before_and_after_reserialisation() {
        let of_len = |start: &str, len: usize| format!("{start}{}", "a".repeat(len - start.len()));
        let longest = of_len("https://shop.example/", ReturnUri::MAX_LEN);
        assert_eq!(ReturnUri::parse(&longest).unwrap().as_str(), longest);
        for text in [
            of_len("https://shop.example/", ReturnUri::MAX_LEN + 1),
            // Shorter than the limit without its port.
            of_len("https://shop.example:443/", ReturnUri::MAX_LEN + 1),
            // Longer than the limit with a path.
            of_len("https://shop.example?", ReturnUri::MAX_LEN),
        ] {
            assert_eq!(ReturnUri::parse(&text).unwrap_err(), ReturnUriError::TooLong, "{} bytes", text.len());
        }
    }

    #[test]
    fn hosts_and_labels_have_the_lengths_of_dns() {
        let host = |lengths: [usize; 4]| lengths.map(|len| "a".repeat(len)).join(".");
        for (host, ok) in [
            (host([63, 63, 63, 61]), true), // 253 bytes
            (host([63, 63, 63, 62]), false),
            (host([63, 63, 63, 63]), false),
            (host([1, 1, 1, 63]), true),
            (host([1, 1, 1, 64]), false),
        ] {
            let expected = if ok { None } else { Some(ReturnUriError::Host) };
            assert_eq!(ReturnUri::parse(&format!("https://{host}/")).err(), expected, "{host}");
        }
    }

    #[test]
    fn an_ipv4_address_has_four_octets_without_leading_zeros() {
        for number in 0..=1_000_u16 {
            for label in [format!("{number}"), format!("{number:02}"), format!("{number:03}")] {
                let plain = label.parse::<u8>().is_ok_and(|octet| octet.to_string() == label);
                assert_eq!(ReturnUri::parse(&format!("https://203.0.113.{label}/")).is_ok(), plain, "{label}");
            }
        }
    }

    #[test]
    fn errors_state_what_was_expected() {
        use ReturnUriError as E;
        for (error, words) in [
            (E::Syntax, "absolute URI"),
            (E::TooLong, "2048 bytes"),
            (E::Scheme, "https"),
            (E::UserInfo, "user name"),
            (E::Fragment, "fragment"),
            (E::Host, "host of lower-case letters"),
            (E::Port, "1 to 65535"),
            (E::Path, "dot segments"),
        ] {
            let text = error.to_string();
            assert!(text.starts_with("expected ") && text.contains(words), "{error:?}: {text}");
        }
        assert!(E::TooLong.to_string().contains(&ReturnUri::MAX_LEN.to_string()));
    }

    #[test]
    fn policy() {
        let uri = |text| ReturnUri::parse(text).unwrap();
        let live =
            ReturnUriPolicy::new([uri("https://shop.example/return"), uri("https://m.shop.example/")], Mode::Live);
        for (text, allowed) in [
            ("https://shop.example/return", true),
            ("https://shop.example/return/", true),
            ("https://shop.example/return?x=1", true),
            ("https://shop.example/return/deep/er", true),
            ("https://shop.example/returned", false),
            ("https://shop.example/", false),
            ("https://shop.example:8443/return", false),
            ("https://shop.example.evil.example/return", false),
            ("https://m.shop.example/anything", true),
            ("http://127.0.0.1/return", false),
        ] {
            assert_eq!(live.allows(&uri(text)), allowed, "{text}");
        }
        let local = [uri("http://127.0.0.1:8789/return")];
        assert!(ReturnUriPolicy::new(local.clone(), Mode::Test).allows(&uri("http://127.0.0.1:8789/return")));
        assert!(!ReturnUriPolicy::new(local, Mode::Live).allows(&uri("http://127.0.0.1:8789/return")));
    }

    #[test]
    fn link_state_of_ones_own_is_seen_however_it_is_encoded() {
        for (query, found) in [
            ("link_state=x", true),
            ("link_state", true),
            ("link_state=a=b", true),
            ("a=1&link%5Fstate=x", true),
            ("%6c%69%6E%6b%5f%73%74%61%74%65=", true),
            ("link_states=x", false),
            ("link_state%00=x", false),
            ("link_stat=x", false),
            ("x=link_state", false),
            ("link_stat%C3%A9", false),
            ("", false),
        ] {
            let uri = ReturnUri::parse(&format!("https://shop.example/?{query}")).unwrap();
            assert_eq!(uri.has_link_state(), found, "{query}");
        }
    }

    #[test]
    fn link_state_comes_off_in_every_form() {
        for (text, stripped) in [
            ("https://shop.example/?link_state=x", "https://shop.example/"),
            ("https://shop.example/?link_state=x&a=1", "https://shop.example/?a=1"),
            ("https://shop.example/?a=1&link_state=x&b=2&link_state=y", "https://shop.example/?a=1&b=2"),
            ("https://shop.example/?link%5Fstate=x#end", "https://shop.example/#end"),
            ("https://shop.example/?a=1&link_state", "https://shop.example/?a=1"),
            ("https://shop.example/?a=link_state&b#link_state=x", "https://shop.example/?a=link_state&b#link_state=x"),
            ("https://shop.example/link_state=x", "https://shop.example/link_state=x"),
            ("no address?%", "no address?%"),
            ("", ""),
        ] {
            assert_eq!(ReturnUri::strip_link_state(text), stripped);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in any::<String>()) {
            let _ = ReturnUri::parse(&text);
        }

        #[test]
        fn the_parts_are_those_of_the_grammar(
            text in "[a-zA-Z]{1,4}:(//([a-z0-9.-]{0,8}|u:p@h|\\[[0-9a-f:.]{2,9}\\]|\\[::1\\])(:[0-9]{0,5})?)?(/[a-z0-9%:@./_-]{0,12})?(\\?[a-z=&%0-9?/:@]{0,8})?(#[a-z?/:@]{0,4})?"
        ) {
            if let Ok(uri) = Uri::parse(text.as_str()) {
                let parts = Parts {
                    scheme: uri.scheme().as_str(),
                    authority: uri.authority().map(|authority| authority.as_str()),
                    path: uri.path().as_str(),
                    query: uri.query().map(EStr::as_str),
                    fragment: uri.fragment().map(EStr::as_str),
                };
                prop_assert_eq!(Parts::of(&text), Some(parts));
                if let Some(authority) = uri.authority() {
                    prop_assert_eq!(authority.has_userinfo(), authority.as_str().contains('@'));
                    if !authority.has_userinfo() {
                        let port = authority.port().map(EStr::as_str);
                        prop_assert_eq!(split_port(authority.as_str()), (authority.host(), port));
                    }
                }
            }
        }

        #[test]
        fn reading_what_was_written_changes_nothing(
            text in "https?://([a-z0-9.-]{1,12}|127\\.0\\.0\\.1|localhost|\\[::1\\])(:[0-9]{1,5})?(/[a-zA-Z0-9%./_-]{0,12})?(\\?[a-z=&%0-9]{0,8})?"
        ) {
            if let Ok(uri) = ReturnUri::parse(&text) {
                prop_assert_eq!(&ReturnUri::parse(uri.as_str()).unwrap(), &uri);
                prop_assert_eq!(format!("{}{}", uri.origin(), uri.path()), uri.as_str().split('?').next().unwrap());
            }
        }

        #[test]
        fn link_state_comes_off_again(query in proptest::option::of("[a-z=&]{0,10}"), bytes in any::<[u8; 16]>()) {
            let text = format!("https://shop.example/r{}", query.map(|q| format!("?{q}")).unwrap_or_default());
            let uri = ReturnUri::parse(&text).unwrap();
            let with = uri.with_link_state(&LinkState::from_random(bytes));
            prop_assert!(with.has_link_state());
            prop_assert_eq!(ReturnUri::parse(with.as_str()).unwrap(), with.clone());
            let back = ReturnUri::strip_link_state(with.as_str());
            // an empty query cannot be told from none
            prop_assert_eq!(back, uri.as_str().trim_end_matches('?'));
        }
    }
}
