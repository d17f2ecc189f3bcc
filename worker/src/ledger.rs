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
    sql::{self, Sql},
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

    /// Selects the newest column of each table (no rows), so that a missing migration fails here.
    pub(crate) async fn check(&self) -> DbResult<()> {
        self.run(vec![
            self.db.statement(sql::CHECK_ATTEMPTS, &[])?,
            self.db.statement(sql::CHECK_LINKS, &[])?,
            self.db.statement(sql::CHECK_EVENTS, &[])?,
            self.db.statement(sql::CHECK_AUDIT, &[])?,
        ])
        .await
    }

    /// Begins a create, if nothing stands against it: the key is new, no attempt of this owner and type is current (or it
    /// is to be replaced), and the owner has fewer than [`MAX_OPEN`] open.
    ///
    /// One transaction, so of two at once one begins.
    pub(crate) async fn begin(&self, new: &NewAttempt<'_>) -> DbResult<Begun> {
        let (owner, key, of_type) =
            (JsValue::from(new.owner), new.idempotency_key.into(), new.account_type.as_str().into());
        let most = number(MAX_OPEN.into());
        let mut statements = Vec::new();
        if new.replace_pending {
            let values = [owner.clone(), JsValue::clone(&of_type), JsValue::clone(&key), most.clone()];
            statements.push(self.db.statement(sql::DEMOTE, &values)?);
        }
        let values = [
            owner,
            new.id.into(),
            key,
            new.fingerprint.into(),
            of_type,
            hash(new.link_state).into(),
            number(new.now),
            most,
        ];
        statements.push(self.db.statement(sql::BEGIN, &values)?);
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
        let current =
            self.db.first(sql::CURRENT_ATTEMPT, &[new.owner.into(), new.account_type.as_str().into()]).await?;
        Ok(current.map(|row| attempt(&row)).transpose()?.map_or(Begun::TooMany, Begun::Pending))
    }

    async fn attempt_by_key(&self, owner: &str, key: &str) -> DbResult<Option<Attempt>> {
        self.db.first(sql::ATTEMPT_BY_KEY, &[owner.into(), key.into()]).await?.map(|row| attempt(&row)).transpose()
    }

    /// Omise refused: the attempt made nothing, and its key is free again.
    pub(crate) async fn forget(&self, attempt: &str) -> DbResult<()> {
        self.trace.ledger("forgotten");
        self.run(vec![self.db.statement(sql::FORGET, &[attempt.into()])?]).await
    }

    /// Omise's answer is not known: the attempt is in doubt.
    pub(crate) async fn doubt(&self, attempt: &str) -> DbResult<()> {
        self.trace.ledger("in_doubt");
        self.run(vec![self.db.statement(sql::DOUBT, &[attempt.into()])?]).await
    }

    /// Omise knows of nothing, long after it was asked: the attempt is over, though an orphan may still be adopted.
    pub(crate) async fn abandon(&self, attempt: &str, now: Millis) -> DbResult<()> {
        self.trace.ledger("abandoned");
        let request_id = self.trace.request_id.as_str().into();
        let values = [attempt.into(), number(now), request_id, optional(self.actor.as_deref())];
        let entry = self.db.statement(sql::ABANDON_AUDIT, &values)?;
        // an orphan is looked for from where it most likely is
        self.run(vec![entry, self.db.statement(sql::ABANDON, &[attempt.into()])?]).await
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
        let insert = self.db.statement(
            sql::LINK,
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
        let entry = self.db.statement(
            sql::LINK_AUDIT,
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
        let open = number(u64::from(account.status == Status::Pending));
        let update = self.db.statement(sql::LINK_ATTEMPT, &[attempt.into(), id.into(), open])?;
        let rows = self.db.batch(vec![insert, entry, update]).await?.pop().unwrap_or_default();
        let row = match rows.into_iter().next() {
            // another may have linked it before
            None => self.db.first(sql::LINK_OF_ATTEMPT, &[attempt.into()]).await?,
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
        self.db.first(sql::FIND, &[id.as_str().into()]).await?.map(|row| link(&row)).transpose()
    }

    /// The account of a link, as it was last read.
    pub(crate) async fn last(&self, id: &LinkedAccountId) -> DbResult<Option<Seen>> {
        self.db.first(sql::LAST, &[id.as_str().into()]).await?.map(|row| seen(&row)).transpose()
    }

    /// The owner's attempts that stand in the way of new ones.
    pub(crate) async fn open_attempts(&self, owner: &str) -> DbResult<Vec<Attempt>> {
        self.db.all(self.db.statement(sql::OPEN_ATTEMPTS, &[owner.into()])?).await?.iter().map(attempt).collect()
    }

    /// Attempts since `since` of which something may still become known, those first that were not looked at for longest.
    pub(crate) async fn unsettled(&self, since: Millis, limit: u32) -> DbResult<Vec<Attempt>> {
        let values = [number(since), number(limit.into())];
        self.db.all(self.db.statement(sql::UNSETTLED, &values)?).await?.iter().map(attempt).collect()
    }

    /// Remembers that these attempts were looked at.
    pub(crate) async fn looked(&self, attempts: &[String], now: Millis) -> DbResult<()> {
        let ids = serde_json::to_string(attempts).map_err(|_| corrupt("attempts.id"))?;
        self.run(vec![self.db.statement(sql::LOOKED, &[ids.into(), number(now)])?]).await
    }

    /// Remembers up to when Omise's accounts were looked through for an attempt.
    pub(crate) async fn looked_to(&self, attempt: &str, at: Timestamp) -> DbResult<()> {
        self.run(vec![self.db.statement(sql::LOOKED_TO, &[attempt.into(), first_millis(at)])?]).await
    }

    /// Drops the keys of attempts, and the events, from before `before`: a thousand of each, as Cloudflare advises, since D1 does
    /// one thing at a time.
    pub(crate) async fn prune(&self, before: Millis) -> DbResult<()> {
        let attempts = self.db.statement(sql::PRUNE_ATTEMPTS, &[number(before)])?;
        let events = self.db.statement(sql::PRUNE_EVENTS, &[number(before)])?;
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
        let request_id = self.trace.request_id.as_str().into();
        let actor = optional(self.actor.as_deref());
        let values = [account.id.as_str().into(), number(read_at), request_id, actor, action.into()];
        let mut statements = self.reading(account, read_at)?;
        statements.push(self.db.statement(sql::RECORD_AUDIT, &values)?);
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
    /// The first repeats what the core's `merge` decides (the newest reading stays, `deleted` is final at any time), since
    /// another request may have written in between.
    fn reading(&self, account: &Account, read_at: Millis) -> DbResult<Vec<Statement>> {
        let id = JsValue::from(account.id.as_str());
        let values = [id.clone(), account.status.as_str().into(), account.json.as_str().into(), number(read_at)];
        let update = self.db.statement(sql::RECORD, &values)?;
        Ok(vec![update, self.db.statement(sql::RECORD_CLOSE, &[id])?])
    }

    /// Confirms the owner's link that this return belongs to, once and unless it was deleted; `None` where it is nobody's or
    /// somebody else's.
    pub(crate) async fn confirm(&self, owner: &str, state: &LinkState, now: Millis) -> DbResult<Option<Seen>> {
        let key: [JsValue; 2] = [hash(state).into(), owner.into()];
        let [hash, owner] = &key;
        let (now, request_id) = (number(now), JsValue::from(self.trace.request_id.as_str()));
        let entry = self.db.statement(sql::CONFIRM_AUDIT, &[hash.clone(), owner.clone(), now.clone(), request_id])?;
        let update = self.db.statement(sql::CONFIRM, &[hash.clone(), owner.clone(), now])?;
        let mut results = self.db.batch(vec![entry, update, self.db.statement(sql::CONFIRMED, &key)?]).await?;
        let found = results.pop().unwrap_or_default();
        if results.pop().is_some_and(|confirmed| !confirmed.is_empty()) {
            self.trace.ledger("confirm");
        }
        found.first().map(seen).transpose()
    }

    /// A part of the owner's accounts, as last read, and how many there are in all.
    pub(crate) async fn list(&self, owner: &str, request: &ListRequest) -> DbResult<(Vec<Shown>, u64)> {
        let ListParams { limit, offset, order, from, to } = request.params;
        let values = [
            owner.into(),
            from.map_or(number(0), first_millis),
            to.map_or(END_OF_TIME.into(), last_millis),
            optional(request.status.as_ref().map(Status::as_str)),
            optional(request.account_type.as_ref().map(AccountType::as_str)),
        ];
        let page = ordered(order, sql::LIST_OLDEST_FIRST, sql::LIST_NEWEST_FIRST);
        self.page(page, sql::LIST_COUNT, &values, limit, u64::from(offset)).await
    }

    /// A page of those of the owner's accounts that are looked for, as last read, and how many there are in all.
    pub(crate) async fn search(&self, owner: &str, params: &SearchParams) -> DbResult<(Vec<Shown>, u64)> {
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
        let page = ordered(params.order, sql::SEARCH_OLDEST_FIRST, sql::SEARCH_NEWEST_FIRST);
        self.page(page, sql::SEARCH_COUNT, &values, params.per_page, offset).await
    }

    async fn page(
        &self,
        page: Sql,
        count: Sql,
        values: &[JsValue],
        limit: u32,
        offset: u64,
    ) -> DbResult<(Vec<Shown>, u64)> {
        let part = [values, &[number(limit.into()), number(offset)]].concat();
        let rows = self.db.all(self.db.statement(page, &part)?).await?;
        let total = match rows.first() {
            Some(row) => row.number("total")?,
            None if offset == 0 => 0,
            // past the end
            None => total(self.db.first(count, values).await?)?,
        };
        let accounts: DbResult<_> = rows.iter().map(|row| seen(row)?.shown()).collect();
        Ok((accounts?, total))
    }

    /// When these accounts were confirmed, for those that are in the ledger.
    pub(crate) async fn confirmations(&self, accounts: &[LinkedAccount]) -> DbResult<Vec<(String, Timestamp)>> {
        let ids: Vec<&str> = accounts.iter().map(|account| account.id.as_str()).collect();
        let ids = serde_json::to_string(&ids).map_err(|_| corrupt("links.id"))?;
        let rows = self.db.all(self.db.statement(sql::CONFIRMATIONS, &[ids.into()])?).await?;
        rows.iter().map(|row| Ok((row.text("id")?, timestamp(row.number("confirmed_at")?)?))).collect()
    }

    /// Whether a webhook's event was dealt with before.
    pub(crate) async fn has_seen(&self, event: &str) -> DbResult<bool> {
        Ok(self.db.first(sql::EVENT_SEEN, &[event.into()]).await?.is_some())
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
        self.db.statement(sql::EVENT, &[event.into(), number(now)])
    }

    /// Adds one row to the audit.
    pub(crate) async fn audit(&self, entry: &Entry<'_>) -> DbResult<()> {
        self.run(vec![self.entry(entry)?]).await
    }

    /// A part of the audit, and how many rows there are in all.
    pub(crate) async fn audited(&self, params: &ListParams) -> DbResult<(Vec<Row>, u64)> {
        let values = [params.from.map_or(number(0), first_millis), params.to.map_or(END_OF_TIME.into(), last_millis)];
        let page = ordered(params.order, sql::AUDITED_OLDEST_FIRST, sql::AUDITED_NEWEST_FIRST);
        let part = [&values[..], &[number(params.limit.into()), number(params.offset.into())]].concat();
        let rows = self.db.all(self.db.statement(page, &part)?).await?;
        let total = if params.from.is_some() || params.to.is_some() {
            self.db.first(sql::AUDITED_COUNT, &values).await?
        } else {
            self.db.first(sql::AUDITED_COUNT_OF_ALL, &[]).await?
        };
        Ok((rows, self::total(total)?))
    }

    fn entry(&self, entry: &Entry<'_>) -> DbResult<Statement> {
        self.db.statement(
            sql::AUDIT,
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

const fn ordered(order: Order, oldest_first: Sql, newest_first: Sql) -> Sql {
    match order {
        Order::Chronological => oldest_first,
        Order::ReverseChronological => newest_first,
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
