//! The stamp of an account: whose attempt made it, sealed in the account's metadata.
//!
//! From an account alone the stamp tells which customer's object to ask: for webhooks, for operators, and for an account whose create
//! was lost. A stamp routes and proves nothing: an object answers for what is in its own tables alone.
//!
//! It is AES-256-GCM (NIST SP 800-38D) of the object's name and the attempt's id, so Omise, who keeps it, learns neither, and nobody
//! without the key can make one that opens. The key is derived from `LEDGER_KEY`; while a new key takes over, stamps are made with the
//! first and opened with any.

use aes_gcm::{
    Aes256Gcm, KeyInit as _, Nonce,
    aead::{Aead as _, Payload},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

/// The length of an object's name: a SHA-256.
const NAME: usize = 32;
/// The length of an attempt's id.
const ATTEMPT: usize = 16;
/// The length of a nonce. Random ones of this length may be used 2³² times with a key (SP 800-38D §8.3).
pub(crate) const NONCE: usize = 12;
/// The length of the tag that GCM adds.
const TAG: usize = 16;
/// The length of a stamp as text.
pub(crate) const LENGTH: usize = (NONCE + NAME + ATTEMPT + TAG).div_ceil(3) * 4 - 2;

/// What a stamp says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The name of the customer's object.
    pub(crate) object: [u8; NAME],
    /// The attempt that made the account.
    pub(crate) attempt: [u8; ATTEMPT],
}

impl Stamp {
    /// The attempt's id, as it stands in the ledger.
    pub(crate) fn attempt_id(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.attempt)
    }
}

/// The name of a customer's object.
pub(crate) fn object_name(subject: &str) -> [u8; NAME] {
    Sha256::digest(subject).into()
}

/// A key of stamps. It never prints.
pub(crate) struct StampKey(Aes256Gcm);

impl std::fmt::Debug for StampKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StampKey(redacted)")
    }
}

impl StampKey {
    /// Derives the key from one of `LEDGER_KEY`.
    pub(crate) fn derive(ledger_key: &Hmac<Sha256>) -> Self {
        let mut mac = ledger_key.clone();
        mac.update(b"linked_accounts_stamp 1");
        Self(Aes256Gcm::new(&mac.finalize().into_bytes()))
    }

    /// Seals a stamp; `None` where the cipher refuses, which it does for texts of gigabytes alone.
    pub(crate) fn seal(&self, stamp: &Stamp, nonce: [u8; NONCE]) -> Option<String> {
        let plain = [&stamp.object[..], &stamp.attempt[..]].concat();
        let sealed = self.0.encrypt(Nonce::from_slice(&nonce), Payload::from(plain.as_slice())).ok()?;
        Some(BASE64_URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    /// Opens a stamp; `None` for anything that was not sealed with this key.
    pub(crate) fn open(&self, text: &str) -> Option<Stamp> {
        // before anything is decoded: metadata may be long
        if text.len() != LENGTH {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        let plain = self.0.decrypt(Nonce::from_slice(nonce), Payload::from(sealed)).ok()?;
        let (object, rest) = plain.split_first_chunk::<NAME>()?;
        Some(Stamp { object: *object, attempt: rest.try_into().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> StampKey {
        StampKey::derive(&<Hmac<Sha256> as hmac::Mac>::new_from_slice(text.as_bytes()).unwrap())
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(object: [u8; NAME], attempt: [u8; ATTEMPT], nonce: [u8; NONCE]) {
            let (ours, other) = (key("a"), key("b"));
            let stamp = Stamp { object, attempt };
            let text = ours.seal(&stamp, nonce).unwrap();
            prop_assert_eq!(text.len(), LENGTH);
            prop_assert_eq!(ours.open(&text), Some(stamp));
            prop_assert_eq!(other.open(&text), None);
        }

        #[test]
        fn a_changed_character_is_noticed(at in 0..LENGTH, to in "[A-Za-z0-9_-]", nonce: [u8; NONCE]) {
            let ours = key("a");
            let text = ours.seal(&Stamp { object: [1; NAME], attempt: [2; ATTEMPT] }, nonce).unwrap();
            let mut changed = text.clone();
            changed.replace_range(at..=at, &to);
            prop_assume!(changed != text);
            prop_assert_eq!(ours.open(&changed), None);
        }

        #[test]
        fn other_texts_are_none(text in "\\PC{0,200}") {
            prop_assert_eq!(key("a").open(&text), None);
        }
    }
}
