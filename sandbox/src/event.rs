//! Events: what the sandbox tells a shop's webhook.
//!
//! Omise documents no event of linked accounts. `linked_account.complete` (registration is over, well or not) and
//! `linked_account.expire` (it was not finished in time) are an extension of the sandbox's, in the form of Omise's own events.

use omise_linked_accounts::{LinkedAccount, Timestamp};
use serde::{Deserialize, Serialize};

use crate::account::Account;

/// What happened to an account: a row of the table `events` that was taken up.
#[derive(Deserialize)]
pub(crate) struct Event {
    pub(crate) seq: u32,
    pub(crate) id: String,
    pub(crate) key: String,
    /// The account at that time: its row, as JSON.
    account: String,
    /// Where the sandbox was reached when the account was created.
    origin: String,
    pub(crate) created_at: Timestamp,
    /// When it is to be sent next; `None` where it is not.
    pub(crate) due_at: Option<Timestamp>,
    /// Whether it has been held back before.
    #[serde(deserialize_with = "is_there")]
    pub(crate) was_held: bool,
}

impl Event {
    /// The columns of [`Event`].
    pub(crate) const COLUMNS: &str = "seq, id, key, account, origin, created_at, due_at, held AS was_held";

    /// Omise's object, pretty-printed as Omise sends it: the same bytes each time.
    ///
    /// Source: Omise "Events API".
    pub(crate) fn body(&self) -> serde_json::Result<String> {
        #[derive(Serialize)]
        struct Body<'a> {
            object: &'static str,
            id: &'a str,
            livemode: bool,
            location: String,
            /// In what is sent there are none.
            webhook_deliveries: [(); 0],
            data: LinkedAccount,
            key: &'a str,
            created_at: Timestamp,
        }

        let account: Account = serde_json::from_str(&self.account)?;
        let body = Body {
            object: "event",
            id: &self.id,
            livemode: false,
            location: format!("/events/{}", self.id),
            webhook_deliveries: [],
            data: account.into_linked_account(&self.origin),
            key: &self.key,
            created_at: self.created_at,
        };
        Ok(serde_json::to_string_pretty(&body)? + "\n")
    }
}

fn is_there<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.is_some())
}

#[cfg(test)]
mod tests {
    use omise_linked_accounts::webhook;

    use super::*;

    /// As the trigger writes it.
    const ACCOUNT: &str = r#"{"id":"lnac_test_5zz3p29a4lxkzvs2jim","type":"direct_debit_kbank",
        "return_uri":"http://example.com/accounts/345678/complete","metadata":"{\"order\":\"A 17\",\"n\":1.50}",
        "status":"successful","last_digits":"7890","failure_code":null,"failure_message":null,
        "registered_at":"2024-06-04T10:56:45Z","expires_at":"2024-06-05T10:56:07Z","created_at":"2024-06-04T10:56:07Z"}"#;

    #[test]
    fn the_object() {
        let event = Event {
            seq: 1,
            id: "evnt_test_5zz3p29a4lxkzvs0001".to_owned(),
            key: "linked_account.complete".to_owned(),
            account: ACCOUNT.to_owned(),
            origin: "http://127.0.0.1:8788".to_owned(),
            created_at: Timestamp::parse("2024-06-04T10:56:45Z").unwrap(),
            due_at: None,
            was_held: false,
        };
        let body = event.body().unwrap();
        assert_eq!(
            body,
            r#"{
  "object": "event",
  "id": "evnt_test_5zz3p29a4lxkzvs0001",
  "livemode": false,
  "location": "/events/evnt_test_5zz3p29a4lxkzvs0001",
  "webhook_deliveries": [],
  "data": {
    "object": "linked_account",
    "id": "lnac_test_5zz3p29a4lxkzvs2jim",
    "livemode": false,
    "location": "/linked_accounts/lnac_test_5zz3p29a4lxkzvs2jim",
    "registration_uri": "http://127.0.0.1:8788/register?ref=lnac_test_5zz3p29a4lxkzvs2jim",
    "return_uri": "http://example.com/accounts/345678/complete",
    "type": "direct_debit_kbank",
    "status": "successful",
    "last_digits": "7890",
    "metadata": {
      "order": "A 17",
      "n": 1.50
    },
    "failure_code": null,
    "failure_message": null,
    "registered_at": "2024-06-04T10:56:45Z",
    "expires_at": "2024-06-05T10:56:07Z",
    "created_at": "2024-06-04T10:56:07Z"
  },
  "key": "linked_account.complete",
  "created_at": "2024-06-04T10:56:45Z"
}
"#
        );
        let read = webhook::Event::parse(body.as_bytes()).unwrap();
        assert_eq!(read.key, webhook::EventKey::LinkedAccountComplete);
        assert_eq!(read.linked_account_id().unwrap().as_str(), "lnac_test_5zz3p29a4lxkzvs2jim");
    }
}
