//! A linked account as the sandbox keeps it.

use omise_linked_accounts::{AccountType, LinkedAccount, LinkedAccountId, RawMetadata, Status, Timestamp};
use serde::{Deserialize, Deserializer, de};

use crate::failure_code::FailureCode;

/// What is known of a linked account: a row of the table `accounts`.
#[derive(Deserialize)]
pub(crate) struct Account {
    pub(crate) id: LinkedAccountId,
    #[serde(rename = "type")]
    pub(crate) kind: AccountType,
    pub(crate) return_uri: String,
    #[serde(deserialize_with = "json_text")]
    pub(crate) metadata: RawMetadata,
    pub(crate) status: Status,
    pub(crate) last_digits: Option<String>,
    pub(crate) failure_code: Option<String>,
    pub(crate) failure_message: Option<String>,
    pub(crate) registered_at: Option<Timestamp>,
    pub(crate) expires_at: Timestamp,
    pub(crate) created_at: Timestamp,
}

impl Account {
    /// How long the customer has to register: 24 hours in every sample of Omise's.
    const LIFETIME_SECONDS: i64 = 24 * 60 * 60;

    /// A new account: pending.
    pub(crate) fn pending(
        id: LinkedAccountId,
        kind: AccountType,
        return_uri: String,
        metadata: RawMetadata,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id,
            kind,
            return_uri,
            metadata,
            status: Status::Pending,
            last_digits: None,
            failure_code: None,
            failure_message: None,
            registered_at: None,
            expires_at: created_at.plus_seconds(Self::LIFETIME_SECONDS),
            created_at,
        }
    }

    /// Omise's object; `origin` is where the bank's page is.
    pub(crate) fn into_linked_account(self, origin: &str) -> LinkedAccount {
        let registration_uri = format!("{origin}/register?ref={}", self.id);
        let mut account = LinkedAccount::pending(
            self.id,
            self.kind,
            registration_uri,
            self.return_uri,
            self.created_at,
            self.expires_at,
        );
        account.status = self.status;
        account.last_digits = self.last_digits;
        account.metadata = self.metadata;
        account.failure_code = self.failure_code;
        account.failure_message = self.failure_message;
        account.registered_at = self.registered_at;
        account
    }
}

fn json_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RawMetadata, D::Error> {
    serde_json::from_str(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// What the account holder said at the bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Yes, and charge this account.
    Approve { last_digits: String },
    /// No, or the bank says so.
    Decline(FailureCode),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_to_register() {
        let id = LinkedAccountId::parse("lnac_test_5zylnmmt2kl9chq3ip1").unwrap();
        let created = Timestamp::parse("2024-06-03T04:11:14Z").unwrap();
        let account = Account::pending(
            id,
            AccountType::DirectDebitKbank,
            "https://shop.example/".to_owned(),
            RawMetadata::new(),
            created,
        );
        let shown = account.into_linked_account("http://127.0.0.1:8788");
        assert_eq!(shown.expires_at, Some(Timestamp::parse("2024-06-04T04:11:14Z").unwrap()));
        assert_eq!(
            shown.registration_uri.as_deref(),
            Some("http://127.0.0.1:8788/register?ref=lnac_test_5zylnmmt2kl9chq3ip1")
        );
        assert!(!shown.livemode);
    }
}
