//! The accounts: a D1 database.

use omise_linked_accounts::{LinkedAccountId, Status, Timestamp};
use serde::Deserialize;
use wasm_bindgen::JsValue;
use worker::{D1Database, D1PreparedStatement, D1Result, Result};

use crate::{
    account::{Account, Decision},
    search_text,
    selection::Selection,
};

/// Lets all accounts expire that are pending and whose time is over.
pub(crate) const LAPSE_ALL: &str =
    "UPDATE accounts SET status = 'expired' WHERE status = 'pending' AND expires_at <= ?1";

/// The accounts, at the time of one request.
pub(crate) struct Store {
    db: D1Database,
    now: Timestamp,
}

impl Store {
    pub(crate) const fn new(db: D1Database, now: Timestamp) -> Self {
        Self { db, now }
    }

    /// The time of the request.
    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Adds an account, unless as many as `limit` are pending or registered; `origin` is where the bank's page is. Whether it did.
    pub(crate) async fn add(&self, account: &Account, origin: &str, limit: Option<u32>) -> Result<bool> {
        let sql = "INSERT INTO accounts
                   (id, type, return_uri, metadata, status, expires_at, created_at, search_text, origin)
                   SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
                   WHERE ?10 IS NULL OR ?10 > (
                     SELECT count(*) FROM accounts
                     WHERE status = 'successful' OR status = 'pending' AND expires_at > ?7
                   )
                   RETURNING id";
        let values = [
            account.id.as_str().into(),
            account.kind.as_str().into(),
            account.return_uri.as_str().into(),
            serde_json::to_string(&account.metadata)?.into(),
            account.status.as_str().into(),
            account.expires_at.to_string().into(),
            account.created_at.to_string().into(),
            search_text::of(account).into(),
            origin.into(),
            limit.map_or(JsValue::NULL, Into::into),
        ];
        let added: Option<String> = self.statement(sql, &values)?.first(Some("id")).await?;
        Ok(added.is_some())
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

    /// A part of the accounts that fit. Those whose time is over expire first: each is chosen and shown by its status of now.
    pub(crate) async fn select(&self, selection: &Selection) -> Result<Part> {
        #[derive(Deserialize)]
        struct Total {
            total: u64,
        }

        let lapse = self.statement(LAPSE_ALL, &[self.now.to_string().into()])?;
        let mut values: Vec<JsValue> = selection.values.iter().map(Into::into).collect();
        let count = self.statement(&selection.count(), &values)?;
        values.extend([selection.limit.into(), selection.offset.into()]);
        let part = self.statement(&selection.part(), &values)?;
        let results = self.db.batch(vec![lapse, count, part]).await?;
        let totals: Vec<Total> = results.get(1).map(D1Result::results).transpose()?.unwrap_or_default();
        let accounts = results.get(2).map(D1Result::results).transpose()?.unwrap_or_default();
        Ok(Part { accounts, total: totals.first().map_or(0, |row| row.total) })
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
            Decision::Decline(failure_code) => [
                id.as_str().into(),
                Status::Failed.as_str().into(),
                NULL,
                NULL,
                failure_code.as_str().into(),
                failure_code.message().into(),
            ],
        };
        let settled: Option<String> = self.statement(sql, &values)?.first(Some("id")).await?;
        Ok(settled.is_some())
    }

    /// Ends an account's time now, if it is pending still. Whether it was.
    pub(crate) async fn expire(&self, id: &LinkedAccountId) -> Result<bool> {
        let sql = "UPDATE accounts SET status = 'expired', expires_at = ?2
                   WHERE id = ?1 AND status = 'pending' RETURNING id";
        let values = [id.as_str().into(), self.now.to_string().into()];
        let expired: Option<String> = self.statement(sql, &values)?.first(Some("id")).await?;
        Ok(expired.is_some())
    }

    /// Lets all accounts expire whose time is over.
    pub(crate) async fn lapse(&self) -> Result<()> {
        self.statement(LAPSE_ALL, &[self.now.to_string().into()])?.run().await?;
        Ok(())
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

/// A part of the accounts that fit a selection.
pub(crate) struct Part {
    pub(crate) accounts: Vec<Account>,
    /// How many fit in all.
    pub(crate) total: u64,
}
