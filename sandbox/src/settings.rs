//! What must be set before anything is served.

use omise_linked_accounts::{Mode, SecretKey, webhook::WebhookSecret};
use worker::Env;

use crate::webhook::WebhookUrl;

/// The sandbox's configuration.
pub(crate) struct Settings {
    /// The one key that is accepted.
    pub(crate) secret_key: SecretKey,
    /// What opens the control API; without it there is none.
    pub(crate) control_token: Option<String>,
    /// Where events go, unless the control API says otherwise.
    pub(crate) webhook_url: Option<WebhookUrl>,
    /// What signs them, until another secret takes over.
    pub(crate) webhook_secret: Option<WebhookSecret>,
}

impl Settings {
    /// Reads the settings of the Worker.
    ///
    /// # Errors
    ///
    /// As [`Settings::read`].
    pub(crate) fn of(env: &Env) -> Result<Self, String> {
        Self::read(|name| env.var(name).ok().map(|value| value.to_string()))
    }

    /// Reads the settings through `get`.
    ///
    /// # Errors
    ///
    /// What is wrong with which setting, never its value.
    pub(crate) fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        const KEY: &str = "OMISE_SECRET_KEY";
        const TOKEN: &str = "CONTROL_TOKEN";
        const WEBHOOK_URL: &str = "WEBHOOK_URL";
        const WEBHOOK_SECRET: &str = "WEBHOOK_SECRET";

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
        let given = |name| get(name).filter(|text| !text.is_empty());
        let webhook_url = given(WEBHOOK_URL).map(|text| WebhookUrl::parse(&text)).transpose();
        let webhook_url = webhook_url.map_err(|fault| format!("{WEBHOOK_URL}: {fault}"))?;
        let webhook_secret = given(WEBHOOK_SECRET).map(|text| WebhookSecret::parse(&text)).transpose();
        let webhook_secret = webhook_secret.map_err(|fault| format!("{WEBHOOK_SECRET}: {fault}"))?;
        if webhook_url.is_some() && webhook_secret.is_none() {
            return Err(format!("{WEBHOOK_SECRET} is missing: {WEBHOOK_URL} is set, and events are signed"));
        }
        Ok(Self { secret_key, control_token, webhook_url, webhook_secret })
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
            (Some("127.0.0.1"), Some(SECRET), Some("WEBHOOK_URL: expected an http or https URL")),
            (Some(URL), Some("not base64!"), Some("WEBHOOK_SECRET: expected the webhook secret in Base64")),
            (None, Some("c2hvcnQ="), Some("WEBHOOK_SECRET: expected a webhook secret of at least 16 bytes")),
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
}
