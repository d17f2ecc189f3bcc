//! Whom a request means to speak to.

/// Whether a `Host` header names this machine, by any port.
///
/// A web page can have its own name resolve to 127.0.0.1 (DNS rebinding), so that its scripts reach what listens there and read
/// the answers. The browser then sends the page's name.
pub(crate) fn is_loopback(host: &str) -> bool {
    // what stands behind the last colon, unless that is one of an address in brackets
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|loopback| name.eq_ignore_ascii_case(loopback))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        for host in ["127.0.0.1", "127.0.0.1:8788", "localhost", "LocalHost:80", "[::1]", "[::1]:8788", "localhost:"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            ":8788",
            "shop.example",
            "shop.example:8788",
            "localhost.shop.example",
            "127.0.0.1.shop.example",
            "shop.example:127.0.0.1",
            "127.0.0.1:8788:8788",
            "127.0.0.1:x",
            "x@127.0.0.1",
            "localhost.",
            "127.0.0.2",
            "0.0.0.0:8788",
            "192.168.1.2",
            "::1",
            "[::1",
            "[::1]x",
            "[::2]:8788",
            "localhost, localhost",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
