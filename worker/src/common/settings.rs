//! What the operator must decide before anything is served.

use std::time::Duration;

use hmac::{Hmac, Mac};
use omise_linked_accounts::{
    API_ORIGIN, AccountType, CreatePolicy, Issue, IssueCode, Message, Mode, ReturnUri, ReturnUriPolicy, SecretKey,
    webhook::WebhookSecret,
};
use sha2::Sha256;

use super::{
    jwks::KeySet,
    stamp::{Stamp, StampKey},
};

/// The Worker's configuration, checked as a whole.
///
/// Nothing that matters for security has a default: a blank setting is a fault like a wrong one.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) secret_key: SecretKey,
    /// Scheme, host and port, without a trailing slash.
    pub(crate) api_origin: String,
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) registration_origins: Vec<String>,
    pub(crate) create_policy: CreatePolicy,
    pub(crate) session: SessionSettings,
    /// The first is used for what is new; what any of them made is known.
    pub(crate) ledger_keys: Vec<LedgerKey>,
    /// Two while a new one takes over.
    pub(crate) webhook_secrets: Vec<WebhookSecret>,
    pub(crate) upstream_deadline: Duration,
    /// How many accounts a customer may create in 24 hours.
    pub(crate) creates_per_day: u32,
    /// Where a customer's object is placed when it is first used.
    pub(crate) location_hint: &'static str,
}

/// Who may mint session tokens, and for whom.
#[derive(Debug)]
pub(crate) struct SessionSettings {
    pub(crate) keys: SessionKeys,
    pub(crate) issuer: String,
    pub(crate) audience: String,
}

/// What session tokens are checked with.
#[derive(Debug)]
pub(crate) enum SessionKeys {
    /// HS256, with a secret that the shop's backend has too.
    Secret(Secret),
    /// Public keys, as they are configured.
    Set(KeySet),
    /// Public keys, as this address publishes them.
    Url(String),
}

/// A key of HMAC-SHA-256, whose bytes never print.
pub(crate) struct Secret {
    bytes: Vec<u8>,
    /// Keyed, which is a third of the work on a short message.
    mac: Hmac<Sha256>,
}

impl Secret {
    /// Keys of any length will do (RFC 2104 §3).
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let mac = Hmac::new_from_slice(text.as_bytes()).map_err(|error| error.to_string())?;
        Ok(Self { bytes: text.as_bytes().to_vec(), mac })
    }

    pub(crate) fn mac(&self) -> Hmac<Sha256> {
        self.mac.clone()
    }
}

/// One of `LEDGER_KEY`: what is derived of it, each for its own purpose.
#[derive(Debug)]
pub(crate) struct LedgerKey {
    secret: Secret,
    pub(crate) stamps: StampKey,
}

impl LedgerKey {
    fn new(text: &str) -> Result<Self, String> {
        let secret = check_secret(text)?;
        let stamps = StampKey::derive(&secret.mac());
        Ok(Self { secret, stamps })
    }

    /// For what is asked for in a create: a digest that nobody can find by trial, since it covers the identity number.
    pub(crate) fn fingerprints(&self) -> Hmac<Sha256> {
        self.mac_for("fingerprint")
    }

    /// For what the audit log calls a customer.
    pub(crate) fn pseudonyms(&self) -> Hmac<Sha256> {
        self.mac_for("pseudonym")
    }

    fn mac_for(&self, purpose: &str) -> Hmac<Sha256> {
        let mut mac = self.secret.mac();
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac
    }
}

/// How many bytes agree tells nobody anything: both are the operator's.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// Cloudflare's names of regions for Durable Objects.
const LOCATION_HINTS: [&str; 9] = ["wnam", "enam", "sam", "weur", "eeur", "apac", "oc", "afr", "me"];

/// The fewest bytes of a secret of ours: as many as SHA-256 gives out (RFC 7518 §3.2).
const MIN_SECRET_BYTES: usize = 32;

impl Settings {
    /// Reads every setting through `get`.
    ///
    /// # Errors
    ///
    /// Every fault at once, each with the setting's name as its field and never with a value.
    pub(crate) fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<Issue>> {
        let mut reader = Reader { get, faults: Vec::new() };

        let secret_key = reader.parse("OMISE_SECRET_KEY", |text| SecretKey::parse(text).map_err(|e| e.to_string()));
        // without a key nothing is served, and nothing else should be blamed for it
        let mode = secret_key.as_ref().map_or(Mode::Test, SecretKey::mode);
        // said twice, so that one environment's key in another is noticed before anything is served with it
        reader.parse("MODE", |text| check_mode(text, secret_key.as_ref().map(SecretKey::mode)));
        let api_origin = reader.parse("OMISE_API_URL", |text| check_api_origin(text, mode));
        let allowed_origins = reader.parse_list("ALLOWED_ORIGINS", |text| check_origin(text, mode));
        let return_uris = reader.parse_list("RETURN_URIS", |text| check_return_prefix(text, mode));
        let registration_origins = reader.parse_list("REGISTRATION_ORIGINS", |text| check_origin(text, mode));
        let types = reader.parse_list("ACCOUNT_TYPES", |text| {
            let account_type = AccountType::from(text);
            if account_type.is_direct_debit() {
                Ok(account_type)
            } else {
                Err("expected direct-debit types".to_owned())
            }
        });
        let keys = reader.session_keys(mode);
        let issuer = reader.parse("SESSION_ISSUER", |text| Ok(text.to_owned()));
        let audience = reader.parse("SESSION_AUDIENCE", |text| Ok(text.to_owned()));
        let ledger_keys = reader.parse_list("LEDGER_KEY", LedgerKey::new);
        let webhook_secrets =
            reader.parse_list("WEBHOOK_SECRET", |text| WebhookSecret::parse(text).map_err(|error| error.to_string()));
        let upstream_deadline = reader.optional("UPSTREAM_DEADLINE_MS", Duration::from_secs(15), |text| {
            // an answer is to come within 25 seconds, and the ledger is written in between
            let millis = text.parse().ok().filter(|ms| (100..=20_000).contains(ms));
            millis.map(Duration::from_millis).ok_or_else(|| "expected milliseconds from 100 to 20000".to_owned())
        });
        let creates_per_day = reader.optional("CREATES_PER_DAY", 10, |text| {
            let number = text.parse().ok().filter(|number| (1..=1_000_000).contains(number));
            number.ok_or_else(|| "expected a number from 1 to 1000000".to_owned())
        });
        let location_hint = reader.optional("LOCATION_HINT", "apac", |text| {
            let known = LOCATION_HINTS.into_iter().find(|hint| *hint == text);
            known.ok_or_else(|| format!("expected one of {}", LOCATION_HINTS.join(", ")))
        });

        if let Some(SessionKeys::Secret(session)) = &keys
            && ledger_keys.iter().any(|key| key.secret == *session)
        {
            reader.fault("LEDGER_KEY", IssueCode::Invalid, "expected another value than SESSION_SECRET");
        }

        let limits = upstream_deadline.zip(creates_per_day).zip(location_hint);
        match (secret_key, api_origin, keys, issuer, audience, limits) {
            (
                Some(secret_key),
                Some(api_origin),
                Some(keys),
                Some(issuer),
                Some(audience),
                Some(((upstream_deadline, creates_per_day), location_hint)),
            ) if reader.faults.is_empty() => Ok(Self {
                secret_key,
                api_origin,
                allowed_origins,
                registration_origins,
                create_policy: CreatePolicy::new(types, ReturnUriPolicy::new(return_uris, mode)),
                session: SessionSettings { keys, issuer, audience },
                ledger_keys,
                webhook_secrets,
                upstream_deadline,
                creates_per_day,
                location_hint,
            }),
            _ => Err(reader.faults),
        }
    }

    /// What a stamp says; `None` where none of our keys made it.
    pub(crate) fn open_stamp(&self, text: &str) -> Option<Stamp> {
        self.ledger_keys.iter().find_map(|key| key.stamps.open(text))
    }
}

struct Reader<G> {
    get: G,
    faults: Vec<Issue>,
}

impl<G: Fn(&str) -> Option<String>> Reader<G> {
    fn fault(&mut self, name: &str, code: IssueCode, message: impl Into<Message>) {
        self.faults.push(Issue::new(name, code, message));
    }

    fn present(&self, name: &str) -> Option<String> {
        (self.get)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn parse<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let Some(text) = self.present(name) else {
            self.fault(name, IssueCode::Required, "the setting is missing or blank");
            return None;
        };
        parse(&text).map_err(|message| self.fault(name, IssueCode::Invalid, message)).ok()
    }

    fn optional<T>(&mut self, name: &str, default: T, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        if self.present(name).is_none() { Some(default) } else { self.parse(name, parse) }
    }

    /// One of the two settings: with both it would be anyone's guess which keys are trusted.
    fn session_keys(&mut self, mode: Mode) -> Option<SessionKeys> {
        const NAMES: [&str; 2] = ["SESSION_SECRET", "SESSION_JWKS"];
        let (code, message) = match NAMES.map(|name| self.present(name).is_some()) {
            [true, false] => return self.parse("SESSION_SECRET", check_secret).map(SessionKeys::Secret),
            [false, true] => return self.parse("SESSION_JWKS", |text| check_jwks(text, mode)),
            [true, true] => (IssueCode::Invalid, "expected either SESSION_SECRET or SESSION_JWKS, not both"),
            [false, false] => (IssueCode::Required, "expected either SESSION_SECRET or SESSION_JWKS"),
        };
        for name in NAMES {
            self.fault(name, code, message);
        }
        None
    }

    fn parse_list<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let list = self.parse(name, |text| text.split(',').map(|item| parse(item.trim())).collect());
        list.unwrap_or_default()
    }
}

fn check_mode(text: &str, key: Option<Mode>) -> Result<(), String> {
    let mode = match text {
        "test" => Mode::Test,
        "live" => Mode::Live,
        _ => return Err("expected test or live".to_owned()),
    };
    if key.is_some_and(|key| key != mode) {
        return Err(format!("expected the mode of OMISE_SECRET_KEY, which is not a {text} key"));
    }
    Ok(())
}

fn check_secret(text: &str) -> Result<Secret, String> {
    if text.len() < MIN_SECRET_BYTES {
        return Err(format!("expected at least {MIN_SECRET_BYTES} bytes"));
    }
    Secret::new(text)
}

/// A JWK set, or the address of one.
fn check_jwks(text: &str, mode: Mode) -> Result<SessionKeys, String> {
    if text.starts_with('{') {
        return Ok(SessionKeys::Set(KeySet::parse_inline(text)?));
    }
    // the rules for addresses that customers return to are those for any address that all parsers must read alike
    let uri = ReturnUri::parse(text).map_err(|e| format!("expected a JWK set or its address: {e}"))?;
    if uri.is_http() && mode.is_live() {
        return Err("expected https: http is for loopback with a test key".to_owned());
    }
    Ok(SessionKeys::Url(uri.as_str().to_owned()))
}

/// An origin as an `Origin` header writes it: no path, not even `/`.
fn check_origin(text: &str, mode: Mode) -> Result<String, String> {
    let uri = ReturnUri::parse(text).map_err(|e| format!("expected origins such as https://shop.example: {e}"))?;
    if uri.origin() != text {
        return Err("expected origins as browsers write them, without a path or a trailing slash".to_owned());
    }
    if uri.is_http() && mode.is_live() {
        return Err("expected https: http is for loopback with a test key".to_owned());
    }
    Ok(text.to_owned())
}

fn check_return_prefix(text: &str, mode: Mode) -> Result<ReturnUri, String> {
    let uri = ReturnUri::parse(text).map_err(|e| e.to_string())?;
    if uri.query().is_some() {
        return Err("expected origins with a path, without a query".to_owned());
    }
    if uri.is_http() && mode.is_live() {
        return Err("expected https: http is for loopback with a test key".to_owned());
    }
    Ok(uri)
}

/// Omise itself, or with a test key a loopback host: a live key never goes anywhere else.
fn check_api_origin(text: &str, mode: Mode) -> Result<String, String> {
    if text == API_ORIGIN {
        return Ok(text.to_owned());
    }
    match check_origin(text, mode) {
        Ok(origin) if origin.starts_with("http:") => Ok(origin),
        _ => Err(format!("expected {API_ORIGIN}, or with a test key http on a loopback host")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn good() -> BTreeMap<&'static str, String> {
        [
            ("MODE", "test"),
            ("OMISE_SECRET_KEY", "skey_test_5xuy4w91xqz7d1w9u0t"),
            ("WEBHOOK_SECRET", "c2l4dGVlbi1ieXRlcy1vci1tb3Jl,YW5vdGhlci1zaXh0ZWVuLWJ5dGVz"),
            ("OMISE_API_URL", "http://127.0.0.1:8788"),
            ("ALLOWED_ORIGINS", "http://127.0.0.1:8789, https://shop.example"),
            ("RETURN_URIS", "http://127.0.0.1:8789/return"),
            ("REGISTRATION_ORIGINS", "http://127.0.0.1:8788"),
            ("SESSION_SECRET", "0123456789abcdef0123456789abcdef"),
            ("SESSION_ISSUER", "https://shop.example"),
            ("SESSION_AUDIENCE", "links"),
            ("LEDGER_KEY", "fedcba9876543210fedcba9876543210,fedcba9876543210-another-one-0123"),
            ("ACCOUNT_TYPES", "direct_debit_scb,direct_debit_kbank"),
        ]
        .into_iter()
        .map(|(name, value)| (name, value.to_owned()))
        .collect()
    }

    fn faults(settings: &BTreeMap<&'static str, String>) -> Vec<String> {
        match Settings::read(|name| settings.get(name).cloned()) {
            Ok(_) => Vec::new(),
            Err(issues) => issues.into_iter().map(|issue| issue.field).collect(),
        }
    }

    #[test]
    fn good_settings() {
        let map = good();
        let settings = Settings::read(|name| map.get(name).cloned()).unwrap();
        assert_eq!(settings.allowed_origins, ["http://127.0.0.1:8789", "https://shop.example"]);
        let shown = format!("{settings:?}");
        for secret in ["OMISE_SECRET_KEY", "SESSION_SECRET", "LEDGER_KEY", "WEBHOOK_SECRET"] {
            assert!(!shown.contains(&map[secret]), "{secret}");
        }
    }

    #[test]
    fn everything_missing_is_named_at_once() {
        let mut names: Vec<&str> = good().into_keys().chain(["SESSION_JWKS"]).collect();
        names.sort_unstable();
        let mut found = faults(&BTreeMap::new());
        found.sort();
        assert_eq!(found, names);
        let blank = names.iter().map(|name| (*name, " ".to_owned())).collect();
        let mut found = faults(&blank);
        found.sort();
        assert_eq!(found, names);
    }

    #[test]
    fn one_fault_each() {
        for (name, value) in [
            ("MODE", "live"),
            ("MODE", "production"),
            ("OMISE_SECRET_KEY", "pkey_test_5xuy4w91xqz7d1w9u0t"),
            ("WEBHOOK_SECRET", "c2hvcnQ="),
            ("WEBHOOK_SECRET", "not base64"),
            ("OMISE_API_URL", "http://api.omise.co"),
            ("OMISE_API_URL", "https://api.omise.co/"),
            ("OMISE_API_URL", "https://api.omise.co/v1"),
            ("OMISE_API_URL", "https://other.example"),
            ("OMISE_API_URL", "http://127.0.0.1:8788/x"),
            ("ALLOWED_ORIGINS", "https://shop.example/"),
            ("ALLOWED_ORIGINS", "*"),
            ("ALLOWED_ORIGINS", "null"),
            ("ALLOWED_ORIGINS", "https://shop.example,"),
            ("RETURN_URIS", "https://shop.example/return?x"),
            ("RETURN_URIS", "shop.example"),
            ("REGISTRATION_ORIGINS", "http://bank.example"),
            ("SESSION_SECRET", "short"),
            ("LEDGER_KEY", "0123456789abcdef0123456789abcdef"),
            ("ACCOUNT_TYPES", "direct_debit_uob"),
            ("LEDGER_KEY", "fedcba9876543210fedcba9876543210,short"),
            ("UPSTREAM_DEADLINE_MS", "soon"),
            ("UPSTREAM_DEADLINE_MS", "20001"),
            ("CREATES_PER_DAY", "0"),
            ("CREATES_PER_DAY", "many"),
            ("LOCATION_HINT", "asia"),
        ] {
            let mut settings = good();
            settings.insert(name, value.to_owned());
            assert_eq!(faults(&settings), [name], "{value}");
        }
    }

    const SET: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA",
        "x":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}]}"#;

    fn jwks(value: &str) -> BTreeMap<&'static str, String> {
        let mut settings = good();
        settings.remove("SESSION_SECRET");
        settings.insert("SESSION_JWKS", value.to_owned());
        settings
    }

    #[test]
    fn session_keys_are_a_secret_or_a_set_or_its_address() {
        let keys = |settings: &BTreeMap<&str, String>| {
            let settings = Settings::read(|name| settings.get(name).cloned()).unwrap();
            settings.session.keys
        };
        assert!(matches!(keys(&good()), SessionKeys::Secret(_)));
        assert!(matches!(keys(&jwks(SET)), SessionKeys::Set(_)));
        for (text, kept) in [
            ("https://Id.example:443/.well-known/jwks.json", "https://id.example/.well-known/jwks.json"),
            ("https://id.example/keys?tenant=7", "https://id.example/keys?tenant=7"),
            ("http://127.0.0.1:8789/jwks", "http://127.0.0.1:8789/jwks"),
        ] {
            let keys = keys(&jwks(text));
            assert!(matches!(&keys, SessionKeys::Url(url) if url == kept), "{keys:?}");
        }

        let with_private = SET.replace("]}", r#",{"kty":"oct","k":"AQ"}]}"#);
        let unusable = SET.replace("\"alg\":\"EdDSA\",", "");
        for bad in [
            with_private.as_str(),
            &unusable,
            "{",
            "{}",
            r#"{"keys":[]}"#,
            "[]",
            "keys.json",
            "http://id.example/jwks",
            "https://user@id.example/jwks",
            "https://id.example/jwks#k",
            "ftp://id.example/jwks",
        ] {
            assert_eq!(faults(&jwks(bad)), ["SESSION_JWKS"], "{bad}");
        }

        let mut both = jwks(SET);
        both.insert("SESSION_SECRET", good()["SESSION_SECRET"].clone());
        both.insert("ALLOWED_ORIGINS", "*".to_owned());
        assert_eq!(faults(&both), ["ALLOWED_ORIGINS", "SESSION_SECRET", "SESSION_JWKS"]);
        both.insert("SESSION_SECRET", " ".to_owned());
        assert_eq!(faults(&both), ["ALLOWED_ORIGINS"]);

        // the ledger's key is held against the secret only where there is one
        let mut same = jwks(SET);
        same.insert("LEDGER_KEY", good()["SESSION_SECRET"].clone());
        assert_eq!(faults(&same), Vec::<String>::new());
    }

    #[test]
    fn a_live_key_is_for_omise_over_https_alone() {
        let mut settings = good();
        settings.insert("OMISE_SECRET_KEY", ["skey", "5xuy4w91xqz7d1w9u0t"].join("_"));
        settings.insert("MODE", "live".to_owned());
        assert_eq!(faults(&settings), ["OMISE_API_URL", "ALLOWED_ORIGINS", "RETURN_URIS", "REGISTRATION_ORIGINS"]);
        settings.insert("OMISE_API_URL", "https://api.omise.co".to_owned());
        settings.insert("ALLOWED_ORIGINS", "https://shop.example".to_owned());
        settings.insert("RETURN_URIS", "https://shop.example/return".to_owned());
        settings.insert("REGISTRATION_ORIGINS", "https://bank.example".to_owned());
        assert_eq!(faults(&settings), Vec::<String>::new());
        settings.remove("SESSION_SECRET");
        settings.insert("SESSION_JWKS", "http://127.0.0.1:8789/jwks".to_owned());
        assert_eq!(faults(&settings), ["SESSION_JWKS"]);
        settings.insert("SESSION_JWKS", "https://id.example/jwks".to_owned());
        assert_eq!(faults(&settings), Vec::<String>::new());
    }
}
