//! Where events go, and the secrets that sign them.

use base64::{Engine, engine::general_purpose::STANDARD};
use omise_linked_accounts::{
    Timestamp,
    webhook::{MAX_SIGNATURES, WebhookSecret},
};
use serde::Deserialize;
use wasm_bindgen::JsValue;
use worker::{D1Result, Env, Error, Result, Url};

use crate::{random, settings::Settings};

/// How long a secret goes on signing beside the one that took over from it, in seconds.
const OVERLAP_SECONDS: i64 = 24 * 60 * 60;

/// An address that events can be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebhookUrl(String);

impl WebhookUrl {
    /// Parses an address.
    ///
    /// # Errors
    ///
    /// What was expected, where it is not one.
    pub(crate) fn parse(text: &str) -> std::result::Result<Self, &'static str> {
        match Url::parse(text) {
            // `fetch` refuses credentials
            Ok(url)
                if matches!(url.scheme(), "http" | "https")
                    && url.username().is_empty()
                    && url.password().is_none() =>
            {
                Ok(Self(url.into()))
            }
            _ => Err("expected an http or https URL without a user name or password"),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// How events leave. Without an address or a secret there is nowhere to send them.
pub(crate) struct Webhook {
    pub(crate) url: Option<WebhookUrl>,
    /// Those that sign now, the newest last.
    pub(crate) secrets: Vec<WebhookSecret>,
}

impl Webhook {
    /// Where events are sent, if they are.
    pub(crate) fn target(&self) -> Option<&WebhookUrl> {
        self.url.as_ref().filter(|_| !self.secrets.is_empty())
    }

    /// Reads what was said at run time, over the settings.
    pub(crate) async fn load(env: &Env, settings: &Settings, now: Timestamp) -> Result<Self> {
        #[derive(Deserialize)]
        struct Said {
            url: Option<String>,
        }
        #[derive(Deserialize)]
        struct Successor {
            secret: String,
            created_at: Timestamp,
        }

        let db = env.d1("DB")?;
        let url = db.prepare("SELECT url FROM webhook");
        let secrets = db.prepare("SELECT secret, created_at FROM webhook_secrets ORDER BY seq");
        let results = db.batch(vec![url, secrets]).await?;
        let said: Vec<Said> = results.first().map(D1Result::results).transpose()?.unwrap_or_default();
        let successors: Vec<Successor> = results.get(1).map(D1Result::results).transpose()?.unwrap_or_default();

        let url = match said.into_iter().next() {
            Some(Said { url: Some(text) }) => Some(WebhookUrl::parse(&text).map_err(|fault| broken("url", &fault))?),
            Some(Said { url: None }) => None,
            None => settings.webhook_url.clone(),
        };
        let successors = successors.into_iter().map(|Successor { secret, created_at }| {
            Ok((WebhookSecret::parse(&secret).map_err(|fault| broken("secret", &fault))?, created_at))
        });
        let successors: Vec<_> = successors.collect::<Result<_>>()?;
        Ok(Self { url, secrets: signing(settings.webhook_secret.clone(), successors, now) })
    }

    /// Sends events there from now on; with `None`, nowhere.
    pub(crate) async fn store(env: &Env, url: Option<&WebhookUrl>) -> Result<()> {
        let url = url.map_or(JsValue::NULL, |url| url.as_str().into());
        env.d1("DB")?.prepare("INSERT OR REPLACE INTO webhook (id, url) VALUES (1, ?)").bind(&[url])?.run().await?;
        Ok(())
    }

    /// Makes a secret that takes over, in Base64; `None` where receivers would not read as many signatures.
    pub(crate) async fn rotate(&self, env: &Env, now: Timestamp) -> Result<Option<String>> {
        if self.secrets.len() >= MAX_SIGNATURES {
            return Ok(None);
        }
        let secret = STANDARD.encode(random::<32>()?);
        let db = env.d1("DB")?;
        // those that do not sign any more are kept no longer
        let forget = "DELETE FROM webhook_secrets
                      WHERE seq < (SELECT max(seq) FROM webhook_secrets WHERE created_at <= ?)";
        let forget = db.prepare(forget).bind(&[now.plus_seconds(-OVERLAP_SECONDS).to_string().into()])?;
        let add = db.prepare("INSERT INTO webhook_secrets (secret, created_at) VALUES (?, ?)");
        let add = add.bind(&[secret.as_str().into(), now.to_string().into()])?;
        db.batch(vec![forget, add]).await?;
        Ok(Some(secret))
    }
}

/// A row that the sandbox itself did not write, named without its value.
fn broken(column: &str, fault: &dyn std::fmt::Display) -> Error {
    Error::RustError(format!("the webhook's {column}: {fault}"))
}

/// Which secrets sign at `now`: the newest, and each other one until its successor is a day old. `first` is the oldest; each
/// successor is there with the time when it took over.
fn signing<T>(first: Option<T>, successors: Vec<(T, Timestamp)>, now: Timestamp) -> Vec<T> {
    let mut signing = Vec::new();
    let mut newest = first;
    for (successor, since) in successors {
        if now < since.plus_seconds(OVERLAP_SECONDS) {
            signing.extend(newest);
        }
        newest = Some(successor);
    }
    signing.extend(newest);
    signing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (text, expected) in [
            ("http://127.0.0.1:8787/webhooks/omise", Some("http://127.0.0.1:8787/webhooks/omise")),
            ("https://shop.example", Some("https://shop.example/")),
            ("http://[::1]:8787/a?b=c", Some("http://[::1]:8787/a?b=c")),
            ("", None),
            ("127.0.0.1:8787/webhooks", None),
            ("/webhooks/omise", None),
            ("ftp://shop.example/", None),
            ("javascript:alert(1)", None),
            ("http://", None),
            ("https://malee@shop.example/", None),
            ("https://:pw@shop.example/", None),
        ] {
            assert_eq!(WebhookUrl::parse(text).ok().as_ref().map(WebhookUrl::as_str), expected, "{text}");
        }
    }

    #[test]
    fn a_day_beside_each_other() {
        const HOUR: i64 = 60 * 60;
        const DAY: i64 = 24 * HOUR;

        for (first, successors, now, expected) in [
            (None, vec![], 0, vec![]),
            (Some("a"), vec![], 0, vec!["a"]),
            (None, vec![("b", 0)], 0, vec!["b"]),
            (Some("a"), vec![("b", HOUR)], HOUR, vec!["a", "b"]),
            (Some("a"), vec![("b", HOUR)], HOUR + DAY - 1, vec!["a", "b"]),
            (Some("a"), vec![("b", HOUR)], HOUR + DAY, vec!["b"]),
            // the clock was put back
            (Some("a"), vec![("b", HOUR)], 0, vec!["a", "b"]),
            (Some("a"), vec![("b", 0), ("c", HOUR)], HOUR, vec!["a", "b", "c"]),
            (Some("a"), vec![("b", 0), ("c", HOUR)], DAY, vec!["b", "c"]),
            (Some("a"), vec![("b", 0), ("c", HOUR)], DAY + HOUR, vec!["c"]),
            // b is not kept any more
            (Some("a"), vec![("c", HOUR)], DAY + HOUR, vec!["c"]),
        ] {
            let at = |seconds| Timestamp::from_unix(seconds).unwrap();
            let timed = successors.iter().map(|(secret, since)| (*secret, at(*since))).collect();
            assert_eq!(signing(first, timed, at(now)), expected, "{successors:?} at {now}");
        }
    }
}
