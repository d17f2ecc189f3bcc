//! The module of `docs/coverage.md`, whose paths are links of this documentation.
//!
//! `RUSTDOCFLAGS=-Dwarnings cargo doc` fails on a path that is missing or private. `use` lines could not check fields, methods and
//! associated constants; rustdoc resolves them like any other item.

#[cfg(test)]
mod tests {
    use alloc::{format, string::String, vec::Vec};

    use crate::{AccountType, ErrorCode, Order, Status, webhook::EventKey};

    const PAGE: &str = include_str!("../docs/coverage.md");

    /// The variants of an enum, each with its path. `#[non_exhaustive]` binds only other crates, so within this one a variant
    /// that is not listed does not compile.
    macro_rules! variants {
        ($kind:ident: $($variant:ident)* $(, except $other:pat)?) => {{
            let listed = |value: &$kind| match value {
                $($kind::$variant => true,)*
                $($other => false,)?
            };
            let variants = [$((concat!(stringify!($kind), "::", stringify!($variant)), $kind::$variant)),*];
            assert!(variants.iter().all(|(_, value)| listed(value)));
            variants.map(|(path, value)| (path, String::from(value.as_str())))
        }};
    }

    #[test]
    fn every_known_code_status_type_order_and_event_has_a_row() {
        let statuses = variants!(Status: Pending Successful Failed Expired Deleted Verified Suspended Rejected,
            except Status::Unknown(_));
        let types = variants!(AccountType: DirectDebitBay DirectDebitBbl DirectDebitKbank DirectDebitKtb DirectDebitScb
            Individual Business, except AccountType::Unknown(_));
        let events = variants!(EventKey: LinkedAccountComplete LinkedAccountExpire, except EventKey::Unknown(_));
        let orders = variants!(Order: Chronological ReverseChronological);
        let events = events.map(|(path, text)| (format!("webhook::{path}"), text));
        // The macro that declares the codes lists all of them.
        let codes = ErrorCode::KNOWN.iter().map(|code| (format!("ErrorCode::{code:?}"), String::from(code.as_str())));

        let known = statuses.into_iter().chain(types).chain(orders).map(|(path, text)| (String::from(path), text));
        let missing: Vec<String> = known
            .chain(events)
            .chain(codes)
            .filter(|(path, text)| {
                let (item, link) = (format!("| `{text}`"), format!("[`{path}`]"));
                !PAGE.lines().any(|row| row.starts_with(&item) && row.contains(&link))
            })
            .map(|(path, text)| format!("docs/coverage.md: expected a row of `{text}` with [`{path}`]"))
            .collect();
        assert!(missing.is_empty(), "\n{}\n", missing.join("\n"));
    }
}
