//! Who owns what, which creates were begun, and what was done: the D1 database.
//!
//! Tables are in `migrations/`. Whatever changes a link or an attempt adds its row to `audit` in the same transaction.

use std::rc::Rc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use omise_linked_accounts::{
    AccountType, LinkState, LinkedAccount, LinkedAccountId, ListRequest, Order, Reason, Status, Timestamp,
    list::ListParams,
    search::{Created, SearchParams},
};
use sha2::{Digest, Sha256};
use wasm_bindgen::JsValue;
use worker::Env;

use crate::{
    answer::{Account, Failure, Shown},
    audit::Entry,
    db::{Db, DbResult, Row, Statement, corrupt, number, optional},
    trace::Trace,
};

/// The ledger, for the time of one request.
pub(crate) struct Ledger {
    db: Db,
    trace: Rc<Trace>,
    /// Whom the audit names: the token's subject, or nobody.
    actor: Option<String>,
}

/// Milliseconds since 1970-01-01T00:00:00Z.
pub(crate) type Millis = u64;

/// How many creates of one owner may be open (in flight, in doubt, or pending at the bank) at once.
const MAX_OPEN: u32 = 5;

/// A create that was begun.
pub(crate) struct Attempt {
    pub(crate) id: String,
    pub(crate) fingerprint: String,
    pub(crate) state: AttemptState,
    pub(crate) link: Option<LinkedAccountId>,
    /// Up to when Omise's accounts were looked through for it, where not all could be in one go.
    pub(crate) looked_to: Option<Millis>,
    pub(crate) created_at: Millis,
}

/// The columns of an [`Attempt`].
const ATTEMPT: &str = "id, fingerprint, state, link, looked_to, created_at";

/// How far a create has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttemptState {
    /// Omise is being asked.
    InFlight,
    /// Omise was asked, and its answer is not known.
    Unknown,
    /// Omise was asked, and long after it knew of nothing.
    Abandoned,
    /// The account is known.
    Linked,
}

/// What is decided by of a linked account. The account itself is most of a row, and seldom needed: it is read anew.
pub(crate) struct Link {
    pub(crate) owner: String,
    pub(crate) status: Status,
    /// When the last reading began.
    pub(crate) read_at: Millis,
    pub(crate) confirmed_at: Option<Timestamp>,
}

/// An account as it was read, and what the ledger knows of it.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) account: Account,
    /// Whose it is, for ever; nobody's that the ledger knows, where an operator asks.
    pub(crate) owner: Option<String>,
    pub(crate) confirmed_at: Option<Timestamp>,
}

/// The columns of a [`Seen`].
const SEEN: &str = "owner, id, status, account, confirmed_at";

impl Seen {
    pub(crate) fn is_pending(&self) -> bool {
        self.account.status == Status::Pending
    }

    pub(crate) fn shown(&self) -> Result<Shown, Failure> {
        self.account.shown(self.confirmed_at)
    }
}

/// What came of beginning a create.
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
    pub(crate) link_state: &'a LinkState,
    pub(crate) now: Millis,
}

impl Ledger {
    pub(crate) fn open(env: &Env, trace: Rc<Trace>, actor: Option<String>) -> DbResult<Self> {
        Ok(Self { db: Db::open(env, trace.clone())?, trace, actor })
    }

    /// Asks for nothing of every table, so that a migration that is missing is noticed: for the column that came last.
    pub(crate) async fn check(&self) -> DbResult<()> {
        self.run(vec![
            self.db.statement("SELECT looked_to FROM attempts LIMIT 0", &[])?,
            self.db.statement("SELECT type FROM links LIMIT 0", &[])?,
            self.db.statement("SELECT id FROM events LIMIT 0", &[])?,
            self.db.statement("SELECT id FROM audit LIMIT 0", &[])?,
        ])
        .await
    }

    /// Begins a create, if nothing stands against it: the key is new, no attempt of this owner and type is current (or it
    /// is to be replaced), and the owner has fewer than [`MAX_OPEN`] open.
    ///
    /// One transaction, so of two at once one begins.
    pub(crate) async fn begin(&self, new: &NewAttempt<'_>) -> DbResult<Begun> {
        let room = format!("(SELECT count(*) FROM attempts WHERE owner = ?1 AND open = 1) < {MAX_OPEN}");
        let (owner, key, of_type) =
            (JsValue::from(new.owner), new.idempotency_key.into(), new.account_type.as_str().into());
        let mut statements = Vec::new();
        if new.replace_pending {
            let demote = format!(
                "UPDATE attempts SET current = 0 WHERE owner = ?1 AND type = ?2 AND current = 1 AND {room}
                 AND NOT EXISTS (SELECT 1 FROM attempts WHERE owner = ?1 AND idempotency_key = ?3)"
            );
            statements
                .push(self.db.statement(&demote, &[owner.clone(), JsValue::clone(&of_type), JsValue::clone(&key)])?);
        }
        let insert = format!(
            "INSERT INTO attempts
               (id, owner, idempotency_key, fingerprint, type, state, open, current, link_state_hash, looked_at, created_at)
             SELECT ?2, ?1, ?3, ?4, ?5, 'in_flight', 1, 1, ?6, 0, ?7 WHERE {room}
             ON CONFLICT DO NOTHING RETURNING id"
        );
        let values =
            [owner, new.id.into(), key, new.fingerprint.into(), of_type, hash(new.link_state).into(), number(new.now)];
        statements.push(self.db.statement(&insert, &values)?);
        let started = self.db.batch(statements).await?.pop().is_some_and(|rows| !rows.is_empty());
        if started {
            return Ok(Begun::Started);
        }
        if let Some(attempt) = self.attempt_by_key(new.owner, new.idempotency_key).await? {
            return Ok(Begun::Known(attempt));
        }
        // a replacement can only have lacked room
        if new.replace_pending {
            return Ok(Begun::TooMany);
        }
        let current = format!("SELECT {ATTEMPT} FROM attempts WHERE owner = ?1 AND type = ?2 AND current = 1");
        let current = self.db.first(&current, &[new.owner.into(), new.account_type.as_str().into()]).await?;
        Ok(current.map(|row| attempt(&row)).transpose()?.map_or(Begun::TooMany, Begun::Pending))
    }

    async fn attempt_by_key(&self, owner: &str, key: &str) -> DbResult<Option<Attempt>> {
        let sql = format!("SELECT {ATTEMPT} FROM attempts WHERE owner = ?1 AND idempotency_key = ?2");
        self.db.first(&sql, &[owner.into(), key.into()]).await?.map(|row| attempt(&row)).transpose()
    }

    /// Omise refused: the attempt made nothing, and its key is free again.
    pub(crate) async fn forget(&self, attempt: &str) -> DbResult<()> {
        self.trace.ledger("forgotten");
        let sql = "DELETE FROM attempts WHERE id = ?1 AND state <> 'linked'";
        self.run(vec![self.db.statement(sql, &[attempt.into()])?]).await
    }

    /// Omise's answer is not known: the attempt is in doubt.
    pub(crate) async fn doubt(&self, attempt: &str) -> DbResult<()> {
        self.trace.ledger("in_doubt");
        let sql = "UPDATE attempts SET state = 'unknown' WHERE id = ?1 AND state = 'in_flight'";
        self.run(vec![self.db.statement(sql, &[attempt.into()])?]).await
    }

    /// Omise knows of nothing, long after it was asked: the attempt is over, though an orphan may still be adopted.
    pub(crate) async fn abandon(&self, attempt: &str, now: Millis) -> DbResult<()> {
        self.trace.ledger("abandoned");
        let entry = "INSERT INTO audit (at, request_id, actor, action, outcome)
                     SELECT ?2, ?3, ?4, 'abandon', 'ok' FROM attempts
                     WHERE id = ?1 AND state IN ('in_flight', 'unknown')";
        let request_id = self.trace.request_id.as_str().into();
        let values = [attempt.into(), number(now), request_id, optional(self.actor.as_deref())];
        let entry = self.db.statement(entry, &values)?;
        // an orphan is looked for from where it most likely is
        let update = "UPDATE attempts SET state = 'abandoned', open = 0, current = 0, looked_to = NULL
                      WHERE id = ?1 AND state IN ('in_flight', 'unknown')";
        self.run(vec![entry, self.db.statement(update, &[attempt.into()])?]).await
    }

    /// The attempt made this account, as a reading that began at `read_at` says.
    ///
    /// An attempt that is no longer current stays so: its link is its owner's all the same. Of several that found the account
    /// the first is taken: what the others read may be older than what is known by now. Gives it as its owner sees it.
    ///
    /// # Errors
    ///
    /// Where the account is another attempt's already: whatever Omise says, it stays its owner's.
    pub(crate) async fn link(
        &self,
        attempt: &str,
        account: LinkedAccount,
        read_at: Millis,
        action: &'static str,
    ) -> DbResult<Account> {
        self.trace.ledger(action);
        let (account_type, created_at) = (JsValue::from(account.account_type.as_str()), account.created_at);
        let account = Account::of(account);
        let id = account.id.as_str();
        let insert = "INSERT INTO links
                        (id, owner, attempt, type, status, account, read_at, link_state_hash, created_at)
                      SELECT ?2, owner, id, ?3, ?4, ?5, ?6, link_state_hash, ?7
                      FROM attempts WHERE id = ?1 AND state <> 'linked'
                      ON CONFLICT DO NOTHING";
        let insert = self.db.statement(
            insert,
            &[
                attempt.into(),
                id.into(),
                account_type,
                account.status.as_str().into(),
                account.json.as_str().into(),
                number(read_at),
                first_millis(created_at),
            ],
        )?;
        let entry = "INSERT INTO audit (at, request_id, actor, action, link, outcome)
                     SELECT ?3, ?4, ?5, ?6, ?2, ?7 FROM attempts WHERE id = ?1 AND state <> 'linked'
                       AND EXISTS (SELECT 1 FROM links WHERE links.id = ?2 AND attempt = ?1)";
        let entry = self.db.statement(
            entry,
            &[
                attempt.into(),
                id.into(),
                number(read_at),
                self.trace.request_id.as_str().into(),
                optional(self.actor.as_deref()),
                action.into(),
                account.status.as_str().into(),
            ],
        )?;
        let update = "UPDATE attempts SET state = 'linked', link = ?2, open = ?3, current = min(current, ?3)
                      WHERE id = ?1 AND state <> 'linked'
                        AND EXISTS (SELECT 1 FROM links WHERE links.id = ?2 AND attempt = ?1)
                      RETURNING link";
        let open = number(u64::from(account.status == Status::Pending));
        let update = self.db.statement(update, &[attempt.into(), id.into(), open])?;
        let rows = self.db.batch(vec![insert, entry, update]).await?.pop().unwrap_or_default();
        let row = match rows.into_iter().next() {
            // another may have linked it before
            None => self.db.first("SELECT link FROM attempts WHERE id = ?1", &[attempt.into()]).await?,
            linked => linked,
        };
        let linked = row.map(|row| row.optional_text("link")).transpose()?.flatten();
        if linked.as_deref() == Some(id) {
            Ok(account)
        } else {
            Err(Failure::new(Reason::UpstreamUnreadable).with_log("the account is another attempt's"))
        }
    }

    /// The link of this id, whoever owns it.
    pub(crate) async fn find(&self, id: &LinkedAccountId) -> DbResult<Option<Link>> {
        let sql = "SELECT owner, status, read_at, confirmed_at FROM links WHERE id = ?1";
        self.db.first(sql, &[id.as_str().into()]).await?.map(|row| link(&row)).transpose()
    }

    /// The account of a link, as it was last read.
    pub(crate) async fn last(&self, id: &LinkedAccountId) -> DbResult<Option<Seen>> {
        let sql = format!("SELECT {SEEN} FROM links WHERE id = ?1");
        self.db.first(&sql, &[id.as_str().into()]).await?.map(|row| seen(&row)).transpose()
    }

    /// The owner's attempts that stand in the way of new ones.
    pub(crate) async fn open_attempts(&self, owner: &str) -> DbResult<Vec<Attempt>> {
        let sql = format!("SELECT {ATTEMPT} FROM attempts WHERE owner = ?1 AND open = 1");
        self.db.all(self.db.statement(&sql, &[owner.into()])?).await?.iter().map(attempt).collect()
    }

    /// Attempts since `since` of which something may still become known, those first that were not looked at for longest.
    pub(crate) async fn unsettled(&self, since: Millis, limit: u32) -> DbResult<Vec<Attempt>> {
        let sql = format!(
            "SELECT {ATTEMPT} FROM attempts WHERE created_at > ?1 AND (state <> 'linked' OR open = 1)
             ORDER BY looked_at, created_at LIMIT {limit}"
        );
        self.db.all(self.db.statement(&sql, &[number(since)])?).await?.iter().map(attempt).collect()
    }

    /// Remembers that these attempts were looked at.
    pub(crate) async fn looked(&self, attempts: &[String], now: Millis) -> DbResult<()> {
        let sql = "UPDATE attempts SET looked_at = ?2 WHERE id IN (SELECT value FROM json_each(?1))";
        let ids = serde_json::to_string(attempts).map_err(|_| corrupt("attempts.id"))?;
        self.run(vec![self.db.statement(sql, &[ids.into(), number(now)])?]).await
    }

    /// Remembers up to when Omise's accounts were looked through for an attempt.
    pub(crate) async fn looked_to(&self, attempt: &str, at: Timestamp) -> DbResult<()> {
        let sql = "UPDATE attempts SET looked_to = ?2 WHERE id = ?1";
        self.run(vec![self.db.statement(sql, &[attempt.into(), first_millis(at)])?]).await
    }

    /// Drops the keys of attempts, and the events, from before `before`: a thousand of each, as Cloudflare advises, since D1 does
    /// one thing at a time.
    pub(crate) async fn prune(&self, before: Millis) -> DbResult<()> {
        let attempts = "DELETE FROM attempts WHERE id IN
                          (SELECT id FROM attempts WHERE created_at < ?1 ORDER BY created_at LIMIT 1000)";
        let attempts = self.db.statement(attempts, &[number(before)])?;
        let events = "DELETE FROM events WHERE id IN
                        (SELECT id FROM events WHERE seen_at < ?1 ORDER BY seen_at LIMIT 1000)";
        let events = self.db.statement(events, &[number(before)])?;
        self.run(vec![attempts, events]).await
    }

    /// Records a reading that began at `read_at`; `event` is the webhook's that brought it about.
    ///
    /// The audit has a row only where this reading was taken.
    pub(crate) async fn record(
        &self,
        account: &Account,
        read_at: Millis,
        action: &'static str,
        event: Option<&str>,
    ) -> DbResult<()> {
        self.trace.ledger(action);
        let entry = "INSERT INTO audit (at, request_id, actor, action, link, outcome)
                     SELECT ?2, ?3, ?4, ?5, id, status FROM links WHERE id = ?1 AND read_at = ?2";
        let request_id = self.trace.request_id.as_str().into();
        let actor = optional(self.actor.as_deref());
        let values = [account.id.as_str().into(), number(read_at), request_id, actor, action.into()];
        let mut statements = self.reading(account, read_at)?;
        statements.push(self.db.statement(entry, &values)?);
        if let Some(event) = event {
            statements.push(self.seen(event, read_at)?);
        }
        self.run(statements).await
    }

    /// Records that Omise was asked to delete the account and that it is gone, as a reading says that began at `read_at`.
    ///
    /// The audit has a row whoever saw it first, and where the ledger does not know the account: an operator's.
    pub(crate) async fn deleted(&self, account: &Account, read_at: Millis) -> DbResult<()> {
        self.trace.ledger("delete");
        let (id, outcome) = (account.id.as_str(), account.status.as_str());
        let entry = Entry { action: "delete", link: Some(id), outcome, at: read_at };
        let mut statements = self.reading(account, read_at)?;
        statements.push(self.entry(&entry)?);
        self.run(statements).await
    }

    /// The statements that record a reading.
    ///
    /// The first repeats what the core's `merge` decides (the newest reading stays, `deleted` is final), since another request
    /// may have written in between.
    fn reading(&self, account: &Account, read_at: Millis) -> DbResult<Vec<Statement>> {
        let id = JsValue::from(account.id.as_str());
        let update = "UPDATE links SET status = ?2, account = ?3, read_at = ?4
                      WHERE id = ?1 AND read_at <= ?4 AND status <> 'deleted'";
        let values = [id.clone(), account.status.as_str().into(), account.json.as_str().into(), number(read_at)];
        let update = self.db.statement(update, &values)?;
        let close = "UPDATE attempts SET open = 0, current = 0
                     WHERE id = (SELECT attempt FROM links WHERE id = ?1 AND status <> 'pending') AND open = 1";
        Ok(vec![update, self.db.statement(close, &[id])?])
    }

    /// Confirms the owner's link that this return belongs to, once and unless it was deleted; `None` where it is nobody's or
    /// somebody else's.
    pub(crate) async fn confirm(&self, owner: &str, state: &LinkState, now: Millis) -> DbResult<Option<Seen>> {
        const OPEN: &str = "link_state_hash = ?1 AND owner = ?2 AND confirmed_at IS NULL AND status <> 'deleted'";
        let key: [JsValue; 2] = [hash(state).into(), owner.into()];
        let [hash, owner] = &key;
        let (now, request_id) = (number(now), JsValue::from(self.trace.request_id.as_str()));
        let entry = format!(
            "INSERT INTO audit (at, request_id, actor, action, link, outcome)
             SELECT ?3, ?4, ?2, 'confirm', id, 'ok' FROM links WHERE {OPEN}"
        );
        let entry = self.db.statement(&entry, &[hash.clone(), owner.clone(), now.clone(), request_id])?;
        let update = format!("UPDATE links SET confirmed_at = ?3 WHERE {OPEN} RETURNING id");
        let update = self.db.statement(&update, &[hash.clone(), owner.clone(), now])?;
        let find = format!("SELECT {SEEN} FROM links WHERE link_state_hash = ?1 AND owner = ?2");
        let mut results = self.db.batch(vec![entry, update, self.db.statement(&find, &key)?]).await?;
        let found = results.pop().unwrap_or_default();
        if results.pop().is_some_and(|confirmed| !confirmed.is_empty()) {
            self.trace.ledger("confirm");
        }
        found.first().map(seen).transpose()
    }

    /// A part of the owner's accounts, as last read, and how many there are in all.
    pub(crate) async fn list(&self, owner: &str, request: &ListRequest) -> DbResult<(Vec<Shown>, u64)> {
        let ListParams { limit, offset, order, from, to } = request.params;
        let matches = "owner = ?1 AND created_at BETWEEN ?2 AND ?3
                       AND (?4 IS NULL OR status = ?4) AND (?5 IS NULL OR type = ?5)";
        let values = [
            owner.into(),
            from.map_or(number(0), first_millis),
            to.map_or(END_OF_TIME.into(), last_millis),
            optional(request.status.as_ref().map(Status::as_str)),
            optional(request.account_type.as_ref().map(AccountType::as_str)),
        ];
        self.page(matches, &values, order, limit, u64::from(offset)).await
    }

    /// A page of those of the owner's accounts that are looked for, as last read, and how many there are in all.
    pub(crate) async fn search(&self, owner: &str, params: &SearchParams) -> DbResult<(Vec<Shown>, u64)> {
        // words are found as SQLite's lower() folds: A to Z alone
        let matches = "owner = ?1 AND (?2 IS NULL OR status = ?2) AND (?3 IS NULL OR type = ?3)
                       AND (?4 IS NULL OR date(created_at / 1000, 'unixepoch') BETWEEN ?4 AND ?5)
                       AND (instr(id, ?6) OR instr(coalesce(account ->> '$.last_digits', ''), ?6)
                         OR EXISTS (SELECT 1 FROM json_each(account, '$.metadata') WHERE instr(lower(value), ?6)))";
        let (first, last) = params.filters.created.as_ref().map(Created::days).unzip();
        let values = [
            owner.into(),
            optional(params.filters.status.as_ref().map(Status::as_str)),
            optional(params.filters.account_type.as_ref().map(AccountType::as_str)),
            optional(first.as_deref()),
            optional(last.as_deref()),
            params.query.to_ascii_lowercase().into(),
        ];
        let offset = u64::from(params.page.saturating_sub(1)) * u64::from(params.per_page);
        self.page(matches, &values, params.order, params.per_page, offset).await
    }

    async fn page(
        &self,
        matches: &str,
        values: &[JsValue],
        order: Order,
        limit: u32,
        offset: u64,
    ) -> DbResult<(Vec<Shown>, u64)> {
        let direction = direction(order);
        let count = format!("SELECT count(*) AS total FROM links WHERE {matches}");
        // one statement: SQLite counts once, and not for every row
        let page = format!(
            "SELECT {SEEN}, ({count}) AS total FROM links WHERE {matches}
             ORDER BY created_at {direction}, id {direction} LIMIT {limit} OFFSET {offset}"
        );
        let rows = self.db.all(self.db.statement(&page, values)?).await?;
        let total = match rows.first() {
            Some(row) => row.number("total")?,
            None if offset == 0 => 0,
            // past the end
            None => total(self.db.first(&count, values).await?)?,
        };
        let accounts: DbResult<_> = rows.iter().map(|row| seen(row)?.shown()).collect();
        Ok((accounts?, total))
    }

    /// When these accounts were confirmed, for those that are in the ledger.
    pub(crate) async fn confirmations(&self, accounts: &[LinkedAccount]) -> DbResult<Vec<(String, Timestamp)>> {
        let ids: Vec<&str> = accounts.iter().map(|account| account.id.as_str()).collect();
        let ids = serde_json::to_string(&ids).map_err(|_| corrupt("links.id"))?;
        let sql = "SELECT id, confirmed_at FROM links
                   WHERE id IN (SELECT value FROM json_each(?1)) AND confirmed_at IS NOT NULL";
        let rows = self.db.all(self.db.statement(sql, &[ids.into()])?).await?;
        rows.iter().map(|row| Ok((row.text("id")?, timestamp(row.number("confirmed_at")?)?))).collect()
    }

    /// Whether a webhook's event was dealt with before.
    pub(crate) async fn has_seen(&self, event: &str) -> DbResult<bool> {
        Ok(self.db.first("SELECT 1 AS seen FROM events WHERE id = ?1", &[event.into()]).await?.is_some())
    }

    /// Remembers an event that changed nothing.
    pub(crate) async fn remember(
        &self,
        event: &str,
        link: Option<&str>,
        outcome: &'static str,
        now: Millis,
    ) -> DbResult<()> {
        let entry = Entry { action: "webhook", link, outcome, at: now };
        self.run(vec![self.seen(event, now)?, self.entry(&entry)?]).await
    }

    fn seen(&self, event: &str, now: Millis) -> DbResult<Statement> {
        self.db.statement(
            "INSERT INTO events (id, seen_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            &[event.into(), number(now)],
        )
    }

    /// Adds one row to the audit.
    pub(crate) async fn audit(&self, entry: &Entry<'_>) -> DbResult<()> {
        self.run(vec![self.entry(entry)?]).await
    }

    /// A part of the audit, and how many rows there are in all.
    pub(crate) async fn audited(&self, params: &ListParams) -> DbResult<(Vec<Row>, u64)> {
        let direction = direction(params.order);
        let values = [params.from.map_or(number(0), first_millis), params.to.map_or(END_OF_TIME.into(), last_millis)];
        let page = format!(
            "SELECT id, at, request_id, actor, action, link, outcome FROM audit WHERE at BETWEEN ?1 AND ?2
             ORDER BY at {direction}, id {direction} LIMIT {} OFFSET {}",
            params.limit, params.offset
        );
        let rows = self.db.all(self.db.statement(&page, &values)?).await?;
        let total = if params.from.is_some() || params.to.is_some() {
            self.db.first("SELECT count(*) AS total FROM audit WHERE at BETWEEN ?1 AND ?2", &values).await?
        } else {
            // of all: ids count up from one, and nothing is ever deleted, so the last one is their number
            self.db.first("SELECT coalesce(max(id), 0) AS total FROM audit", &[]).await?
        };
        Ok((rows, self::total(total)?))
    }

    fn entry(&self, entry: &Entry<'_>) -> DbResult<Statement> {
        self.db.statement(
            "INSERT INTO audit (at, request_id, actor, action, link, outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            &[
                number(entry.at),
                self.trace.request_id.as_str().into(),
                optional(self.actor.as_deref()),
                entry.action.into(),
                optional(entry.link),
                entry.outcome.into(),
            ],
        )
    }

    async fn run(&self, statements: Vec<Statement>) -> DbResult<()> {
        self.db.batch(statements).await?;
        Ok(())
    }
}

fn attempt(row: &Row) -> DbResult<Attempt> {
    let link = row.optional_text("link")?.map(|id| LinkedAccountId::parse(&id).map_err(|_| corrupt("attempts.link")));
    Ok(Attempt {
        id: row.text("id")?,
        fingerprint: row.text("fingerprint")?,
        state: match row.text("state")?.as_str() {
            "in_flight" => AttemptState::InFlight,
            "unknown" => AttemptState::Unknown,
            "abandoned" => AttemptState::Abandoned,
            "linked" => AttemptState::Linked,
            _ => return Err(corrupt("attempts.state")),
        },
        link: link.transpose()?,
        looked_to: row.optional_number("looked_to")?,
        created_at: row.number("created_at")?,
    })
}

fn link(row: &Row) -> DbResult<Link> {
    Ok(Link {
        owner: row.text("owner")?,
        status: Status::from(row.text("status")?.as_str()),
        read_at: row.number("read_at")?,
        confirmed_at: confirmed_at(row)?,
    })
}

fn seen(row: &Row) -> DbResult<Seen> {
    let account = Account {
        id: LinkedAccountId::parse(&row.text("id")?).map_err(|_| corrupt("links.id"))?,
        status: Status::from(row.text("status")?.as_str()),
        json: row.text("account")?,
    };
    Ok(Seen { account, owner: Some(row.text("owner")?), confirmed_at: confirmed_at(row)? })
}

fn confirmed_at(row: &Row) -> DbResult<Option<Timestamp>> {
    row.optional_number("confirmed_at")?.map(timestamp).transpose()
}

fn total(row: Option<Row>) -> DbResult<u64> {
    row.ok_or_else(|| corrupt("total"))?.number("total")
}

const fn direction(order: Order) -> &'static str {
    match order {
        Order::Chronological => "ASC",
        Order::ReverseChronological => "DESC",
    }
}

fn hash(state: &LinkState) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(state.expose()))
}

/// Whole seconds of our own milliseconds.
pub(crate) fn timestamp(at: Millis) -> DbResult<Timestamp> {
    i64::try_from(at / 1_000).ok().and_then(|at| Timestamp::from_unix(at).ok()).ok_or_else(|| corrupt("time"))
}

/// Later than every time in the ledger.
const END_OF_TIME: f64 = 9_007_199_254_740_991.0;

/// A second's first millisecond: times are shown in whole seconds.
#[allow(clippy::cast_precision_loss)] // seconds of a calendar that ends with the year 9999
fn first_millis(at: Timestamp) -> JsValue {
    JsValue::from_f64(at.as_unix() as f64 * 1_000.0)
}

/// A second's last millisecond, so that a bound includes what is shown with it.
#[allow(clippy::cast_precision_loss)]
fn last_millis(at: Timestamp) -> JsValue {
    JsValue::from_f64(at.as_unix() as f64 * 1_000.0 + 999.0)
}
