//! Public keys that session tokens are checked with: a JWK set (RFC 7517), as the shop or its identity provider publishes it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use js_sys::{JSON, Object, Uint8Array};
use serde_json::{Map, Value};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{CryptoKey, WorkerGlobalScope};

/// How a token is signed: with a private key, for all who have the public one to check. Each key is for one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// ECDSA with P-256 and SHA-256, the signature being r and s side by side (RFC 7518 §3.4).
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3).
    Rs256,
    /// Ed25519 (RFC 8037 §3.1).
    EdDsa,
}

/// The length in bytes of a modulus: RFC 7518 §3.3 asks for 2048 bits; more than 8192 take time and are nobody's.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1_024;

impl Algorithm {
    /// By the one spelling of its `alg`.
    pub(crate) fn find(name: &str) -> Option<Self> {
        match name {
            "ES256" => Some(Self::Es256),
            "RS256" => Some(Self::Rs256),
            "EdDSA" => Some(Self::EdDsa),
            _ => None,
        }
    }

    /// Whether a signature can have this many bytes.
    pub(crate) fn may_sign_in(self, bytes: usize) -> bool {
        match self {
            Self::Es256 | Self::EdDsa => bytes == 64,
            Self::Rs256 => MODULUS.contains(&bytes),
        }
    }

    /// What WebCrypto calls it, for importing a key and for verifying with it.
    const fn parameters(self) -> &'static str {
        match self {
            Self::Es256 => r#"{"name":"ECDSA","namedCurve":"P-256","hash":"SHA-256"}"#,
            Self::Rs256 => r#"{"name":"RSASSA-PKCS1-v1_5","hash":"SHA-256"}"#,
            Self::EdDsa => r#"{"name":"Ed25519"}"#,
        }
    }
}

/// A public key and the one algorithm that it is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key {
    kid: Option<String>,
    pub(crate) algorithm: Algorithm,
    /// A JWK of the public members alone.
    public: String,
}

impl Key {
    /// `None` where the key is not one to check signatures with: of another kind, for another use, or not public.
    fn read(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).map(Value::as_str);
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)??).ok();
        // 32 bytes, as coordinates of P-256 and keys of Ed25519 have
        let point = |name: &str| (bytes(name)?.len() == 32).then_some(text(name)??);

        let usable = !holds_private_members(jwk)
            && matches!(text("use"), None | Some(Some("sig")))
            && jwk
                .get("key_ops")
                .is_none_or(|ops| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify")));
        if !usable {
            return None;
        }
        let algorithm = Algorithm::find(text("alg")??)?;
        // members that were decoded need no escaping
        let public = match (algorithm, text("kty")??, text("crv")) {
            (Algorithm::Es256, "EC", Some(Some("P-256"))) => {
                format!(r#"{{"kty":"EC","crv":"P-256","x":"{}","y":"{}"}}"#, point("x")?, point("y")?)
            }
            (Algorithm::Rs256, "RSA", None) => {
                let (modulus, exponent) = (bytes("n")?, bytes("e")?);
                // no leading zeros: RFC 7518 §2, Base64urlUInt
                let plain = modulus.first() != Some(&0) && exponent.first() != Some(&0);
                let sound = MODULUS.contains(&modulus.len()) && is_exponent(&exponent);
                if !plain || !sound {
                    return None;
                }
                format!(r#"{{"kty":"RSA","n":"{}","e":"{}"}}"#, text("n")??, text("e")??)
            }
            (Algorithm::EdDsa, "OKP", Some(Some("Ed25519"))) => {
                format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, point("x")?)
            }
            _ => return None,
        };
        let kid = match text("kid") {
            None => None,
            Some(kid) => Some(kid?.to_owned()),
        };
        Some(Self { kid, algorithm, public })
    }

    /// Whether `signature` is this key's under `message`, by WebCrypto: it is no code of ours, and quick.
    ///
    /// # Errors
    ///
    /// Where WebCrypto cannot use the key, such as a point that is not on the curve.
    pub(crate) async fn verify(&self, message: &str, signature: &[u8]) -> Result<bool, JsValue> {
        let subtle = js_sys::global().unchecked_into::<WorkerGlobalScope>().crypto()?.subtle();
        let parameters: Object = JSON::parse(self.algorithm.parameters())?.unchecked_into();
        let jwk: Object = JSON::parse(&self.public)?.unchecked_into();
        let uses = JSON::parse(r#"["verify"]"#)?;
        let key = subtle.import_key_with_object("jwk", &jwk, &parameters, false, &uses)?.await?;
        let holds = subtle.verify_with_object_and_js_u8_array_and_js_u8_array(
            &parameters,
            key.unchecked_ref::<CryptoKey>(),
            &Uint8Array::from(signature),
            &Uint8Array::from(message.as_bytes()),
        )?;
        Ok(holds.await?.as_bool() == Some(true))
    }
}

/// An odd number from 3 to 2³²: with 1, anybody signs.
fn is_exponent(bytes: &[u8]) -> bool {
    bytes.len() <= 4 && bytes.last().is_some_and(|last| last % 2 == 1) && bytes != [1]
}

/// Whether the members of a private or secret key are there (RFC 7518 §6): it has leaked, or was never public.
fn holds_private_members(jwk: &Map<String, Value>) -> bool {
    ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| jwk.contains_key(*name))
}

/// The keys of a set that can be used, at least one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct KeySet(Vec<Key>);

impl KeySet {
    /// The longest set that is read, in bytes.
    pub(crate) const MAX_LEN: usize = 64 * 1024;
    /// The most keys that a set may hold.
    const MAX_KEYS: usize = 100;

    /// Reads a set that was fetched. Keys that cannot be used are left out: they may be for others.
    ///
    /// # Errors
    ///
    /// What was expected.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, &'static str> {
        Self::parse_by(text, |_| Ok(()))
    }

    /// Reads a set from the configuration, which holds no private key.
    ///
    /// # Errors
    ///
    /// What was expected.
    pub(crate) fn parse_inline(text: &str) -> Result<Self, &'static str> {
        Self::parse_by(text.as_bytes(), |jwk| {
            if holds_private_members(jwk) { Err("expected public keys alone, without private members") } else { Ok(()) }
        })
    }

    fn parse_by(
        text: &[u8],
        check: impl Fn(&Map<String, Value>) -> Result<(), &'static str>,
    ) -> Result<Self, &'static str> {
        if text.len() > Self::MAX_LEN {
            return Err("expected a JWK set of at most 64 KiB");
        }
        let set: Value = serde_json::from_slice(text).map_err(|_| "expected a JWK set: it is not JSON")?;
        let keys =
            set.get("keys").and_then(Value::as_array).ok_or("expected a JWK set: an object with an array `keys`")?;
        if keys.len() > Self::MAX_KEYS {
            return Err("expected a JWK set of at most 100 keys");
        }
        let mut usable = Vec::new();
        for jwk in keys.iter().filter_map(Value::as_object) {
            check(jwk)?;
            usable.extend(Key::read(jwk));
        }
        if usable.is_empty() {
            return Err("expected a key for ES256, RS256 or EdDSA, with its `alg`");
        }
        Ok(Self(usable))
    }

    /// The key that a token names, or where it names none, the only one. Two keys of one name are none: a token must not
    /// choose.
    pub(crate) fn find(&self, kid: Option<&str>) -> Option<&Key> {
        let mut keys = self.named(kid);
        keys.next().filter(|_| keys.next().is_none())
    }

    /// Whether the set, rather than its age, decides what becomes of such a token.
    pub(crate) fn knows(&self, kid: Option<&str>) -> bool {
        kid.is_none() || self.named(kid).next().is_some()
    }

    fn named(&self, kid: Option<&str>) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| kid.is_none() || key.kid.as_deref() == kid)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn b64(bytes: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn ec() -> Value {
        json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "k", "x": b64(&[1; 32]), "y": b64(&[2; 32]) })
    }

    fn rsa() -> Value {
        json!({ "kty": "RSA", "alg": "RS256", "kid": "k", "n": b64(&[0xc1; 256]), "e": "AQAB" })
    }

    fn okp() -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "k", "x": b64(&[3; 32]) })
    }

    fn with(mut jwk: Value, name: &str, value: impl Into<Value>) -> Value {
        jwk[name] = value.into();
        jwk
    }

    fn without(mut jwk: Value, name: &str) -> Value {
        jwk.as_object_mut().unwrap().remove(name);
        jwk
    }

    fn set(keys: &[Value]) -> Result<KeySet, &'static str> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    #[test]
    fn usable_keys() {
        for (jwk, algorithm, members) in [
            (ec(), Algorithm::Es256, vec!["crv", "kty", "x", "y"]),
            (rsa(), Algorithm::Rs256, vec!["e", "kty", "n"]),
            (okp(), Algorithm::EdDsa, vec!["crv", "kty", "x"]),
            (with(ec(), "use", "sig"), Algorithm::Es256, vec!["crv", "kty", "x", "y"]),
            (with(ec(), "key_ops", json!(["sign", "verify"])), Algorithm::Es256, vec!["crv", "kty", "x", "y"]),
            (with(ec(), "x5c", json!(["MIIB"])), Algorithm::Es256, vec!["crv", "kty", "x", "y"]),
            (with(rsa(), "n", b64(&[0xff; 1_024])), Algorithm::Rs256, vec!["e", "kty", "n"]),
            (with(rsa(), "e", "Aw"), Algorithm::Rs256, vec!["e", "kty", "n"]),
        ] {
            let key = Key::read(jwk.as_object().unwrap()).unwrap_or_else(|| panic!("{jwk}"));
            assert_eq!((key.algorithm, key.kid.as_deref()), (algorithm, Some("k")), "{jwk}");
            let public: Map<String, Value> = serde_json::from_str(&key.public).unwrap();
            assert_eq!(public.keys().collect::<Vec<_>>(), members, "{jwk}");
            assert!(public.iter().all(|(name, value)| jwk.get(name) == Some(value)), "{jwk}");
        }
    }

    #[test]
    fn keys_that_are_not_used() {
        let oct = json!({ "kty": "oct", "alg": "HS256", "kid": "k", "k": b64(&[7; 32]) });
        for jwk in [
            json!({}),
            with(oct.clone(), "alg", "ES256"),
            oct,
            without(ec(), "alg"),
            without(rsa(), "alg"),
            without(okp(), "alg"),
            with(ec(), "alg", "ES384"),
            with(ec(), "alg", "RS256"),
            with(ec(), "alg", "EdDSA"),
            with(ec(), "alg", "none"),
            with(ec(), "alg", "es256"),
            with(ec(), "alg", Value::Null),
            with(rsa(), "alg", "RS512"),
            with(rsa(), "alg", "PS256"),
            with(rsa(), "alg", "HS256"),
            with(okp(), "alg", "ES256"),
            with(okp(), "crv", "X25519"),
            with(ec(), "crv", "P-384"),
            with(ec(), "crv", Value::Null),
            without(ec(), "crv"),
            with(rsa(), "crv", "P-256"),
            with(ec(), "kty", "OKP"),
            with(okp(), "kty", "EC"),
            with(rsa(), "kty", "oct"),
            without(ec(), "kty"),
            without(ec(), "y"),
            with(ec(), "x", b64(&[1; 31])),
            with(ec(), "x", b64(&[1; 33])),
            with(ec(), "x", format!("{}=", b64(&[1; 32]))),
            with(ec(), "x", format!("+{}", &b64(&[1; 32])[1..])),
            with(ec(), "x", 7),
            with(okp(), "x", b64(&[1; 57])),
            with(rsa(), "n", b64(&[0xc1; 255])),
            with(rsa(), "n", b64(&[0xc1; 1_025])),
            with(rsa(), "n", b64(&[&[0][..], &[0xc1; 256]].concat())),
            with(rsa(), "e", ""),
            with(rsa(), "e", b64(&[1])),
            with(rsa(), "e", b64(&[0, 1])),
            with(rsa(), "e", b64(&[2])),
            with(rsa(), "e", b64(&[1, 0, 0, 0, 1])),
            without(rsa(), "e"),
            with(ec(), "use", "enc"),
            with(ec(), "use", Value::Null),
            with(ec(), "key_ops", json!(["sign"])),
            with(ec(), "key_ops", json!([])),
            with(ec(), "key_ops", "verify"),
            with(ec(), "kid", 7),
            with(ec(), "kid", Value::Null),
            with(ec(), "d", b64(&[9; 32])),
            with(rsa(), "d", Value::Null),
            with(rsa(), "p", "AQAB"),
            with(okp(), "k", "AQAB"),
        ] {
            assert_eq!(Key::read(jwk.as_object().unwrap()), None, "{jwk}");
        }
    }

    #[test]
    fn sets() {
        let mixed = [json!(7), json!({ "kty": "oct" }), with(ec(), "use", "enc"), with(ec(), "kid", "a"), okp()];
        let kids: Vec<_> = set(&mixed).unwrap().0.into_iter().map(|key| key.kid.unwrap()).collect();
        assert_eq!(kids, ["a", "k"]);
        assert!(set(&vec![ec(); 100]).is_ok());
        for text in [
            json!({ "keys": vec![ec(); 101] }).to_string(),
            json!({ "keys": [ec()], "padding": "x".repeat(KeySet::MAX_LEN) }).to_string(),
            json!({ "keys": [] }).to_string(),
            json!({ "keys": [without(ec(), "alg")] }).to_string(),
            json!({ "keys": { "k": ec() } }).to_string(),
            json!({ "Keys": [ec()] }).to_string(),
            json!([ec()]).to_string(),
            ec().to_string(),
            json!({ "keys": [ec()] }).to_string() + "}",
            "[".repeat(10_000),
            "<!doctype html>".to_owned(),
            String::new(),
        ] {
            assert!(KeySet::parse(text.as_bytes()).is_err(), "{text:.60}");
        }
        assert!(KeySet::parse(b"\xff").is_err());
    }

    #[test]
    fn an_inline_set_with_a_private_key_is_refused_as_a_whole() {
        let inline = |keys: &[Value]| KeySet::parse_inline(&json!({ "keys": keys }).to_string());
        assert!(inline(&[ec()]).is_ok());
        let oct = json!({ "kty": "oct", "k": "AQAB" });
        for private in [with(ec(), "d", "AQAB"), with(rsa(), "qi", "AQAB"), with(okp(), "d", Value::Null), oct] {
            let keys = [ec(), private];
            assert_eq!(inline(&keys), Err("expected public keys alone, without private members"));
            assert_eq!(set(&keys).unwrap().0.len(), 1);
        }
    }

    #[test]
    fn a_key_is_found_by_its_very_name_or_by_being_the_only_one() {
        let one = set(&[ec()]).unwrap();
        let nameless = set(&[without(ec(), "kid")]).unwrap();
        let two = set(&[with(ec(), "kid", "a"), with(okp(), "kid", "b"), without(rsa(), "kid")]).unwrap();
        let twins = set(&[ec(), okp()]).unwrap();
        for (set, kid, found, known) in [
            (&one, Some("k"), true, true),
            (&one, None, true, true),
            (&one, Some("K"), false, false),
            (&one, Some(""), false, false),
            (&one, Some("k "), false, false),
            (&nameless, None, true, true),
            (&nameless, Some(""), false, false),
            (&two, Some("a"), true, true),
            (&two, Some("b"), true, true),
            (&two, Some("c"), false, false),
            (&two, None, false, true),
            (&twins, Some("k"), false, true),
            (&twins, None, false, true),
        ] {
            assert_eq!(set.find(kid).is_some(), found, "{set:?} {kid:?}");
            assert_eq!(set.knows(kid), known, "{set:?} {kid:?}");
        }
        assert_eq!(two.find(Some("b")).unwrap().algorithm, Algorithm::EdDsa);
    }
}
