//! Who is calling: the session token that the shop's backend mints for its signed-in customer.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::Mac;
use omise_linked_accounts::Reason;
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::Value;

use crate::{
    common::answer::Failure,
    common::jwks::{Algorithm, KeySet},
    common::settings::{Secret, SessionKeys, SessionSettings},
    edge::remote_jwks,
};

/// How far the shop's clock may be off ours, in seconds.
const SKEW: u64 = 60;
/// How far ahead a token may expire, in seconds.
const MAX_LIFETIME: u64 = 3_600;
/// The longest `sub`, in bytes.
const MAX_SUBJECT: usize = 255;
/// The longest token that is looked at, in bytes: far above any real one, far below what would cost time.
const MAX_TOKEN: usize = 8_192;
/// The scope that makes an operator.
const OPERATE: &str = "linked_accounts:operate";

/// A caller whose token held.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The shop's own name for the customer: `sub`.
    pub(crate) subject: String,
    /// Whether the caller may see every account.
    pub(crate) operator: bool,
}

/// Judges an `Authorization` header; `now` is in seconds since 1970.
///
/// Required: `Bearer`, a signature by one of the configured keys with that key's own algorithm, `iss`, `aud`, `exp` at most an
/// hour ahead, and `sub` of 1 to 255 bytes. `nbf` is respected. The token's header names a key and chooses nothing: keys and
/// addresses in it are not looked at, and a `crit` is refused (RFC 7515 §4.1.11).
///
/// # Errors
///
/// One 401 for every fault, so that callers learn no more; the log has the words. 503 where no key could be fetched to judge
/// the token.
pub(crate) async fn authenticate(
    settings: &SessionSettings,
    authorization: Option<&str>,
    now: u64,
) -> Result<Caller, Failure> {
    let token = Token::read(authorization).map_err(refused)?;
    // before the signature, since that may take a fetch
    let caller = token.claims.judge(settings, now).map_err(refused)?;
    match &settings.keys {
        SessionKeys::Secret(secret) => token.check_with_secret(secret).map_err(refused)?,
        SessionKeys::Set(set) => {
            let algorithm = token.algorithm().map_err(refused)?;
            token.check_with_key(algorithm, set).await.map_err(refused)?;
        }
        SessionKeys::Url(url) => {
            let algorithm = token.algorithm().map_err(refused)?;
            let set = remote_jwks::get(url, token.header.kid.as_deref()).await?;
            token.check_with_key(algorithm, &set).await.map_err(refused)?;
        }
    }
    Ok(caller)
}

/// `why` never holds anything of the token.
fn refused(why: &'static str) -> Failure {
    Failure::new(Reason::Unauthenticated).with_log(why)
}

/// A token in the compact form of RFC 7515 §7.1, taken apart and not yet believed.
struct Token<'a> {
    header: Header,
    claims: Claims,
    /// What is signed: header and claims as they came.
    message: &'a str,
    signature: Vec<u8>,
}

/// Everything else in a header is ignored, `jku`, `jwk`, `x5u` and `x5c` above all.
#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default, deserialize_with = "present")]
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Claims {
    // a string: unlike `aud` it is never an array (RFC 7519 §4.1.1)
    iss: String,
    aud: Value,
    exp: f64,
    sub: String,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<f64>,
    #[serde(default, deserialize_with = "present")]
    scope: Option<String>,
}

/// A member that may be missing, but not `null`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// An object in canonical base64url. A member that stands there twice is refused by serde; an array, which serde would take
/// for the members in their order, here.
fn object<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    // serde_json does not look into strings that it skips
    let text = str::from_utf8(&bytes).ok()?;
    let is_object = text.trim_start().starts_with('{');
    is_object.then(|| serde_json::from_slice(&bytes).ok()).flatten()
}

impl<'a> Token<'a> {
    fn read(authorization: Option<&'a str>) -> Result<Self, &'static str> {
        let authorization = authorization.ok_or("no Authorization header")?;
        let token = authorization.strip_prefix("Bearer ").ok_or("not a bearer token")?;
        if token.len() > MAX_TOKEN {
            return Err("the token is too long");
        }
        let form = "the token is not of three parts in base64url";
        let (message, signature) = token.rsplit_once('.').ok_or(form)?;
        let (header, claims) = message.split_once('.').ok_or(form)?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| form)?;
        let header: Header = object(header).ok_or("the token's header cannot be read")?;
        // a fourth part fails here: the dot is not in the alphabet
        let claims = object(claims).ok_or("the token's claims cannot be read, or a required one is missing")?;
        if header.crit.is_some() {
            return Err("the token has critical extensions");
        }
        Ok(Self { header, claims, message, signature })
    }

    /// HS256, whatever key the token names.
    fn check_with_secret(&self, secret: &Secret) -> Result<(), &'static str> {
        if self.header.alg != "HS256" {
            return Err("the token's algorithm is not HS256");
        }
        let mut mac = secret.mac();
        mac.update(self.message.as_bytes());
        // in constant time
        mac.verify_slice(&self.signature).map_err(|_| "the token's signature does not hold")
    }

    /// An algorithm that a set can have a key for.
    fn algorithm(&self) -> Result<Algorithm, &'static str> {
        let algorithm =
            Algorithm::find(&self.header.alg).ok_or("the token's algorithm is not ES256, RS256 or EdDSA")?;
        if algorithm.may_sign_in(self.signature.len()) {
            Ok(algorithm)
        } else {
            Err("the token's signature does not have its algorithm's length")
        }
    }

    /// With the key that the token names, and that key's algorithm.
    async fn check_with_key(&self, algorithm: Algorithm, set: &KeySet) -> Result<(), &'static str> {
        let key = set.find(self.header.kid.as_deref()).ok_or("the token does not name one of the keys")?;
        if algorithm != key.algorithm {
            return Err("the token's algorithm is not the key's");
        }
        match key.verify(self.message, &self.signature).await {
            Ok(true) => Ok(()),
            Ok(false) => Err("the token's signature does not hold"),
            Err(_) => Err("the token names a key that cannot be used"),
        }
    }
}

impl Claims {
    fn judge(&self, settings: &SessionSettings, now: u64) -> Result<Caller, &'static str> {
        #[allow(clippy::cast_precision_loss)] // seconds are far below 2⁵³
        let [earliest, skewed, latest] =
            [now.saturating_sub(SKEW), now + SKEW, now + MAX_LIFETIME + SKEW].map(|at| at as f64);
        if self.iss != settings.issuer {
            return Err("the token is another issuer's");
        }
        if !self.is_for(&settings.audience) {
            return Err("the token is for another audience");
        }
        if self.exp <= earliest {
            return Err("the token has expired");
        }
        if self.exp > latest {
            return Err("the token expires later than in an hour");
        }
        if self.nbf.is_some_and(|nbf| nbf > skewed) {
            return Err("the token is not valid yet");
        }
        if self.sub.is_empty() || self.sub.len() > MAX_SUBJECT {
            return Err("the token's subject is not of 1 to 255 bytes");
        }
        let operator = self.scope.as_ref().is_some_and(|scope| scope.split(' ').any(|word| word == OPERATE));
        Ok(Caller { subject: self.sub.clone(), operator })
    }

    /// `aud` is a string or an array of strings (RFC 7519 §4.1.3).
    fn is_for(&self, audience: &str) -> bool {
        match &self.aud {
            Value::String(one) => one == audience,
            Value::Array(all) => all.iter().all(Value::is_string) && all.iter().any(|one| one == audience),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use hmac::Hmac;
    use serde_json::json;
    use sha2::Sha256;

    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const NOW: u64 = 1_700_000_000;

    fn settings(keys: SessionKeys) -> SessionSettings {
        SessionSettings { keys, issuer: "shop".to_owned(), audience: "links".to_owned() }
    }

    fn secret() -> SessionSettings {
        settings(SessionKeys::Secret(Secret::new(KEY).unwrap()))
    }

    fn encode(part: &str) -> String {
        URL_SAFE_NO_PAD.encode(part)
    }

    fn sign(header: &str, claims: &str, key: &str) -> String {
        let message = format!("{header}.{claims}");
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    fn token(header: &Value, claims: &Value) -> String {
        sign(&encode(&header.to_string()), &encode(&claims.to_string()), KEY)
    }

    fn claims() -> Value {
        json!({ "iss": "shop", "aud": "links", "sub": "customer-1", "exp": NOW + 300 })
    }

    fn with(name: &str, value: impl Into<Value>) -> Value {
        let mut claims = claims();
        claims[name] = value.into();
        claims
    }

    fn without(name: &str) -> Value {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        claims
    }

    fn hs256() -> Value {
        json!({ "alg": "HS256", "typ": "JWT" })
    }

    /// `None` where the token was refused. Nothing here waits for anything.
    fn judge_header(settings: &SessionSettings, authorization: Option<&str>) -> Option<Caller> {
        match authenticate(settings, authorization, NOW).now_or_never().unwrap() {
            Ok(caller) => Some(caller),
            Err(failure) => {
                assert_eq!(failure.reason, Reason::Unauthenticated);
                None
            }
        }
    }

    fn judge(token: &str) -> Option<Caller> {
        judge_header(&secret(), Some(&format!("Bearer {token}")))
    }

    #[test]
    fn good_tokens() {
        for claims in [
            claims(),
            with("aud", json!(["other", "links"])),
            with("exp", NOW - 59),
            with("exp", 1_699_999_940.5),
            with("exp", NOW + 3_660),
            with("nbf", NOW + 60),
            with("nbf", -1),
            with("nbf", -1e300),
            with("iat", "yesterday"),
            with("scope", ""),
            with("scope", "profile"),
            with("scope", "linked_accounts:operates xlinked_accounts:operate LINKED_ACCOUNTS:OPERATE"),
        ] {
            let caller = judge(&token(&hs256(), &claims));
            assert_eq!(caller, Some(Caller { subject: "customer-1".to_owned(), operator: false }), "{claims}");
        }
        let operator = with("scope", "profile linked_accounts:operate");
        assert!(judge(&token(&hs256(), &operator)).unwrap().operator);
        let longest = "ก".repeat(85);
        assert_eq!(judge(&token(&hs256(), &with("sub", longest.as_str()))).unwrap().subject, longest);
        // a secret needs no name
        let named = json!({ "alg": "HS256", "kid": "../../dev/null", "jku": "https://evil.example/jwks" });
        assert!(judge(&token(&named, &claims())).is_some());
        // order and white space are the minter's
        let spaced = "\n{ \"exp\" : 1700000300 , \"sub\":\"customer-1\",\"aud\":\"links\",\"i\\u0073s\":\"shop\" }";
        assert!(judge(&sign(&encode(&hs256().to_string()), &encode(spaced), KEY)).is_some());
    }

    #[test]
    fn bad_claims() {
        for claims in [
            without("iss"),
            without("aud"),
            without("exp"),
            without("sub"),
            with("iss", "other"),
            with("iss", "SHOP"),
            with("iss", "shop "),
            with("iss", ""),
            with("iss", 7),
            with("iss", Value::Null),
            with("iss", json!(["shop"])),
            with("aud", "other"),
            with("aud", "links "),
            with("aud", ""),
            with("aud", 7),
            with("aud", Value::Null),
            with("aud", json!({ "links": "links" })),
            with("aud", json!([])),
            with("aud", json!(["other"])),
            with("aud", json!(["links", 7])),
            with("aud", json!([["links"]])),
            with("exp", NOW - 60),
            with("exp", 0),
            with("exp", NOW + 3_661),
            with("exp", 1_700_003_660.5),
            with("exp", 1e300),
            with("exp", -1),
            with("exp", "1700000300"),
            with("exp", true),
            with("exp", Value::Null),
            with("exp", json!([NOW])),
            with("nbf", NOW + 61),
            with("nbf", 1e300),
            with("nbf", "soon"),
            with("nbf", Value::Null),
            with("sub", ""),
            with("sub", 7),
            with("sub", Value::Null),
            with("sub", json!(["customer-1"])),
            with("sub", "x".repeat(256)),
            with("sub", "ก".repeat(86)),
            with("scope", json!(["linked_accounts:operate"])),
            with("scope", true),
            with("scope", Value::Null),
            json!([]),
            json!("shop"),
            // in the order of our own struct
            json!(["shop", "links", NOW + 300, "customer-1"]),
        ] {
            assert_eq!(judge(&token(&hs256(), &claims)), None, "{claims}");
        }
    }

    #[test]
    fn claims_that_are_not_one_object() {
        let good = claims().to_string();
        let inner = &good[1..good.len() - 1];
        let header = encode(&hs256().to_string());
        assert!(judge(&sign(&header, &encode(&format!("{{{inner}}}")), KEY)).is_some());
        for claims in [
            format!("{{{inner},\"sub\":\"customer-2\"}}"),
            format!("{{\"sub\":\"customer-2\",{inner}}}"),
            format!("{{{inner},\"s\\u0075b\":\"customer-1\"}}"),
            format!("{{{inner},\"exp\":1700000300}}"),
            format!("{{{inner},\"iss\":\"shop\"}}"),
            format!("{{{inner},\"aud\":\"links\"}}"),
            format!("{{{inner},\"nbf\":1,\"nbf\":1}}"),
            format!("{{{inner},\"scope\":\"a\",\"scope\":\"a\"}}"),
            format!("{{{inner}}}{{}}"),
            format!("{{{inner},}}"),
            format!("{{{inner}"),
            format!("\u{feff}{{{inner}}}"),
            format!("{{{inner},\"nbf\":NaN}}"),
            format!("{{{inner},\"nbf\":1e999}}"),
            format!("{{{inner},\"scope\":\"\\ud800\"}}"),
            String::new(),
        ] {
            assert_eq!(judge(&sign(&header, &encode(&claims), KEY)), None, "{claims}");
        }
        let bytes = URL_SAFE_NO_PAD.encode([format!("{{{inner},\"x\":\"").as_bytes(), b"\xff\"}"].concat());
        assert_eq!(judge(&sign(&header, &bytes, KEY)), None, "not UTF-8");
    }

    #[test]
    fn bad_headers() {
        for header in [
            json!({}),
            json!({ "alg": "none" }),
            json!({ "alg": "None" }),
            json!({ "alg": "NONE" }),
            json!({ "alg": "" }),
            json!({ "alg": Value::Null }),
            json!({ "alg": ["HS256"] }),
            json!({ "alg": "HS512" }),
            json!({ "alg": "RS256" }),
            json!({ "alg": "hs256" }),
            json!({ "alg": "HS256 " }),
            json!({ "alg": "HS256", "crit": ["exp"] }),
            json!({ "alg": "HS256", "crit": [] }),
            json!({ "alg": "HS256", "crit": Value::Null }),
            json!({ "alg": "HS256", "kid": 7 }),
            json!(["HS256"]),
            json!("HS256"),
        ] {
            assert_eq!(judge(&token(&header, &claims())), None, "{header}");
        }
        for header in [r#"{"alg":"none","alg":"HS256"}"#, r#"{"alg":"HS256","alg":"HS256"}"#, r#"{"alg":"HS256"} x"#] {
            assert_eq!(judge(&sign(&encode(header), &encode(&claims().to_string()), KEY)), None, "{header}");
        }
    }

    #[test]
    fn bad_forms_and_signatures() {
        let good = token(&hs256(), &claims());
        assert!(judge(&good).is_some());
        let (message, signature) = good.rsplit_once('.').unwrap();
        let (header, body) = message.split_once('.').unwrap();
        let flipped = |at: usize| {
            let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
            bytes[at] ^= 1;
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(bytes))
        };
        let cut = &URL_SAFE_NO_PAD.decode(signature).unwrap()[..16];
        // 32 bytes end in a character of four bits: its neighbour differs in the two that are left over
        let (start, last) = signature.split_at(signature.len() - 1);
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let neighbour = &alphabet[alphabet.find(last).unwrap() + 1..][..1];
        let padded = |part: &str| format!("{part}{}", "=".repeat((4 - part.len() % 4) % 4));
        let other_header = encode(&json!({ "alg": "HS256" }).to_string());
        for bad in [
            sign(header, body, "fedcba9876543210fedcba9876543210"),
            flipped(0),
            flipped(31),
            format!("{message}."),
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(cut)),
            format!("{message}.{start}{neighbour}"),
            format!("{message}.{}", padded(signature)),
            format!("{}.{}.{signature}", padded(header), padded(body)),
            sign(&padded(header), &padded(body), KEY),
            sign(header, &format!("{body}\n"), KEY),
            sign(header, &format!(" {body}"), KEY),
            format!("{other_header}.{body}.{signature}"),
            format!("{header}.{}.{signature}", encode(&with("sub", "customer-2").to_string())),
            message.to_owned(),
            header.to_owned(),
            "..".to_owned(),
            format!(".{good}"),
            format!("{good}."),
            format!("{good}.{signature}"),
            sign(header, &format!("{body}.{body}"), KEY),
            format!("{good}="),
            format!("{good} "),
            format!("{good}, Bearer {good}"),
            String::new(),
            "x".repeat(MAX_TOKEN + 1),
        ] {
            assert_eq!(judge(&bad), None, "{bad:.300}");
        }
        for authorization in [
            None,
            Some(String::new()),
            Some("Bearer".to_owned()),
            Some("Basic Og==".to_owned()),
            Some(good.clone()),
            Some(format!("bearer {good}")),
            Some(format!("BEARER {good}")),
            Some(format!("Bearer  {good}")),
            Some(format!("Bearer\t{good}")),
            Some(format!(" Bearer {good}")),
            Some(format!("Bearer {good}, Bearer {good}")),
            Some(format!("DPoP {good}")),
        ] {
            assert_eq!(judge_header(&secret(), authorization.as_deref()), None, "{authorization:?}");
        }
    }

    #[test]
    fn the_longest_token() {
        let long = |padding: usize| token(&hs256(), &with("x", "x".repeat(padding)));
        let most = (0..MAX_TOKEN).rev().find(|padding| long(*padding).len() <= MAX_TOKEN).unwrap();
        assert!(judge(&long(most)).is_some());
        assert_eq!(judge(&long(most + 1)), None);
    }

    /// A good signature is WebCrypto's to tell, in the Worker's own tests; these are refused before, and before any fetch, which
    /// could not be made here.
    #[test]
    fn what_a_set_is_not_asked_for() {
        let x = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k", "x": x });
        let set = json!({ "keys": [key] }).to_string();
        let settings = [
            settings(SessionKeys::Set(KeySet::parse_inline(&set).unwrap())),
            settings(SessionKeys::Url("https://id.example/jwks".to_owned())),
        ];
        let signed = |header: Value, claims: &Value, signature: &[u8]| {
            let signature = URL_SAFE_NO_PAD.encode(signature);
            format!("Bearer {}.{}.{signature}", encode(&header.to_string()), encode(&claims.to_string()))
        };
        let header = || json!({ "alg": "EdDSA", "kid": "k" });
        for bad in [
            format!("Bearer {}", token(&hs256(), &claims())),
            format!("Bearer {}", sign(&encode(&hs256().to_string()), &encode(&claims().to_string()), x)),
            signed(json!({ "alg": "none", "kid": "k" }), &claims(), &[]),
            signed(json!({ "alg": "eddsa", "kid": "k" }), &claims(), &[0; 64]),
            signed(json!({ "alg": "Ed25519", "kid": "k" }), &claims(), &[0; 64]),
            signed(json!({ "alg": "EdDSA", "kid": "k", "crit": ["b64"], "b64": false }), &claims(), &[0; 64]),
            signed(json!({ "alg": "EdDSA", "kid": 7 }), &claims(), &[0; 64]),
            signed(json!({ "alg": "EdDSA", "kid": Value::Null }), &claims(), &[0; 64]),
            signed(json!({ "alg": "RS256", "kid": "k" }), &claims(), &[0; 64]),
            signed(json!({ "alg": "ES256", "kid": "k" }), &claims(), &[0; 70]),
            signed(header(), &claims(), &[]),
            signed(header(), &claims(), &[0; 63]),
            signed(header(), &with("exp", NOW - 60), &[0; 64]),
            signed(header(), &with("aud", "other"), &[0; 64]),
            signed(header(), &without("sub"), &[0; 64]),
        ] {
            for settings in &settings {
                assert_eq!(judge_header(settings, Some(&bad)), None, "{bad}");
            }
        }
        let [inline, _] = settings;
        for header in [
            json!({ "alg": "ES256", "kid": "k" }),
            json!({ "alg": "EdDSA", "kid": "" }),
            json!({ "alg": "EdDSA", "kid": "K" }),
            json!({ "alg": "EdDSA", "kid": "../k" }),
            json!({ "alg": "EdDSA", "kid": "k' OR '1'='1" }),
        ] {
            assert_eq!(judge_header(&inline, Some(&signed(header, &claims(), &[0; 64]))), None);
        }
    }
}
