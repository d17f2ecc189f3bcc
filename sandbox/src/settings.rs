//! What must be set before anything is served.

use omise_linked_accounts::{Mode, SecretKey};

/// The sandbox's configuration.
pub(crate) struct Settings {
    /// The one key that is accepted.
    pub(crate) secret_key: SecretKey,
    /// What opens the control API; without it there is none.
    pub(crate) control_token: Option<String>,
}

impl Settings {
    /// Reads the settings through `get`.
    ///
    /// # Errors
    ///
    /// What is wrong with which setting, never its value.
    pub(crate) fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        const KEY: &str = "OMISE_SECRET_KEY";
        const TOKEN: &str = "CONTROL_TOKEN";

        let text = get(KEY).filter(|text| !text.is_empty()).ok_or_else(|| format!("{KEY} is missing"))?;
        let secret_key = SecretKey::parse(&text).map_err(|error| format!("{KEY}: {error}"))?;
        // a live key has no business here
        if secret_key.mode() == Mode::Live {
            return Err(format!("{KEY}: expected a test key (skey_test_…), found a live one"));
        }
        let control_token = get(TOKEN).filter(|text| !text.is_empty());
        if control_token.as_ref().is_some_and(|token| token.len() < 16) {
            return Err(format!("{TOKEN}: expected at least 16 characters"));
        }
        Ok(Self { secret_key, control_token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_key_and_nothing_else() {
        let live = ["skey", "5xuy4w91xqz7d1w9u0t"].join("_");
        for (key, fault) in [
            (Some("skey_test_5xuy4w91xqz7d1w9u0t"), None),
            (None, Some("OMISE_SECRET_KEY is missing")),
            (Some(""), Some("OMISE_SECRET_KEY is missing")),
            (Some("5xuy4w91xqz7d1w9u0t"), Some("expected an Omise secret key")),
            (Some("pkey_test_5xuy4w91xqz7d1w9u0t"), Some("found a public key")),
            (Some(&live), Some("found a live one")),
        ] {
            match (Settings::read(|name| key.filter(|_| name == "OMISE_SECRET_KEY").map(str::to_owned)), fault) {
                (Ok(_), None) => {}
                (Err(text), Some(fault)) => {
                    assert!(text.starts_with("OMISE_SECRET_KEY") && text.contains(fault), "{text}");
                    assert!(!text.contains("5xuy4w91xqz7d1w9u0t"), "{text}");
                }
                (found, _) => panic!("{key:?} gives {:?}", found.err()),
            }
        }
    }
}
