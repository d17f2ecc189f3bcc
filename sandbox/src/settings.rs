//! What must be set before anything is served.

use omise_linked_accounts::{Mode, SecretKey, webhook::WebhookSecret};
use worker::Env;

use crate::{profile::Profile, webhook::WebhookUrl};

/// The sandbox's configuration.
pub(crate) struct Settings {
    /// The one key that is accepted.
    pub(crate) secret_key: SecretKey,
    /// What opens the control API; without it there is none.
    pub(crate) control_token: Option<String>,
    /// The documents that it goes by.
    pub(crate) profile: Profile,
    /// With a seed the same requests have the same answers.
    pub(crate) seed: Option<u64>,
    /// Where events go, unless the control API says otherwise.
    pub(crate) webhook_url: Option<WebhookUrl>,
    /// What signs them, until another secret takes over.
    pub(crate) webhook_secret: Option<WebhookSecret>,
}

impl Settings {
    /// Reads the text bindings.
    ///
    /// # Errors
    ///
    /// As [`Settings::read`].
    pub(crate) fn of(env: &Env) -> Result<Self, String> {
        Self::read(|name| env.var(name).ok().map(|value| value.to_string()))
    }

    /// Reads the settings through `get`. An empty one is none.
    ///
    /// # Errors
    ///
    /// What is wrong with which setting, never its value.
    pub(crate) fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        const KEY: &str = "OMISE_SECRET_KEY";
        const TOKEN: &str = "CONTROL_TOKEN";
        const WEBHOOK_URL: &str = "WEBHOOK_URL";
        const WEBHOOK_SECRET: &str = "WEBHOOK_SECRET";

        let get = |name| get(name).filter(|text| !text.is_empty());
        let text = get(KEY).ok_or_else(|| format!("{KEY} is missing"))?;
        let secret_key = SecretKey::parse(&text).map_err(|error| format!("{KEY}: {error}"))?;
        // a live key has no business here
        if secret_key.mode() == Mode::Live {
            return Err(format!("{KEY}: expected a test key (skey_test_…), found a live one"));
        }
        let control_token = get(TOKEN);
        if control_token.as_ref().is_some_and(|token| token.len() < 16) {
            return Err(format!("{TOKEN}: expected at least 16 characters"));
        }
        let profile = match get("PROFILE") {
            Some(text) => Profile::parse(&text).ok_or("PROFILE: expected official or extended")?,
            None => Profile::Official,
        };
        let seed = get("SEED").map(|text| {
            // `parse` would take a sign
            let digits = text.bytes().all(|b| b.is_ascii_digit());
            text.parse().ok().filter(|_| digits).ok_or("SEED: expected a whole number from 0 to 18446744073709551615")
        });
        let seed = seed.transpose()?;
        let webhook_url = get(WEBHOOK_URL).map(|text| WebhookUrl::parse(&text)).transpose();
        let webhook_url = webhook_url.map_err(|fault| format!("{WEBHOOK_URL}: {fault}"))?;
        let webhook_secret = get(WEBHOOK_SECRET).map(|text| WebhookSecret::parse(&text)).transpose();
        let webhook_secret = webhook_secret.map_err(|fault| format!("{WEBHOOK_SECRET}: {fault}"))?;
        if webhook_url.is_some() && webhook_secret.is_none() {
            return Err(format!("{WEBHOOK_SECRET} is missing: {WEBHOOK_URL} is set, and events are signed"));
        }
        Ok(Self { secret_key, control_token, profile, seed, webhook_url, webhook_secret })
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

    fn with(name: &str, text: &str) -> Result<Settings, String> {
        Settings::read(|asked| match asked {
            "OMISE_SECRET_KEY" => Some("skey_test_5xuy4w91xqz7d1w9u0t".to_owned()),
            _ => (asked == name).then(|| text.to_owned()),
        })
    }

    #[test]
    fn what_may_be_left_out() {
        let settings = with("", "").unwrap();
        assert_eq!((settings.profile, settings.seed), (Profile::Official, None));
        assert_eq!((settings.control_token, settings.webhook_url), (None, None));
        for name in ["PROFILE", "SEED", "WEBHOOK_URL", "WEBHOOK_SECRET", "CONTROL_TOKEN"] {
            assert!(with(name, "").is_ok(), "{name}");
        }
    }

    #[test]
    fn what_may_be_set() {
        assert_eq!(with("PROFILE", "extended").unwrap().profile, Profile::Extended);
        assert_eq!(with("PROFILE", "official").unwrap().profile, Profile::Official);
        for (text, seed) in [("0", 0), ("007", 7), ("18446744073709551615", u64::MAX)] {
            assert_eq!(with("SEED", text).unwrap().seed, Some(seed));
        }
        assert!(with("CONTROL_TOKEN", "0123456789abcdef").unwrap().control_token.is_some());
    }

    #[test]
    fn a_webhook_has_a_secret() {
        const URL: &str = "http://127.0.0.1:8787/webhooks/omise";
        const SECRET: &str = "c2l4dGVlbi1ieXRlcy1vci1tb3Jl";

        for (url, secret, fault) in [
            (None, None, None),
            (Some(""), Some(""), None),
            (None, Some(SECRET), None),
            (Some(URL), Some(SECRET), None),
            (Some(URL), None, Some("WEBHOOK_SECRET is missing: WEBHOOK_URL is set")),
        ] {
            let get = |name: &str| match name {
                "OMISE_SECRET_KEY" => Some("skey_test_5xuy4w91xqz7d1w9u0t".to_owned()),
                "WEBHOOK_URL" => url.map(str::to_owned),
                "WEBHOOK_SECRET" => secret.map(str::to_owned),
                _ => None,
            };
            match (Settings::read(get), fault) {
                (Ok(settings), None) => {
                    assert_eq!(settings.webhook_url.is_some(), url == Some(URL));
                    assert_eq!(settings.webhook_secret.is_some(), secret == Some(SECRET));
                }
                (Err(text), Some(fault)) => assert!(text.starts_with(fault), "{text}"),
                (found, _) => panic!("{url:?} and {secret:?} give {:?}", found.err()),
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_not_repeated() {
        for (name, text, fault) in [
            ("PROFILE", "strict", "expected official or extended"),
            ("PROFILE", "Official", "expected official or extended"),
            ("SEED", "seven", "expected a whole number from 0 to 18446744073709551615"),
            ("SEED", "-7", "expected a whole number from 0 to 18446744073709551615"),
            ("SEED", "+7", "expected a whole number from 0 to 18446744073709551615"),
            ("SEED", "7.5", "expected a whole number from 0 to 18446744073709551615"),
            ("SEED", "18446744073709551616", "expected a whole number from 0 to 18446744073709551615"),
            ("WEBHOOK_URL", "127.0.0.1", "expected an http or https URL without a user name or password"),
            ("WEBHOOK_SECRET", "not base64!", "expected the webhook secret in Base64"),
            ("WEBHOOK_SECRET", "c2hvcnQ=", "expected a webhook secret of at least 16 bytes"),
            ("CONTROL_TOKEN", "0123456789abcde", "expected at least 16 characters"),
        ] {
            let found = with(name, text).err().unwrap();
            assert!(found.starts_with(&format!("{name}: {fault}")) && !found.contains(text), "{found}");
        }
    }
}
