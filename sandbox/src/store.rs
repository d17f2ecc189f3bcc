//! The accounts: a D1 database.

use omise_linked_accounts::{LinkedAccountId, Status, Timestamp};
use wasm_bindgen::JsValue;
use worker::{D1Database, D1PreparedStatement, D1Result, Result};

use crate::account::{Account, Decision};

/// The accounts, at the time of one request.
pub(crate) struct Store {
    db: D1Database,
    now: Timestamp,
}

impl Store {
    pub(crate) const fn new(db: D1Database, now: Timestamp) -> Self {
        Self { db, now }
    }

    /// Adds an account.
    pub(crate) async fn add(&self, account: &Account) -> Result<()> {
        let sql = "INSERT INTO accounts (id, type, return_uri, metadata, status, expires_at, created_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let values = [
            account.id.as_str().into(),
            account.kind.as_str().into(),
            account.return_uri.as_str().into(),
            serde_json::to_string(&account.metadata)?.into(),
            account.status.as_str().into(),
            account.expires_at.to_string().into(),
            account.created_at.to_string().into(),
        ];
        self.statement(sql, &values)?.run().await?;
        Ok(())
    }

    /// The account of this id; if it is pending and its time is over, it expires first.
    pub(crate) async fn find(&self, id: &LinkedAccountId) -> Result<Option<Account>> {
        let lapse = "UPDATE accounts SET status = 'expired' WHERE id = ?1 AND status = 'pending' AND expires_at <= ?2";
        let lapse = self.statement(lapse, &[id.as_str().into(), self.now.to_string().into()])?;
        let select = self.statement("SELECT * FROM accounts WHERE id = ?1", &[id.as_str().into()])?;
        let results = self.db.batch(vec![lapse, select]).await?;
        let rows = results.get(1).map(D1Result::results).transpose()?.unwrap_or_default();
        Ok(rows.into_iter().next())
    }

    /// Settles an account by its holder's decision, if it is pending still. Whether it was: of two at once only one settles it.
    pub(crate) async fn settle(&self, id: &LinkedAccountId, decision: &Decision) -> Result<bool> {
        const NULL: JsValue = JsValue::NULL;

        let sql = "UPDATE accounts
                   SET status = ?2, last_digits = ?3, registered_at = ?4, failure_code = ?5, failure_message = ?6
                   WHERE id = ?1 AND status = 'pending' RETURNING id";
        let values = match decision {
            Decision::Approve { last_digits } => [
                id.as_str().into(),
                Status::Successful.as_str().into(),
                last_digits.as_str().into(),
                self.now.to_string().into(),
                NULL,
                NULL,
            ],
            Decision::Decline => [
                id.as_str().into(),
                Status::Failed.as_str().into(),
                NULL,
                NULL,
                "registration_rejected".into(),
                "The account holder declined the registration.".into(),
            ],
        };
        let settled: Option<String> = self.statement(sql, &values)?.first(Some("id")).await?;
        Ok(settled.is_some())
    }

    /// Unlinks a registered account; `None` where there is none, or it is not registered.
    pub(crate) async fn delete(&self, id: &LinkedAccountId) -> Result<Option<Account>> {
        let sql = "UPDATE accounts SET status = 'deleted' WHERE id = ?1 AND status = 'successful' RETURNING *";
        self.statement(sql, &[id.as_str().into()])?.first(None).await
    }

    fn statement(&self, sql: &str, values: &[JsValue]) -> Result<D1PreparedStatement> {
        self.db.prepare(sql).bind(values)
    }
}
