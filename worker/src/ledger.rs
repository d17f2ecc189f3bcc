//! Who owns what, and which creates were begun: the D1 database.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use omise_linked_accounts::{AccountType, LinkState, LinkedAccount, LinkedAccountId, Reason, Status, Timestamp};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use wasm_bindgen::JsValue;
use worker::{D1Database, D1PreparedStatement};

use crate::answer::{Failure, Shown, tidy};

/// The ledger, at one moment of a request.
pub(crate) struct Ledger {
    db: D1Database,
}

/// Milliseconds since 1970-01-01T00:00:00Z.
pub(crate) type Millis = u64;

/// How many creates of one owner may be open (in flight, in doubt, or pending at the bank) at once.
const MAX_OPEN: u32 = 5;

/// A create that was begun.
#[derive(Debug, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) fingerprint: String,
    pub(crate) state: AttemptState,
    pub(crate) link: Option<String>,
    pub(crate) created_at: f64,
}

/// How far a create has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AttemptState {
    /// Omise is being asked.
    InFlight,
    /// Omise was asked, and its answer is not known.
    Unknown,
    /// The account is known.
    Linked,
}

/// A linked account and its owner.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) owner: String,
    pub(crate) account: LinkedAccount,
    pub(crate) confirmed_at: Option<Timestamp>,
}

impl Link {
    pub(crate) fn shown(self) -> Shown {
        Shown::new(self.account, self.confirmed_at)
    }
}

/// What came of beginning a create.
#[derive(Debug)]
pub(crate) enum Begun {
    /// A new attempt: call Omise.
    Started,
    /// The key is known.
    Known(Attempt),
    /// Another attempt of this type is current.
    Pending(Attempt),
    /// The owner has [`MAX_OPEN`] open attempts.
    TooMany,
}

/// What a create is about, for the ledger.
pub(crate) struct NewAttempt<'a> {
    pub(crate) id: &'a str,
    pub(crate) owner: &'a str,
    pub(crate) idempotency_key: &'a str,
    pub(crate) fingerprint: &'a str,
    pub(crate) account_type: &'a AccountType,
    pub(crate) replace_pending: bool,
    pub(crate) now: Millis,
}

#[derive(Deserialize)]
struct LinkRow {
    owner: String,
    account: String,
    confirmed_at: Option<f64>,
}

type LedgerResult<T> = Result<T, Failure>;

impl Ledger {
    pub(crate) const fn new(db: D1Database) -> Self {
        Self { db }
    }

    /// Begins a create, if nothing stands against it: the key is new, no attempt of this owner and type is current (or it
    /// is to be replaced), and the owner has fewer than [`MAX_OPEN`] open.
    ///
    /// One transaction, so of two at once one begins.
    pub(crate) async fn begin(&self, new: &NewAttempt<'_>) -> LedgerResult<Begun> {
        let room = format!("(SELECT count(*) FROM attempts WHERE owner = ?2 AND open = 1) < {MAX_OPEN}");
        let values = [
            new.id.into(),
            new.owner.into(),
            new.idempotency_key.into(),
            new.fingerprint.into(),
            new.account_type.as_str().into(),
            millis(new.now),
            JsValue::from_f64(if new.replace_pending { 1.0 } else { 0.0 }),
        ];
        let demote = format!(
            "UPDATE attempts SET current = 0 WHERE owner = ?2 AND type = ?5 AND current = 1 AND ?7 = 1
             AND NOT EXISTS (SELECT 1 FROM attempts WHERE owner = ?2 AND idempotency_key = ?3)
             AND {room} AND ?1 <> '' AND ?4 <> '' AND ?6 > 0"
        );
        let insert = format!(
            "INSERT INTO attempts (id, owner, idempotency_key, fingerprint, type, state, open, current, created_at)
             SELECT ?1, ?2, ?3, ?4, ?5, 'in_flight', 1, 1, ?6 WHERE {room} AND ?7 >= 0
             ON CONFLICT DO NOTHING RETURNING id"
        );
        let results = self
            .db
            .batch(vec![self.statement(&demote, &values)?, self.statement(&insert, &values)?])
            .await
            .map_err(broken)?;
        let inserted: Vec<IdRow> = match results.get(1) {
            Some(result) => result.results().map_err(broken)?,
            None => Vec::new(),
        };
        if inserted.first().is_some_and(|row| row.id == new.id) {
            return Ok(Begun::Started);
        }
        if let Some(attempt) = self.attempt_by_key(new.owner, new.idempotency_key).await? {
            return Ok(Begun::Known(attempt));
        }
        // a replacement can only have lacked room
        if new.replace_pending {
            return Ok(Begun::TooMany);
        }
        let current = "SELECT fingerprint, state, link, created_at FROM attempts
                       WHERE owner = ?1 AND type = ?2 AND current = 1";
        let current = self.first(current, &[new.owner.into(), new.account_type.as_str().into()]).await?;
        Ok(current.map_or(Begun::TooMany, Begun::Pending))
    }

    async fn attempt_by_key(&self, owner: &str, key: &str) -> LedgerResult<Option<Attempt>> {
        let sql = "SELECT fingerprint, state, link, created_at FROM attempts
                   WHERE owner = ?1 AND idempotency_key = ?2";
        self.first(sql, &[owner.into(), key.into()]).await
    }

    /// Omise refused: the attempt made nothing, and its key is free again.
    pub(crate) async fn forget(&self, attempt: &str) -> LedgerResult<()> {
        let sql = "DELETE FROM attempts WHERE id = ?1 AND state <> 'linked'";
        self.run(sql, &[attempt.into()]).await
    }

    /// Omise's answer is not known: the attempt is in doubt.
    pub(crate) async fn doubt(&self, attempt: &str) -> LedgerResult<()> {
        let sql = "UPDATE attempts SET state = 'unknown' WHERE id = ?1 AND state = 'in_flight'";
        self.run(sql, &[attempt.into()]).await
    }

    /// The attempt made this account.
    pub(crate) async fn link(
        &self,
        new: &NewAttempt<'_>,
        account: &LinkedAccount,
        link_state: &LinkState,
        read_at: Millis,
    ) -> LedgerResult<()> {
        let insert = "INSERT INTO links (id, owner, attempt, status, account, read_at, link_state_hash, created_at)
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let insert = self.statement(
            insert,
            &[
                account.id.as_str().into(),
                new.owner.into(),
                new.id.into(),
                account.status.as_str().into(),
                stored(account)?.into(),
                millis(read_at),
                hash(link_state).into(),
                millis(new.now),
            ],
        )?;
        let update =
            "UPDATE attempts SET state = 'linked', link = ?2, open = ?3, current = min(current, ?3) WHERE id = ?1";
        let open = if account.status == Status::Pending { 1.0 } else { 0.0 };
        let update = self.statement(update, &[new.id.into(), account.id.as_str().into(), JsValue::from_f64(open)])?;
        self.db.batch(vec![insert, update]).await.map_err(broken)?;
        Ok(())
    }

    /// The link of this id, whoever owns it.
    pub(crate) async fn find(&self, id: &LinkedAccountId) -> LedgerResult<Option<Link>> {
        let sql = "SELECT owner, account, confirmed_at FROM links WHERE id = ?1";
        self.first::<LinkRow>(sql, &[id.as_str().into()]).await?.map(Link::try_from).transpose()
    }

    /// The owner's attempts that wait for the bank although their time is over, for a fresh reading.
    pub(crate) async fn open_links(&self, owner: &str) -> LedgerResult<Vec<LinkedAccountId>> {
        #[derive(Deserialize)]
        struct Row {
            link: String,
        }
        let sql = "SELECT link FROM attempts WHERE owner = ?1 AND open = 1 AND link IS NOT NULL";
        let statement = self.statement(sql, &[owner.into()])?;
        let rows: Vec<Row> = statement.all().await.and_then(|result| result.results()).map_err(broken)?;
        rows.into_iter().map(|row| LinkedAccountId::parse(&row.link).map_err(|_| corrupt("attempts.link"))).collect()
    }

    /// Records a reading that began at `read_at`, unless a newer one is there or the account is deleted; then closes its
    /// attempt if the bank has answered.
    pub(crate) async fn record(&self, account: &LinkedAccount, read_at: Millis) -> LedgerResult<()> {
        let update = "UPDATE links SET status = ?2, account = ?3, read_at = ?4
                      WHERE id = ?1 AND read_at <= ?4 AND status <> 'deleted'";
        let update = self.statement(
            update,
            &[account.id.as_str().into(), account.status.as_str().into(), stored(account)?.into(), millis(read_at)],
        )?;
        let close = "UPDATE attempts SET open = 0, current = 0 WHERE open = 1
                     AND id = (SELECT attempt FROM links WHERE id = ?1 AND status <> 'pending')";
        let close = self.statement(close, &[account.id.as_str().into()])?;
        self.db.batch(vec![update, close]).await.map_err(broken)?;
        Ok(())
    }

    /// Confirms the owner's link that this return belongs to, once; `None` where it is nobody's or somebody else's.
    pub(crate) async fn confirm(&self, owner: &str, state: &LinkState, now: Millis) -> LedgerResult<Option<Link>> {
        let sql = "UPDATE links SET confirmed_at = coalesce(confirmed_at, ?3)
                   WHERE link_state_hash = ?1 AND owner = ?2 RETURNING owner, account, confirmed_at";
        let row: Option<LinkRow> = self.first(sql, &[hash(state).into(), owner.into(), millis(now)]).await?;
        row.map(Link::try_from).transpose()
    }

    fn statement(&self, sql: &str, values: &[JsValue]) -> LedgerResult<D1PreparedStatement> {
        self.db.prepare(sql).bind(values).map_err(broken)
    }

    async fn run(&self, sql: &str, values: &[JsValue]) -> LedgerResult<()> {
        self.statement(sql, values)?.run().await.map_err(broken)?;
        Ok(())
    }

    async fn first<T: for<'de> Deserialize<'de>>(&self, sql: &str, values: &[JsValue]) -> LedgerResult<Option<T>> {
        self.statement(sql, values)?.first(None).await.map_err(broken)
    }
}

#[derive(Deserialize)]
struct IdRow {
    id: String,
}

impl TryFrom<LinkRow> for Link {
    type Error = Failure;

    fn try_from(row: LinkRow) -> LedgerResult<Self> {
        let account = serde_json::from_str(&row.account).map_err(|_| corrupt("links.account"))?;
        #[allow(clippy::cast_possible_truncation)] // whole milliseconds of our own
        let confirmed_at = row
            .confirmed_at
            .map(|ms| Timestamp::from_unix(ms as i64 / 1_000).map_err(|_| corrupt("links.confirmed_at")))
            .transpose()?;
        Ok(Self { owner: row.owner, account, confirmed_at })
    }
}

/// The account as it is kept: as its owner sees it.
fn stored(account: &LinkedAccount) -> LedgerResult<String> {
    serde_json::to_string(&tidy(account.clone())).map_err(|_| corrupt("account"))
}

fn hash(state: &LinkState) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(state.expose()))
}

/// D1 takes numbers as doubles only; milliseconds stay exact in them for 285,000 years.
#[allow(clippy::cast_precision_loss)]
fn millis(value: Millis) -> JsValue {
    JsValue::from_f64(value as f64)
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` hands it over
fn broken(error: worker::Error) -> Failure {
    // D1's own text names tables and columns, never bound values
    Failure::new(Reason::LedgerUnavailable).with_retry_after(1).with_log(format!("ledger: {error}"))
}

fn corrupt(column: &str) -> Failure {
    Failure::new(Reason::Internal).with_log(format!("ledger: {column} cannot be read"))
}
