//! The status of a linked account.

use alloc::{boxed::Box, string::String};
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Where a linked account stands.
///
/// The first five are official; `verified`, `suspended` and `rejected` come from a secondary document. What Omise may add
/// is kept as it came in [`Status::Unknown`].
///
/// ```
/// use omise_linked_accounts::Status;
///
/// assert!(Status::from("expired").is_terminal());
/// assert!(!Status::from("pending").is_terminal());
/// assert_eq!(Status::from("frozen").as_str(), "frozen");
/// ```
///
/// Source: Omise "Linked Account Object API", attribute `status`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// Created; the customer has not answered at the bank yet.
    Pending,
    /// Registered at the bank: it can be charged.
    Successful,
    /// The bank or the customer refused; see `failure_code`.
    Failed,
    /// The customer did not answer in time.
    Expired,
    /// Unlinked.
    Deleted,
    /// Verified (secondary document).
    Verified,
    /// Temporarily disabled (secondary document).
    Suspended,
    /// Refused (secondary document).
    Rejected,
    /// A status that this version does not know.
    Unknown(Box<str>),
}

impl Status {
    /// The statuses of Omise's own list.
    pub const OFFICIAL: [Self; 5] = [Self::Pending, Self::Successful, Self::Failed, Self::Expired, Self::Deleted];

    /// The status as Omise writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "pending",
            Self::Successful => "successful",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
            Self::Verified => "verified",
            Self::Suspended => "suspended",
            Self::Rejected => "rejected",
            Self::Unknown(text) => text,
        }
    }

    /// Whether the account can be charged now.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        matches!(self, Self::Successful)
    }

    /// Whether an account is known to go from this status to `next` in one step, or either is a status that we know too
    /// little about to say.
    ///
    /// Source: Omise's status list: `pending` ends in `successful`, `failed` or `expired`; `successful` becomes `deleted`.
    #[must_use]
    pub const fn can_become(&self, next: &Self) -> bool {
        match (self, next) {
            (Self::Pending, Self::Successful | Self::Failed | Self::Expired) | (Self::Successful, Self::Deleted) => {
                true
            }
            (Self::Pending | Self::Successful | Self::Failed | Self::Expired | Self::Deleted, known) => {
                matches!(known, Self::Verified | Self::Suspended | Self::Rejected | Self::Unknown(_))
                    && !matches!(self, Self::Deleted)
            }
            // from secondary documents and from the future: anything
            _ => true,
        }
    }

    /// Whether registration is over: waiting longer brings no other answer (`successful` can still become `deleted`).
    #[must_use]
    pub const fn is_terminal(&self) -> bool {
        !matches!(self, Self::Pending | Self::Verified | Self::Suspended | Self::Unknown(_))
    }
}

impl From<&str> for Status {
    fn from(text: &str) -> Self {
        match text {
            "pending" => Self::Pending,
            "successful" => Self::Successful,
            "failed" => Self::Failed,
            "expired" => Self::Expired,
            "deleted" => Self::Deleted,
            "verified" => Self::Verified,
            "suspended" => Self::Suspended,
            "rejected" => Self::Rejected,
            other => Self::Unknown(other.into()),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(String::deserialize(deserializer)?.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn terminal_statuses() {
        for (text, terminal) in [
            ("pending", false),
            ("successful", true),
            ("failed", true),
            ("expired", true),
            ("deleted", true),
            ("verified", false),
            ("suspended", false),
            ("rejected", true),
            ("new_one", false),
        ] {
            assert_eq!(Status::from(text).is_terminal(), terminal, "{text}");
        }
    }

    #[test]
    fn transitions() {
        let official = ["pending", "successful", "failed", "expired", "deleted"];
        for from in official {
            let found: Vec<&str> =
                official.into_iter().filter(|to| Status::from(from).can_become(&Status::from(*to))).collect();
            let expected: &[&str] = match from {
                "pending" => &["successful", "failed", "expired"],
                "successful" => &["deleted"],
                _ => &[],
            };
            assert_eq!(found, expected, "{from}");
        }
        assert!(Status::from("verified").can_become(&Status::Suspended));
        assert!(Status::Pending.can_become(&Status::from("brand_new")));
        assert!(!Status::Deleted.can_become(&Status::from("brand_new")));
    }

    #[test]
    fn only_successful_is_usable() {
        for text in ["pending", "failed", "expired", "deleted", "verified", "suspended", "rejected", "brand_new"] {
            assert!(!Status::from(text).is_usable(), "{text}");
        }
        assert!(Status::Successful.is_usable());
    }

    #[test]
    fn known_names_are_not_unknown() {
        for text in ["pending", "successful", "failed", "expired", "deleted", "verified", "suspended", "rejected"] {
            assert!(!matches!(Status::from(text), Status::Unknown(_)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_survives(text in "\\PC{0,40}") {
            let status = Status::from(text.as_str());
            let json = serde_json::to_string(&status).unwrap();
            let back: Status = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(back.as_str(), text.as_str());
        }
    }
}
