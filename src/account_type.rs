//! The type of a linked account: which bank it is at.

use alloc::{boxed::Box, string::String};
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The type of a linked account.
///
/// Only the direct-debit types can be created; `individual` and `business` come from a secondary document and are read,
/// and any other text is kept in [`AccountType::Unknown`].
///
/// ```
/// use omise_linked_accounts::AccountType;
///
/// assert_eq!(AccountType::from("direct_debit_scb"), AccountType::DirectDebitScb);
/// assert!(!AccountType::from("individual").is_direct_debit());
/// ```
///
/// Source: Omise "Direct Debit" (bay, kbank, ktb, scb); `direct_debit_bbl` appears in one secondary document only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccountType {
    /// Bank of Ayudhya (Krungsri).
    DirectDebitBay,
    /// Bangkok Bank.
    DirectDebitBbl,
    /// Kasikornbank.
    DirectDebitKbank,
    /// Krungthai Bank.
    DirectDebitKtb,
    /// Siam Commercial Bank.
    DirectDebitScb,
    /// A person's account (secondary document).
    Individual,
    /// A company's account (secondary document).
    Business,
    /// A type that this version does not know.
    Unknown(Box<str>),
}

impl AccountType {
    /// The direct-debit types, in alphabetical order.
    pub const DIRECT_DEBIT: [Self; 5] = [
        Self::DirectDebitBay,
        Self::DirectDebitBbl,
        Self::DirectDebitKbank,
        Self::DirectDebitKtb,
        Self::DirectDebitScb,
    ];

    /// The type as Omise writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::DirectDebitBay => "direct_debit_bay",
            Self::DirectDebitBbl => "direct_debit_bbl",
            Self::DirectDebitKbank => "direct_debit_kbank",
            Self::DirectDebitKtb => "direct_debit_ktb",
            Self::DirectDebitScb => "direct_debit_scb",
            Self::Individual => "individual",
            Self::Business => "business",
            Self::Unknown(text) => text,
        }
    }

    /// Whether an account of this type is linked by direct debit: the only types that can be created.
    #[must_use]
    pub fn is_direct_debit(&self) -> bool {
        Self::DIRECT_DEBIT.contains(self)
    }
}

impl From<&str> for AccountType {
    fn from(text: &str) -> Self {
        match text {
            "direct_debit_bay" => Self::DirectDebitBay,
            "direct_debit_bbl" => Self::DirectDebitBbl,
            "direct_debit_kbank" => Self::DirectDebitKbank,
            "direct_debit_ktb" => Self::DirectDebitKtb,
            "direct_debit_scb" => Self::DirectDebitScb,
            "individual" => Self::Individual,
            "business" => Self::Business,
            other => Self::Unknown(other.into()),
        }
    }
}

impl fmt::Display for AccountType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for AccountType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for AccountType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(String::deserialize(deserializer)?.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn direct_debit_types_are_known_by_name() {
        for t in AccountType::DIRECT_DEBIT {
            assert_eq!(AccountType::from(t.as_str()), t);
            assert!(t.is_direct_debit());
        }
        assert!(!AccountType::from("direct_debit_uob").is_direct_debit());
    }

    proptest! {
        #[test]
        fn any_text_survives(text in "\\PC{0,40}") {
            let json = serde_json::to_string(&AccountType::from(text.as_str())).unwrap();
            let back: AccountType = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(back.as_str(), text.as_str());
        }
    }
}
