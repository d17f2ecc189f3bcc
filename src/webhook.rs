//! Webhooks: is it from Omise, and what does it say?
//!
//! 1. Verify the raw bytes with [`verify`], before anything parses them.
//! 2. Parse them with [`Event::parse`].
//! 3. Read the account again from the API: an event is a hint, never the truth. It may be late, repeated or out of order.
//!
//! Omise documents no event of linked accounts; `linked_account.complete` and `linked_account.expire` are what the sandbox
//! sends, as an extension. Every other key is kept as it came.
//!
//! Source: Omise "Webhooks", section on signatures: `Omise-Signature` is the lower-case hexadecimal HMAC-SHA256 of
//! `<Omise-Signature-Timestamp>.<raw body>`, keyed with the Base64-decoded webhook secret; comma-separated while secrets rotate.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::{error::Error, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use serde_json::value::RawValue;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{
    LinkedAccountId, MAX_ACCOUNT, Timestamp,
    attributes::{self, Attributes, Misread, Object},
};

/// The header that carries the signatures.
pub const SIGNATURE_HEADER: &str = "Omise-Signature";
/// The header that carries the time of signing, in seconds since 1970.
pub const TIMESTAMP_HEADER: &str = "Omise-Signature-Timestamp";
/// How far the time of signing may be from now, both ways, in seconds. Omise names no figure; this is the common choice.
pub const TOLERANCE: i64 = 300;
/// The most signatures that one header may list: rotation needs two.
pub const MAX_SIGNATURES: usize = 10;
/// The most bytes of an event that are read: an account, and 16 KB for the event around it.
pub const MAX_EVENT: usize = MAX_ACCOUNT + 16 * 1024;

/// A webhook secret: at least [`WebhookSecret::MIN_BYTES`] bytes, shown by Omise in Base64.
///
/// `Debug` prints `WebhookSecret(redacted)`.
#[derive(Clone)]
pub struct WebhookSecret(Box<[u8]>);

impl WebhookSecret {
    /// The fewest bytes of a secret: 128 bits, below which guessing is not out of the question.
    pub const MIN_BYTES: usize = 16;

    /// Parses the Base64 (RFC 4648 §4) that Omise's dashboard shows.
    ///
    /// # Errors
    ///
    /// [`WebhookSecretError`] where it is not Base64, or too short; the text is never repeated.
    pub fn parse(text: &str) -> Result<Self, WebhookSecretError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| WebhookSecretError::NotBase64)?;
        if bytes.len() < Self::MIN_BYTES {
            return Err(WebhookSecretError::TooShort);
        }
        Ok(Self(bytes.into()))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(redacted)")
    }
}

/// Why a text is not a webhook secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebhookSecretError {
    /// Not Base64.
    NotBase64,
    /// Fewer than [`WebhookSecret::MIN_BYTES`] bytes.
    TooShort,
}

impl fmt::Display for WebhookSecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBase64 => f.write_str("expected the webhook secret in Base64, as Omise's dashboard shows it"),
            Self::TooShort => {
                write!(f, "expected a webhook secret of at least {} bytes once decoded", WebhookSecret::MIN_BYTES)
            }
        }
    }
}

impl Error for WebhookSecretError {}

/// The signature of `body` at `timestamp` (the text of the header), as `Omise-Signature` carries it.
#[must_use]
pub fn sign(secret: &WebhookSecret, timestamp: &str, body: &[u8]) -> String {
    use fmt::Write;

    // HMAC takes keys of any length
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&secret.0) else { return String::new() };
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    let mut hex = String::with_capacity(64);
    for byte in mac.finalize().into_bytes() {
        // writing to a string cannot fail
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Verifies that Omise signed these raw bytes, not long before or after `now`.
///
/// Any of `secrets` may match any of the listed signatures, as rotation needs; all pairs are compared, in constant time. With
/// no secrets nothing verifies.
///
/// # Errors
///
/// [`VerifyError`], whose kinds are for the log: tell the sender nothing but 401.
///
/// ```
/// use omise_linked_accounts::{Timestamp, webhook::{WebhookSecret, sign, verify}};
///
/// let secret = WebhookSecret::parse("c2l4dGVlbi1ieXRlcy1vci1tb3Jl")?;
/// let body = br#"{"object":"event","key":"charge.create"}"#;
/// let signature = sign(&secret, "1717387874", body);
/// let now = Timestamp::from_unix(1_717_387_900)?;
/// verify(&[secret], &signature, "1717387874", body, now)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn verify(
    secrets: &[WebhookSecret],
    signature_header: &str,
    timestamp_header: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<(), VerifyError> {
    if body.len() > MAX_EVENT {
        return Err(VerifyError::TooLarge);
    }
    // digits alone: `parse` would take a sign
    let seconds = timestamp_header.bytes().all(|b| b.is_ascii_digit()).then(|| timestamp_header.parse::<i64>().ok());
    let signed_at = seconds.flatten().ok_or(VerifyError::Timestamp)?;
    let signatures: Vec<&str> = signature_header.split(',').map(str::trim).take(MAX_SIGNATURES + 1).collect();
    if signatures.len() > MAX_SIGNATURES {
        return Err(VerifyError::TooManySignatures);
    }
    let mut matched = subtle::Choice::from(0);
    for secret in secrets {
        let expected = sign(secret, timestamp_header, body);
        for signature in &signatures {
            matched |= expected.as_bytes().ct_eq(signature.as_bytes());
        }
    }
    if !bool::from(matched) {
        return Err(VerifyError::Signature);
    }
    // after the signature: an unsigned time is nobody's
    if now.as_unix().abs_diff(signed_at) > TOLERANCE.unsigned_abs() {
        return Err(VerifyError::Stale);
    }
    Ok(())
}

/// Why a webhook is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyError {
    /// The body is larger than [`MAX_EVENT`].
    TooLarge,
    /// The timestamp is not a number of seconds.
    Timestamp,
    /// More than [`MAX_SIGNATURES`] signatures.
    TooManySignatures,
    /// No signature fits.
    Signature,
    /// Signed longer ago, or further ahead, than [`TOLERANCE`].
    Stale,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge => write!(f, "expected at most {MAX_EVENT} bytes"),
            Self::Timestamp => write!(f, "expected seconds since 1970 in {TIMESTAMP_HEADER}"),
            Self::TooManySignatures => write!(f, "expected at most {MAX_SIGNATURES} signatures"),
            Self::Signature => f.write_str("no signature fits; check the secret, and that the body is the raw bytes"),
            Self::Stale => write!(f, "signed more than {TOLERANCE} seconds from now; check the clock"),
        }
    }
}

impl Error for VerifyError {}

/// An event: what Omise says happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// The id, `evnt_…`: events come more than once, so remember it.
    pub id: String,
    /// Whether it is of live mode.
    pub livemode: bool,
    /// What happened.
    pub key: EventKey,
    /// When; `created` for merchants whose events follow an API version before 2019-05-29.
    pub created_at: Timestamp,
    data: Box<RawValue>,
}

impl Object for Event {
    const NAMES: &'static [&'static str] = &["object", "id", "livemode", "key", "created_at", "created", "data"];

    fn read(attributes: &Attributes) -> Result<Self, Misread> {
        attributes.is("event")?;
        Ok(Self {
            id: attributes.required("id")?,
            livemode: attributes.required("livemode")?,
            key: EventKey::from(attributes.required::<String>("key")?.as_str()),
            created_at: attributes.created_at()?,
            data: attributes.raw("data")?,
        })
    }
}

impl Event {
    /// Parses a body that was verified.
    ///
    /// # Errors
    ///
    /// [`EventError`] where it is not an event, or larger than [`MAX_EVENT`].
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        if body.len() > MAX_EVENT {
            return Err(EventError(()));
        }
        attributes::parse(body).map_err(|_| EventError(()))
    }

    /// The JSON of the object that the event is about, as it came.
    #[must_use]
    pub fn data(&self) -> &str {
        self.data.get()
    }

    /// The id of the linked account that the event is about: the one thing to take from it.
    #[must_use]
    pub fn linked_account_id(&self) -> Option<LinkedAccountId> {
        let data = Attributes::parse(&["object", "id"], self.data.get().as_bytes()).ok()?;
        data.is("linked_account").ok()?;
        data.parsed("id", LinkedAccountId::parse).ok().flatten()
    }
}

/// What an event says happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventKey {
    /// Registration is over, well or not (an extension of the sandbox's).
    LinkedAccountComplete,
    /// Registration was not finished in time (an extension of the sandbox's).
    LinkedAccountExpire,
    /// Anything else, such as `charge.complete`.
    Unknown(Box<str>),
}

impl EventKey {
    /// The key as Omise writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::LinkedAccountComplete => "linked_account.complete",
            Self::LinkedAccountExpire => "linked_account.expire",
            Self::Unknown(text) => text,
        }
    }
}

impl From<&str> for EventKey {
    fn from(text: &str) -> Self {
        match text {
            "linked_account.complete" => Self::LinkedAccountComplete,
            "linked_account.expire" => Self::LinkedAccountExpire,
            other => Self::Unknown(other.into()),
        }
    }
}

/// The bytes are not an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventError(());

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected an event object of Omise's")
    }
}

impl Error for EventError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &[u8] = br#"{
  "object": "event",
  "id": "evnt_test_5zylnmmt2kl9chq3ip1",
  "livemode": false,
  "location": "/events/evnt_test_5zylnmmt2kl9chq3ip1",
  "webhook_deliveries": [],
  "data": { "object": "linked_account", "id": "lnac_test_5zylnmmt2kl9chq3ip1", "status": "successful" },
  "key": "linked_account.complete",
  "created_at": "2024-06-03T04:11:14Z"
}
"#;

    fn secret(fill: u8) -> WebhookSecret {
        WebhookSecret::parse(&STANDARD.encode([fill; 32])).unwrap()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix(seconds).unwrap()
    }

    /// HMAC-SHA256, computed with another implementation (`openssl dgst -sha256 -mac HMAC`).
    #[test]
    fn the_documented_recipe() {
        let secret = WebhookSecret::parse("c2l4dGVlbi1ieXRlcy1vci1tb3Jl").unwrap();
        assert_eq!(
            sign(&secret, "1717387874", b"{\"object\":\"event\"}"),
            "c2150dfa158eed6f90c632ad9695604896c305b0a4f68317b35ef086d60f65e5"
        );
    }

    #[test]
    fn any_listed_signature_and_any_secret_may_match() {
        let (old, new) = (secret(1), secret(2));
        let time = "1717387874";
        let (by_old, by_new) = (sign(&old, time, BODY), sign(&new, time, BODY));
        let now = at(1_717_387_874);
        for (secrets, header, ok) in [
            (vec![old.clone()], by_old.clone(), true),
            (vec![old.clone()], format!("{by_new},{by_old}"), true),
            (vec![old.clone()], format!("{by_new}, {by_old}"), true),
            (vec![new.clone(), old.clone()], by_old.clone(), true),
            (vec![new.clone()], by_old.clone(), false),
            (vec![], by_old.clone(), false),
            (vec![old.clone()], String::new(), false),
            (vec![old.clone()], by_old.to_uppercase(), false),
            (vec![old.clone()], by_old[..63].to_owned(), false),
            (vec![old.clone()], format!("{by_old}0"), false),
        ] {
            let expected = if ok { Ok(()) } else { Err(VerifyError::Signature) };
            assert_eq!(verify(&secrets, &header, time, BODY, now), expected, "{header}");
        }
        let ten = [by_old.as_str(); MAX_SIGNATURES].join(",");
        assert_eq!(verify(std::slice::from_ref(&old), &ten, time, BODY, now), Ok(()));
        let eleven = vec![by_old; MAX_SIGNATURES + 1].join(",");
        assert_eq!(verify(&[old], &eleven, time, BODY, now), Err(VerifyError::TooManySignatures));
    }

    #[test]
    fn the_window_has_two_sides() {
        let secret = secret(1);
        for (time, now, expected) in [
            ("1717387874", 1_717_387_874 + 300, Ok(())),
            ("1717387874", 1_717_387_874 - 300, Ok(())),
            ("1717387874", 1_717_387_874 + 301, Err(VerifyError::Stale)),
            ("1717387874", 1_717_387_874 - 301, Err(VerifyError::Stale)),
            ("1717387874000", 1_717_387_874, Err(VerifyError::Stale)),
            ("0", 1_717_387_874, Err(VerifyError::Stale)),
            ("9223372036854775807", 1_717_387_874, Err(VerifyError::Stale)),
            ("9223372036854775808", 1_717_387_874, Err(VerifyError::Timestamp)),
            ("-1717387874", 1_717_387_874, Err(VerifyError::Timestamp)),
            ("+1717387874", 1_717_387_874, Err(VerifyError::Timestamp)),
            ("1717387874.0", 1_717_387_874, Err(VerifyError::Timestamp)),
            (" 1717387874", 1_717_387_874, Err(VerifyError::Timestamp)),
            ("soon", 1_717_387_874, Err(VerifyError::Timestamp)),
            ("", 1_717_387_874, Err(VerifyError::Timestamp)),
        ] {
            let signature = sign(&secret, time, BODY);
            assert_eq!(
                verify(std::slice::from_ref(&secret), &signature, time, BODY, at(now)),
                expected,
                "{time} at {now}"
            );
        }
    }

    #[test]
    fn secrets() {
        for (text, error) in [
            ("", WebhookSecretError::TooShort),
            ("c2hvcnQ=", WebhookSecretError::TooShort),
            ("c2l4dGVlbi1ieXRlcy1vci1tb3J", WebhookSecretError::NotBase64),
            ("not base64!", WebhookSecretError::NotBase64),
        ] {
            assert_eq!(WebhookSecret::parse(text).unwrap_err(), error, "{text}");
        }
        let of_len = |len| WebhookSecret::parse(&STANDARD.encode(vec![1_u8; len]));
        assert_eq!(of_len(WebhookSecret::MIN_BYTES - 1).unwrap_err(), WebhookSecretError::TooShort);
        assert_eq!(format!("{:?}", of_len(WebhookSecret::MIN_BYTES).unwrap()), "WebhookSecret(redacted)");
    }

    #[test]
    fn errors_state_what_was_expected() {
        for (text, words) in [
            (WebhookSecretError::NotBase64.to_string(), "Base64"),
            (WebhookSecretError::TooShort.to_string(), "at least 16 bytes"),
            (VerifyError::TooLarge.to_string(), "at most 278528 bytes"),
            (VerifyError::Timestamp.to_string(), "seconds since 1970 in Omise-Signature-Timestamp"),
            (VerifyError::TooManySignatures.to_string(), "at most 10 signatures"),
            (VerifyError::Signature.to_string(), "check the secret"),
            (VerifyError::Stale.to_string(), "300 seconds"),
            (EventError(()).to_string(), "event object"),
        ] {
            assert!(text.contains(words), "{text}");
        }
    }

    #[test]
    fn events() {
        let event = Event::parse(BODY).unwrap();
        assert_eq!(event.key, EventKey::LinkedAccountComplete);
        assert_eq!(event.linked_account_id().unwrap().as_str(), "lnac_test_5zylnmmt2kl9chq3ip1");
        let text = String::from_utf8(BODY.to_vec()).unwrap();
        let other = Event::parse(text.replace("linked_account.complete", "charge.complete").as_bytes()).unwrap();
        assert_eq!(other.key.as_str(), "charge.complete");
        assert!(Event::parse(text.replace("created_at", "created").as_bytes()).is_ok());
        let charge = Event::parse(text.replace("\"linked_account\"", "\"charge\"").as_bytes()).unwrap();
        assert_eq!(charge.linked_account_id(), None);
        assert!(charge.data().contains("\"charge\""));
        assert_eq!(Event::parse(text.replace("\"event\"", "\"charge\"").as_bytes()).unwrap_err(), EventError(()));
        assert!(Event::parse(br#"["event","evnt_1",false,"x","2024-06-03T04:11:14Z",{}]"#).is_err());
    }

    #[test]
    fn an_event_carries_the_largest_account() {
        let secret = secret(1);
        let time = "1717387874";
        let account = format!("{{\"object\":\"linked_account\"{}}}", " ".repeat(MAX_ACCOUNT - 27));
        assert_eq!(account.len(), MAX_ACCOUNT);
        let text = String::from_utf8(BODY.to_vec()).unwrap();
        let (before, rest) = text.split_once("\"data\": ").unwrap();
        let (_, after) = rest.split_once("},\n").unwrap();
        let event = format!("{before}\"data\": {account},\n{after}");
        // Up to 16 KB around the account.
        let padding = |len: usize| event.clone() + &" ".repeat(len - event.len());

        let longest = padding(MAX_ACCOUNT + 16 * 1024);
        assert_eq!(Event::parse(longest.as_bytes()).unwrap().data(), account);
        let signature = sign(&secret, time, longest.as_bytes());
        let verified = verify(std::slice::from_ref(&secret), &signature, time, longest.as_bytes(), at(1_717_387_874));
        assert_eq!(verified, Ok(()));

        let longer = padding(MAX_ACCOUNT + 16 * 1024 + 1);
        assert_eq!(Event::parse(longer.as_bytes()).unwrap_err(), EventError(()));
        let signature = sign(&secret, time, longer.as_bytes());
        let refused = verify(&[secret], &signature, time, longer.as_bytes(), at(1_717_387_874));
        assert_eq!(refused, Err(VerifyError::TooLarge));
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_noticed(at_byte in 0..BODY.len(), flip in 1_u8..) {
            let secret = secret(7);
            let signature = sign(&secret, "1717387874", BODY);
            let mut body = BODY.to_vec();
            body[at_byte] ^= flip;
            prop_assert_eq!(verify(&[secret], &signature, "1717387874", &body, at(1_717_387_874)), Err(VerifyError::Signature));
        }

        #[test]
        fn any_input_is_answered(header in any::<String>(), time in any::<String>(), body in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(verify(&[secret(1)], &header, &time, &body, at(0)).is_err());
            let _ = Event::parse(&body);
        }
    }
}
