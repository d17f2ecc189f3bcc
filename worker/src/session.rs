//! Who is calling: the session token that the shop's backend mints for its signed-in customer.

use hmac::{Hmac, Mac};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    crypto::{CryptoProvider, JwtVerifier, KeyUtils},
    errors::ErrorKind,
};
use serde::Deserialize;
use sha2::Sha256;

use crate::settings::SessionSettings;

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

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    // a string: the library would also take an array, which RFC 7519 §4.1.1 does not know
    #[serde(rename = "iss")]
    _iss: String,
    #[serde(default)]
    scope: Option<String>,
}

/// Judges an `Authorization` header; `now` is in seconds since 1970. `None` for every fault: callers learn no more.
///
/// Required: `Bearer`, HS256 (RFC 7515) with the configured secret, `iss`, `aud`, `exp` at most an hour ahead, and `sub`
/// of 1 to 255 bytes. `nbf` is respected. Header parameters choose nothing, and a `crit` is refused (RFC 7515 §4.1.11).
pub(crate) fn authenticate(settings: &SessionSettings, authorization: Option<&str>, now: u64) -> Option<Caller> {
    let token = authorization?.strip_prefix("Bearer ")?;
    if token.len() > MAX_TOKEN {
        return None;
    }
    // the second call finds it installed
    let _ = PROVIDER.install_default();
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.set_issuer(&[&settings.issuer]);
    validation.set_audience(&[&settings.audience]);
    validation.leeway = SKEW;
    validation.validate_nbf = true;
    let key = DecodingKey::from_secret(settings.secret.expose());
    let data = jsonwebtoken::decode::<Claims>(token, &key, &validation).ok()?;
    if data.header.crit.is_some() {
        return None;
    }
    let Claims { sub, exp, scope, .. } = data.claims;
    #[allow(clippy::cast_precision_loss)] // seconds are far below 2⁵³
    let latest = (now + MAX_LIFETIME + SKEW) as f64;
    if exp > latest || sub.is_empty() || sub.len() > MAX_SUBJECT {
        return None;
    }
    let operator = scope.is_some_and(|scope| scope.split(' ').any(|word| word == OPERATE));
    Some(Caller { subject: sub, operator })
}

/// The library with HS256 alone: its bundled providers link every algorithm it knows.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    verifier_factory: |algorithm, key| match algorithm {
        Algorithm::HS256 => {
            let mac = Hmac::new_from_slice(key.try_get_as_bytes()?).map_err(|_| ErrorKind::InvalidKeyFormat)?;
            Ok(Box::new(Hs256(mac)))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    },
    key_utils: KeyUtils::new_unimplemented(),
};

struct Hs256(Hmac<Sha256>);

impl signature::Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let mut mac = self.0.clone();
        mac.update(message);
        // in constant time
        mac.verify_slice(signature).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Secret;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn settings() -> SessionSettings {
        SessionSettings { secret: Secret::new(KEY), issuer: "shop".to_owned(), audience: "links".to_owned() }
    }

    fn now() -> u64 {
        jsonwebtoken::get_current_timestamp()
    }

    fn token(header: &Value, claims: &Value, key: &str) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    fn claims() -> Value {
        json!({ "iss": "shop", "aud": "links", "sub": "customer-1", "exp": now() + 300 })
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[name] = value;
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

    fn judge(token: &str) -> Option<Caller> {
        authenticate(&settings(), Some(&format!("Bearer {token}")), now())
    }

    #[test]
    fn good_tokens() {
        for claims in [
            claims(),
            with("aud", json!(["other", "links"])),
            with("exp", json!(now() - 50)),
            with("exp", json!(now() + 3_600)),
            with("nbf", json!(now() + 50)),
            with("scope", json!("profile")),
        ] {
            let caller = judge(&token(&hs256(), &claims, KEY));
            assert_eq!(caller, Some(Caller { subject: "customer-1".to_owned(), operator: false }), "{claims}");
        }
        let operator = with("scope", json!("profile linked_accounts:operate"));
        assert!(judge(&token(&hs256(), &operator, KEY)).unwrap().operator);
        let near = with("scope", json!("linked_accounts:operates xlinked_accounts:operate"));
        assert!(!judge(&token(&hs256(), &near, KEY)).unwrap().operator);
    }

    #[test]
    fn bad_claims() {
        for claims in [
            without("iss"),
            without("aud"),
            without("exp"),
            without("sub"),
            with("iss", json!("other")),
            with("iss", json!(["shop"])),
            with("aud", json!("other")),
            with("aud", json!(["other"])),
            with("exp", json!(now() - 70)),
            with("exp", json!(now() + 3_700)),
            with("exp", json!(1e300)),
            with("exp", json!("soon")),
            with("exp", json!(-1)),
            with("nbf", json!(now() + 70)),
            with("nbf", json!("soon")),
            with("sub", json!("")),
            with("sub", json!(7)),
            with("sub", json!("x".repeat(256))),
            json!([]),
        ] {
            assert_eq!(judge(&token(&hs256(), &claims, KEY)), None, "{claims}");
        }
    }

    #[test]
    fn bad_headers_and_signatures() {
        let good = token(&hs256(), &claims(), KEY);
        let (message, _) = good.rsplit_once('.').unwrap();
        for bad in [
            token(&hs256(), &claims(), "fedcba9876543210fedcba9876543210"),
            token(&json!({ "alg": "none" }), &claims(), KEY),
            token(&json!({ "alg": "HS512" }), &claims(), KEY),
            token(&json!({ "alg": "RS256" }), &claims(), KEY),
            token(&json!({ "alg": "hs256" }), &claims(), KEY),
            token(&json!({ "alg": "HS256", "crit": ["exp"] }), &claims(), KEY),
            format!("{message}."),
            message.to_owned(),
            format!("{good}."),
            format!("{good}="),
            format!("{good}, Bearer {good}"),
            String::new(),
            "x".repeat(MAX_TOKEN + 1),
        ] {
            assert_eq!(judge(&bad), None, "{bad:.60}");
        }
        for header in [None, Some(""), Some("Bearer"), Some("Basic Og=="), Some(good.as_str())] {
            assert_eq!(authenticate(&settings(), header, now()), None);
        }
        assert_eq!(authenticate(&settings(), Some(&format!("bearer {good}")), now()), None);
        assert_eq!(authenticate(&settings(), Some(&format!("Bearer  {good}")), now()), None);
    }
}
