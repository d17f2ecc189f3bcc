//! The linked account itself.

use alloc::{format, string::String, vec::Vec};
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    AccountType, LinkedAccountId, RawMetadata, Status, Timestamp,
    attributes::{self, Attributes, Misread, Object},
    response,
};

/// A customer's bank account, linked or being linked to a shop: Omise's `linked_account` object.
///
/// The official attributes are typed; `name`, `email`, `capabilities` and `customer_id` appear in secondary documents and
/// stay absent where Omise does not send them. Attributes that this version does not know are ignored. The account
/// holder's identity number is write-only at Omise: it is not here.
///
/// ```
/// use omise_linked_accounts::{LinkedAccount, Status};
///
/// let account: LinkedAccount = serde_json::from_str(r#"{
///     "object": "linked_account", "id": "lnac_test_5zylnmmt2kl9chq3ip1", "livemode": false,
///     "type": "direct_debit_kbank", "status": "pending", "created_at": "2024-06-03T04:11:14Z", "brand_new": 1
/// }"#)?;
/// assert_eq!(account.status, Status::Pending);
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// Source: Omise "Linked Account Object API", section "Linked account object attributes".
#[derive(Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LinkedAccount {
    object: ObjectName,
    /// The id.
    pub id: LinkedAccountId,
    /// Whether this is a live account.
    pub livemode: bool,
    /// The API path of this object, `/linked_accounts/<id>`.
    pub location: Option<String>,
    /// Where to send the customer to register; holds a secret of the bank's, so never log it.
    pub registration_uri: Option<String>,
    /// Where the customer comes back to.
    pub return_uri: Option<String>,
    /// Which bank it is at.
    #[serde(rename = "type")]
    pub account_type: AccountType,
    /// Where it stands.
    pub status: Status,
    /// The last four digits of the account number, once registered.
    pub last_digits: Option<String>,
    /// What the shop attached.
    pub metadata: RawMetadata,
    /// Why it failed, for programs; `None` unless it did. An open set.
    pub failure_code: Option<String>,
    /// Why it failed, in English.
    pub failure_message: Option<String>,
    /// When the customer registered it.
    pub registered_at: Option<Timestamp>,
    /// When registration closes: 24 hours after creation in every sample. Kept afterwards.
    pub expires_at: Option<Timestamp>,
    /// When it was created; `created` in API versions before 2019-05-29.
    pub created_at: Timestamp,
    /// The Omise customer it is attached to (secondary document).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_id: Option<String>,
    /// The holder's name (secondary document).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The holder's e-mail address (secondary document).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What it can do (secondary document).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<String>>,
}

impl LinkedAccount {
    /// A freshly created account: pending, with nothing known of the bank's side yet.
    #[must_use]
    pub fn pending(
        id: LinkedAccountId,
        account_type: AccountType,
        registration_uri: String,
        return_uri: String,
        created_at: Timestamp,
        expires_at: Timestamp,
    ) -> Self {
        Self {
            object: ObjectName,
            livemode: id.mode().is_live(),
            location: Some(format!("/linked_accounts/{id}")),
            id,
            registration_uri: Some(registration_uri),
            return_uri: Some(return_uri),
            account_type,
            status: Status::Pending,
            last_digits: None,
            metadata: RawMetadata::new(),
            failure_code: None,
            failure_message: None,
            registered_at: None,
            expires_at: Some(expires_at),
            created_at,
            customer_id: None,
            name: None,
            email: None,
            capabilities: None,
        }
    }
}

impl Object for LinkedAccount {
    const NAMES: &'static [&'static str] = &[
        "object",
        "id",
        "livemode",
        "location",
        "registration_uri",
        "return_uri",
        "type",
        "status",
        "last_digits",
        "metadata",
        "failure_code",
        "failure_message",
        "registered_at",
        "expires_at",
        "created_at",
        "created",
        "customer_id",
        "name",
        "email",
        "capabilities",
    ];

    fn read(attributes: &Attributes) -> Result<Self, Misread> {
        attributes.is("linked_account")?;
        Ok(Self {
            object: ObjectName,
            id: attributes.parsed("id", LinkedAccountId::parse)?.ok_or(Misread("id"))?,
            livemode: attributes.required("livemode")?,
            location: attributes.optional("location")?,
            registration_uri: attributes.optional("registration_uri")?,
            return_uri: attributes.optional("return_uri")?,
            account_type: AccountType::from(attributes.required::<String>("type")?.as_str()),
            status: Status::from(attributes.required::<String>("status")?.as_str()),
            last_digits: attributes.optional("last_digits")?,
            metadata: attributes.optional("metadata")?.unwrap_or_default(),
            failure_code: attributes.optional("failure_code")?,
            failure_message: attributes.optional("failure_message")?,
            registered_at: attributes.time("registered_at")?,
            expires_at: attributes.time("expires_at")?,
            created_at: attributes.created_at()?,
            customer_id: attributes.tolerant("customer_id"),
            name: attributes.tolerant("name"),
            email: attributes.tolerant("email"),
            capabilities: attributes.tolerant("capabilities"),
        })
    }
}

impl<'de> Deserialize<'de> for LinkedAccount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        attributes::deserialize(deserializer)
    }
}

/// Prints id, type and status only: the addresses carry secrets, and the rest is the customer's.
impl fmt::Debug for LinkedAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkedAccount({} {} {})", self.id, self.account_type, self.status)
    }
}

response::object_name!(ObjectName, "linked_account");

#[cfg(test)]
mod tests {
    use super::*;

    /// The official sample of a deleted account.
    const DELETED: &str = r#"{
  "object": "linked_account",
  "id": "lnac_test_5zz3p29a4lxkzvs2jim",
  "livemode": false,
  "location": "/linked_accounts/lnac_test_5zz3p29a4lxkzvs2jim",
  "registration_uri": "http://test.staging-omise.co/register?ref=lnac_test_5zz3p29a4lxkzvs2jim",
  "return_uri": "http://example.com/accounts/345678/complete",
  "type": "direct_debit_kbank",
  "status": "deleted",
  "last_digits": "7890",
  "metadata": {},
  "failure_code": null,
  "failure_message": null,
  "registered_at": "2024-06-04T10:56:45Z",
  "expires_at": "2024-06-05T10:56:07Z",
  "created_at": "2024-06-04T10:56:07Z"
}"#;

    #[test]
    fn the_official_sample_round_trips_to_the_letter() {
        let account: LinkedAccount = serde_json::from_str(DELETED).unwrap();
        assert_eq!(serde_json::to_string_pretty(&account).unwrap(), DELETED);
    }

    #[test]
    fn other_objects_are_refused() {
        for other in ["customer", "list", "error"] {
            let text = DELETED.replace("\"linked_account\"", &format!("\"{other}\""));
            assert!(serde_json::from_str::<LinkedAccount>(&text).is_err(), "{other}");
        }
    }

    #[test]
    fn optional_attributes_come_and_go_with_upstream() {
        let text = DELETED.replacen(
            '{',
            r#"{"name":"Malee","capabilities":["refunds"],"customer_id":"cust_1","email":"m@x","#,
            1,
        );
        let account: LinkedAccount = serde_json::from_str(&text).unwrap();
        let json = serde_json::to_value(&account).unwrap();
        assert_eq!(json["name"], "Malee");
        assert_eq!(json["capabilities"][0], "refunds");
        assert_eq!(json["customer_id"], "cust_1");
    }

    #[test]
    fn attributes_of_another_kind_do_not_hide_the_rest() {
        let text = DELETED.replacen(
            '{',
            r#"{"name":7,"capabilities":{"refunds":true},"customer_id":null,"email":["m@x"],"#,
            1,
        );
        let account: LinkedAccount = serde_json::from_str(&text).unwrap();
        assert_eq!((account.name, account.capabilities, account.customer_id, account.email), (None, None, None, None));
        assert_eq!(account.last_digits.as_deref(), Some("7890"));
    }

    #[test]
    fn the_older_name_of_the_creation_time_is_read() {
        let text = DELETED.replace("created_at", "created");
        let account: LinkedAccount = serde_json::from_str(&text).unwrap();
        assert_eq!(account.created_at.to_string(), "2024-06-04T10:56:07Z");
        let both = text.replacen('{', r#"{"created_at":"2024-06-04T10:56:07Z","#, 1);
        assert!(serde_json::from_str::<LinkedAccount>(&both).is_err());
    }
}
